"""Files on the nodes that squid.conf includes: not ours to write, but read before anything is written.

They are asked for what would make the site another one: a rule of access that lets anybody in, one that leaves the
site's own rules without effect, a port that somebody else has; and for what would make such rules mean something else
than they say: addresses or users taken on the word of others. The declaration's own rules are asked again with what
the files add to their access lists. Facts: squid.conf.documented of Squid 5.7; ``src/cache_cf.cc``
(``parseManyConfigFiles``).
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from providers.connection.cluster import Node
from providers.connection.command import script
from providers.connection.errors import Refused
from providers.squid import conf
from providers.squid.access import Lists, fits_everybody, lets_anybody_in, lists_of
from providers.squid.conf import Directive, Endpoint

_PATTERN = re.compile(r"(/[A-Za-z0-9._+@:=,*?\[\]-]+)+")
_DEPTH = 16
_PORTS = (*conf.LISTENS, "icp_port", "htcp_port", "snmp_port")
_OURS = "squid_ha_"
_TRUSTING = ("follow_x_forwarded_for", "proxy_protocol_access")
_HARMLESS = ("realm", "children", "concurrency", "credentialsttl", "casesensitive", "keep_alive", "utf8")
"""Parameters of ``auth_param`` that do not decide who has logged in."""
_OPENLY = "or say `allow_public: true` in the site's file"

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


@dataclass(frozen=True)
class Included:
    """What a node has of the files: ``files``, path → digest, and all their directives.

    ``endpoints``: where Squid listens for clients because of them. ``trouble``: why not all could be read, or ''.
    """

    files: Mapping[str, str] = field(default_factory=dict[str, str])
    directives: Sequence[Directive] = ()
    endpoints: Sequence[Endpoint] = ()
    trouble: str = ""


async def check(node: Node, text: str, *, reserved: Mapping[str, str], may_be_open: bool) -> Included:
    """Refuse what the files that ``text`` (squid.conf) includes on ``node`` would do; reads only.

    ``reserved``: port → whose it is. ``may_be_open``: the site says that anybody may use the proxy. Raises `Refused`.
    """
    included = await read(node, conf.includes(text))
    reason = refusal(text, included, reserved=reserved, may_be_open=may_be_open)
    if reason:
        raise Refused(
            reason,
            node=node.name,
            remedy="nothing was changed on any node; correct the file there, or say what is wanted in the site's file",
        )
    return included


def refusal(text: str, included: Included, *, reserved: Mapping[str, str], may_be_open: bool) -> str:
    """Why the files do not go with ``text`` (squid.conf), or cannot be read; '' if they do. See `check`."""
    own = conf.directives(text, "squid.conf") if included.directives else []
    return included.trouble or judge(own, included.directives, reserved=reserved, may_be_open=may_be_open)


async def read(node: Node, patterns: Sequence[str]) -> Included:
    """The files that these patterns name, and those that they include; a round trip for each level of them."""
    found: dict[str, list[Directive]] = {}
    files: dict[str, str] = {}
    endpoints: list[Endpoint] = []
    todo, depth, certain, trouble = list(patterns), 0, True, ""
    while todo and not trouble:
        odd = next((each for each in todo if not _PATTERN.fullmatch(each) or ".." in each), None)
        if odd is not None or depth > _DEPTH:
            what = f"`include {odd}`" if odd else f"files that include each other more than {_DEPTH} deep"
            trouble = f"{what} cannot be followed; include files by absolute paths without quotes"
            break
        result = await node.run(script(_READ, *todo, reads=True, label=f"read {' '.join(todo)}"))
        new = {file: text for file, text in _files(result.stdout) if file not in found}
        files |= {file: digest(text) for file, text in new.items()}
        read_now = {file: conf.directives(text, file) for file, text in new.items()}
        found |= read_now
        endpoints += [each for its in read_now.values() if certain for each in conf.endpoints(its)]
        certain = certain and not any(_includes_by_condition(its) for its in read_now.values())
        todo, depth = [pattern for text in new.values() for pattern in conf.includes(text)], depth + 1
    return Included(files, [each for its in found.values() for each in its], endpoints, trouble)


def digest(text: str) -> str:
    """Of what Squid takes from a file: comments and blank lines make no difference."""
    said = [line for line in text.split("\n") if line.strip() and not line.lstrip().startswith("#")]
    return hashlib.sha256("\n".join(said).encode()).hexdigest()


def _files(output: str) -> list[tuple[str, str]]:
    lines = [base64.b64decode(line).decode(errors="backslashreplace") for line in output.split("\n")]
    return list(zip(lines[0::2], lines[1::2], strict=False))


def _includes_by_condition(found: Sequence[Directive]) -> bool:
    certain = conf.unconditional(found)
    return any(each.name == "include" and each not in certain for each in found)


def judge(
    own: Sequence[Directive], included: Sequence[Directive], *, reserved: Mapping[str, str], may_be_open: bool
) -> str:
    """Why the ``included`` directives do not go with the site's ``own``; '' if they do."""
    lists = lists_of([*own, *included])
    login = next((each for each in included if _says_who_logs_in(each)), None)
    for each in included:
        reason = _port(each, own, included, reserved) or _list(each)
        if not reason and not may_be_open:
            reason = _trust(each, own, lists) or _limit(each, lists, login)
        if not reason and each.name == "http_access" and fits_everybody(each, lists):
            reason = "fits every request, so that no rule of the site's file would be reached"
        if reason:
            return f"{each.place}: `{each}` {reason}"
    return "" if may_be_open else _own_rules(own, included)


