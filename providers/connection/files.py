"""Files on a node: read together in one round trip, replaced atomically in one each, brought back as they were.

A file is replaced by a temporary file in the same directory (``.NAME.squid-ha.XXXXXX``), made exclusively and readable
by root alone, given owner and mode, accepted by the check, flushed to disk, and then renamed over the old one: who
opens the path sees the old file or the new one, also after a power loss. Temporary files of an interrupted run are
removed by the next.
"""

from __future__ import annotations

import base64
import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast, get_args

from pydantic import BaseModel

from providers.connection.answers import not_understood, told_by
from providers.connection.cluster import Node
from providers.connection.command import Command, script
from providers.connection.errors import CommandFailed, Refused

FoundKind = Literal["absent", "file", "link", "directory", "other"]
_REJECTED = 65

# $@ paths; two lines each: `kind mode uid:gid owner:group`, and the content (of a link: its target) in base64
_READ = r"""
for p; do
  if [ -L "$p" ]; then echo link - - -; readlink -n -- "$p" | base64 -w0; echo
  elif [ -f "$p" ]; then stat -c 'file %a %u:%g %U:%G' -- "$p"; base64 -w0 <"$p"; echo
  elif [ -d "$p" ]; then stat -c 'directory %a %u:%g %U:%G' -- "$p"; echo
  elif [ -e "$p" ]; then echo other - - -; echo
  else echo absent - - -; echo
  fi
done
"""
# $1 path, $2 mode, $3 owner:group, $4 size, then the check's words; stdin: content. The size tells input that ended
# early (the connection broke) from input that is complete.
_WRITE = r"""
set -eu
path=$1 mode=$2 owner=$3 size=$4; shift 4
dir=${path%/*} base=${path##*/}
rm -f -- "$dir/.$base".squid-ha.??????
umask 077
temp=$(mktemp "$dir/.$base.squid-ha.XXXXXX")
trap 'rm -f -- "$temp"' EXIT
cat >"$temp"
[ "$(stat -c %s "$temp")" -eq "$size" ] || { echo 'input ended early' >&2; exit 1; }
chown -- "$owner" "$temp"
chmod -- "$mode" "$temp"
if [ $# -gt 0 ]; then
  n=$#
  while [ "$n" -gt 0 ]; do
    a=$1; shift; n=$((n - 1))
    case $a in *'{}'*) a=${a%%'{}'*}$temp${a#*'{}'};; esac
    set -- "$@" "$a"
  done
  "$@" </dev/null >&2 || { echo "$?"; exit 65; }
fi
sync "$temp"
mv -fT -- "$temp" "$path"
trap - EXIT
sync "$dir/"
"""
# $1 path, $2 target
_LINK = r"""
set -eu
dir=${1%/*} base=${1##*/}
rm -f -- "$dir/.$base".squid-ha.??????
temp=$(mktemp -u "$dir/.$base.squid-ha.XXXXXX")
ln -sT -- "$2" "$temp"
mv -fT -- "$temp" "$1"
sync "$dir/"
"""
# $1 path
_REMOVE = r"""
dir=${1%/*} base=${1##*/}
[ -d "$dir/" ] || exit 0
rm -f -- "$1" "$dir/.$base".squid-ha.?????? && sync "$dir/"
"""
_ATTRIBUTES = r"""
chown -- "$3" "$1" && chmod -- "$2" "$1" && sync "$1"
"""


class _Journalled(BaseModel):
    kind: FoundKind
    content: str
    mode: str
    owner: str


@dataclass(frozen=True)
class Found:
    """What stands at a path. ``content`` of a link is its target; ``mode`` is octal text of four digits."""

    path: str
    kind: FoundKind
    content: bytes = b""
    mode: str = ""
    owner: str = ""

    def to_text(self) -> str:
        """For the journal: all that is needed to bring it back."""
        content = base64.b64encode(self.content).decode()
        return json.dumps({"kind": self.kind, "content": content, "mode": self.mode, "owner": self.owner})

    @staticmethod
    def from_text(path: str, text: str) -> Found:
        """What `to_text` wrote. Raises `Unknown` for anything else: a file is not brought back by guessing."""
        try:
            read = _Journalled.model_validate_json(text)
            return Found(path, read.kind, base64.b64decode(read.content, validate=True), read.mode, read.owner)
        except ValueError:
            raise not_understood(f"what the journal says of {path}") from None


