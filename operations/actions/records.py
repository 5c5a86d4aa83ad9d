"""What two copies of a log do not have in common. Read where they lie; only what differs travels."""

from __future__ import annotations

import base64
import gzip
import zlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from operations.logs.ask import OWN
from operations.logs.cursor import File, ordered
from providers.connection.cluster import Node
from providers.connection.command import Command, script
from providers.connection.errors import Unknown

BLOCK = 1 << 20
"""Bytes that are compared at a time before anything is read."""
MOST = 64 << 20
"""Bytes of a file that are looked at beyond what both copies have in common: more is counted as more."""

# $1 folder, $2 log's name, $3 block size. Prints name, NUL-free: "F name" then one digest per block of its content.
_DIGESTS = r"""
set -eu
cd -- "$1" 2>/dev/null || exit 0
for file in "$2"*; do
    [ -f "$file" ] || continue
    {
        own "$file" || continue
        printf 'F %s\n' "$file"
        case $file in *.gz) gzip -dc ;; *) cat ;; esac | split -b "$3" --filter='sha256sum' - | cut -c 1-64
    } <"$file"
done
"""
# $1 file, $2 first byte (from 1), $3 how many
_READ = r"""
set -eu
{
    if ! own "$1"; then
        echo "$1 is a link to another file, and is not read: see who has put it there, and take it away" >&2
        exit 1
    fi
    case $1 in *.gz) gzip -dc ;; *) cat ;; esac | tail -c "+$2" | head -c "$3" | gzip -c | base64 -w 0
} <"$1"
"""

Blocks = Mapping[str, tuple[str, ...]]
"""Name of a file → digests of its blocks, uncompressed."""


def digests(folder: str, log: str) -> Command:
    """The command that `parse_digests` reads the answer of."""
    label = f"digests of {log} in {folder}"
    return script(OWN + _DIGESTS, folder, log, str(BLOCK), timeout=1800, reads=True, label=label)


def parse_digests(output: str) -> dict[str, tuple[str, ...]]:
    """File → its blocks."""
    found: dict[str, tuple[str, ...]] = {}
    name = ""
    for line in output.splitlines():
        if line.startswith("F "):
            name = line[2:]
            found[name] = ()
        elif name:
            found[name] = (*found[name], line)
    return found


@dataclass(frozen=True)
class Part:
    """A file that is not the same on both sides, from its first block that differs on."""

    name: str
    start: int


def differing(one: Blocks, two: Blocks) -> tuple[list[Part], list[Part]]:
    """What of each side has to be read. A file that the other side has under any name is the same."""
    return _parts(one, two), _parts(two, one)


def _parts(own: Blocks, others: Blocks) -> list[Part]:
    contents = set(others.values())
    parts: list[Part] = []
    for name, blocks in own.items():
        if blocks in contents:
            continue
        there = others.get(name, ())
        same = next((at for at, (a, b) in enumerate(zip(blocks, there, strict=False)) if a != b), None)
        parts.append(Part(name, (min(len(blocks), len(there)) if same is None else same) * BLOCK))
    return parts


def oldest_first(parts: list[Part], log: str) -> list[Part]:
    """In the order in which ``log`` was written: its own name is the newest."""
    named = {part.name: part for part in parts}
    return [named[file.name] for file in ordered([File(0, 0, "", name) for name in named], log)]


async def lines(node: Node, folder: str, parts: list[Part]) -> tuple[Counter[bytes], bool]:
    """The lines of these parts in their order, and whether that is all. Raises `Unknown` for an answer cut off."""
    found: Counter[bytes] = Counter()
    whole = True
    for part in parts:
        path = f"{folder}/{part.name}"
        reading = script(
            OWN + _READ, path, str(part.start + 1), str(MOST), timeout=600, reads=True, label=f"read {path}"
        )
        data = _unpacked((await node.run(reading)).stdout, node.name)
        whole = whole and len(data) < MOST
        found.update(data.splitlines())
    return found, whole


def _unpacked(text: str, node: str) -> bytes:
    try:
        return gzip.decompress(base64.b64decode(text))
    except (zlib.error, EOFError, OSError) as error:
        raise Unknown(f"what was sent of a log is not whole: {error}", node=node, remedy="run it again") from error


def only(one: Counter[bytes], two: Counter[bytes]) -> tuple[Counter[bytes], Counter[bytes]]:
    """The records that only the one has, and only the other, in the order in which they were read."""
    return one - two, two - one
