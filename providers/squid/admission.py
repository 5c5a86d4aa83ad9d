"""What is found out about a new configuration on a node before anything is written on any."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from providers.connection.cluster import Node
from providers.connection.command import command, script
from providers.connection.errors import CommandFailed, Refused
from providers.host.settings import FileState, NodeSettings
from providers.squid import includes
from providers.squid.accepted import Accepted, changed_since, unread
from providers.squid.includes import Included

_BUNGLED = re.compile(r"(Bungled (?!/run/squid-ha-check)\S+ line [0-9]+: \S+) .*")
"""Squid's word on a line that it does not take, where that is not of the new file."""

# $@ the check's words with {} for the file; standard input: what shall be in it. The file stands outside the
# configuration's own directory, where an `include` could pick it up.
_CHECK = r"""
umask 077
directory=$(mktemp -d /run/squid-ha-check.XXXXXX) || exit 1
trap 'rm -rf "$directory"' EXIT
cat >"$directory/new"
chmod 0755 "$directory"; chmod 0644 "$directory/new"
n=$#
while [ "$n" -gt 0 ]; do
    word=$1; shift; n=$((n - 1))
    [ "$word" = '{}' ] && word=$directory/new
    set -- "$@" "$word"
done
"$@" 1>&2
"""


def text_of(settings: NodeSettings) -> str:
    """squid.conf: the file that Squid itself checks."""
    return next((file.content or "" for file in settings.files.values() if file.check), "")


async def admit(
    node: Node,
    settings: NodeSettings,
    changed: Sequence[str],
    *,
    readable: Mapping[str, str],
    reserved: Mapping[str, str],
    may_be_open: bool,
    accepted: Accepted | None,
) -> Included:
    """Raises `CommandFailed` where Squid does not accept a changed file, `Refused` for what files on the node would do.

    ``readable``, ``reserved`` and ``may_be_open``: see `providers.squid.wanted.Wanted`. ``accepted``: what of included
    files was accepted before; returns what they are now.
    """
    included = await includes.check(node, text_of(settings), reserved=reserved, may_be_open=may_be_open)
    for path, user in readable.items():
        look = command("runuser", "-u", user, "--", "test", "-r", path, ok=None, reads=True)
        if (await node.run(look)).exit_code != 0:
            raise Refused(
                f"{path} is not there, or {user}, as whom Squid runs, cannot read it; nothing was changed on any node",
                node=node.name,
                remedy=f"put it there with mode 0640 and owner root:{user}, and run `pulumi up` again",
            )
    to_read = [*changed_since(accepted, included), *unread(accepted, included)]
    including = [path for path, file in settings.files.items() if file.check] if to_read else []
    for path in dict.fromkeys([*changed, *including]):
        await _validate_file(node, path, settings.files[path], [] if path in changed else to_read)
    return included


async def _validate_file(node: Node, path: str, file: FileState, included: Sequence[str]) -> None:
    """``included``: the files that are the only reason to ask, or none."""
    if not file.check or file.content is None:
        return
    which = f"{path} with what it includes: {', '.join(included)}" if included else f"the new {path}"
    check = " ".join(file.check).replace("{}", f"({which})")
    wrong = f"{', '.join(included)} on {node.name}" if included else "what the site's file says about Squid"
    result = await node.run(script(_CHECK, *file.check, stdin=file.content, ok=None, label=check, reads=True))
    if result.exit_code != 0:
        raise CommandFailed(
            node.name,
            check,
            result.exit_code,
            _complaints(result.stderr),
            remedy=f"nothing was changed on any node; correct {wrong}",
        )


def _complaints(stderr: str) -> str:
    """Squid's own words without its time stamps and without what it says of every file it reads."""
    lines = [line.partition("| ")[2] or line for line in stderr.splitlines()]
    said = [_without_words(line) for line in lines if not line.startswith("Processing: ")]
    complaints = [line for line in said if any(word in line for word in ("FATAL", "ERROR", "Bungled", "WARNING"))]
    return "\n".join(complaints or said)


def _without_words(line: str) -> str:
    """Of a bad line of another file than ours only its directive: behind it may be a password."""
    return _BUNGLED.sub(r"\1 …", line)
