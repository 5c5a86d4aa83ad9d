"""What the image's build decides without building anything."""

import re
from pathlib import Path

import pytest

from lab.image import recipe
from lab.image.commands import ImageError
from lab.image.nodes import NODES, Identity
from lab.image.sources import debian_sources

TARGETS = """\
Debian|Packages|http://mirror.example/debian/|bookworm|main
Debian|DEP-11|http://mirror.example/debian/|bookworm|main
Debian|Packages|http://mirror.example/debian/|bookworm|contrib
Debian|Packages|http://mirror.example/debian/|bookworm-updates|main
Debian|Packages|http://mirror.example/security/|bookworm-security|main
Somebody|Packages|http://other.example/|nodistro|main
"""


def test_sources_are_the_machines_own_debian_mirrors() -> None:
    assert debian_sources(TARGETS, "bookworm") == [
        "deb http://mirror.example/debian/ bookworm main",
        "deb http://mirror.example/debian/ bookworm-updates main",
        "deb http://mirror.example/security/ bookworm-security main",
    ]


def test_a_newer_machine_fetches_the_same_release() -> None:
    newer = TARGETS.replace("bookworm", "trixie")
    assert debian_sources(newer, "bookworm") == debian_sources(TARGETS, "bookworm")


def test_a_machine_without_a_debian_mirror_is_told_so() -> None:
    with pytest.raises(ImageError, match="apt-get update"):
        debian_sources("Somebody|Packages|http://other.example/|nodistro|main\n", "bookworm")


def test_an_identity_has_one_number_in_all_its_addresses() -> None:
    other = Identity("other", 130)
    assert (other.public, other.replication) == ("192.0.2.130", "172.16.77.130")
    assert (other.public_mac, other.replication_mac) == ("02:00:00:00:01:82", "02:00:00:00:02:82")
    assert "MACAddress=02:00:00:00:01:82" in other.networks["other-public.network"]
    assert "Gateway" not in other.networks["other-replication.network"]


def test_nodes_are_what_the_site_of_the_lab_says() -> None:
    assert [(node.name, node.public, node.replication) for node in NODES] == [
        ("qsp-a", "192.0.2.11", "172.16.77.11"),
        ("qsp-b", "192.0.2.12", "172.16.77.12"),
    ]


def test_a_node_has_nothing_that_the_product_installs() -> None:
    offered = {package for group in recipe.OFFERED for package in group}
    assert set(recipe.INSTALLED) & offered == {"logrotate", "systemd-timesyncd"}


def test_hosts_know_no_package_source_but_the_labs() -> None:
    root = Path(recipe.__file__).parent / "root"
    lines = (root / "etc/apt/sources.list").read_text().splitlines()
    assert [re.sub(r"\[.*] ", "", line) for line in lines if line.startswith("deb")] == [
        "deb http://192.0.2.1:8080/ ./"
    ]
