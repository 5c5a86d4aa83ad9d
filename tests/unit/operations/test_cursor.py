"""The cursor: any sequence of records, rotations, moves and looks gives exactly the records once, in order."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operations.logs import cursor as at
from operations.logs.cursor import Check, Cursor, File, Idle, Lost, Read, before, begun, ordered

LOG = "access.log"


@dataclass
class Disk:
    """The mirror: files by name, as (inode, content). Inodes of removed files are used again, the lowest first."""

    numbered: bool = False
    keep: int = 99
    files: dict[str, tuple[int, bytes]] = field(default_factory=dict[str, tuple[int, bytes]])
    stamp: int = 0

    def _inode(self) -> int:
        taken = {inode for inode, _ in self.files.values()}
        return next(number for number in range(1, 1000) if number not in taken)

    def append(self, data: bytes) -> None:
        inode, there = self.files.get(LOG) or (self._inode(), b"")
        self.files[LOG] = (inode, there + data)

    def rotate(self) -> None:
        """As logrotate with delaycompress and notifempty: what was rotated before is compressed now."""
        if not self.files.get(LOG, (0, b""))[1]:
            return
        for name in [name for name in self.files if name != LOG and not name.endswith(".gz")]:
            content = gzip.compress(self.files[name][1])
            inode = self._inode()
            del self.files[name]
            self.files[f"{name}.gz"] = (inode, content)
        if self.numbered:
            for name in sorted(self.files, key=lambda name: -self._number(name)):
                if name != LOG:
                    end = ".gz" if name.endswith(".gz") else ""
                    self.files[f"{LOG}.{self._number(name) + 1}{end}"] = self.files.pop(name)
            self.files[f"{LOG}.1"] = self.files.pop(LOG)
        else:
            self.stamp += 1
            self.files[f"{LOG}-20261122-{1795374000 + self.stamp}"] = self.files.pop(LOG)
        for name in ordered_names(self.files)[: -self.keep - 1]:
            del self.files[name]

    def _number(self, name: str) -> int:
        digits = name.removeprefix(f"{LOG}.").removesuffix(".gz")
        return int(digits) if digits.isdigit() else 0

    def reopen(self) -> None:
        self.files.setdefault(LOG, (self._inode(), b""))

    def list(self, cursor: Cursor) -> list[File]:
        return [
            File(
                inode,
                -1 if name.endswith(".gz") else len(content),
                hashlib.sha256(self.content(name)[: len(cursor.head)]).hexdigest(),
                name,
            )
            for name, (inode, content) in self.files.items()
        ]

    def content(self, name: str) -> bytes:
        content = self.files[name][1]
        return gzip.decompress(content) if name.endswith(".gz") else content

    def read(self, file: File, offset: int, count: int) -> bytes:
        inode, _ = self.files[file.name]
        return self.content(file.name)[offset : offset + count] if inode == file.inode else b""


def ordered_names(files: dict[str, tuple[int, bytes]]) -> list[str]:
    return [file.name for file in ordered([File(inode, 1, "", name) for name, (inode, _) in files.items()], LOG)]


@dataclass
class Follower:
    disk: Disk
    cursor: Cursor = field(default_factory=Cursor)
    shown: list[bytes] = field(default_factory=list[bytes])
    lost: int = 0
    chunk: int = at.CHUNK

    def look(self) -> bool:
        """One look; whether there was anything to read."""
        self.cursor, step = self.cursor.next(self.disk.list(self.cursor), LOG)
        if isinstance(step, Idle):
            return False
        if isinstance(step, Check):
            self.check(step.file)
            return True
        if isinstance(step, Lost):
            self.lost += 1
        read = step.read if isinstance(step, Lost) else step
        self.take(read)
        return True

    def take(self, read: Read) -> None:
        self.cursor, lines = self.cursor.took(read, self.disk.read(read.file, read.offset, self.chunk))
        self.shown += lines

    def check(self, file: File) -> None:
        start = self.cursor.offset - len(self.cursor.tail)
        self.cursor, _ = self.cursor.checked(self.disk.read(file, start, len(self.cursor.tail)))

    def catch_up(self) -> None:
        idle = 0
        for _ in range(2000):
            idle = 0 if self.look() else idle + 1
            if idle == 3:
                return
        raise AssertionError("it does not come to an end")


def numbers() -> Iterator[bytes]:
    number = 0
    while True:
        number += 1
        yield b"%d.%03d TCP_MISS/200 http://192.0.2.1/r/%d" % (1795374000 + number, number % 1000, number)


events = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(1, 4)),
        st.tuples(st.just("part"), st.integers(1, 40)),
        st.tuples(st.sampled_from(["rotate", "reopen", "look", "move"]), st.just(0)),
    ),
    max_size=60,
)


def test_a_record_that_has_only_begun_is_not_taken_for_the_beginning_of_every_file() -> None:
    """All records may begin alike: by its first byte no file is known again, once two rotations have compressed it."""
    disk = Disk(numbered=False)
    follower = Follower(disk)
    source = numbers()
    first, second, third = (next(source) for _ in range(3))
    disk.append(first[:1])
    follower.look()
    disk.append(first[1:] + b"\n")
    for line in (second, third):
        disk.rotate()
        disk.append(line + b"\n")
    follower.catch_up()
    assert (follower.shown, follower.lost) == ([first, second, third], 0)


@pytest.mark.thorough
@settings(max_examples=150, deadline=None)
@given(events=events, numbered=st.booleans(), chunk=st.sampled_from([50, 97, 300, at.CHUNK]))
def test_every_record_is_shown_once_and_in_order(events, numbered: bool, chunk: int) -> None:
    disk = Disk(numbered)
    follower = Follower(disk, chunk=chunk)
    source = numbers()
    written: list[bytes] = []
    pending = b""
    for what, count in events:
        if what == "append":
            lines = [next(source) for _ in range(count)]
            disk.append(pending + b"".join(line + b"\n" for line in lines))
            pending = b""
            written += lines
        elif what == "part" and not pending:
            line = next(source)
            disk.append(line[:count])
            pending = line[count:] + b"\n"
            written.append(line)
        elif what == "rotate" and not pending:
            disk.rotate()
        elif what == "reopen":
            disk.reopen()
        elif what == "look":
            follower.look()
        elif what == "move" and (own := follower.cursor.own(disk.list(follower.cursor))) and not own.compressed:
            follower.check(own)
    disk.append(pending or b"")
    follower.catch_up()
    assert follower.shown == written
    assert follower.lost == 0


@settings(max_examples=50, deadline=None)
@given(before=st.integers(0, 30), after=st.integers(0, 10), kept=st.integers(0, 40), lines=st.integers(0, 12))
def test_it_begins_with_the_last_records_and_goes_on(before: int, after: int, kept: int, lines: int) -> None:
    disk, source = Disk(), numbers()
    written = [next(source) for _ in range(before)]
    disk.append(b"".join(line + b"\n" for line in written))
    inode, content = disk.files[LOG]
    file = File(inode, len(content), "", LOG)
    cursor, shown = begun(file, content[: at.HEAD], content, lines)
    assert shown == (written[-lines:] if lines else [])
    later = [next(source) for _ in range(after)]
    disk.append(b"".join(line + b"\n" for line in later))
    follower = Follower(disk, cursor if content else Cursor())
    follower.catch_up()
    assert follower.shown == later


@settings(max_examples=80, deadline=None)
@given(before=st.integers(1, 30), lost=st.integers(0, 2000), after=st.integers(0, 10))
def test_after_a_crash_what_the_mirror_has_instead_is_shown(before: int, lost: int, after: int) -> None:
    disk, source = Disk(), numbers()
    written = [next(source) for _ in range(before)]
    disk.append(b"".join(line + b"\n" for line in written))
    follower = Follower(disk)
    follower.catch_up()
    assert follower.shown == written
    inode, content = disk.files[LOG]
    kept = content[: max(len(content) - lost, 0)]
    disk.files[LOG] = (inode, kept)
    instead = [next(source) for _ in range(after)]
    disk.append(b"".join(line + b"\n" for line in instead))
    own = follower.cursor.own(disk.list(follower.cursor))
    if own is None:
        return
    follower.check(own)
    follower.shown.clear()
    follower.catch_up()
    follower.cursor, rest = follower.cursor.took(Read(File(9, 1, "", "x"), 0, fresh=True), b"x\n")
    there = disk.content(LOG).splitlines()
    still = len([line for line in written if line in there[: kept.count(b"\n")]])
    assert [*follower.shown, *rest[:-1]] == there[still:]


def test_a_log_that_is_gone_is_told_and_nothing_is_repeated() -> None:
    disk, source = Disk(keep=1), numbers()
    follower = Follower(disk)
    for _ in range(2):
        disk.append(next(source) * 20 + b"\n")
        follower.catch_up()
        disk.rotate()
    shown = len(follower.shown)
    for _ in range(4):
        disk.append(next(source) * 20 + b"\n")
        disk.rotate()
    disk.append(b"the newest\n")
    follower.catch_up()
    assert follower.lost == 1
    assert follower.shown[shown:] == [b"the newest"]


def test_a_compressed_file_is_not_the_live_one_whose_inode_it_has_got() -> None:
    """An inode is used again, and of a file without a record nothing else is known."""
    disk, source = Disk(), numbers()
    disk.reopen()
    follower = Follower(disk, before(disk.list(Cursor())[0]))
    gone, kept = next(source), next(source)
    disk.files = {f"{LOG}-20261122-1795374001.gz": (1, gzip.compress(gone + b"\n")), LOG: (2, kept + b"\n")}
    follower.catch_up()
    assert (follower.shown, follower.lost) == ([kept], 1)


def test_a_file_emptied_in_place_is_gone_on_with() -> None:
    disk = Disk()
    follower = Follower(disk)
    disk.append(b"one\ntwo\n")
    follower.catch_up()
    disk.files[LOG] = (disk.files[LOG][0], b"")
    follower.look()
    disk.append(b"three\n")
    follower.catch_up()
    assert follower.shown == [b"one", b"two", b"three"]


def test_numbered_files_and_dated_ones_are_in_order() -> None:
    names = [
        LOG,
        f"{LOG}.1",
        f"{LOG}.2.gz",
        f"{LOG}.10.gz",
        f"{LOG}-20261122-1795374001",
        f"{LOG}-20261122-1795374000.gz",
    ]
    row = ordered([File(1, 1, "", name) for name in names], LOG)
    assert [file.name.removeprefix(LOG) for file in row] == [
        ".10.gz", ".2.gz", ".1", "-20261122-1795374000.gz", "-20261122-1795374001", "",
    ]  # fmt: skip
