"""A mirrored LifeKeeper pair that somebody built command by command, under tags of their own, is taken over as it is.

On the lab's stand-in, with a real mirror between the machines: the whole reference, phase 3.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab import snapshot
from lab.paths import run_directory
from tests.cluster import lab_site
from tests.cluster.adopted import Way, is_operated
from tests.cluster.lifekeeper_lines import DEVICE, PATHS, A, B, install, ok
from tests.hosts.test_adopt import BY_HAND, CHRONY, adopt, files_of, fresh, written
from tests.hosts.test_adopt_pcs import NODES, squid_ha
from tests.support.lifekeeper_lists import differing, lists
from tests.support.things import Site, difference, site

if TYPE_CHECKING:
    from tests.cluster.conftest import Machines

pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)]

NAME = "test-adopt-lifekeeper-mirror"
PACKAGES = "squid chrony logrotate curl"
MOUNT = "/srv/proxy"
ON_BOTH = f"""
cat >/etc/squid/squid.conf <<'END'
{BY_HAND.replace("access_log daemon:", "access_log stdio:")}
access_log stdio:{MOUNT}/log/access.log squid
END
cat >/etc/chrony/chrony.conf <<'END'
{CHRONY}END
systemctl restart chrony
systemctl disable -q --now squid
mkdir -p {MOUNT}
"""
TAGS = f"--tag office-mirror --fstag {MOUNT}"
TO_B = f"--dest {B} --switchback intelligent --target_priority 20"
HIERARCHY = f"""
lkcli resource create qsp --tag office-squid --service squid --switchback intelligent
lkcli resource extend qsp --tag office-squid {TO_B}
lkcli resource create ip --tag office-ip --ipaddr 192.0.2.10 --netmask 255.255.255.0 --device eth0
lkcli resource extend ip --tag office-ip {TO_B}
lkcli dependency create --parent office-squid --child {MOUNT}
lkcli dependency create --parent office-ip --child office-squid
"""
SERVES = "ip -o address show to 192.0.2.10 | grep -q . && systemctl is-active squid || true"


async def mirror(pair: Machines) -> None:
    """Made on the first node, extended to the second over the network between them."""
    disk = f"--device {DEVICE} --fstype ext4 --mount_point {MOUNT} --hierarchy new"
    await ok(pair, A, f"lkcli resource create dk {TAGS} --mode synchronous {disk}", 900)
    ends = f"--laddr {PATHS[1][0]} --raddr {PATHS[1][1]}"
    await ok(pair, A, f"lkcli resource extend dk {TAGS} --mode synchronous {ends} {TO_B}", 900)


@pytest.fixture
def hosts(bare: Machines) -> Iterator[Site]:
    """The pair, as its builder left it; bare again afterwards."""
    there = site(bare, name=NAME)
    apt = f"apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qqy install {PACKAGES} >/dev/null"

    async def prepared() -> None:
        await asyncio.gather(*(bare.sudo(node, apt, timeout=1800) for node in (A, B)))
        await install(bare)
        await asyncio.gather(*(bare.sudo(node, ON_BOTH) for node in (A, B)))
        await mirror(bare)
        await bare.sudo(A, f"install -d -o proxy -g proxy -m 750 {MOUNT}/log; systemctl start squid")
        for line in HIERARCHY.strip().splitlines():
            await ok(bare, A, line, 300)

    asyncio.run(prepared())
    lab_site.until(lambda: "[2/2]" in there.sh(A, "cat /proc/mdstat") or None, "both halves are the same", limit=1800)
    for node in (A, B):
        there.sh(node, "chronyc waitsync 300 0.4 0 1 >/dev/null")
    yield there
    snapshot.restore(snapshot.BARE)


def test_a_mirrored_pair_built_by_hand_is_adopted_operated_and_looked_at(
    hosts: Site, bare: Machines, tmp_path: Path
) -> None:
    stack = fresh(NAME, tmp_path)
    run = adopt(Way(bare.identity, bare.known_hosts, run_directory()), NAME, NODES, stack)
    assert run.code == 0, run.output
    assert json.loads(run.output)["would_change"] == []
    written(stack)
    assert stack.site["lifekeeper"]["tags"] == {
        "squid": "office-squid", "address": "office-ip", "mirror": "office-mirror",
    }  # fmt: skip
    assert stack.site["mirror"] | {"device": DEVICE, "mount_point": MOUNT, "filesystem": "ext4"} == stack.site["mirror"]
    assert (stack.site["log"]["access"], stack.site["log"]["mirror_directory"]) == ("both", "log")

    before = lists(hosts), {name: files_of(hosts, name) for name in (A, B)}
    process = hosts.sh(A, "systemctl show -P MainPID squid")
    stack.up()
    assert differing(before[0], lists(hosts)) == []
    assert {name: difference(files, files_of(hosts, name)) for name, files in before[1].items()} == {A: [], B: []}
    assert hosts.sh(A, "systemctl show -P MainPID squid") == process, "Squid was started anew"
    assert "unchanged" in stack.preview("--expect-no-changes").output
    drift = squid_ha(stack, "drift", NAME)
    assert drift.code == 0, drift.output

    is_operated(hosts, stack, lambda: B if hosts.sh(B, SERVES).strip() == "active" else "", B)

    hosts.sh(A, "/opt/LifeKeeper/bin/lkcli dependency delete --parent office-ip --child office-squid")
    drift = squid_ha(stack, "drift", NAME)
    assert drift.code == 3, drift.output
    assert "office-squid" in drift.output
    stack.up("--refresh")
    assert squid_ha(stack, "drift", NAME).code == 0
