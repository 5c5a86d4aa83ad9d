"""The mirror's disk has another path on each node: each is read, written and named by its own."""

from __future__ import annotations

import pytest

from providers import reconcile
from providers.connection.command import Command, Result
from providers.connection.errors import Refused
from providers.contract import Absent
from providers.host.settings import FileState, NodeSettings
from providers.storage import marks, mirror
from providers.storage.resource_file import ResourceFile, render
from tests.unit.storage.model import DEVICE, HOSTS, PATH, RESOURCE, VOLUME, Box, Cut, World

OWN = {"qsp-a": "/dev/disk/by-id/of-a", "qsp-b": "/dev/disk/by-id/of-b"}


def declared(own: dict[str, str]) -> mirror.Wanted:
    hosts = [host.model_copy(update={"device": own[host.name]}) for host in HOSTS]
    text = render(ResourceFile(resource=RESOURCE, volume=VOLUME, device=DEVICE, hosts=hosts, fencing=True))
    files = {PATH: FileState(content=text, mode="0600", owner="root:root")}
    half = mirror.NodeMirror(settings=NodeSettings(files=files))
    return mirror.Wanted(resource=RESOURCE, volume=VOLUME, device=DEVICE, devices=own, nodes=dict.fromkeys(own, half))


WANTED = declared(OWN)


class Apart(World):
    """There is a disk at a node's own path only."""

    def __init__(self) -> None:
        super().__init__()
        self.paths = dict(OWN)

    def act(self, box: Box, command: Command) -> Result | str:
        disks = {word for word in command.argv if word.startswith("/dev/disk/")}
        assert disks <= {self.paths[box.name]}, f"{box.name} was asked for another node's disk: {command}"
        return super().act(box, command)


async def test_each_half_is_made_on_the_disk_of_its_node_and_left_alone_then():
    world = Apart()
    await reconcile.apply(mirror, world.cluster("mirror"), WANTED)
    assert all(box.generation is not None for box in world.boxes.values())
    marked = {name: marks.device_of(world.journals[name, "mirror"].values) for name in OWN}
    assert marked == OWN
    world.cut = Cut()
    await reconcile.apply(mirror, world.cluster("mirror"), WANTED)
    assert world.cut.changes == 0


async def test_a_disk_that_is_not_blank_is_refused_by_the_path_of_its_node():
    world = Apart()
    world.boxes["qsp-b"].content = ("ext4", "home")
    with pytest.raises(Refused, match=f"{OWN['qsp-b']} is not blank") as refused:
        await mirror.converge(world.cluster("mirror"), WANTED, Absent())
    assert refused.value.node == "qsp-b"
    assert world.cut.changes == 0


async def test_halves_that_are_there_are_adopted_each_by_its_own_path():
    world = Apart()
    for box in world.boxes.values():
        box.generation, box.content = 3, ("ext3", "squid-mirror")
    with pytest.raises(Refused, match=f"{OWN['qsp-a']} carries DRBD metadata"):
        await mirror.converge(world.cluster("mirror"), WANTED, Absent())
    await mirror.converge(world.cluster("mirror", takeover=True), WANTED, Absent())
    assert [box.generation for box in world.boxes.values()] == [3, 3]


@pytest.mark.parametrize("on_remove", ["keep", "wipe"])
async def test_what_is_kept_or_wiped_is_the_disk_of_each_node(on_remove: str):
    world = Apart()
    wanted = WANTED.model_copy(update={"on_remove": on_remove})
    await reconcile.apply(mirror, world.cluster("mirror"), wanted)
    await mirror.remove(world.cluster("mirror"), wanted)
    kept = {name: list(journal.values) for (name, thing), journal in world.journals.items() if thing == "kept"}
    if on_remove == "wipe":
        assert [box.generation for box in world.boxes.values()] == [None, None]
        assert not any(kept.values())
        return
    assert kept == {name: [path] for name, path in OWN.items()}
    await reconcile.apply(mirror, world.cluster("mirror"), wanted)
    assert [box.generation for box in world.boxes.values()] == [7, 7]


async def test_a_half_is_not_moved_to_another_disk_of_its_node_in_place():
    world = Apart()
    await reconcile.apply(mirror, world.cluster("mirror"), WANTED)
    world.cut = Cut()
    moved = WANTED.model_copy(update={"devices": {**OWN, "qsp-b": "/dev/sdz"}})
    with pytest.raises(Refused, match=f"lies on {OWN['qsp-b']}; it is not moved to /dev/sdz") as refused:
        await mirror.converge(world.cluster("mirror"), moved, Absent())
    assert refused.value.node == "qsp-b"
    assert world.cut.changes == 0


async def test_a_node_that_was_replaced_gets_its_half_on_its_new_disk_while_the_other_one_serves():
    world = Apart()
    await reconcile.apply(mirror, world.cluster("mirror"), WANTED)
    lost, survivor = world.boxes["qsp-b"], world.boxes["qsp-a"]
    vars(lost).update(vars(Box("qsp-b")))
    for (name, _), journal in world.journals.items():
        if name == "qsp-b":
            journal.values.clear()
    survivor.role = "Primary"
    world.paths["qsp-b"] = "/dev/disk/by-id/of-the-new-one"
    after = declared(world.paths)
    await reconcile.apply(mirror, world.cluster("mirror"), after, previous=WANTED)
    assert [box.generation for box in world.boxes.values()] == [7, 7]
    assert survivor.role == "Primary"
    assert marks.device_of(world.journals["qsp-b", "mirror"].values) == world.paths["qsp-b"]


async def test_paths_that_are_declared_otherwise_and_stay_the_same_move_nothing():
    """`mirror.device` and one node's own path are told the other way round."""
    world = Apart()
    await reconcile.apply(mirror, world.cluster("mirror"), WANTED)
    world.cut = Cut()
    again = WANTED.model_copy(update={"device": OWN["qsp-b"]})
    await reconcile.apply(mirror, world.cluster("mirror"), again, previous=WANTED)
    assert all(box.file is not None and box.up for box in world.boxes.values())
