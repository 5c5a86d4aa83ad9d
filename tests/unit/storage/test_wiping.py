"""`on_remove: wipe` erases what this site has made on a disk, and nothing that is on it besides."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from providers.connection.command import Command
from providers.connection.errors import CommandFailed, Refused, Unreachable
from providers.storage import drbd, mirror
from providers.storage.device import Signature
from tests.unit.local import LocalNode
from tests.unit.storage.model import DEVICE, WIPED, Box, Cut, World
from tests.unit.storage.test_cut_off import down, up

BEFORE = WIPED.model_copy(update={"filesystem": None, "label": None})
"""As earlier versions wrote it down."""


async def left(world: World, match: str, wanted: mirror.Wanted = WIPED) -> None:
    """Refused before anything is changed, on both nodes."""
    before = [box.state for box in world.boxes.values()]
    world.cut = Cut()
    with pytest.raises(Refused, match=match):
        await mirror.remove(world.cluster("mirror"), wanted)
    assert (world.cut.changes, [box.state for box in world.boxes.values()]) == (0, before)


async def made() -> tuple[World, Box]:
    world = World()
    await up(world)
    return world, world.boxes["qsp-b"]


@pytest.mark.parametrize("metadata", [True, False])
@pytest.mark.parametrize("content", [("ext4", "home"), ("ext3", "home"), ("LVM2_member", "")])
async def test_what_somebody_has_made_on_the_disk_since(metadata: bool, content: tuple[str, str]) -> None:
    world, box = await made()
    box.up, box.content = False, content
    box.generation = box.generation if metadata else None
    await left(world, rf"qsp-b: {DEVICE} is not wiped(.|\n)*carries {content[0]}(.|\n)*wipefs --all {DEVICE}")


async def test_what_somebody_has_put_on_a_part_of_it() -> None:
    world, box = await made()
    box.uses = [{"name": "/dev/vdb1", "type": "part"}]
    await left(world, "qsp-b: .* is not wiped.*part /dev/vdb1")


async def test_a_disk_that_somebody_formats_before_the_metadata_was_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mark is written down first; a run that is cut off there leaves a blank disk to whoever comes."""

    def cut(*_args: object) -> Command:
        raise Unreachable("cut")

    world = World()
    monkeypatch.setattr(drbd, "create", cut)
    with pytest.raises(Unreachable):
        await up(world)
    world.boxes["qsp-a"].content = ("ext3", "home")
    await left(world, "qsp-a: .*carries ext3 .label home.")
    world.boxes["qsp-a"].content = None
    await down(world, WIPED)
    assert [box.state for box in world.boxes.values()] == [box.state for box in World().boxes.values()]


@pytest.mark.parametrize("label", ["squid-mirror", "sqha-making"])
async def test_what_is_left_of_a_mirror_is_wiped(label: str) -> None:
    """Where an earlier version was cut off while it wiped, the metadata was gone first."""
    world, box = await made()
    box.up, box.generation, box.content = False, None, ("ext3", label)
    await mirror.remove(world.cluster("mirror"), WIPED)
    assert (box.generation, box.content) == (None, None)


async def test_without_a_word_of_the_filesystem_metadata_tells_whose_it_is() -> None:
    world, box = await made()
    box.content = ("crypto_LUKS", "")
    await left(world, "carries crypto_LUKS", BEFORE)
    box.content, box.generation, box.up = ("ext3", "squid-mirror"), None, False
    await left(world, "carries ext3", BEFORE)
    box.generation = 7
    await mirror.remove(world.cluster("mirror"), BEFORE)
    assert box.content is None


SIZE = 16 * 1024 * 1024
METADATA, EXT3 = Signature("drbd", ""), Signature("ext3", "squid-mirror")


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """A file with what wipefs takes for DRBD's metadata and an ext3, and stand-ins for what needs a block device."""
    erase = '[ -e "${0%/*}/cut" ] && exit 9\nexec wipefs --all --quiet --types drbd "$4"'
    for name, body in (("drbdsetup", ""), ("blockdev", ""), ("drbdmeta", erase)):
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / name).chmod(0o755)
    path = tmp_path / "disk"
    with path.open("wb") as file:
        file.truncate(SIZE)
        file.seek(SIZE - 4096)
        file.write(struct.pack(">Q32xQQII8I", 32000, 5, 0, 0, 0x8374026B, 128, 4, 257, 8, 4096, 0, 0, 0))
    formatted(path, "squid-mirror")
    return path


def formatted(path: Path, label: str) -> None:
    """With as much of a superblock as tells an ext3: its magic number, its revision, a journal, the label."""
    with path.open("r+b") as file:
        file.seek(1024)
        file.write(struct.pack("<56xH18xI12xI24x16s", 0xEF53, 1, 4, label.encode()))


async def wipefs(path: Path) -> list[str]:
    words = ("wipefs", "--no-act", "--noheadings", "--parsable", "--output", "TYPE,LABEL", str(path))
    return (await local(path).run(Command(words))).stdout.split()


def local(path: Path) -> LocalNode:
    return LocalNode(path=f"{path.parent}:/usr/sbin:/sbin")


async def wipe(path: Path, *seen: Signature) -> None:
    await local(path).run(drbd.wipe("squid-ha", "/dev/drbd0", str(path), seen))


async def test_the_disk_is_blank_then_and_may_have_been(disk: Path) -> None:
    assert await wipefs(disk) == ["drbd,", "ext3,squid-mirror"]
    await wipe(disk, METADATA, EXT3)
    assert await wipefs(disk) == []
    await wipe(disk)


async def test_what_came_after_the_look_stays(disk: Path) -> None:
    formatted(disk, "home")
    with pytest.raises(CommandFailed, match=r"carries what it did not a moment ago(.|\n)*ext3,home"):
        await wipe(disk, METADATA, EXT3)
    with pytest.raises(CommandFailed, match=r"drbd,"):
        await wipe(disk)
    assert await wipefs(disk) == ["drbd,", "ext3,home"]


async def test_a_cut_in_the_middle_leaves_the_metadata_that_tells_whose_it_is(disk: Path) -> None:
    (disk.parent / "cut").touch()
    with pytest.raises(CommandFailed):
        await wipe(disk, METADATA, EXT3)
    assert await wipefs(disk) == ["drbd,"]
    (disk.parent / "cut").unlink()
    await wipe(disk, METADATA)
    assert await wipefs(disk) == []
