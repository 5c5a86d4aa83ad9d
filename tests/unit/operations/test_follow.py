"""Following a real log, by the very commands that nodes run: over rotations, compression and moves."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from operations.logs import ask
from operations.logs import follow as following
from operations.logs.cursor import File
from operations.logs.follow import Follower, Source, follow
from providers.connection.command import Command, Result
from providers.connection.errors import CommandFailed, SudoRefused, Unknown, Unreachable
from providers.connection.fake import fake_cluster
from tests.unit.local import LocalNode


@dataclass
class Here(LocalNode):
    """A node that may be off, or let nobody be root.

    A command that was begun ends by itself, as on a node that nobody listens to any more.
    """

    off: bool = False
    root: bool = True
    begun: set[asyncio.Task[Result]] = field(default_factory=set[asyncio.Task[Result]])

    async def run(self, command: Command) -> Result:
        if self.off:
            raise Unreachable("no route to host", node=self.name)
        if not self.root:
            raise SudoRefused("user ops may not become root by sudo", node=self.name, remedy="give it sudo")
        task = asyncio.create_task(super().run(command))
        self.begun.add(task)
        return await asyncio.shield(task)


@dataclass
class Mirror:
    """One folder that is "mounted" on the nodes whose stand-in for mountpoint(1) says so."""

    folder: Path
    nodes: dict[str, Here]
    shown: list[str] = field(default_factory=list[str])
    told: list[str] = field(default_factory=list[str])

    @property
    def log(self) -> Path:
        return self.folder / "mirror/access.log"

    def mount(self, *names: str) -> None:
        for name in self.nodes:
            state = self.folder / name / "mounted"
            state.write_text("yes") if name in names else state.unlink(missing_ok=True)

    def append(self, *records: str) -> None:
        with self.log.open("a") as file:
            file.writelines(f"{record}\n" for record in records)

    def rotate(self, stamp: str) -> None:
        for old in self.folder.glob("mirror/access.log-*[0-9]"):
            old.with_name(f"{old.name}.gz").write_bytes(gzip.compress(old.read_bytes()))
            old.unlink()
        self.log.rename(self.log.with_name(f"access.log-{stamp}"))
        self.log.touch()

    def follower(self) -> Follower:
        cluster = fake_cluster(*self.nodes.values())
        return Follower(Source(cluster, str(self.log), str(self.folder / "mirror")), self.told.append)

    def show(self, lines: list[bytes], node: str) -> None:
        self.shown += [line.decode() for line in lines]

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not holds():  # noqa: ASYNC110 - the condition is of files and of other tasks
                await asyncio.sleep(0.01)


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mirror:
    monkeypatch.setattr(following, "PAUSE", 0.02)
    nodes: dict[str, Here] = {}
    for name in ("qsp-a", "qsp-b"):
        (tmp_path / name).mkdir()
        stand_in = tmp_path / name / "mountpoint"
        stand_in.write_text(f"#!/bin/sh\ntest -f '{tmp_path}/{name}/mounted'\n")
        stand_in.chmod(0o755)
        nodes[name] = Here(name, path=str(tmp_path / name))
    (tmp_path / "mirror").mkdir()
    made = Mirror(tmp_path, nodes)
    made.mount("qsp-a")
    return made


@contextlib.asynccontextmanager
async def followed(mirror: Mirror, follower: Follower) -> AsyncGenerator[None, None]:
    task = asyncio.create_task(follow(follower, mirror.show))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await asyncio.gather(*(each for node in mirror.nodes.values() for each in node.begun), return_exceptions=True)


async def test_a_rotation_and_a_move_and_a_lost_node_are_followed_without_a_gap_or_a_repeat(mirror: Mirror) -> None:
    mirror.append("1", "2", "3")
    follower = mirror.follower()
    assert await follower.last(2) == [b"2", b"3"]
    async with followed(mirror, follower):
        mirror.append("4")
        await mirror.until(lambda: mirror.shown == ["4"])
        mirror.rotate("1")
        mirror.append("5")
        await mirror.until(lambda: mirror.shown == ["4", "5"])
        mirror.mount()
        await mirror.until(lambda: any("on no node" in told for told in mirror.told))
        mirror.append("6")
        mirror.rotate("2")
        mirror.append("7")
        mirror.rotate("3")
        mirror.append("8")
        mirror.mount("qsp-b")
        await mirror.until(lambda: mirror.shown == ["4", "5", "6", "7", "8"])
        mirror.nodes["qsp-b"].off = True
        await mirror.until(lambda: any("no route" in told for told in mirror.told))
        mirror.append("9")
        mirror.mount("qsp-a")
        await mirror.until(lambda: mirror.shown[5:] == ["9"])
    assert [told for told in mirror.told if told.startswith("following")] == [
        "following on qsp-b",
        "following on qsp-a",
    ]


async def test_a_log_that_was_nowhere_at_first_begins_with_its_last_records(mirror: Mirror) -> None:
    mirror.append("1", "2")
    mirror.rotate("1")
    mirror.append("3", "4", "5")
    mirror.mount()
    follower = mirror.follower()
    assert await follower.last(2) == []
    async with followed(mirror, follower):
        await mirror.until(lambda: any("on no node" in told for told in mirror.told))
        mirror.mount("qsp-b")
        await mirror.until(lambda: mirror.shown == ["4", "5"])
        mirror.append("6")
        await mirror.until(lambda: mirror.shown == ["4", "5", "6"])


async def test_a_log_that_goes_while_it_is_looked_at_is_on_no_node(
    mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror.append("1")

    async def found(_self: Source) -> str:
        return "qsp-b"

    monkeypatch.setattr(Source, "find", found)
    assert await mirror.follower().last(2) == []


@pytest.mark.parametrize("gone", ["before it was looked for again", "while it is looked at"])
async def test_a_log_that_goes_before_its_last_records_were_shown_is_asked_for_with_pauses(
    mirror: Mirror, monkeypatch: pytest.MonkeyPatch, gone: str
) -> None:
    mirror.append("1")
    mirror.mount()
    follower = mirror.follower()
    assert await follower.last(1) == []
    find, asked = Source.find, list[str]()

    async def found(source: Source) -> str | None:
        await asyncio.sleep(0)
        asked.append(follower.node)
        there = len(asked) == 1 or gone == "while it is looked at"
        return await find(source) or ("qsp-a" if there else None)

    monkeypatch.setattr(Source, "find", found)
    monkeypatch.setattr(following, "PAUSE", 0.5)
    async with followed(mirror, follower):
        await asyncio.sleep(1.2)
        assert len(asked) <= 6, "it was asked for without a pause"
        mirror.mount("qsp-a")
        await mirror.until(lambda: mirror.shown == ["1"])
    assert gone == "while it is looked at" or "the mirror is mounted on no node; waiting" in mirror.told


async def test_what_a_crash_has_lost_is_told_and_the_rest_goes_on(mirror: Mirror) -> None:
    mirror.append("one", "two", "three")
    follower = mirror.follower()
    await follower.last(3)
    async with followed(mirror, follower):
        await asyncio.sleep(0)
        mirror.mount()
        await mirror.until(lambda: bool(mirror.told))
        mirror.log.write_text("one\nTWO\n")
        mirror.mount("qsp-b")
        await mirror.until(lambda: mirror.shown == ["TWO"])
    assert any("10 bytes that were shown are not in the log any more" in told for told in mirror.told)


async def test_a_log_that_begins_later_is_shown_from_its_beginning(mirror: Mirror) -> None:
    mirror.mount()
    follower = mirror.follower()
    assert await follower.last(10) == []
    async with followed(mirror, follower):
        mirror.append("first")
        mirror.mount("qsp-a")
        await mirror.until(lambda: mirror.shown == ["first"])


async def test_the_last_records_reach_into_files_that_were_rotated(mirror: Mirror) -> None:
    mirror.append("1", "2")
    mirror.rotate("1")
    mirror.append("3")
    assert await mirror.follower().last(2) == [b"2", b"3"]
    assert await mirror.follower().last(0) == []


def archive(mirror: Mirror, count: int) -> None:
    """Compressed files of a record each."""
    for number in range(count):
        old = mirror.log.with_name(f"access.log-{number:02}.gz")
        old.write_bytes(gzip.compress(f"old {number}\n".encode()))


@pytest.mark.parametrize("lines", [0, 10])
@pytest.mark.parametrize("begun", ["empty", "half", "gone"])
async def test_beside_a_live_log_without_a_record_no_archive_is_shown(mirror: Mirror, lines: int, begun: str) -> None:
    archive(mirror, 3)
    if begun != "gone":
        mirror.log.write_text("half " if begun == "half" else "")
    follower = mirror.follower()
    assert await follower.last(lines) == []
    async with followed(mirror, follower):
        mirror.append("a record")
        await mirror.until(lambda: bool(mirror.shown))
        mirror.rotate("98")
        mirror.append("another")
        await mirror.until(lambda: "another" in mirror.shown)
    assert mirror.shown == ["half a record" if begun == "half" else "a record", "another"]
    assert mirror.told == []


@pytest.mark.parametrize("begun", ["", "half "])
async def test_a_live_log_that_is_rotated_before_it_was_read_is_shown_whole(mirror: Mirror, begun: str) -> None:
    archive(mirror, 3)
    mirror.log.write_text(begun)
    follower = mirror.follower()
    assert await follower.last(10) == []
    mirror.append("1", "2")
    mirror.rotate("98")
    mirror.append("3")
    async with followed(mirror, follower):
        await mirror.until(lambda: "3" in mirror.shown)
    assert mirror.shown == [f"{begun}1", "2", "3"]


@pytest.mark.parametrize(("lines", "shown"), [(0, []), (1, ["2"]), (10, ["1", "2"])])
async def test_beside_a_record_that_has_only_begun_the_rotated_ones_are_counted(
    mirror: Mirror, lines: int, shown: list[str]
) -> None:
    mirror.append("1", "2")
    mirror.rotate("1")
    mirror.log.write_text("half ")
    follower = mirror.follower()
    assert [line.decode() for line in await follower.last(lines)] == shown
    async with followed(mirror, follower):
        mirror.append("a record")
        await mirror.until(lambda: bool(mirror.shown))
    assert mirror.shown == ["half a record"]


async def test_last_records_beyond_a_few_mebibytes_have_no_gap_and_none_is_cut(mirror: Mirror) -> None:
    records = [f"{number:05d} {'x' * 1000}" for number in range(6500)]
    mirror.append(*records[:1000])
    mirror.rotate("1")
    mirror.append(*records[1000:])
    shown = await mirror.follower().last(6000)
    assert [line[:5] for line in shown] == [record[:5].encode() for record in records[500:]]
    assert all(len(line) == 1006 for line in shown)


@pytest.mark.parametrize("lines", [0, 1, 9, 10, 11, 29, 30, 31, 60, 99])
async def test_however_many_records_are_asked_for_and_whatever_a_look_brings(
    mirror: Mirror, monkeypatch: pytest.MonkeyPatch, lines: int
) -> None:
    monkeypatch.setattr(following, "CHUNK", 30)
    records = [f"{number:09d}" for number in range(60)]
    mirror.append(*records[:30])
    with mirror.log.open("a") as file:
        file.write("without an end")
    mirror.rotate("1")
    mirror.append(*records[30:])
    with mirror.log.open("a") as file:
        file.write("half ")
    everything = [*records[:30], "without an end", *records[30:]]
    follower = mirror.follower()
    shown = [line.decode() for line in await follower.last(lines)]
    assert shown == everything[max(0, len(everything) - lines) :]
    async with followed(mirror, follower):
        mirror.append("a record")
        await mirror.until(lambda: bool(mirror.shown))
    assert mirror.shown == ["half a record"]


@pytest.mark.parametrize("rotations", [1, 2], ids=["plain", "compressed"])
async def test_a_file_that_gets_another_name_before_it_is_read_is_shown_whole(
    mirror: Mirror, monkeypatch: pytest.MonkeyPatch, rotations: int
) -> None:
    listing, renamed = Follower._list, list[str]()

    async def renamed_after(follower: Follower) -> list[File]:
        listed = await listing(follower)
        for file in mirror.folder.glob("mirror/access.log-1*"):
            file.rename(file.with_name(file.name.replace("-1", "-0")))
            renamed.append(file.name)
        return listed

    mirror.append("1")
    follower = mirror.follower()
    assert await follower.last(1) == [b"1"]
    mirror.append("2", "3")
    for number in range(rotations):
        mirror.rotate(str(number + 1))
        mirror.append(f"after rotation {number}")
    monkeypatch.setattr(Follower, "_list", renamed_after)
    async with followed(mirror, follower):
        await mirror.until(lambda: f"after rotation {rotations - 1}" in mirror.shown)
    assert mirror.shown == ["2", "3", *(f"after rotation {number}" for number in range(rotations))]
    assert renamed == ["access.log-1" if rotations == 1 else "access.log-1.gz"]
    assert mirror.told == []


async def test_a_rotation_in_the_middle_of_it_is_looked_at_again(
    mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    listing = Follower._list
    times: list[int] = []

    async def rotated_after(follower: Follower) -> list[File]:
        listed = await listing(follower)
        if len(times) < rotations:
            times.append(len(times))
            mirror.rotate(str(len(times)))
            mirror.append("3")
        return listed

    monkeypatch.setattr(Follower, "_list", rotated_after)
    mirror.append("1", "2")
    rotations = 1
    assert await mirror.follower().last(3) == [b"1", b"2", b"3"]
    rotations = 99
    with pytest.raises(Unknown, match="others each time"):
        await mirror.follower().last(3)


async def test_a_rotation_while_what_was_shown_is_looked_for_repeats_nothing(
    mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    listing, rotating = Follower._list, list[str]()

    async def rotated_after(follower: Follower) -> list[File]:
        listed = await listing(follower)
        if rotating:
            mirror.rotate(rotating.pop())
        return listed

    monkeypatch.setattr(Follower, "_list", rotated_after)
    mirror.append("1", "2")
    follower = mirror.follower()
    assert await follower.last(2) == [b"1", b"2"]
    async with followed(mirror, follower):
        mirror.mount()
        await mirror.until(lambda: bool(mirror.told))
        rotating.append("9")
        mirror.mount("qsp-b")
        await mirror.until(lambda: not rotating)
        mirror.append("3")
        await mirror.until(lambda: "3" in mirror.shown)
    assert mirror.shown == ["3"]
    assert not any("not in the log" in told for told in mirror.told), mirror.told


def torn_once() -> Callable[[Follower], Awaitable[list[File]]]:
    """Listings of which the first is cut off."""
    listing, torn = Follower._list, ["now"]

    async def listed(follower: Follower) -> list[File]:
        if torn:
            torn.pop()
            raise Unknown("qsp-a: the list of log files is not understood")
        return await listing(follower)

    return listed


async def test_an_answer_that_is_not_whole_is_waited_for(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    mirror.append("1")
    follower = mirror.follower()
    assert await follower.last(1) == [b"1"]
    monkeypatch.setattr(Follower, "_list", torn_once())
    async with followed(mirror, follower):
        mirror.append("2")
        await mirror.until(lambda: mirror.shown == ["2"])


@pytest.mark.parametrize(("asked", "what"), [("list", "the list of log files"), ("read", "what was sent of a log")])
async def test_an_answer_that_is_not_understood_names_its_node(
    mirror: Mirror, monkeypatch: pytest.MonkeyPatch, asked: str, what: str
) -> None:
    mirror.append("1")
    run = Here.run

    async def garbled(node: Here, command: Command) -> Result:
        said = await run(node, command)
        return replace(said, stdout="?") if command.label.startswith(asked) else said

    monkeypatch.setattr(Here, "run", garbled)
    with pytest.raises(Unknown, match=f"^qsp-a: {what} is not understood"):
        await mirror.follower().last(1)


async def test_a_first_answer_that_is_not_whole_is_waited_for_by_one_who_follows(
    mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror.append("1", "2", "3")
    monkeypatch.setattr(Follower, "_list", torn_once())
    follower = mirror.follower()
    assert await follower.begin(2) == []
    assert mirror.told == ["waiting: qsp-a: the list of log files is not understood"]
    async with followed(mirror, follower):
        await mirror.until(lambda: mirror.shown == ["2", "3"])
        mirror.append("4")
        await mirror.until(lambda: mirror.shown == ["2", "3", "4"])


async def test_a_node_that_does_not_answer_may_be_the_one_that_has_it(mirror: Mirror) -> None:
    mirror.append("1")
    mirror.nodes["qsp-a"].off = True
    follower = mirror.follower()
    assert await follower.last(1) == []
    said = "the mirror is not mounted on qsp-b, and qsp-a did not answer: no route to host"
    assert follower.source.nowhere == said
    async with followed(mirror, follower):
        await mirror.until(lambda: f"{said}; waiting" in mirror.told)
        mirror.nodes["qsp-a"].off = False
        await mirror.until(lambda: mirror.shown == ["1"])
    assert follower.source.nowhere == "the mirror is mounted on no node"


async def test_a_standby_whose_sudo_is_broken_does_not_hide_the_log(mirror: Mirror) -> None:
    mirror.append("1", "2")
    mirror.nodes["qsp-b"].root = False
    follower = mirror.follower()
    assert await follower.last(1) == [b"2"]
    async with followed(mirror, follower):
        mirror.append("3")
        await mirror.until(lambda: mirror.shown == ["3"])


async def test_a_node_whose_sudo_is_broken_may_be_the_one_that_has_it(mirror: Mirror) -> None:
    mirror.append("1")
    follower = mirror.follower()
    assert await follower.last(1) == [b"1"]
    mirror.nodes["qsp-a"].root = False
    said = "the mirror is not mounted on qsp-b, and qsp-a could not be asked: user ops may not become root by sudo"
    async with followed(mirror, follower):
        await mirror.until(lambda: f"{said}; waiting" in mirror.told)
        mirror.append("2")
        mirror.nodes["qsp-a"].root = True
        await mirror.until(lambda: mirror.shown == ["2"])


async def test_where_nobody_can_be_root_on_any_node_following_ends(mirror: Mirror) -> None:
    mirror.append("1")
    follower = mirror.follower()
    await follower.last(1)
    for node in mirror.nodes.values():
        node.root = False
    with pytest.raises(SudoRefused):
        await follow(follower, mirror.show)
    mirror.nodes["qsp-b"].off = True
    with pytest.raises(Unreachable):
        await mirror.follower().last(1)


async def test_every_node_that_is_waited_for_is_named(mirror: Mirror) -> None:
    mirror.append("1")
    follower = mirror.follower()
    await follower.last(1)
    for node in mirror.nodes.values():
        node.off = True
    said = "waiting: qsp-a: no route to host and qsp-b: no route to host"
    async with followed(mirror, follower):
        await mirror.until(lambda: said in mirror.told)


async def test_where_nobody_can_be_root_on_the_only_node_following_ends(mirror: Mirror) -> None:
    mirror.append("1")
    follower = Follower(Source(fake_cluster(mirror.nodes["qsp-a"]), str(mirror.log), only="qsp-a"), mirror.told.append)
    await follower.last(1)
    mirror.nodes["qsp-a"].root = False
    with pytest.raises(SudoRefused):
        await follow(follower, mirror.show)


async def test_every_look_only_reads_and_ends_by_itself(mirror: Mirror) -> None:
    mirror.append("1")
    follower = mirror.follower()
    await follower.last(1)
    async with followed(mirror, follower):
        mirror.append("2")
        await mirror.until(lambda: mirror.shown == ["2"])
    commands = [command for node in mirror.nodes.values() for command in node.commands]
    assert commands
    assert not [command for command in commands if command.writes or command.timeout > 60]


class Paused(Exception):
    """A follower would wait now."""


async def until_it_pauses(
    mirror: Mirror, follower: Follower, monkeypatch: pytest.MonkeyPatch, meanwhile: str = ""
) -> None:
    """Show what comes until the follower would wait; after each piece ``meanwhile`` is recorded."""
    pause = 1234.5
    sleep = asyncio.sleep

    async def or_end(seconds: float) -> None:
        if seconds == pause:
            raise Paused
        await sleep(seconds)

    monkeypatch.setattr(following, "PAUSE", pause)
    monkeypatch.setattr(asyncio, "sleep", or_end)
    with contextlib.suppress(Paused):
        async for lines in follower.lines():
            mirror.show(lines, "qsp-a")
            if meanwhile:
                mirror.append(meanwhile)


async def test_what_was_read_to_its_end_is_not_asked_for_again_at_once(
    mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A busy proxy always has a little more: without a pause it would be asked a hundred times a second."""
    mirror.append("1")
    follower = mirror.follower()
    await follower.last(1)
    mirror.append("2")
    asked = len(mirror.nodes["qsp-a"].commands)
    await until_it_pauses(mirror, follower, monkeypatch, meanwhile="3")
    assert mirror.shown == ["2"]
    assert len(mirror.nodes["qsp-a"].commands) == asked + 2, "listed and read, once each"


