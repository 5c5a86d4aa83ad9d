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

from providers.connection.answers import not_understood, told_by
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
_OF_ACCESS = ("http_access", "acl", "auth_param", *_TRUSTING)
_DECIDES = ("program", "key_extras")
"""Parameters of ``auth_param`` that decide who has logged in."""
_OR_SAY_PUBLIC = "or say `allow_public: true` in the site's file"
_SHOWN = {"http_access": 99, **dict.fromkeys(_TRUSTING, 99), "auth_param": 2, "acl": 2, **dict.fromkeys(_PORTS, 1)}
"""How many words of a directive are said again: behind them may be passwords, of login programs and communities."""

# $@ patterns, unquoted on purpose; each matching file as two lines: its name in base64, and its content in base64 or
# what it is instead of a file.
_READ = r"""
for pattern; do
    for file in $pattern; do
        printf %s "$file" | base64 -w0; echo
        if [ -f "$file" ]; then base64 -w0 -- "$file" || exit 1; echo
        elif [ -d "$file" ]; then echo '!directory'
        elif [ -e "$file" ]; then echo '!special'
        elif [ -L "$file" ]; then echo '!dangling'
        else echo '!nothing'
        fi
    done
done
"""
_NO_FILE = {
    "!directory": "is a directory, of which Squid reads nothing",
    "!special": "is not a plain file, so that it cannot be looked into",
    "!dangling": "is a link to nothing, at which Squid ends",
}


@dataclass(frozen=True)
class Finding:
    """What is wrong with a line of the files: where it stands, the directive's name, and what it does.

    ``shown``: the directive as far as it may be said again; ``more``: what to do about it. ``str()`` is for people.
    """

    place: str
    name: str
    what: str
    more: str = ""
    shown: str = ""

    @property
    def brief(self) -> str:
        """For Pulumi's state: of the files no more than path, line and the directive's name."""
        return " ".join(each for each in (f"{self.place}:", self.name, self.what) if each)

    def __str__(self) -> str:
        shown = f"`{self.shown}`" if self.shown else self.name
        return " ".join(each for each in (f"{self.place}:", shown, f"{self.what}{self.more}") if each)


@dataclass(frozen=True)
class Included:
    """What a node has of the files: ``files``, path → digest, and all their directives.

    ``endpoints``: where Squid listens for clients because of them. ``trouble``: why not all could be read.
    """

    files: Mapping[str, str] = field(default_factory=dict[str, str])
    directives: Sequence[Directive] = ()
    endpoints: Sequence[Endpoint] = ()
    trouble: Finding | None = None


async def check(node: Node, text: str, *, reserved: Mapping[str, str], may_be_open: bool) -> Included:
    """Refuse what the files that ``text`` (squid.conf) includes on ``node`` would do; reads only.

    ``reserved``: port → whose it is. ``may_be_open``: the site says that anybody may use the proxy. Raises `Refused`.
    """
    included = await read(node, conf.includes(text))
    reason = refusal(text, included, reserved=reserved, may_be_open=may_be_open)
    if reason:
        raise Refused(
            str(reason),
            node=node.name,
            remedy="nothing was changed on any node; correct the file there, or say what is wanted in the site's file",
        )
    return included


def refusal(text: str, included: Included, *, reserved: Mapping[str, str], may_be_open: bool) -> Finding | None:
    """Why the files do not go with ``text`` (squid.conf), or cannot be read; None if they do. See `check`."""
    own = conf.directives(text, "squid.conf") if included.directives else []
    return included.trouble or judge(own, included.directives, reserved=reserved, may_be_open=may_be_open)


