"""The scripts of a resource of the Generic Application kit: put on the nodes, and the copies that the kit runs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from providers.connection.cluster import Cluster, Node
from providers.connection.command import script
from providers.connection.errors import Refused
from providers.contract import State
from providers.host.settings import NodeSettings, converge_settings, read_settings, remove_settings
from providers.lifekeeper import members


class Scripts(State):
    """``scripts``: restore, remove, quickCheck, recover → path; ``settings`` has the files, the same on every node.

    ``copies``: the kit runs copies of its own, which are the ``same`` as these or ``differ``, per node; one that cannot
    be run differs, and so does one of a script that is not declared.
    """

    scripts: dict[str, str]
    settings: dict[str, NodeSettings]
    copies: dict[str, str]


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


async def read(cluster: Cluster, tag: str, wanted: Scripts, having: Sequence[str]) -> Scripts:
    """The files on every node, and the kit's copies on the nodes ``having`` the resource.

    One that has lost it has lost these with it, and is told of once.
    """
    settings = await cluster.each(lambda node: read_settings(node, wanted.settings[node.name]), list(wanted.settings))
    told = {name: found for name, found in (await _compared(cluster, tag, wanted)).items() if name in having}
    return Scripts(scripts=wanted.scripts, settings=settings, copies=wanted.copies | told)


async def put(cluster: Cluster, wanted: Scripts) -> None:
    """The files, for the kit to copy."""
    for name, settings in wanted.settings.items():
        node = cluster.node(name)
        await converge_settings(cluster, node, settings, await read_settings(node, settings))


async def renew(cluster: Cluster, tag: str, wanted: Scripts, declared_as: str) -> None:
    """Give the kit those that it has otherwise.

    Raises `Refused` where the resource was found: they are somebody's then. ``declared_as``: the setting that says what
    they are to be.
    """
    entries = await cluster.each(lambda node: cluster.journal(node).entries(), list(wanted.settings))
    theirs = [name for name, known in entries.items() if known.get(members.MADE) == "no"]
    stale = await _stale(cluster, tag, wanted)
    _refuse(tag, [name for name in stale if name in theirs], declared_as)
    copy = script(_COPY, *_words(tag, wanted.scripts), label=f"give the kit the scripts of {tag}")
    await cluster.each(lambda node: node.run(copy), stale)


async def refuse_theirs(cluster: Cluster, tag: str, wanted: Scripts, declared_as: str, having: Sequence[str]) -> None:
    """Raises `Refused` as `renew` does, for a resource that nodes are ``having``, before anything is written."""
    entries = await cluster.each(lambda node: cluster.journal(node).entries(), list(wanted.settings))
    if having and all(known.get(members.MADE) != "yes" for known in entries.values()):
        _refuse(tag, [name for name in await _stale(cluster, tag, wanted) if name in having], declared_as)


async def _stale(cluster: Cluster, tag: str, wanted: Scripts) -> list[str]:
    told = await _compared(cluster, tag, wanted)
    return [name for name, found in told.items() if found != wanted.copies[name]]


def _refuse(tag: str, found: Sequence[str], declared_as: str) -> None:
    if found:
        raise Refused(
            f"{tag} was found on {' and '.join(found)}, and the scripts that LifeKeeper runs for it there are others "
            "than declared",
            remedy=f"declare those that are there (below {COPIES}, under the tag) in {declared_as}, or give this one "
            "another tag",
        )


async def remove(cluster: Cluster, names: Sequence[str]) -> None:
    """All files that the journals of these nodes know; the kit's copies go with the resource."""
    for name in names:
        await remove_settings(cluster, cluster.node(name), NodeSettings())


def _words(tag: str, known: Mapping[str, str]) -> list[str]:
    return [COPIES, tag, *(word for name in _SCRIPTS for word in (name, known.get(name, "")))]


async def _compared(cluster: Cluster, tag: str, wanted: Scripts) -> dict[str, str]:
    """With what is declared: that the files which they were copied from were changed is told of those files."""

    async def look(node: Node) -> str:
        files = wanted.settings[node.name].files
        digests = {
            name: hashlib.sha256((files[path].content or "").encode()).hexdigest()
            for name, path in wanted.scripts.items()
        }
        label = f"compare the kit's scripts of {tag}"
        return (await node.run(script(_COMPARE, *_words(tag, digests), reads=True, label=label))).stdout.strip()

    return await cluster.each(look, list(wanted.settings))