async def test_an_archive_that_unpacks_to_nothing_is_not_asked_for_all_the_time(
    mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is empty, damaged or not written yet."""
    mirror.append("1")
    follower = mirror.follower()
    await follower.last(1)
    mirror.rotate("1")
    mirror.rotate("2")
    mirror.log.with_name("access.log-15.gz").write_bytes(b"")
    asked = len(mirror.nodes["qsp-a"].commands)
    async with asyncio.timeout(20):
        await until_it_pauses(mirror, follower, monkeypatch)
    assert len(mirror.nodes["qsp-a"].commands) <= asked + 4, "the file that is at its end, and the one after it"


async def test_a_compressed_file_is_unpacked_a_few_times_and_not_once_for_each_mebibyte(
    mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror.append("1")
    follower = mirror.follower()
    await follower.last(1)
    records = [f"{number:01023d}" for number in range(8 * 1024)]
    mirror.append(*records)
    mirror.rotate("1")
    mirror.rotate("2")
    await until_it_pauses(mirror, follower, monkeypatch)
    assert mirror.shown == records
    unpacked = [each for each in mirror.nodes["qsp-a"].commands if str(each).startswith("read") and ".gz" in str(each)]
    assert len(unpacked) <= 6, f"8 MiB were unpacked from the beginning {len(unpacked)} times"


async def test_a_link_in_the_place_of_a_log_is_not_read_through(mirror: Mirror) -> None:
    """Root reads, and the folder is Squid's: whoever has taken Squid over may put links there."""
    (mirror.folder / "shadow").write_text("root:secret\n")
    mirror.append("1")
    (mirror.folder / "mirror/access.log-1").symlink_to(mirror.folder / "shadow")
    follower = mirror.follower()
    assert await follower.last(10) == [b"1"]
    inode = (mirror.folder / "shadow").stat().st_ino
    node = mirror.nodes["qsp-a"]
    assert (await node.run(ask.reading(f"{mirror.log}-1", inode, 0))).exit_code == ask.CHANGED

    mirror.log.unlink()
    mirror.log.symlink_to(mirror.folder / "shadow")
    with pytest.raises(CommandFailed, match="is a symbolic link, and is not followed"):
        await mirror.follower().last(10)


async def test_where_no_node_answers_at_the_start_that_is_the_error(mirror: Mirror) -> None:
    for node in mirror.nodes.values():
        node.off = True
    follower = mirror.follower()
    for looking in (follower.last, follower.begin):
        with pytest.raises(Unreachable, match=r"qsp-a: no route to host;\nqsp-b: no route to host"):
            await looking(1)
