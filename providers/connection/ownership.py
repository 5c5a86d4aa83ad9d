"""Who owns a node: ``/var/lib/squid-ha/<site>/owner`` on it holds ``project/stack``."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from urllib.parse import unquote

from providers.connection.cluster import Cluster, Node
from providers.connection.command import Command, script
from providers.connection.errors import Refused, Unreachable
from providers.connection.journal import ALONE, ROOT, encode

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
{ALONE}
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
{ALONE}
[ -d "$2" ] || exit 0
rm -f "$2/owner" "$2/.owner.new"
rmdir "$2" "$1" 2>/dev/null || true
"""


OWNED_ELSEWHERE = "run `pulumi destroy` on that stack, or declare `takeover: true` if it is gone"
"""What to do about a node that another stack owns, for one who wants to have it."""
_JUST_NOW = "it was claimed from there just now: see which of the two shall have it, then run again"


async def read_owners(node: Node, *, root: str = ROOT) -> dict[str, str]:
    """Who claims this node: site → ``project/stack``; normally one entry, or none."""
    return parse_owners((await node.run(owners_command(root))).stdout)


def owners_command(root: str = ROOT) -> Command:
    """For `parse_owners`."""
    return script(_READ_OWNERS, root, reads=True, label="read the node's owner")


def parse_owners(text: str) -> dict[str, str]:
    """Site → ``project/stack``."""
    pairs = (line.partition(" ") for line in text.splitlines())
    return {unquote(path.removesuffix("/owner")): owner.strip() for path, _, owner in pairs}


def foreign_owner(owners: Mapping[str, str], *, site: str, owner: str) -> str:
    """Who else claims the node, as text; '' if nobody does."""
    others = [f"{name} (site {where})" for where, name in sorted(owners.items()) if (where, name) != (site, owner)]
    return ", ".join(others)


def owned_by(others: str, *, site: str, owner: str, node: str = "", remedy: str = OWNED_ELSEWHERE) -> Refused:
    """What this stack, ``owner``, is told of a node of `foreign_owner`'s."""
    return Refused(f"this node belongs to {others}, not to {owner} (site {site})", node=node, remedy=remedy)


async def claim(cluster: Cluster, node: Node, *, root: str = ROOT) -> None:
    """Write down that this stack owns the node. Raises `Refused` where another does, unless ``takeover`` is declared.

    A takeover replaces the owners that were there when it began, of this site or of another, and leaves their journals
    where they are. Of two stacks that claim a node at once one is refused, also with ``takeover``.
    """
    owners = await read_owners(node, root=root)
    other = foreign_owner(owners, site=cluster.site, owner=cluster.owner)
    if other and not cluster.takeover:
        raise _foreign(cluster, node, other, OWNED_ELSEWHERE)
    if not other and owners.get(cluster.site) == cluster.owner:
        return
    place = f"{root}/{encode(cluster.site)}"
    known = [*owners.items(), (cluster.site, cluster.owner)]
    lines = "\n".join(f"{encode(site)}/owner {owner}" for site, owner in known)
    label = f"claim the node for {cluster.owner}"
    result = await node.run(script(_CLAIM, root, place, cluster.owner, lines, ok={0, _FOREIGN}, label=label))
    if result.exit_code == _FOREIGN:
        others = foreign_owner(parse_owners(result.stdout), site=cluster.site, owner=cluster.owner)
        raise _foreign(cluster, node, others, _JUST_NOW if cluster.takeover else OWNED_ELSEWHERE)


def only_own(cluster: Cluster, names: Sequence[str], remedy: str) -> Cluster:
    """The same cluster, whose `hold` raises `Refused` with this remedy where another stack owns one of these nodes.

    For what is done by a stack's own state: after a takeover that state still tells of nodes that are another's now.
    A node that nobody owns is no obstacle, nor one that cannot be reached: what is done there tells. They are asked
    each time: the lock is of a site's name, and whoever takes a node over may have another.
    """

    async def hold(*, without_lost: bool = False) -> None:
        await cluster.hold(without_lost=without_lost)
        nodes = [cluster.node(name) for name in names]
        owned = await asyncio.gather(*map(read_owners, nodes), return_exceptions=True)
        for node, owners in zip(nodes, owned, strict=True):
            if isinstance(owners, Unreachable):
                continue
            if isinstance(owners, BaseException):
                raise owners
            if other := foreign_owner(owners, site=cluster.site, owner=cluster.owner):
                raise _foreign(cluster, node, other, remedy)

    return replace(cluster, hold=hold)


def _foreign(cluster: Cluster, node: Node, others: str, remedy: str) -> Refused:
    return owned_by(others, site=cluster.site, owner=cluster.owner, node=node.name, remedy=remedy)


async def release(cluster: Cluster, node: Node, *, root: str = ROOT) -> None:
    """Take back the claim if it is ours, and the directories that become empty."""
    if (await read_owners(node, root=root)).get(cluster.site) == cluster.owner:
        place = f"{root}/{encode(cluster.site)}"
        await node.run(script(_RELEASE, root, place, label=f"release the node from {cluster.owner}"))
