"""Rules of access, out of Squid's language into the declaration's."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import dropwhile
from typing import Any

from declaration.rules.access_cover import deciding, share_a_port
from declaration.squid import Squid
from declaration.squid_access import DAYS, AccessRule
from operations.adopt.customary import is_usual
from operations.adopt.directives import NotSaid, Reader, fits, from_file
from providers.squid.conf import Directive

_LETTERS = {letter: (day,) for day, letter in enumerate("SMTWHFA")} | {"D": (1, 2, 3, 4, 5)}
"""Days as Squid writes them; `D` is Monday to Friday."""
_USER = re.compile(r"\^(?:[A-Za-z0-9@/_-]|\[.\])+\$")
_WHOLE_DAY = "00:00-24:00"
_WORDS = 2
"""A rule has an action and an access list at least; Squid skips one that has not (``src/acl/Gadgets.cc``)."""
_KINDS = {
    "src": "networks", "dstdomain": "domains", "method": "methods", "port": "ports", "time": "times",
    "proxy_auth": "users",
}  # fmt: skip
_GUARDS = {
    ("allow", "localhost", "manager"), ("deny", "manager"), ("deny", "to_localhost"), ("deny", "link_local"),
    ("deny", "to_linklocal"), ("deny", "squid_ha_probe"), ("allow", "manager", "localhost"),
}  # fmt: skip
_BUILT_IN: dict[str, dict[str, Any]] = {
    "all": {},
    "localhost": {"networks": ["127.0.0.1/32"]},
    "connect": {"methods": ["CONNECT"]},
}


def read(reader: Reader, *, logins: bool = True) -> tuple[dict[str, Any], list[tuple[Directive, str]]]:
    """Settings below ``squid``, and rules that are left out with the reason.

    ``logins``: whether the declaration has words for a way to log in here.
    """
    settings: dict[str, Any] = {}
    rules: list[tuple[Directive, dict[str, Any]]] = []
    lost: list[tuple[Directive, str]] = []
    tunnels: Directive | None = None
    for each in reader.of("http_access"):
        if len(each.words) < _WORDS:
            reader.unsaid(each, "a rule without an access list, which Squid skips")
    for each in reader.take("http_access", lambda each: len(each.words) >= _WORDS):
        words = tuple(word.lower() for word in each.words)
        if words in _GUARDS and all(is_usual(reader, word) for word in words[1:]):
            continue
        ports = _ports(reader, words)
        if ports and not set(ports) & set(settings):
            reader.used([words[-1][1:]])
            settings |= ports
            tunnels = each if "connect_ports" in ports else tunnels
            continue
        try:
            rules.append((each, rule(reader, each.words, logins=logins)))
        except NotSaid as reason:
            lost.append((each, str(reason)))
    _say_the_rest(reader, rules, lost, logins=logins)
    if tunnels and (void := _void(settings)):
        settings["connect_ports"] = [each for each in settings["connect_ports"] if each not in void]
        lost.append((tunnels, f"tunnels to {', '.join(map(str, void))}, which the guard of all ports denies before"))
    return settings | _form(rules, logins=logins), lost


def _say_the_rest(
    reader: Reader, rules: list[tuple[Directive, dict[str, Any]]], lost: list[tuple[Directive, str]], *, logins: bool
) -> None:
    """With what no rule fits, Squid does the opposite of the last one; the declaration always denies it."""
    found = [each for each in reader.of("http_access") if len(each.words) >= _WORDS]
    if not found or found[-1].words[0] != "deny":
        return
    if any(all(_is_everybody(reader, word.lower()) for word in each.words[1:]) for each in found):
        return
    last = found[-1]
    rest: dict[str, Any] = {"action": "allow"}
    if len(last.words) == _WORDS and last.words[1].startswith("!") and any(each is last for each, _ in lost):
        try:
            rest = rule(reader, ("allow", last.words[1][1:]), logins=logins)
        except NotSaid:
            pass
        else:
            lost[:] = [(each, reason) for each, reason in lost if each is not last]
    unsaid = [each for each, _ in lost if each.words[0] == "deny"]
    if len(rest) == 1 and unsaid:
        # Without the denials that have no words, this would open the proxy to whom they keep out.
        where = ", ".join(str(each.line) for each in unsaid)
        why = f"`allow` without what line {where} denies would let in whom it keeps out, so the site denies all of it"
        lost.append((last, f"what no rule fits, which Squid allows because the last one denies: {why}"))
    elif not deciding([AccessRule.model_validate(each) for _, each in rules], AccessRule.model_validate(rest)):
        rules.append((last, rest))


def _is_everybody(reader: Reader, name: str) -> bool:
    """Whether an access list has everybody."""
    kind, values = reader.lists.get(name, ("src", ("all",) if name == "all" else ()))
    return kind == "src" and ("all" in values or {"0.0.0.0/0", "::/0"} <= set(values))


def asks_for_login(allowed: Mapping[str, Any]) -> bool:
    """Whether any of the rules does; those of the short form do where the site has a way to log in."""
    rules: Sequence[Mapping[str, Any]] = allowed.get("access", ())
    return "allow" in allowed or any(_asks(each) for each in rules)


def _asks(rule: Mapping[str, Any]) -> bool:
    return "authenticated" in rule or "users" in rule


def _void(settings: Mapping[str, Any]) -> list[Any]:
    """Tunnel ports that no tunnel gets to, because they are no safe ports."""
    safe = [str(each) for each in settings.get("safe_ports", Squid.model_fields["safe_ports"].default)]
    return [each for each in settings.get("connect_ports", ()) if not share_a_port([str(each)], safe)]


def _ports(reader: Reader, words: tuple[str, ...]) -> dict[str, Any]:
    """``deny !Safe_ports`` and ``deny CONNECT !SSL_ports``, whatever the lists are called."""
    if len(words) not in (2, 3) or words[0] != "deny" or not words[-1].startswith("!"):
        return {}
    kind, values = reader.lists.get(words[-1][1:], ("", ()))
    if kind != "port" or from_file(values) or not all(_is_connect(reader, word) for word in words[1:-1]):
        return {}
    made = {"connect_ports" if len(words) == 3 else "safe_ports": [_port(each) for each in values]}  # noqa: PLR2004
    return made if all(fits(Squid, name, found) for name, found in made.items()) else {}


def _is_connect(reader: Reader, name: str) -> bool:
    """Whether a list is that of all tunnels, and of nothing else."""
    kind, values = reader.lists.get(name, ("method", ("CONNECT",)) if name == "connect" else ("", ()))
    return (kind, set(values)) == ("method", {"CONNECT"})


def rule(reader: Reader, words: tuple[str, ...], *, logins: bool = True) -> dict[str, Any]:
    """One rule. Raises `NotSaid`."""
    made: dict[str, Any] = {"action": words[0]}
    for word in words[1:]:
        for name, value in _condition(reader, word.lower()).items():
            if name in made:
                raise NotSaid(f"two conditions of one kind ({name})")
            if not fits(AccessRule, name, value):
                raise NotSaid(f"what the access list {word} holds ({name})")
            made[name] = value
    if _asks(made) and not logins:
        raise NotSaid("a rule that asks for a login, because it has none for the login itself")
    reader.used(words[1:])
    return made


def _condition(reader: Reader, name: str) -> dict[str, Any]:
    if name.startswith("!"):
        raise NotSaid(f"a condition that must not hold ({name})")
    if name in _BUILT_IN and name not in reader.lists:
        return _BUILT_IN[name]
    kind, values = reader.lists.get(name, ("", ()))
    if kind == "proxy_auth_regex" and (users := _users(values)):
        return {"users": users}
    if kind not in _KINDS:
        raise NotSaid(f"the access list {name}" + (f" of the kind {kind}" if kind else ", which is not in this file"))
    if from_file(values):
        raise NotSaid(f"the access list {name} in a file of its own, {' '.join(values)}")
    if kind == "proxy_auth":
        return {"authenticated": True} if values == ("REQUIRED",) else {"users": list(values)}
    if kind == "time":
        return {"times": _times(reader, name)}
    convert = {"src": network, "port": _port}.get(kind, str)
    return {_KINDS[kind]: [convert(each) for each in values]}


def _users(values: tuple[str, ...]) -> list[str]:
    """Users out of expressions for their whole names, as this program writes them; none if any is something else."""
    if not all(_USER.fullmatch(each) for each in values):
        return []
    return [re.sub(r"\[(.)\]", r"\1", each[1:-1]) for each in values]


def network(word: str) -> str:
    """A network in the declaration's form. Raises `NotSaid`."""
    try:
        return str(ipaddress.ip_network(word))
    except ValueError:
        raise NotSaid(f"the clients {word}") from None


