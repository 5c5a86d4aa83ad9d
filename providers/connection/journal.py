"""The journal on a node: what was found before the first change.

``/var/lib/squid-ha/<site>/things/<thing>/<name>`` hold one value each. Thing and names are percent-encoded, so that any
text can be a name. Every value is written to a temporary file, flushed and then renamed into place: a value is there
whole or not at all. One run works on several things at once, and some of them write into the same directory or remove
one that became empty: changes on a node take turns, by flock(1) on the directory above the journal's, which is there
before it and after it.
"""

from __future__ import annotations

import base64
from collections.abc import Collection, Mapping
from urllib.parse import quote, unquote

from providers.connection.answers import not_understood, told_by
from providers.connection.cluster import Node
from providers.connection.command import script

ROOT = "/var/lib/squid-ha"
APPLIED, KEPT = "applied", "kept"
"""In the place of a thing's name: what was last applied of each, and data that outlives the declaration."""

# $1 directory
_ENTRIES = r"""
cd "$1" 2>/dev/null || exit 0
for f in *; do
  [ -f "$f" ] || continue
  printf '%s ' "$f"; base64 -w0 <"$f"; echo
done
"""
# $1 the things of a site, $2 a thing's directory that is left out, then names; a line for each that has such a name
_ELSEWHERE = r"""
cd "$1" 2>/dev/null || exit 0
own=$2; shift 2
for d in */; do
  [ "$d" != "$own/" ] || continue
  for name; do
    text=$(base64 -w0 "$d$name" 2>/dev/null) || continue
    printf '%s %s\n' "$name" "$text"
  done
done
"""
# What follows is done by one process at a time.
ALONE = r"""
exec 9<"${root%/*}"
flock -w 60 9 || { echo "another process has been writing to $root for 60 s" >&2; exit 1; }
"""
# $1 root, $2 directory, $3 `record` or `put`, then names; stdin: a line of base64 for each. All lines are received
# before the first is acted on, because input that ends early (the connection broke) looks like input that is complete;
# and before the turn is taken, so that input that hangs keeps nobody waiting. The dot saves the last newline, which $()
# would drop. No `read`: the shell's takes a system call for each byte, seconds for Debian's squid.conf in a slow guest.
_WRITE = rf"""
set -eu
umask 077
root=$1 directory=$2 how=$3; shift 3
lines=$(cat; echo .)
[ "$(printf %s "$lines" | wc -l)" -eq $# ] || {{ echo 'input ended early' >&2; exit 1; }}
{ALONE}
mkdir -p "$directory"
cd "$directory"
rm -f .*.new
number=0
for name; do
  number=$((number + 1))
  if [ "$how" = record ] && [ -e "$name" ]; then continue; fi
  printf %s "$lines" | sed -n "${{number}}p" | base64 -d >".$name.new"
done
for name; do
  [ -e ".$name.new" ] || continue
  sync ".$name.new"
  mv -fT -- ".$name.new" "$name"
done
while sync "$directory" && [ "$directory" != "$root" ]; do directory=${{directory%/*}}; done
"""
# $1 root, $2 directory, then names to drop; without names: all
_DROP = rf"""
set -eu
root=$1 d=$2; shift 2
{ALONE}
[ -d "$d" ] || exit 0
if [ $# -eq 0 ]; then rm -rf "$d"; else cd "$d"; rm -f -- "$@" .*.new; cd /; fi
while case $d in "$root"*) ! [ -d "$d" ] || rmdir "$d" 2>/dev/null;; *) false;; esac; do d=${{d%/*}}; done
"""


class NodeJournal:
    """The journal of one thing on one node; see `providers.connection.cluster.Journal`."""

    def __init__(self, node: Node, site: str, thing: str, *, root: str = ROOT) -> None:
        self._node = node
        self._root = root
        self._things = _things(root, site)
        self._directory = f"{self._things}/{encode(thing)}"
        self._thing = thing

    async def entries(self) -> dict[str, str]:
        """All that is recorded; one round trip."""
        read = script(_ENTRIES, self._directory, reads=True, label=f"read the journal of {self._thing}")
        return dict(self._told((await self._node.run(read)).stdout))

    async def elsewhere(self, names: Collection[str]) -> dict[str, list[str]]:
        """What the site's other things have recorded under these names, on this node; one round trip."""
        own, asked = encode(self._thing), [encode(name) for name in names]
        label = f"look in other journals for {' '.join(names)}"
        read = script(_ELSEWHERE, self._things, own, *asked, reads=True, label=label)
        found: dict[str, list[str]] = {}
        for name, text in self._told((await self._node.run(read)).stdout):
            found.setdefault(name, []).append(text)
        return found

    def _told(self, output: str) -> list[tuple[str, str]]:
        """Names and texts of a reading. Raises `Unknown` for a value that no journal holds."""
        pairs = [line.partition(" ") for line in output.splitlines()]
        with told_by(self._node.name):
            return [(unquote(name), _text(unquote(name), value)) for name, _, value in pairs]

    async def record(self, values: Mapping[str, str]) -> None:
        """Record what is not recorded yet; one round trip."""
        await self._write("record", values)

    async def put(self, values: Mapping[str, str]) -> None:
        """Record, replacing; one round trip."""
        await self._write("put", values)

    async def drop(self, names: Collection[str]) -> None:
        """Drop these names, and the directories that become empty."""
        if names:
            await self._drop(*(encode(name) for name in sorted(names)))

    async def forget(self) -> None:
        """Drop all of this thing, and the directories that become empty."""
        await self._drop()

    async def _drop(self, *names: str) -> None:
        label = f"drop from the journal of {self._thing}: {' '.join(names) or 'everything'}"
        await self._node.run(script(_DROP, self._root, self._directory, *names, label=label))

    async def _write(self, how: str, values: Mapping[str, str]) -> None:
        if not values:
            return
        lines = [f"{base64.b64encode(text.encode()).decode()}\n" for text in values.values()]
        label = f"{how} in the journal of {self._thing}: {' '.join(values)}"
        names = (encode(name) for name in values)
        await self._node.run(
            script(_WRITE, self._root, self._directory, how, *names, stdin="".join(lines), label=label)
        )


# $1 the things of a site
_NAMES = """
cd "$1" 2>/dev/null || exit 0
for f in */*; do if [ -f "$f" ]; then echo "$f"; fi; done
"""


async def journalled(node: Node, site: str, *, root: str = ROOT) -> dict[str, list[str]]:
    """What a node's journal has of each of the site's things, by name and without the values; one round trip."""
    read = script(_NAMES, _things(root, site), reads=True, label="list what is journalled")
    found: dict[str, list[str]] = {}
    for line in (await node.run(read)).stdout.splitlines():
        thing, _, name = line.partition("/")
        found.setdefault(unquote(thing), []).append(unquote(name))
    return found


def _things(root: str, site: str) -> str:
    return f"{root}/{encode(site)}/things"


def _text(name: str, value: str) -> str:
    try:
        return base64.b64decode(value, validate=True).decode()
    except ValueError:
        raise not_understood(f"what the journal says of {name}") from None


def encode(name: str) -> str:
    """The name of a file or directory for any text."""
    encoded = quote(name, safe="")
    # A name that begins with a dot would be hidden from the listing and taken for a temporary file.
    return f"%2E{encoded[1:]}" if encoded.startswith(".") else encoded