def _limit(rule: Directive, lists: Lists, login: Directive | None) -> str:
    if rule.name != "http_access":
        return ""
    if lets_anybody_in(rule, lists):
        return f"may let anybody use the proxy; name networks of your own or a login in the rule itself, {_OPENLY}"
    if login and lets_anybody_in(rule, lists, logins=False):
        return (
            f"may let anybody use the proxy: who has logged in is for `{login}` to say ({login.place}), which nobody "
            f"can tell; name networks of your own in the rule itself, let the site's file say `auth`, {_OPENLY}"
        )
    return ""


def _trust(each: Directive, own: Sequence[Directive], lists: Lists) -> str:
    """What would take a client for another one than it is, whatever the rules of access say."""
    if each.name in _TRUSTING and lets_anybody_in(each, lists, logins=False):
        return (
            "takes from anybody whose address a request is said to come from, so that rules with networks let anybody "
            f"in; name the proxies in front of this one by addresses of your own in the line itself, {_OPENLY}"
        )
    if _says_who_logs_in(each) and any(other.name == "auth_param" for other in own):
        return f"decides who has logged in, which the site's file does under `auth`; take it out, {_OPENLY}"
    if each.name == "configuration_includes_quoted_values" and each.words[:1] != ("off",):
        return f"changes how all that follows is read, so that it cannot be told what it does; take it out, {_OPENLY}"
    return ""


def _says_who_logs_in(each: Directive) -> bool:
    return each.name == "auth_param" and not any(word.lower() in _HARMLESS for word in each.words[1:2])


def _list(each: Directive) -> str:
    if each.name == "acl" and each.words and each.words[0].lower().startswith(_OURS):
        return f"changes an access list of this program; take a name that does not begin with `{_OURS}`"
    return ""


def _port(each: Directive, own: Sequence[Directive], included: Sequence[Directive], reserved: Mapping[str, str]) -> str:
    wanted = _endpoint(each)
    if wanted is None or wanted.port == 0:
        return ""
    if str(wanted.port) in reserved:
        return f"takes a port that {reserved[str(wanted.port)]} has"
    taken = [_endpoint(other) for other in own if other.name == "http_port"]
    if any(other is not None and other.port == wanted.port for other in taken):
        return "takes a port that the site's file gives Squid already"
    certain = conf.unconditional(included)
    for other in certain[: certain.index(each)] if each in certain else []:
        if _is_tcp(other) == _is_tcp(each) and _meet(_endpoint(other), wanted):
            return f"takes a port that `{other}` has already ({other.place})"
    return ""


def _endpoint(each: Directive) -> Endpoint | None:
    return conf.endpoint(each.words[0]) if each.name in _PORTS and each.words else None


def _is_tcp(each: Directive) -> bool:
    return each.name in conf.LISTENS


def _meet(one: Endpoint | None, other: Endpoint) -> bool:
    anywhere = ("", "0.0.0.0", "::")  # noqa: S104 what squid.conf may say
    return (
        one is not None
        and one.port == other.port
        and (one.address == other.address or one.address in anywhere or other.address in anywhere)
    )


def _own_rules(own: Sequence[Directive], included: Sequence[Directive]) -> str:
    """A rule of the site that was closed and is not with what the files add to its lists."""
    before, after = lists_of(own), lists_of([*own, *included])
    for rule in own:
        if rule.name == "http_access" and lets_anybody_in(rule, after) and not lets_anybody_in(rule, before):
            names = {word.lower() for word in rule.words[1:]}
            adding = next(each for each in included if each.name == "acl" and each.words[0].lower() in names)
            return f"{adding.place}: `{adding}` opens the site's own rule `{rule}` to anybody"
    return ""
