"""Cut at every change, before and after it takes effect, and run again: the same end, and no data lost on the way."""

from __future__ import annotations

import pytest

from providers import reconcile
from providers.connection.errors import HostError
from providers.storage import filesystem, mirror
from tests.unit.storage.model import FILESYSTEM, MIRROR, WIPED, Cut, World


async def up(world: World) -> None:
    await reconcile.apply(mirror, world.cluster("mirror"), MIRROR)
    await reconcile.apply(filesystem, world.cluster("filesystem"), FILESYSTEM)


async def down(world: World, wanted: mirror.Wanted = MIRROR) -> None:
    await filesystem.remove(world.cluster("filesystem"), FILESYSTEM)
    await mirror.remove(world.cluster("mirror"), wanted)


def states(world: World) -> list[object]:
    return [box.state for box in world.boxes.values()]


async def test_up_makes_both_and_a_second_up_changes_nothing() -> None:
    world = World()
    await up(world)
    assert world.boxes["qsp-a"].content == ("ext3", "squid-mirror")
    assert world.boxes["qsp-a"].file == world.boxes["qsp-b"].file
    world.cut.changes = 0
    await up(world)
    assert world.cut.changes == 0


@pytest.mark.thorough
@pytest.mark.parametrize("after", [False, True])
async def test_up_cut_anywhere(after: bool) -> None:
    reference = World()
    await up(reference)
    assert reference.cut.changes > 20
    for at in range(1, reference.cut.changes + 1):
        world = World()
        world.cut = Cut(at, after)
        with pytest.raises(HostError):
            await up(world)
        world.cut = Cut()
        await up(world)
        assert states(world) == states(reference), f"cut at change {at}"
        assert not [key for key, journal in world.journals.items() if "pending" in journal.values]


@pytest.mark.thorough
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("on_remove", ["keep", "wipe"])
async def test_down_cut_anywhere(after: bool, on_remove: str) -> None:
    wanted = WIPED if on_remove == "wipe" else MIRROR
    reference = World()
    await up(reference)
    reference.cut = Cut()
    await down(reference, wanted)
    for at in range(1, reference.cut.changes + 1):
        world = World()
        await up(world)
        world.cut = Cut(at, after)
        with pytest.raises(HostError):
            await down(world, wanted)
        world.cut = Cut()
        await down(world, wanted)
        assert states(world) == states(reference), f"cut at change {at}"


async def test_kept_data_is_adopted_by_a_later_up() -> None:
    world = World()
    await up(world)
    made = states(world)
    await down(world)
    box = world.boxes["qsp-a"]
    assert (box.content, box.file, box.up, box.bare) == (("ext3", "squid-mirror"), None, False, None)
    assert not world.journals["qsp-a", "mirror"].values
    await up(world)
    assert states(world) == made
    assert not world.journals["qsp-a", "kept"].values


async def test_wiped_disks_are_blank_and_leave_no_mark() -> None:
    world = World()
    await up(world)
    await down(world, WIPED)
    assert [box.state for box in world.boxes.values()] == [box.state for box in World().boxes.values()]
    assert not any(journal.values for journal in world.journals.values())


async def test_a_replaced_half_is_synchronised_from_the_other() -> None:
    world = World()
    await up(world)
    made = states(world)
    box = world.boxes["qsp-b"]
    box.generation, box.content, box.directories, box.up, box.serial = None, None, {}, False, "new"
    await up(world)
    assert states(world) == made