def _port(word: str) -> Any:  # noqa: ANN401 a number, or a range as text
    return int(word) if word.isdigit() else word


def _times(reader: Reader, name: str) -> list[str]:
    """Days and hours as Squid reads them (``src/acl/TimeData.cc``), which begins anew with each line.

    Days add up until hours come, which go for all of them; without days, hours go for every day.
    """
    made: list[str] = []
    for each in reader.of("acl"):
        if each.words[:1] and each.words[0].lower() == name:
            made += _times_of(dropwhile(lambda word: word.startswith("-"), each.words[2:]))
    return made


def _times_of(words: Iterable[str]) -> Iterator[str]:
    days: set[int] = set()
    for word in words:
        if not word[0].isdigit():
            days |= {day for letter in word for day in _LETTERS.get(letter, ())}
            continue
        yield _hours(days, word)
        days = set()
    if days:
        yield _hours(days, _WHOLE_DAY)


def _hours(days: Collection[int], clock: str) -> str:
    first, _, last = clock.partition("-")
    hours = "-".join(":".join(part.zfill(2) for part in each.split(":")) for each in (first, last))
    named = "" if len(days) in (0, len(DAYS)) else ",".join(DAYS[day] for day in sorted(days))
    return " ".join(part for part in (named, "" if hours == _WHOLE_DAY and named else hours) if part)


def _form(rules: list[tuple[Directive, dict[str, Any]]], *, logins: bool) -> dict[str, Any]:
    """The short form where the rules say no more than that, else all of them. With logins it asks everybody for one."""
    made = [each for _, each in rules]
    while made and set(made[-1]) == {"action"} and made[-1]["action"] == "deny" and len(made) > 1:
        made.pop()
    local = {"action": "allow", "networks": ["127.0.0.1/32"]}
    allowed = [each for each in made if each != local]
    short = bool(allowed) and all(
        set(each) == {"action", "networks", *(["authenticated"] if logins else [])} and each["action"] == "allow"
        for each in allowed
    )
    if short and local in made:
        return {"allow": list(dict.fromkeys(network for each in allowed for network in each["networks"]))}
    return {"access": [*made, {"action": "deny"}] if made != [{"action": "deny"}] else made}
