"""Files on the nodes that squid.conf includes: not ours to write, but read before anything is written.

They are asked for what would make the site another one: a rule of access that lets anybody in, one that leaves the
site's own rules without effect, a port that somebody else has. The declaration's own rules are asked again with what
the files add to their access lists.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence

from providers.connection.cluster import Node
from providers.connection.command import script
from providers.connection.errors import Refused
from providers.squid import conf
from providers.squid.access import fits_everybody, lets_anybody_in, lists_of
from providers.squid.conf import Directive

_PATTERN = re.compile(r"(/[A-Za-z0-9._+@:=,*?\[\]-]+)+")
_DEPTH = 16
_PORTS = ("http_port", "https_port", "ftp_port", "icp_port", "htcp_port", "snmp_port")
_OURS = "squid_ha_"

# $@ patterns, unquoted on purpose; each matching file as two lines, its name and its content in base64
_READ = r"""
for pattern; do
    for file in $pattern; do
        [ -f "$file" ] || continue
        printf %s "$file" | base64 -w0; echo
        base64 -w0 <"$file"; echo
    done
done
"""


async def check(node: Node, text: str, *, reserved: Mapping[str, str], may_be_open: bool) -> None:
    """Refuse what the files that ``text`` (squid.conf) includes on ``node`` would do; reads only.

    ``reserved``: port → whose it is. ``may_be_open``: the site says that anybody may use the proxy. Raises `Refused`.
    """
    if not conf.includes(text):
        return
    included = await _follow(node, conf.includes(text))
    reason = judge(conf.directives(text, "squid.conf"), included, reserved=reserved, may_be_open=may_be_open)
    if reason:
        raise Refused(
            reason,
            node=node.name,
            remedy="nothing was changed on any node; correct the file there, or say what is wanted in the site's file",
        )


async def _follow(node: Node, patterns: Sequence[str]) -> list[Directive]:
    found: list[Directive] = []
    seen: set[str] = set()
    todo, depth = list(patterns), 0
    while todo:
        odd = next((each for each in todo if not _PATTERN.fullmatch(each) or ".." in each), None)
        if odd is not None or depth > _DEPTH:
            what = f"`include {odd}`" if odd else f"files that include each other more than {_DEPTH} deep"
            raise Refused(
                f"{what} cannot be followed", node=node.name, remedy="include files by absolute paths without quotes"
            )
        result = await node.run(script(_READ, *todo, reads=True, label=f"read {' '.join(todo)}"))
        todo = list[str]()
        depth += 1
        for file, text in _files(result.stdout):
            if file not in seen:
                seen.add(file)
                found += conf.directives(text, file)
                todo += conf.includes(text)
    return found


def _files(output: str) -> list[tuple[str, str]]:
    lines = [base64.b64decode(line).decode(errors="replace") for line in output.split("\n")]
    return list(zip(lines[0::2], lines[1::2], strict=False))


def judge(
    own: Sequence[Directive], included: Sequence[Directive], *, reserved: Mapping[str, str], may_be_open: bool
) -> str:
    """Why the ``included`` directives do not go with the site's ``own``; '' if they do."""
    lists = lists_of([*own, *included])
    for each in included:
        reason = _port(each, own, reserved) or _list(each)
        if each.name == "http_access" and not reason:
            reason = _rule(each, lists, may_be_open=may_be_open)
        if reason:
            return f"{each.place}: `{each}` {reason}"
    return _own_rules(own, included, may_be_open=may_be_open)


def _rule(rule: Directive, lists: Mapping[str, Sequence[tuple[str, tuple[str, ...]]]], *, may_be_open: bool) -> str:
    if lets_anybody_in(rule, lists) and not may_be_open:
        return (
            "may let anybody use the proxy; name networks of your own or a login in the rule itself, or say "
            "`allow_public: true` in the site's file"
        )
    if fits_everybody(rule, lists):
        return "fits every request, so that no rule of the site's file would be reached"
    return ""


def _list(each: Directive) -> str:
    if each.name == "acl" and each.words and each.words[0].lower().startswith(_OURS):
        return f"changes an access list of this program; take a name that does not begin with `{_OURS}`"
    return ""


def _port(each: Directive, own: Sequence[Directive], reserved: Mapping[str, str]) -> str:
    if each.name not in _PORTS or not each.words:
        return ""
    wanted = conf.endpoint(each.words[0])
    if wanted is None or wanted.port == 0:
        return ""
    if str(wanted.port) in reserved:
        return f"takes a port that {reserved[str(wanted.port)]} has"
    taken = [conf.endpoint(other.words[0]) for other in own if other.name == "http_port" and other.words]
    if any(other is not None and other.port == wanted.port for other in taken):
        return "takes a port that the site's file gives Squid already"
    return ""


def _own_rules(own: Sequence[Directive], included: Sequence[Directive], *, may_be_open: bool) -> str:
    """A rule of the site that was closed and is not with what the files add to its lists."""
    before, after = lists_of(own), lists_of([*own, *included])
    for rule in own:
        if rule.name != "http_access" or may_be_open:
            continue
        if lets_anybody_in(rule, after) and not lets_anybody_in(rule, before):
            names = {word.lower() for word in rule.words[1:]}
            adding = next(each for each in included if each.name == "acl" and each.words[0].lower() in names)
            return f"{adding.place}: `{adding}` opens the site's own rule `{rule}` to anybody"
    return ""