def files_command(paths: Sequence[str]) -> Command:
    """The command that reads these paths, to go with others in one batch; `parse_files` reads its output."""
    return script(_READ, *paths, reads=True, label=f"read {' '.join(paths)}")


def parse_files(output: str, paths: Sequence[str]) -> dict[str, Found]:
    """What stands at each path. Raises `Unknown` where the answer is another: a file may go while it is read."""
    lines = output.split("\n")
    if len(lines) < 2 * len(paths):
        raise not_understood(f"what stands at {', '.join(paths)}")
    return {path: _found(path, lines[2 * i], lines[2 * i + 1]) for i, path in enumerate(paths)}


def _found(path: str, head: str, content: str) -> Found:
    try:
        kind, mode, ids, names = head.split(" ", 3)
        known, said = _kind(kind), base64.b64decode(content, validate=True)
        if known in ("file", "directory"):
            return Found(path, known, said, mode.zfill(4), _owner(ids, names))
    except ValueError:
        raise not_understood(f"what stands at {path}") from None
    return Found(path, known, said)


def _kind(word: str) -> FoundKind:
    """Raises `ValueError` for a word that names none."""
    if word not in get_args(FoundKind):
        raise ValueError(word)
    return cast("FoundKind", word)


def _owner(ids: str, names: str) -> str:
    """``owner:group`` by their names, and by number what has none (stat(1) says UNKNOWN, which chown(1) refuses)."""
    both = zip(ids.split(":"), names.split(":"), strict=True)
    return ":".join(number if name == "UNKNOWN" else name for number, name in both)


async def read_files(node: Node, paths: Sequence[str]) -> dict[str, Found]:
    """What stands at each of these paths, in one round trip."""
    if not paths:
        return {}
    (result,) = await node.batch([files_command(paths)])
    with told_by(node.name):
        return parse_files(result.stdout, paths)


async def write_file(
    node: Node,
    path: str,
    content: bytes | str,
    *,
    mode: str = "0644",
    owner: str = "root:root",
    check: Sequence[str] = (),
) -> None:
    """Replace the file at ``path`` atomically. Its directory must exist.

    ``check`` must accept the new content first; ``{}`` in it is the temporary file. Raises `CommandFailed` with the
    check's own words if it does not; then nothing has changed.
    """
    data = content.encode() if isinstance(content, str) else content
    write = script(
        _WRITE, path, mode, owner, str(len(data)), *check, stdin=data, ok={0, _REJECTED}, label=f"write {path}"
    )
    result = await node.run(write)
    if result.exit_code == _REJECTED:
        code = result.stdout.strip()
        raise CommandFailed(
            node.name,
            shlex.join(check).replace("{}", f"(the new {path})"),
            int(code) if code.isdigit() else _REJECTED,
            result.stderr,
            remedy=f"{path} was left as it was; correct what it is made from",
        )


async def remove_file(node: Node, path: str) -> None:
    """Remove the file at ``path``; that there is none is no error."""
    await node.run(script(_REMOVE, path, label=f"remove {path}"))


async def set_attributes(node: Node, path: str, *, mode: str, owner: str) -> None:
    """Give the file or directory at ``path`` this mode and owner, its content untouched."""
    await node.run(script(_ATTRIBUTES, path, mode, owner, label=f"set {mode} {owner} on {path}"))


async def restore_file(node: Node, found: Found) -> None:
    """Bring back what once stood at ``found.path``: file, link, or nothing."""
    if found.kind == "file":
        await write_file(node, found.path, found.content, mode=found.mode, owner=found.owner)
    elif found.kind == "link":
        target = found.content.decode()
        await node.run(script(_LINK, found.path, target, label=f"link {found.path} to {target}"))
    elif found.kind == "absent":
        await remove_file(node, found.path)


def refuse_odd(node: Node, found: Found) -> None:
    """Raises `Refused` where a path that shall be a file is a directory or a device."""
    if found.kind in ("directory", "other"):
        what = "a directory" if found.kind == "directory" else "a device, socket or pipe"
        raise Refused(f"{found.path} shall be a file but is {what}", node=node.name, remedy="move it away")
