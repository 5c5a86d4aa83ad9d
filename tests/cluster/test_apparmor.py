"""Debian's AppArmor profile of Squid, enforced on the pair: the proxy works under it, by what the site adds to it.

Containers have no AppArmor of their own, so only the pair can show it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab import addresses, control, image
from lab.addresses import VIRTUAL_IP
from lab.image import packages, recipe, sources
from lab.image.releases.build import Built
from operations.site import Hosts
from operations.switchover import move
from providers.connection.errors import HostError
from tests.cluster import lab_site
from tests.cluster.lab_stack import LabStack
from tests.support.clients import Clients
from tests.support.stack import DRIFT

if TYPE_CHECKING:
    from tests.cluster.conftest import Machines

Shell = Callable[[str, str], str]

SERVICE, PORT = "packages-apparmor", 8081
PROFILE, LOCAL = "/etc/apparmor.d/usr.sbin.squid", "/etc/apparmor.d/local/usr.sbin.squid"
INSTALL = f"""
echo 'deb [trusted=yes] http://{addresses.ORIGIN}:{PORT}/ ./' >/etc/apt/sources.list.d/apparmor.list
apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qqy install apparmor >/dev/null
systemctl start apparmor
cat /sys/module/apparmor/parameters/enabled
"""
ENFORCE = f"rm -f /etc/apparmor.d/disable/usr.sbin.squid; apparmor_parser --replace {PROFILE}"
CONFINED = "tr -d '\\0' </proc/$(systemctl show -P MainPID squid)/attr/current"
RECORDS = "grep -c '/r/confined-' /mnt/mirror/squid/access.log || true"
FAILURES = "crm_failcount --query --resource squid --quiet || true"


@pytest.fixture(scope="module")
def offered(machines: Machines, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The package with the parser, which the lab's own source has not, served beside it."""
    folder: Path = tmp_path_factory.mktemp("apparmor")
    tree, log = image.ensure(print).tree, folder / "log"
    apt = packages.Apt(tree, sources.machine_sources(recipe.SUITE), folder / "apt", log)
    packages.collect(apt, (("apparmor",),), folder / "packages")
    packages.index(folder / "packages", log)
    argv = Built(tree, folder / "packages").serve(addresses.ORIGIN)
    control.call("spawn", name=SERVICE, namespace="origin", argv=argv)
    yield
    control.call("end", name=SERVICE)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_under_the_enforced_profile_the_log_goes_on_and_without_our_part_it_does_not(
    offered: None, deployed_pair: Machines
) -> None:
    hosts, stack = lab_site.reach(), LabStack()
    lab_site.until(lambda: lab_site.healthy(hosts), "the restored pair is healthy")

    def sh(node: str, script: str) -> str:
        return asyncio.run(deployed_pair.sudo(node, script, timeout=600)).strip()

    for name in deployed_pair.names:
        assert sh(name, INSTALL).splitlines()[-1] == "Y", "this kernel has no AppArmor"
        sh(name, ENFORCE)
    assert stack.drift().code == 0, "whether the profile is on is the administrator's"

    # A Squid that ran before stays as it was; one that is started now is confined.
    with Clients("confined", f"{VIRTUAL_IP}:3128") as clients, clients.step("switchover to the confined Squid"):
        there = hosts.run(move(hosts.cluster(), hosts.site)).target
    assert sh(there, CONFINED) == "/usr/sbin/squid (enforce)"
    assert sh(there, FAILURES) in {"", "0"}
    assert int(sh(there, RECORDS)) > 0
    lab_site.until(lambda: lab_site.healthy(hosts), "the pair is healthy under the profile")
    with Clients("reloaded", f"{VIRTUAL_IP}:3128"):
        sh(there, "systemctl reload squid")
    assert sh(there, CONFINED) == "/usr/sbin/squid (enforce)"

    show_that_our_part_is_needed(hosts, stack, sh, there)


def show_that_our_part_is_needed(hosts: Hosts, stack: LabStack, sh: Shell, active: str) -> None:
    """On the standby, so that the service has somewhere to stay."""
    standby = next(name for name in addresses.NODES if name != active)
    sh(standby, f": >{LOCAL}; apparmor_parser --replace {PROFILE}")
    drift = stack.drift()
    assert drift.code == DRIFT
    assert "squid-profile" in drift.output
    lab_site.until(lambda: lab_site.healthy(hosts), "the pair is healthy before the move that fails")
    with pytest.raises(HostError) as caught:
        hosts.run(move(hosts.cluster(), hosts.site, standby))
    # What Squid says where it may not open a log (`logfile_mod_stdio_open`).
    said = sh(standby, "grep -a 'FATAL' /var/log/squid/cache.log | tail -n 5")
    assert "Cannot open '/mnt/mirror/squid/access.log' for writing" in said, (
        f"Squid was not kept from its log ({said!r}); the move ended so: {caught.value}"
    )

    stack.up("--refresh")
    assert '"/mnt/mirror/squid/**" rw,' in sh(standby, f"cat {LOCAL}")
    sh(standby, "crm_resource --cleanup >/dev/null 2>&1")
    lab_site.until(lambda: lab_site.healthy(hosts), "the pair is healthy again")
    if lab_site.active(hosts) != standby:
        hosts.run(move(hosts.cluster(), hosts.site, standby))
    assert sh(standby, CONFINED) == "/usr/sbin/squid (enforce)"
