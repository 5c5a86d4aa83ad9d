"""The mirror's disk has another path on each node: each is asked for, said and named by its own."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from blueprint.site import things
from declaration.load import read
from providers.connection.command import Command, Result
from providers.connection.errors import Refused
from providers.lifekeeper import mirror
from tests.unit.lifekeeper.fake import Pair
from tests.unit.lifekeeper.sites import settings
from tests.unit.lifekeeper.test_mirror_data import created, deleted_by_hand, mount_as_told, until_mirror
from tests.unit.lifekeeper.test_providers import OWNER, differences, down, restore, up

A, B = "proxy-a", "proxy-b"
MIRROR, FILESYSTEM = "datarep-mirror", "/mnt/mirror"
COMMON, OWN = "/dev/disk/by-id/scsi-0EXAMPLE_data", "/dev/disk/by-id/of-b"
PATHS = {A: COMMON, B: OWN}
CONTENT = '{"signatures": [{"type": "ext3", "label": ""}]}'


class Apart(Pair):
    """There is a disk at a node's own path only."""

    def __init__(self) -> None:
        super().__init__(A, B)
        for lcd in self.lcds.values():
            lcd.running = False

    def run(self, name: str, command: Command) -> Result:
        disks = {word for word in command.argv if word.startswith("/dev/disk/")}
        extends = "extend" in command.argv
        assert extends or disks <= {PATHS[name]}, f"{name} was asked for another node's disk: {command}"
        return super().run(name, command)

    def lines(self, *words: str) -> list[str]:
        return [line for _, line in self.said if all(word in line for word in words)]


def members(own: str | None = OWN) -> list[Any]:
    raw = settings()
    raw["nodes"][1] |= {"mirror_device": own} if own else {}
    made: list[Any] = [each for each in things(read(raw, "test"), OWNER) if each.kind.startswith("lifekeeper.")]
    for each in made:
        if each.kind == "lifekeeper.filesystem":
            each.inputs.directories.clear()
            each.inputs.files.clear()
        if each.kind == "lifekeeper.mirror":
            each.inputs.mount_points.clear()
    return made


def wanted(own: str | None = OWN) -> mirror.Wanted:
    return next(each.inputs for each in members(own) if each.name == "tree-mirror")


def test_the_line_that_extends_names_the_disk_of_the_target_and_the_pair_reads_back_as_wanted():
    pair, listed = Apart(), members()
    up(pair, listed)
    (create,), (extend,) = pair.lines("create dk"), pair.lines("extend dk")
    assert f"--device {COMMON}" in create
    assert f"--device {OWN}" in extend
    assert [pair.lcds[name].instances[MIRROR][2] for name in PATHS] == list(PATHS.values())
    assert [differences(pair, thing) for thing in listed] == [[] for _ in listed]
    pair.said.clear()
    up(pair, listed)
    assert pair.said == []


def test_a_disk_of_one_path_on_both_nodes_is_not_named_when_it_is_extended():
    line = next(each for each in mirror.lines(wanted(None)) if each.name == "lkcli resource extend dk")
    assert "--device" not in line.words
    assert line.certainty == "confirmed"


def test_that_the_product_takes_the_target_device_is_asked_before_anything_is_made():
    product = next(each for each in members() if each.name == "lifekeeper")
    assert "device" in product.inputs.assumed["lkcli resource extend dk"]


def test_a_disk_that_is_not_blank_is_refused_by_the_path_of_its_node():
    pair = Apart()
    pair.lcds[B].signatures = CONTENT
    with pytest.raises(Refused, match=f"{OWN} is not blank") as refused:
        up(pair, until_mirror(members()))
    assert refused.value.node == B
    assert created(pair) == []


def test_the_half_that_had_the_newest_data_is_taken_over_by_its_own_path():
    pair = Apart()
    up(pair, members())
    asyncio.run(restore(pair, B))
    pair.lcds[A].signatures = pair.lcds[B].signatures = CONTENT
    down(pair, members())
    assert {name: sorted(pair.journals.opened[name, "kept"].values) for name in PATHS} == {
        A: [COMMON],
        B: [OWN, f"source of {OWN}"],
    }
    pair.said.clear()

    mount_as_told(pair)
    up(pair, until_mirror(members()))
    assert pair.lines("mount -t ext3", OWN, FILESYSTEM)
    ((node, create),) = created(pair)
    assert node == B
    assert f"--device {OWN}" in create
    (extend,) = pair.lines("extend dk")
    assert f"--device {COMMON}" in extend
    assert all(pair.journals.opened[name, "kept"].values == {} for name in PATHS)


def test_a_mirror_that_was_deleted_by_hand_is_told_by_the_path_of_the_node():
    pair = Apart()
    up(pair, members())
    pair.lcds[A].signatures, pair.lcds[B].signatures = "", CONTENT
    deleted_by_hand(pair)
    with pytest.raises(Refused, match=f"{OWN} carries this site's own data") as refused:
        up(pair, until_mirror(members()))
    assert refused.value.node == B


def test_a_mirror_that_lies_on_another_disk_of_a_node_is_not_taken_for_it():
    pair = Apart()
    up(pair, members())
    pair.lcds[B].instances[MIRROR][2] = "/dev/sdz"
    (found,) = differences(pair, next(each for each in members() if each.name == "tree-mirror"))
    assert B in found
    assert OWN in found
    assert "/dev/sdz" in found


def test_another_disk_of_one_node_is_refused_at_the_preview():
    said = mirror.refusal(wanted(), wanted("/dev/disk/by-id/other")) or ""
    assert said.startswith(f"the disk on {B} of {MIRROR} does not change in place from {OWN} to /dev/disk/by-id/other")
    assert "pulumi up --refresh" in said
    assert (mirror.refusal(wanted(None), wanted()) or "").startswith(f"the disk on {B} of ")
    assert mirror.refusal(wanted(None), wanted(COMMON)) is None
    assert mirror.refusal(wanted(), wanted()) is None


def test_paths_that_are_declared_otherwise_and_stay_the_same_are_no_change():
    before = wanted()
    assert mirror.refusal(before, before.model_copy(update={"device": OWN})) is None


def test_a_node_that_was_replaced_gets_the_mirror_on_its_new_disk():
    seen = wanted("/dev/disk/by-id/before")
    lost = seen.model_copy(update={"nodes": {**seen.nodes, B: None}})
    assert mirror.refusal(seen, wanted()) is not None
    assert mirror.refusal(lost, wanted()) is None
