"""A resource of the Generic Application kit: scripts of this site's own, put on the nodes and copied by the kit."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TypeVar, cast

from providers.connection.cluster import Cluster, Node
from providers.connection.command import script
from providers.connection.errors import Refused
from providers.contract import Absent, Observed, Present
from providers.host.settings import NodeSettings, converge_settings, read_settings, remove_settings
from providers.lifekeeper import making, members, removal
from providers.lifekeeper.ip import extension
from providers.lifekeeper.making import there
from providers.lifekeeper.resource import Kit, Member
from providers.lifekeeper.speaking import Line
from providers.lifekeeper.steps import Step
from providers.lifekeeper.views import Instance


class Wanted(Member):
    """``scripts``: restore, remove, quickCheck, recover → path; ``settings`` has the files, the same on every node.

    ``copies``: the kit runs copies of its own, which are the ``same`` as these or ``differ``, per node; one that cannot
    be run differs, and so does one of a script that is not declared.
    """

    scripts: dict[str, str]
    settings: dict[str, NodeSettings]
    copies: dict[str, str]


W = TypeVar("W", bound=Wanted)
COPIES = "/opt/LifeKeeper/subsys/gen/resources/app"
"""Where the kit has its copies, by action and tag."""
_SCRIPTS = ("restore", "remove", "quickCheck", "recover")
# $1 where the copies are, $2 tag, then pairs: name of a script, the digest of its text or '' where none is declared
_COMPARE = """
place=$1 tag=$2; shift 2
while [ $# -gt 0 ]; do
  case $1 in recover) kind=recovery ;; *) kind=actions ;; esac
  copy="$place/$kind/!$1/$tag"
  if [ -n "$2" ]; then
    [ -x "$copy" ] && echo "$2  $copy" | sha256sum --check --status
  else
    [ ! -e "$copy" ]
  fi || { echo differ; exit 0; }
  shift 2
done
echo same
"""
# $1 and $2 likewise, then pairs: name of a script, its path or ''
_COPY = """
set -e
place=$1 tag=$2; shift 2
while [ $# -gt 0 ]; do
  case $1 in recover) kind=recovery ;; *) kind=actions ;; esac
  if [ -n "$2" ]; then
    mkdir -p "$place/$kind/!$1"
    install -m 0755 "$2" "$place/$kind/!$1/$tag"
  else
    rm -f "$place/$kind/!$1/$tag"
  fi
  shift 2
done
"""


def _words(wanted: Wanted, known: Mapping[str, str]) -> list[str]:
    return [COPIES, wanted.tag, *(word for name in _SCRIPTS for word in (name, known.get(name, "")))]


async def _compared(cluster: Cluster, wanted: Wanted) -> dict[str, str]:
    """With what is declared: that the files which they were copied from were changed is told of those files."""

    async def look(node: Node) -> str:
        files = wanted.settings[node.name].files
        digests = {
            name: hashlib.sha256((files[path].content or "").encode()).hexdigest()
            for name, path in wanted.scripts.items()
        }
        label = f"compare the kit's scripts of {wanted.tag}"
        return (await node.run(script(_COMPARE, *_words(wanted, digests), reads=True, label=label))).stdout.strip()

    return await cluster.each(look, list(wanted.nodes))


def create(wanted: Member, source: str) -> list[Step]:
    """The step that makes the resource of its scripts."""
    generic = cast("Wanted", wanted)
    node = generic.nodes[source]
    values = {"tag": generic.tag, **generic.scripts, "switchback": node.switchback if node else None}
    line = Line(source, "lkcli resource create gen", "Create Resource: Generic Application", values)
    return [Step(line, there(generic.tag, source))]


def extend(wanted: Member, source: str, target: str) -> list[Step]:
    """The step that extends it, with its scripts."""
    return [extension(wanted, source, target, "gen", "Extend: Generic Application")]


def _properties(wanted: Member, node: str, instance: Instance) -> Mapping[str, str | None]:
    del wanted, node, instance
    return {}


KIT = Kit(create, extend, _properties, "gen", "app")


async def observe(cluster: Cluster, wanted: W) -> Observed[W]:
    """The resource and its scripts on each node."""
    observed = await members.observe(cluster, wanted, KIT)
    if isinstance(observed, Absent):
        return observed
    settings = await cluster.each(lambda node: read_settings(node, wanted.settings[node.name]), list(wanted.settings))
    # A node that has lost the resource has lost its copies with it, and is told of once.
    there = [name for name, member in observed.values.nodes.items() if member is not None]
    copies = wanted.copies | {name: told for name, told in (await _compared(cluster, wanted)).items() if name in there}
    return Present(observed.values.model_copy(update={"settings": settings, "copies": copies}), observed.facts)


async def converge(cluster: Cluster, wanted: Wanted, observed: Observed[Wanted]) -> None:  # noqa: ARG001
    """The scripts first, then the resource."""
    await make(cluster, wanted, KIT)


async def make(cluster: Cluster, wanted: Wanted, kit: Kit, *, source: str = "") -> None:
    """`converge` by the steps of ``kit``; ``source`` as in `members.converge`."""
    for name, settings in wanted.settings.items():
        node = cluster.node(name)
        await converge_settings(cluster, node, settings, await read_settings(node, settings))
    await members.converge(cluster, wanted, kit, source=source)
    stale = [name for name, told in (await _compared(cluster, wanted)).items() if told != wanted.copies[name]]
    await _refuse_found(cluster, wanted, stale)
    renew = script(_COPY, *_words(wanted, wanted.scripts), label=f"give the kit the scripts of {wanted.tag}")
    await cluster.each(lambda node: node.run(renew), stale)


async def _refuse_found(cluster: Cluster, wanted: Wanted, stale: Sequence[str]) -> None:
    """The scripts of a resource that was found are somebody's. Raises `Refused` naming all of these nodes."""
    entries = await cluster.each(lambda node: cluster.journal(node).entries(), stale)
    found = [name for name, known in entries.items() if known.get(members.MADE) == "no"]
    if found:
        raise Refused(
            f"{wanted.tag} was found on {' and '.join(found)}, and the scripts that LifeKeeper runs for it there are "
            "others than declared",
            remedy=f"declare those that are there (below {COPIES}, under the tag), or give this one another tag",
        )


async def remove(cluster: Cluster, wanted: Wanted) -> None:
    """The resource, then the scripts."""
    await removal.remove(cluster, wanted, forget=False)
    for name, settings in wanted.settings.items():
        await remove_settings(cluster, cluster.node(name), settings)
        await cluster.journal(name).forget()


def lines(wanted: Wanted) -> list[Line]:
    """What would be said on fresh nodes."""
    return making.lines(wanted, KIT)
