from pathlib import Path

import pytest

from providers.connection.command import Result, command
from providers.host import chrony
from providers.host.chrony import parse_sources, parse_tracking
from providers.host.clock import Clock
from providers.host.facts import foreign_cluster, is_address, is_distributed, parse_cluster_name, parse_platform

RECORDED = Path(__file__).parents[2] / "recorded/host"
SQUID = "/etc/squid/squid.conf"


def recorded(name: str) -> str:
    return (RECORDED / name).read_text()


def test_platform_of_a_real_host():
    assert parse_platform(recorded("os-release.debian-12.txt")) == "debian-12"


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("192.0.2.1", True), ("2001:db8::1", True), ("0.0.0.0", True), ("", False), ("qsp-a", False),
        ("192.0.2.0/24", False), ("192.0.2.256", False), ("[2001:db8::1]", False),
    ],
)  # fmt: skip
def test_an_address_is_no_name_and_no_network(text, is_one):
    assert is_address(text) is is_one


@pytest.mark.parametrize(
    ("text", "platform"),
    [
        ('ID="rhel"\nVERSION_ID="9.4"\n', "rhel-9.4"),
        ("# ID=x\nID=arch\n", "arch"),
        ("", "unknown"),
        ("VERSION_ID='3'\nID='a b'\n", "a b-3"),
    ],
)
def test_platform(text, platform):
    assert parse_platform(text) == platform


def test_cluster_name_of_the_shipped_file_and_of_none():
    assert parse_cluster_name(recorded("corosync.debian.txt")) == "debian"
    assert parse_cluster_name("") is None
    assert parse_cluster_name("totem {\n  version: 2\n}\n") == ""
    assert parse_cluster_name("# cluster_name: no\ntotem {\n\tcluster_name:prod\n}\n") == "prod"


def test_a_cluster_of_the_packages_name_is_the_packages_on_its_own_address_alone():
    shipped = recorded("corosync.debian.txt")
    assert foreign_cluster(shipped, "lab") is None
    assert foreign_cluster(shipped.replace("127.0.0.1", "192.0.2.11"), "lab") == "debian"
    assert foreign_cluster("totem {\n\tcluster_name: debian\n\ttransport: udp\n}\n", "lab") == "debian"


def test_a_running_cluster_is_anothers_unless_it_has_the_sites_name():
    assert foreign_cluster("", "lab") is None
    assert foreign_cluster("totem {\n\tcluster_name: lab\n}\n", "lab") is None
    assert foreign_cluster("totem {\n\tversion: 2\n}\n", "lab") == "one without a name"
    assert foreign_cluster("nonsense\n", "lab") == "one without a name"


@pytest.mark.parametrize(
    ("name", "distributed"),
    [("conffile.absent.txt", True), ("conffile.shipped.txt", True), ("conffile.edited.txt", False)],
)
def test_whose_a_squid_configuration_is(name, distributed):
    assert is_distributed(recorded(name), SQUID) is distributed


def test_a_file_that_no_package_claims_is_somebodys_own():
    assert not is_distributed("\nfound d41d8cd98f00b204e9800998ecf8427e  -\n", SQUID)


def test_a_clock_that_is_right():
    clock = parse_tracking(recorded("chronyc-tracking.synchronised.txt"))
    assert (clock.source, clock.stratum, clock.problem) == ("192.0.2.1", 9, "")
    assert clock.within(0.5)
    assert "source 192.0.2.1, stratum 9, offset +0.00000" in str(clock)


@pytest.mark.parametrize("offset", [0.6, -0.6])
def test_a_clock_that_is_too_far_off_is_not_synchronised(offset):
    clock = Clock("192.0.2.1", 9, offset)
    assert not clock.within(0.5)
    assert clock.within(0.6)


def test_no_source_is_no_synchronisation_however_small_the_offset():
    clock = parse_tracking(recorded("chronyc-tracking.unsynchronised.txt"))
    assert str(clock) == "no source is selected"
    assert not clock.within(1e9)


def chrony_clock(selected: str) -> Clock:
    """With another line for the selected source."""
    sources = recorded("chronyc-sources.synchronised.txt").replace("^,*,192.0.2.1,8,6,7,1,", selected)
    answers = (recorded("chronyc-tracking.synchronised.txt"), sources)
    return chrony.clock([Result(command("chronyc"), 0, answer, "") for answer in answers])


def test_a_chronyd_whose_sources_have_become_silent_tracks_on_and_is_not_synchronised():
    for heard in ("^,*,192.0.2.1,8,6,10,1024,", "^,*,192.0.2.1,8,10,377,16000,", "^,*,192.0.2.1,8,-1,377,8,"):
        assert chrony_clock(heard).within(0.5)
    for silent in ("^,*,192.0.2.1,8,6,377,1025,", "^,*,192.0.2.1,8,6,0,4294967295,", "^,?,192.0.2.1,8,6,7,1,"):
        assert chrony_clock(silent).problem == "no source answers any more (the last was 192.0.2.1)"


def test_the_hosts_own_clock_is_no_source():
    line = recorded("chronyc-tracking.synchronised.txt").replace("C0000201,192.0.2.1", "7F7F0101,127.127.1.1")
    assert parse_tracking(line).problem == "no source is selected"


@pytest.mark.parametrize(("text", "code"), [("506 Cannot talk to daemon\n", 1), ("", 127), ("1,2,3\n", 0)])
def test_a_chronyd_that_does_not_answer(text, code):
    clock = parse_tracking(text, code)
    assert clock.problem.startswith("chronyd does not answer")
    assert not clock.within(1e9)


def test_sources_are_told_in_words():
    assert parse_sources(recorded("chronyc-sources.synchronised.txt")) == [
        "192.0.2.1 (selected, stratum 8, reach 7)",
        "192.0.2.77 (unusable or not reached, stratum 0, reach 0)",
    ]
    assert parse_sources("506 Cannot talk to daemon", 1) == []
