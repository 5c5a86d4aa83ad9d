"""Where one is in a log that is rotated and moves between nodes. Pure: from what lies there to what to read next.

A place is a file and an offset in it. A file is known again by how it begins: its inode alone would do as long as it
lies uncompressed on the mirror, but a compressed file is a new one, and a removed file's inode is used again. The
files of a log follow each other by their names; the live one, which has the log's own name, is the last.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

HEAD = 256
"""Bytes at a file's beginning that it is known by; records have times in them, so no two begin alike."""
TAIL = 1 << 16
"""Bytes that are remembered of what was shown last, to see whether the log still has them."""
CHUNK, MOST = 1 << 20, 1 << 24
"""Bytes that are read at a time; of a compressed file more, up to the latter."""
PATIENCE = 2
"""Times that a rotated file is seen at its end before one goes on: Squid may still write to it for a moment."""

_NUMBER = re.compile(r"\.(\d{1,4})")


@dataclass(frozen=True)
class File:
    """A file of the log as it lies there. ``size`` is -1 where it is compressed; ``digest`` of its first bytes."""

    inode: int
    size: int
    digest: str
    name: str

    @property
    def compressed(self) -> bool:
        """Whether it is final, and its size not known without reading it."""
        return self.size < 0


@dataclass(frozen=True)
class Read:
    """Read up to `CHUNK` bytes of ``file`` from ``offset`` on; ``fresh`` where this begins a file.

    ``grows``: the file is begun once its first record is whole. By less than that it could not be told from others.
    """

    file: File
    offset: int
    fresh: bool = False
    grows: bool = False


@dataclass(frozen=True)
class Idle:
    """There is nothing to read now."""


@dataclass(frozen=True)
class Check:
    """The file is shorter than what was shown of it: see what of that it still has, by `Cursor.checked`."""

    file: File


@dataclass(frozen=True)
class Lost:
    """The file that one was in is gone, and with it what came after; ``read`` goes on in the live one.

    To be told once the cursor has moved: until the live one has a whole record this comes again.
    """

    read: Read


Step = Read | Check | Lost | Idle


