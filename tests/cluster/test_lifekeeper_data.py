"""The mirror of the engine `lifekeeper`, by this program's own lines, on real disks: no data is lost."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from blueprint.site import things
from declaration.load import read
from lab import lifekeeper
from lab.paths import run_directory
from providers.connection.errors import CommandFailed, Refused
from tests.cluster import lab_site
from tests.cluster.lifekeeper_lines import PATHS, install, ok
from tests.support.lifekeeper_lists import differing, lists
from tests.support.sites import reference
from tests.support.things import OWNER, Site, down, site, up

if TYPE_CHECKING:
    from tests.cluster.conftest import Machines

pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)]

A, B = "qsp-a", "qsp-b"
BIN = "/opt/LifeKeeper/bin"
MOUNT = "/mnt/mirror"
NEEDED = ("lifekeeper", "paths", "tree-mirror")


@pytest.fixture
def listed() -> list[Any]:
    """LifeKeeper, its paths and the mirror: what stands above it needs Squid."""
    declared = things(read(reference(run_directory(), "lifekeeper"), "test"), OWNER)
    return [each for each in declared if each.name in NEEDED]


def in_step(nodes: Site, name: str) -> None:
    def told() -> bool | None:
        return "[2/2]" in nodes.sh(name, "cat /proc/mdstat") or None

    lab_site.until(told, f"the mirror is in step as {name} sees it", limit=1800)


def test_data_outlives_the_declaration_and_is_never_formatted(bare: Machines, listed: list[Any]) -> None:
    for name in (A, B):
        asyncio.run(lifekeeper.provide(name))
    nodes = site(bare)
    up(nodes, listed)
    in_step(nodes, A)
    up(nodes, listed)

    # The service moves, and is taken back: the newest data is on the second node.
    nodes.sh(A, f"echo before > {MOUNT}/first; sync")
    nodes.sh(B, f"{BIN}/perform_action -t {MOUNT} -a restore")
    in_step(nodes, B)
    nodes.sh(B, f"echo after > {MOUNT}/second; sync")
    down(nodes, listed)
    assert nodes.sh(B, "lsblk --noheadings --output MOUNTPOINTS /dev/disk/by-id/virtio-data").strip() == ""

    # Declared again, it is taken over from there.
    up(nodes, listed)
    assert nodes.sh(B, f"cat {MOUNT}/first {MOUNT}/second") == "before\nafter\n"
    in_step(nodes, B)
    assert [nodes.drift(each.kind, each.name, each.inputs) for each in listed] == [[], [], []]

    # Deleted by hand, it is not made anew over its data.
    nodes.sh(B, f"{BIN}/perform_action -t {MOUNT} -a remove")
    nodes.sh(B, f"{BIN}/lkcli resource delete --tag {MOUNT}")
    with pytest.raises(Refused, match="this site's own data"):
        up(nodes, listed)
    nodes.sh(B, f"mount -t ext3 /dev/disk/by-id/virtio-data {MOUNT}")
    assert nodes.sh(B, f"cat {MOUNT}/first {MOUNT}/second") == "before\nafter\n"


def test_a_mirror_that_was_made_by_hand_is_taken_over_as_it_is(bare: Machines, listed: list[Any]) -> None:
    """By the commands that a person would type, with the tags and settings that the site declares."""
    asyncio.run(by_hand(bare, listed[-1].inputs))
    nodes = site(bare)
    in_step(nodes, A)
    nodes.sh(A, f"echo mine > {MOUNT}/mine; sync")
    before = lists(nodes)
    up(nodes, listed)
    assert differing(before, lists(nodes)) == [], "taking it over changed something of LifeKeeper's"
    assert [nodes.drift(each.kind, each.name, each.inputs) for each in listed] == [[], [], []]
    assert nodes.sh(A, f"cat {MOUNT}/mine") == "mine\n"

    # What was found is left when the site is given up.
    down(nodes, listed)
    assert differing(before, lists(nodes)) == []
    assert nodes.sh(A, f"cat {MOUNT}/mine") == "mine\n"


OTHER_BITMAP = "/opt/LifeKeeper/bitmap_of_our_own"
SWITCHES = "/opt/LifeKeeper/config/stand-in.json"
ASSEMBLED, KNOWN = 3, 5
"""Steps of the creation: at the first LifeKeeper does not know the mirror yet, at the second no filesystem on it."""


def dies(step: int) -> str:
    """What has the creation killed before that step."""
    return f"""echo '{{"slow": 1, "die": {{"command": "lkcli resource create dk", "step": {step}}}}}' >{SWITCHES}"""


def test_a_mirror_of_other_kinds_is_made_though_its_first_making_died(bare: Machines) -> None:
    """Asynchronous, ext4, with a bitmap of its own, by lkcli; killed when the mirror was there and no filesystem."""
    for name in (A, B):
        asyncio.run(lifekeeper.provide(name))
    nodes, declared = site(bare), reference(run_directory(), "lifekeeper")
    declared["mirror"]["filesystem"] = "ext4"
    declared["lifekeeper"] |= {
        "replication": {"mode": "asynchronous", "bitmap": OTHER_BITMAP},
        "prefer": "lkcli",
    }
    made = [each for each in things(read(declared, "test"), OWNER) if each.name in NEEDED]
    up(nodes, made[:-1])
    nodes.sh(A, dies(KNOWN))
    with pytest.raises(CommandFailed, match="exit code 137"):
        up(nodes, made[-1:])
    nodes.sh(A, f"rm {SWITCHES}")
    up(nodes, made)
    in_step(nodes, A)
    assert nodes.sh(A, f"findmnt --noheadings --output FSTYPE {MOUNT}").strip() == "ext4"
    info = nodes.sh(A, f"{BIN}/ins_list -r netraid -f:")
    assert OTHER_BITMAP in info
    assert "asynchronous" in info
    assert [nodes.drift(each.kind, each.name, each.inputs) for each in made] == [[], [], []]
    nodes.sh(B, f"{BIN}/perform_action -t {MOUNT} -a restore")
    assert nodes.sh(B, f"findmnt --noheadings --output FSTYPE {MOUNT}").strip() == "ext4"


def test_a_filesystem_that_is_there_is_taken_over_though_two_runs_died_at_it(bare: Machines) -> None:
    """Declared as existing. One dies when the mirror was assembled and LifeKeeper did not know it, one when it did."""
    for name in (A, B):
        asyncio.run(lifekeeper.provide(name))
    nodes, declared = site(bare), reference(run_directory(), "lifekeeper")
    declared["lifekeeper"]["replication"] = {"hierarchy": "existing"}
    made: list[Any] = [each for each in things(read(declared, "test"), OWNER) if each.name in NEEDED]
    disk = made[-1].inputs.device
    nodes.sh(A, f"mkfs.ext3 -q {disk} && mkdir -p {MOUNT} && mount {disk} {MOUNT} && echo mine >{MOUNT}/mine; sync")
    up(nodes, made[:-1])
    for step in (ASSEMBLED, KNOWN):
        nodes.sh(A, dies(step))
        with pytest.raises(CommandFailed, match="exit code 137"):
            up(nodes, made[-1:])
        nodes.sh(A, f"rm {SWITCHES}")
        assert nodes.sh(A, f"mountpoint -q {MOUNT} || echo unmounted") == "unmounted\n"
        assert (f"{made[-1].inputs.tag}|" in nodes.sh(A, f"{BIN}/ins_list '-f|'")) == (step == KNOWN)
    up(nodes, made)
    assert nodes.sh(A, f"cat {MOUNT}/mine") == "mine\n"
    in_step(nodes, A)
    assert [nodes.drift(each.kind, each.name, each.inputs) for each in made] == [[], [], []]
    nodes.sh(B, f"{BIN}/perform_action -t {MOUNT} -a restore")
    assert nodes.sh(B, f"cat {MOUNT}/mine") == "mine\n"


async def by_hand(pair: Machines, mirror: Any) -> None:
    """Installed, licensed, started, both paths, the mirror made and extended."""
    await install(pair, "LKCHECKINTERVAL=20\nLCMHBEATTIME=2\nLCMNUMHBEATS=8\n")
    tags = f"--tag {mirror.tag} --fstag {mirror.fstag}"
    disk = f"--device {mirror.device} --fstype {mirror.fstype} --mount_point {MOUNT}"
    await ok(pair, A, f"lkcli resource create dk {tags} --mode synchronous {disk} --hierarchy new", 900)
    ends = f"--dest {B} --laddr {PATHS[1][0]} --raddr {PATHS[1][1]}"
    extend = f"lkcli resource extend dk {tags} --mode synchronous {ends} --switchback intelligent --target_priority 10"
    await ok(pair, A, extend, 900)
