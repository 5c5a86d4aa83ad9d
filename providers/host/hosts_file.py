"""The text of /etc/hosts with this site's marked block in it; every other byte stays. Facts: hosts(5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class DamagedBlockError(ValueError):
    """A marker without its counterpart: what belongs to the block cannot be told."""


@dataclass(frozen=True)
class Split:
    """A file cut at the block: ``lines`` are the block's, None if there is none."""

    before: bytes
    lines: list[str] | None
    after: bytes


def markers(site: str) -> tuple[bytes, bytes]:
    """First and last line of the site's block, without line end."""
    return f"# BEGIN squid-ha {site}".encode(), f"# END squid-ha {site}".encode()


def split(content: bytes, site: str) -> Split:
    """Cut ``content`` at the block. Raises `DamagedBlockError` on an unmatched or repeated marker."""
    begin, end = markers(site)
    lines = content.splitlines(keepends=True)
    begins = [number for number, line in enumerate(lines) if line.rstrip() == begin]
    ends = [number for number, line in enumerate(lines) if line.rstrip() == end]
    if not begins and not ends:
        return Split(content, None, b"")
    if len(begins) != 1 or len(ends) != 1 or begins[0] > ends[0]:
        raise DamagedBlockError(f"the lines `{begin.decode()}` and `{end.decode()}` do not make one block")
    inner = [line.decode(errors="replace").rstrip("\r\n") for line in lines[begins[0] + 1 : ends[0]]]
    return Split(b"".join(lines[: begins[0]]), inner, b"".join(lines[ends[0] + 1 :]))


def with_block(content: bytes, site: str, lines: Sequence[str]) -> bytes:
    """``content`` with the block holding ``lines``: where it stood, else at the end, after a line end if need be."""
    found = split(content, site)
    begin, end = markers(site)
    block = b"".join(line + b"\n" for line in (begin, *(line.encode() for line in lines), end))
    before = found.before if not found.before or found.before.endswith(b"\n") else found.before + b"\n"
    return before + block + found.after


def without_block(content: bytes, site: str, *, final_newline: bool) -> bytes:
    """``content`` without the block; ``final_newline`` tells whether the file ended in one before there was a block."""
    found = split(content, site)
    if found.lines is None:
        return content
    before = found.before
    if not final_newline and not found.after and before.endswith(b"\n"):
        before = before[:-1]
    return before + found.after


def shadowed(content: bytes, site: str) -> list[str]:
    """Lines before the block that give one of the block's names another address, and so win over it."""
    found = split(content, site)
    addresses = {name: fields[0] for fields in map(_fields, found.lines or []) if fields for name in fields[1:]}
    lines = [line for line in found.before.decode(errors="replace").splitlines() if _fields(line)]
    return [
        line
        for line in lines
        if any(addresses.get(name, _fields(line)[0]) != _fields(line)[0] for name in _fields(line)[1:])
    ]


def _fields(line: str) -> list[str]:
    return line.partition("#")[0].split()