async def read(node: Node, patterns: Sequence[str]) -> Included:
    """The files that these patterns name, and those that they include; a round trip for each level of them.

    Raises `CommandFailed` where one cannot be read, `Unknown` where the node's answer is another.
    """
    found: dict[str, list[Directive]] = {}
    files: dict[str, str] = {}
    endpoints: list[Endpoint] = []
    todo, depth, certain, trouble = dict.fromkeys(patterns, "squid.conf"), 0, True, None
    while todo and not trouble:
        trouble = _not_followed(todo, depth)
        if trouble:
            break
        result = await node.run(script(_READ, *todo, reads=True, label=f"read {' '.join(todo)}"))
        with told_by(node.name):
            answers = _answers(result.stdout)
            new = {file: _text(given) for file, given in answers if file not in found and not given.startswith("!")}
        trouble = _not_read(answers, todo, certain=certain)
        files |= {file: digest(text) for file, text in new.items()}
        read_now = {file: conf.directives(text, file) for file, text in new.items()}
        found |= read_now
        endpoints += [each for its in read_now.values() if certain for each in conf.endpoints(its)]
        certain = certain and not any(_includes_by_condition(its) for its in read_now.values())
        todo, depth = _further(read_now), depth + 1
    return Included(files, [each for its in found.values() for each in its], endpoints, trouble)


def digest(text: str) -> str:
    """Of what Squid takes from a file: comments and blanks make no difference."""
    return hashlib.sha256("\n".join(map(str, conf.directives(text))).encode()).hexdigest()


def _further(found: Mapping[str, Sequence[Directive]]) -> dict[str, str]:
    """Patterns that files include → where they stand."""
    lines = [each for its in found.values() for each in its if each.name == "include"]
    return {pattern: each.place for each in reversed(lines) for pattern in each.words}


def _not_followed(todo: Mapping[str, str], depth: int) -> Finding | None:
    for pattern, place in todo.items():
        if not _PATTERN.fullmatch(pattern) or ".." in pattern:
            how = "; include files by absolute paths without quotes"
            return Finding(place, "include", "cannot be followed", how, f"include {pattern}")
    if depth > _DEPTH:
        return Finding(next(iter(todo.values())), "include", f"cannot be followed: it is more than {_DEPTH} deep")
    return None


def _not_read(answers: Sequence[tuple[str, str]], todo: Mapping[str, str], *, certain: bool) -> Finding | None:
    for file, given in answers:
        if given in _NO_FILE:
            return Finding(file, "", _NO_FILE[given])
        if given == "!nothing" and certain:
            place, shown = todo.get(file, file), f"include {file}"
            return Finding(place, "include", "names no file that is there, at which Squid ends", shown=shown)
    return None


def _answers(output: str) -> list[tuple[str, str]]:
    """Name, and content in base64 or what it is instead."""
    lines = output.split("\n")
    return [(_text(name), given) for name, given in zip(lines[0::2], lines[1::2], strict=False)]


def _text(encoded: str) -> str:
    try:
        return base64.b64decode(encoded, validate=True).decode(errors="backslashreplace")
    except ValueError:
        raise not_understood("what is said of the files that squid.conf includes") from None


def _includes_by_condition(found: Sequence[Directive]) -> bool:
    certain = conf.unconditional(found)
    return any(each.name == "include" and each not in certain for each in found)


def shown(each: Directive) -> str:
    """A directive for people, without those of its words that may be secret."""
    words = each.words[: _SHOWN.get(each.name, 0)]
    return " ".join((each.name, *words, *(["…"] if len(words) < len(each.words) else [])))


def judge(
    own: Sequence[Directive], included: Sequence[Directive], *, reserved: Mapping[str, str], may_be_open: bool
) -> Finding | None:
    """Why the ``included`` directives do not go with the site's ``own``; None if they do."""
    lists = lists_of([*own, *included])
    login = next((each for each in included if _says_who_logs_in(each)), None)
    for each in included:
        reason = _port(each, own, included, reserved) or _list(each)
        if not reason and not may_be_open:
            reason = _trust(each, own, lists) or _limit(each, lists, login)
        if not reason and each.name == "http_access" and fits_everybody(each, lists):
            reason = "fits every request, so that no rule of the site's file would be reached", ""
        if reason:
            return Finding(each.place, each.name, *reason, shown=shown(each))
    return None if may_be_open else _own_rules(own, included)


_Reason = tuple[str, str]
"""What a directive does, in words of this program alone, and what more there is to say; see `Finding`."""