@dataclass(frozen=True)
class Cursor:
    """``head`` is how the file begins, as far as it was read; ``tail`` what was shown last of it.

    Without an inode nothing was read yet: the oldest file is the next. ``begins``: nothing was read either, but what
    lies before this file is left out; without one, what is compressed. ``ended``: all of the file was read, as far as
    is known; ``quiet``: how many times in a row it was.
    """

    head: bytes = b""
    inode: int = 0
    offset: int = 0
    tail: bytes = b""
    rest: bytes = b""
    ended: bool = False
    quiet: int = 0
    begins: bool = False

    @property
    def digest(self) -> str:
        """Of the head, as a listing has it."""
        return hashlib.sha256(self.head).hexdigest()

    def next(self, files: Sequence[File], log: str) -> tuple[Cursor, Step]:
        """What to do with this listing, and the cursor that remembers having seen it."""
        row = ordered(files, log)
        if not self.inode:
            first = next((file for file in row if file.size and not (self.begins and file.compressed)), None)
            return self, Idle() if first is None else Read(first, 0, fresh=True, grows=first.name == log)
        own = self.own(row)
        if own is None:
            live = next((file for file in row if file.name == log and file.size), None)
            return self, Idle() if live is None else Lost(Read(live, 0, fresh=True, grows=True))
        if not own.compressed and own.size < self.offset:
            return self, Check(own)
        if own.size > self.offset or (own.compressed and not self.ended):
            grows = self.begins and own.name == log
            return replace(self, quiet=0, inode=own.inode), Read(own, self.offset, fresh=self.begins, grows=grows)
        return self._onwards(own, row)

    def _onwards(self, own: File, row: Sequence[File]) -> tuple[Cursor, Step]:
        newer = next((file for file in row[row.index(own) + 1 :] if file.size), None)
        if newer is None:
            return replace(self, quiet=0), Idle()
        if not own.compressed and self.quiet + 1 < PATIENCE:
            return replace(self, quiet=self.quiet + 1), Idle()
        return self, Read(newer, 0, fresh=True, grows=row[-1] is newer)

    def own(self, files: Sequence[File]) -> File | None:
        """The file that one is in. A crash may have changed even its beginning; then its inode has to do."""
        same = [file for file in files if file.inode == self.inode]
        young = [file for file in same if self.offset <= HEAD and not file.compressed]
        alike = [file for file in files if self.head and file.digest == self.digest]
        return next(iter([*(file for file in same if file in alike), *alike, *young]), None)

    def took(self, read: Read, data: bytes) -> tuple[Cursor, list[bytes]]:
        """The cursor after ``data`` was read, and the records that are complete now.

        The last line of a file that is finished counts as a record even without its end.
        """
        if not data:
            return (self if read.fresh else replace(self, ended=True)), []
        if read.grows and b"\n" not in data and len(data) >= read.file.size:
            return self, []
        lines: list[bytes] = []
        base = self
        if read.fresh:
            if self.rest:
                lines.append(self.rest)
            base = Cursor(inode=read.file.inode)
        text = base.rest + data
        whole, newline, rest = text.rpartition(b"\n")
        if newline:
            lines += whole.split(b"\n")
        moved = replace(
            base,
            head=(base.head + data)[:HEAD] if len(base.head) == base.offset else base.head,
            offset=base.offset + len(data),
            tail=(base.tail + data)[-TAIL:],
            rest=rest,
            ended=False,
            quiet=0,
        )
        return moved, lines

    def checked(self, there: bytes) -> tuple[Cursor, int]:
        """The cursor, and how many bytes were shown that the log no longer has where ``tail`` should be.

        After a node's crash the other one may lack what had not been written to the mirror. What differs is shown anew.
        """
        if there == self.tail:
            return self, 0
        common = next(
            (at for at, (one, two) in enumerate(zip(self.tail, there, strict=False)) if one != two),
            min(len(self.tail), len(there)),
        )
        kept = self.tail[: self.tail.rfind(b"\n", 0, common) + 1]
        lost = len(self.tail) - len(kept)
        offset = self.offset - lost
        head = self.head[:offset]
        return replace(self, head=head, offset=offset, tail=kept, rest=b"", ended=False, quiet=0), lost

    def cut(self, size: int) -> Cursor:
        """At the end of a file that has lost more than is remembered of it."""
        return replace(self, head=self.head[:size], offset=size, tail=b"", rest=b"", ended=False, quiet=0)


def ordered(files: Sequence[File], log: str) -> list[File]:
    """Oldest first. Numbered names count down towards the newest; all others sort by age, as is demanded of them."""

    def age(file: File) -> tuple[int, int, str]:
        if file.name == log:
            return (2, 0, "")
        suffix = file.name.removeprefix(log).removesuffix(".gz")
        number = _NUMBER.fullmatch(suffix)
        return (0, -int(number[1]), "") if number else (1, 0, suffix)

    return sorted(files, key=age)


def before(live: File | None) -> Cursor:
    """A cursor before the first byte of the live file, so that none of those before it is read.

    Without one it is before whatever comes: no more than compressed files may lie there.
    """
    return Cursor(inode=live.inode if live else 0, begins=True)


def begun(file: File, head: bytes, region: bytes, lines: int) -> tuple[Cursor, list[bytes]]:
    """A cursor at the end of a live file, of which ``region`` is the end and ``head`` the beginning.

    And its last ``lines`` records. ``file.size`` is where the region ends.
    """
    whole, newline, rest = region.rpartition(b"\n")
    if not newline and len(region) == file.size:
        # No whole record yet, so that the file is not begun.
        return before(file), []
    found = whole.split(b"\n") if newline else []
    cursor = Cursor(head=head[:HEAD], inode=file.inode, offset=file.size, tail=region[-TAIL:], rest=rest)
    return cursor, _newest(found, file, region, lines)


def finished(file: File, region: bytes, lines: int) -> list[bytes]:
    """The last ``lines`` records of a file that is finished, of which ``region`` is the end.

    Its last line counts as a record even without its end.
    """
    return _newest(region.removesuffix(b"\n").split(b"\n"), file, region, lines)


def _newest(found: list[bytes], file: File, region: bytes, lines: int) -> list[bytes]:
    # Where the region does not begin with the file, its first line is the end of a record.
    whole = found[1:] if len(region) < file.size else found
    return whole[-lines:] if lines else []
