"""The bare directory that the volume is mounted on: nothing can be written in it while the volume is elsewhere.

It is read and changed in a mount namespace of its own in which the volume is taken off, so that it is seen also where
the volume is mounted. Written as ``mode owner:group``, with `` i`` behind it for chattr's immutable flag.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from providers.connection.answers import not_understood
from providers.connection.cluster import Cluster, Node
from providers.connection.command import Command, script
from providers.connection.errors import Refused
from providers.contract import State

BEFORE = "mount point"
_STATE = re.compile(r"[0-7]{4} [^:]+:[^:]+")
_IMMUTABLE = " i"

# $1 directory. Beneath: the script to run where nothing is mounted there; the rest of the words are its own.
_BENEATH = r"""
exec unshare --mount sh -c '
while mountpoint -q "$1"; do umount "$1" || exit 1; done
'"$2" sh "$1" "$3" "$4" "$5"
"""
_READ = r"""
if [ -d "$1" ]; then
  stat -c "%04a %U:%G" "$1"
  lsattr -d "$1" 2>/dev/null | cut -d" " -f1 | tr -cd i; echo
  ls -A "$1" | head -n 1
else
  p=$1; while ! [ -e "$p" ]; do missing=$p; p=$(dirname "$p"); done
  echo "missing $missing"
fi
"""
# $2 mode, $3 owner, $4 flags
_WRITE = r"""
set -e
mkdir -p "$1"
chattr -i "$1" 2>/dev/null || true
chown -- "$3" "$1"
chmod "$2" "$1"
case $4 in *i*) chattr +i "$1" ;; esac
"""
# $2 the topmost directory that this site made
_REMOVE = r"""
set -e
p=$1
if [ -d "$p" ]; then chattr -i "$p" 2>/dev/null || true; fi
while :; do
  if [ -d "$p" ]; then rmdir "$p"; fi
  if [ "$p" = "$2" ] || [ "$p" = / ]; then break; fi
  p=$(dirname "$p")
done
"""


class Before(State):
    """What was there before this site: ``state`` as it is written, or the topmost directory that was missing."""

    state: str | None = None
    missing: str | None = None


@dataclass(frozen=True)
class MountPoint:
    """The bare directory; ``state`` None if there is none, ``occupied``: something lies in it."""

    state: str | None
    missing: str | None = None
    occupied: bool = False


def read(path: str) -> Command:
    """Reads the bare directory for `parse`."""
    return script(_BENEATH, path, _READ, "", "", "", reads=True, label=f"look beneath {path}")


def parse(output: str) -> MountPoint:
    """`MountPoint` from the output of `read`. Raises `Unknown` for another, which would be journalled as it is."""
    first, *rest = [*output.splitlines(), "", ""]
    if first.startswith("missing "):
        return MountPoint(None, missing=first.removeprefix("missing "))
    if not _STATE.fullmatch(first):
        raise not_understood("how the mount point is beneath the volume")
    return MountPoint(f"{first} {rest[0]}".strip(), occupied=bool(rest[1]))


async def converge(cluster: Cluster, node: Node, path: str, wanted: str | None, found: MountPoint) -> None:
    """Make the bare directory as wanted, having written down what was there.

    Raises `Refused` if it has content that the volume would hide.
    """
    if wanted is None or found.state == wanted:
        return
    journal = cluster.journal(node)
    if BEFORE not in await journal.entries() and found.occupied and not cluster.takeover:
        raise Refused(
            f"{path} is not empty; what is in it would be hidden by the volume",
            node=node.name,
            remedy="move it elsewhere, or declare another mount point",
        )
    await journal.record({BEFORE: Before(state=found.state, missing=found.missing).model_dump_json()})
    await node.run(_write(path, wanted))


def _write(path: str, state: str) -> Command:
    plain = state.removesuffix(_IMMUTABLE)
    mode, owner = plain.split(" ", 1)
    flags = "" if plain == state else "i"
    return script(_BENEATH, path, _WRITE, mode, owner, flags, label=f"guard {path}: {state}")


async def remove(cluster: Cluster, node: Node, path: str) -> None:
    """Bring back what was there before; nothing if this site never touched it."""
    text = (await cluster.journal(node).entries()).get(BEFORE)
    if text is None:
        return
    before = Before.model_validate_json(text)
    if before.state is not None:
        await node.run(_write(path, before.state))
    else:
        top = before.missing or path
        await node.run(script(_BENEATH, path, _REMOVE, top, "", "", label=f"remove {path}"))
