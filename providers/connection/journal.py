"""The journal on a node: what was found before the first change, and who owns the node.

``/var/lib/squid-ha/<site>/owner`` holds ``project/stack``; ``things/<thing>/<name>`` hold one value each. Thing and
names are percent-encoded, so that any text can be a name. Every value is written to a temporary file, flushed and
then renamed into place: a value is there whole or not at all. One run works on several things at once, and some of them
write into the same directory or remove one that became empty: changes on a node take turns, by flock(1) on the
directory above the journal's, which is there before it and after it.
"""

from __future__ import annotations

import base64
from collections.abc import Collection, Mapping
from urllib.parse import quote, unquote

from providers.connection.cluster import Cluster, Node
from providers.connection.command import script
from providers.connection.errors import Refused

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
_ALONE = r"""
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
{_ALONE}
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
{_ALONE}
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
        self._directory = f"{self._things}/{_encode(thing)}"
        self._thing = thing

    async def entries(self) -> dict[str, str]:
        """All that is recorded; one round trip."""
        read = script(_ENTRIES, self._directory, reads=True, label=f"read the journal of {self._thing}")
        lines = (await self._node.run(read)).stdout.splitlines()
        pairs = (line.partition(" ") for line in lines)
        return {unquote(name): base64.b64decode(value).decode() for name, _, value in pairs}

    async def elsewhere(self, names: Collection[str]) -> dict[str, list[str]]:
        """What the site's other things have recorded under these names, on this node; one round trip."""
        own, asked = _encode(self._thing), [_encode(name) for name in names]
        label = f"look in other journals for {' '.join(names)}"
        read = script(_ELSEWHERE, self._things, own, *asked, reads=True, label=label)
        found: dict[str, list[str]] = {}
        for line in (await self._node.run(read)).stdout.splitlines():
            name, _, value = line.partition(" ")
            found.setdefault(unquote(name), []).append(base64.b64decode(value).decode())
        return found

    async def record(self, values: Mapping[str, str]) -> None:
        """Record what is not recorded yet; one round trip."""
        await self._write("record", values)

    async def put(self, values: Mapping[str, str]) -> None:
        """Record, replacing; one round trip."""
        await self._write("put", values)

    async def drop(self, names: Collection[str]) -> None:
        """Drop these names, and the directories that become empty."""
        if names:
            await self._drop(*(_encode(name) for name in sorted(names)))

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
        names = (_encode(name) for name in values)
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
    return f"{root}/{_encode(site)}/things"


def _encode(name: str) -> str:
    encoded = quote(name, safe="")
    # A name that begins with a dot would be hidden from the listing and taken for a temporary file.
    return f"%2E{encoded[1:]}" if encoded.startswith(".") else encoded


_FOREIGN = 65
# A line `site/owner project/stack` for each claim.
_OWNERS = r"""
for f in "$root"/*/owner; do if [ -f "$f" ]; then printf '%s %s\n' "${f#"$root"/}" "$(head -n 1 "$f")"; fi; done
"""
# $1 root
_READ_OWNERS = f"root=$1; {_OWNERS}"
# $1 root, $2 site directory, $3 owner, $4 lines of claims that are no obstacle: ours, and those to be taken over. They
# are looked at again, because somebody may have claimed the node since. Ours is there before the others go: a cut in
# between leaves both, with which nobody but a takeover gets further.
_CLAIM = rf"""
set -eu
umask 077
root=$1
{_ALONE}
foreign=$({_OWNERS}) || exit 1
foreign=$(printf '%s' "$foreign" | grep -vxF -e "$4") || [ $? -eq 1 ]
if [ -n "$foreign" ]; then printf '%s\n' "$foreign"; exit {_FOREIGN}; fi
mkdir -p "$2"
cd "$2"
printf '%s\n' "$3" >.owner.new
sync .owner.new
mv -fT .owner.new owner
sync . .. ../..
for f in "$root"/*/owner; do
  d=${{f%/owner}}
  [ "$d" != "$2" ] || continue
  rm -f -- "$f" "$d/.owner.new"
  sync "$d"
  rmdir -- "$d" 2>/dev/null || true
done
"""
# $1 root, $2 site directory
_RELEASE = rf"""
set -eu
root=$1
{_ALONE}
[ -d "$2" ] || exit 0
rm -f "$2/owner" "$2/.owner.new"
rmdir "$2" "$1" 2>/dev/null || true
"""


async def read_owners(node: Node, *, root: str = ROOT) -> dict[str, str]:
    """Who claims this node: site → ``project/stack``; normally one entry, or none."""
    read = script(_READ_OWNERS, root, reads=True, label="read the node's owner")
    return _owners((await node.run(read)).stdout)


def _owners(text: str) -> dict[str, str]:
    pairs = (line.partition(" ") for line in text.splitlines())
    return {unquote(path.removesuffix("/owner")): owner.strip() for path, _, owner in pairs}


def foreign_owner(owners: Mapping[str, str], *, site: str, owner: str) -> str:
    """Who else claims the node, as text; '' if nobody does."""
    others = [f"{name} (site {where})" for where, name in sorted(owners.items()) if (where, name) != (site, owner)]
    return ", ".join(others)


async def claim(cluster: Cluster, node: Node, *, root: str = ROOT) -> None:
    """Write down that this stack owns the node. Raises `Refused` where another does, unless ``takeover`` is declared.

    A takeover replaces the owners that were there when it began, of this site or of another, and leaves their journals
    where they are. Of two stacks that claim a node at once one is refused, also with ``takeover``.
    """
    owners = await read_owners(node, root=root)
    other = foreign_owner(owners, site=cluster.site, owner=cluster.owner)
    if other and not cluster.takeover:
        raise _foreign(cluster, node, other)
    if not other and owners.get(cluster.site) == cluster.owner:
        return
    place = f"{root}/{_encode(cluster.site)}"
    known = [*owners.items(), (cluster.site, cluster.owner)]
    lines = "\n".join(f"{_encode(site)}/owner {owner}" for site, owner in known)
    label = f"claim the node for {cluster.owner}"
    result = await node.run(script(_CLAIM, root, place, cluster.owner, lines, ok={0, _FOREIGN}, label=label))
    if result.exit_code == _FOREIGN:
        others = foreign_owner(_owners(result.stdout), site=cluster.site, owner=cluster.owner)
        raise _foreign(cluster, node, others)


def _foreign(cluster: Cluster, node: Node, others: str) -> Refused:
    return Refused(
        f"this node belongs to {others}, not to {cluster.owner} (site {cluster.site})",
        node=node.name,
        remedy="it was claimed from there just now: see which of the two shall have it, then run again"
        if cluster.takeover
        else "destroy it from there, or declare `takeover: true` if that stack is gone",
    )


async def release(cluster: Cluster, node: Node, *, root: str = ROOT) -> None:
    """Take back the claim if it is ours, and the directories that become empty."""
    if (await read_owners(node, root=root)).get(cluster.site) == cluster.owner:
        place = f"{root}/{_encode(cluster.site)}"
        await node.run(script(_RELEASE, root, place, label=f"release the node from {cluster.owner}"))