def _limit(rule: Directive, lists: Lists, login: Directive | None) -> _Reason | None:
    if rule.name != "http_access":
        return None
    what = "may let anybody use the proxy"
    if lets_anybody_in(rule, lists):
        return what, f"; name networks of your own or a login in the rule itself, {_OR_SAY_PUBLIC}"
    if login and lets_anybody_in(rule, lists, logins=False):
        return what, (
            f": who has logged in is for `{shown(login)}` to say ({login.place}), which nobody can tell; name networks "
            f"of your own in the rule itself, let the site's file say `auth`, {_OR_SAY_PUBLIC}"
        )
    return None


def _trust(each: Directive, own: Sequence[Directive], lists: Lists) -> _Reason | None:
    """What would take a client for another one than it is, whatever the rules of access say."""
    if each.name in _TRUSTING and lets_anybody_in(each, lists, logins=False):
        what = "takes from anybody whose address a request is said to come from, so that rules with networks let "
        how = "; name the proxies in front of this one by addresses of your own in the line itself, "
        return f"{what}anybody in", f"{how}{_OR_SAY_PUBLIC}"
    if _says_who_logs_in(each) and any(other.name == "auth_param" for other in own):
        what = "decides who has logged in, which the site's file does under `auth`"
        return what, f"; take it out, {_OR_SAY_PUBLIC}"
    if each.name == "configuration_includes_quoted_values" and each.words[:1] != ("off",):
        what = "changes how all that follows is read, so that it cannot be told what it does"
        return what, f"; take it out, {_OR_SAY_PUBLIC}"
    return None


def _says_who_logs_in(each: Directive) -> bool:
    return each.name == "auth_param" and any(word.lower() in _DECIDES for word in each.words[1:2])


def _list(each: Directive) -> _Reason | None:
    if each.name == "acl" and each.words and each.words[0].lower().startswith(_OURS):
        return "changes an access list of this program", f"; take a name that does not begin with `{_OURS}`"
    return None


def _port(
    each: Directive, own: Sequence[Directive], included: Sequence[Directive], reserved: Mapping[str, str]
) -> _Reason | None:
    wanted = _endpoint(each)
    if wanted is None or wanted.port == 0:
        return None
    if str(wanted.port) in reserved:
        return f"takes a port that {reserved[str(wanted.port)]} has", ""
    taken = [_endpoint(other) for other in own if other.name == "http_port"]
    if any(other is not None and other.port == wanted.port for other in taken):
        return "takes a port that the site's file gives Squid already", ""
    # Of other ports than those for clients, the last line counts.
    certain = [other for other in conf.unconditional(included) if other.name in conf.LISTENS]
    for other in certain[: certain.index(each)] if each in certain else []:
        if _meet(_endpoint(other), wanted):
            return "takes a port that another line has already", f": `{shown(other)}` ({other.place})"
    return None


def _endpoint(each: Directive) -> Endpoint | None:
    return conf.endpoint(each.words[0]) if each.name in _PORTS and each.words else None


def _meet(one: Endpoint | None, other: Endpoint) -> bool:
    if one is None or one.port != other.port:
        return False
    return one.address == other.address or _holds(one.address, other.address) or _holds(other.address, one.address)


def _holds(outer: str, inner: str) -> bool:
    """Whether whoever listens on the address ``outer`` listens on ``inner`` too; `0.0.0.0` is all of IPv4 alone."""
    return outer in ("", "::") or (outer == "0.0.0.0" and ":" not in inner)  # noqa: S104 what squid.conf may say


def _own_rules(own: Sequence[Directive], included: Sequence[Directive]) -> Finding | None:
    """A rule of the site that was closed and is not with what the files add to its lists."""
    before, after = lists_of(own), lists_of([*own, *included])
    for rule in own:
        if rule.name == "http_access" and lets_anybody_in(rule, after) and not lets_anybody_in(rule, before):
            names = {word.lower() for word in rule.words[1:]}
            adding = next(each for each in included if each.name == "acl" and each.words[0].lower() in names)
            what = f"opens the site's own rule `{rule}` to anybody"
            return Finding(adding.place, adding.name, what, shown=shown(adding))
    return None


def rules(included: Included) -> dict[str, list[tuple[str, ...]]]:
    """Path → what the file says of access; without files that say nothing of it."""
    made: dict[str, list[tuple[str, ...]]] = {}
    for each in included.directives:
        if each.name in _OF_ACCESS:
            made.setdefault(each.file, []).append((each.name, *each.words))
    return made
