"""/etc/default/LifeKeeper as settings of the declaration, and which of its keys the declaration has no words for."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from operations import lifekeeper_quorum
from operations.adopt.model import Draft, NodeFacts
from providers.lifekeeper import defaults, grammar

_BOTH_WAYS = {"NOBCASTPING": "broadcast_ping", "IP_NOLINKCHECK": "link_check"}
_MOST, _LEAST = "LKDR_SPEED_LIMIT", "LKDR_SPEED_LIMIT_MIN"
_NUMBERS = {
    "LKCHECKINTERVAL": ("check_interval", "s"),
    "IP_PINGTRIES": ("address.ping_tries", ""),
    "IP_PINGTIME": ("address.ping_time", "s"),
    "IP_QUICKCHECK_TIMEOUT": ("address.check_timeout", "s"),
    _MOST: ("replication.speed_limit", ""),
    _LEAST: ("replication.speed_limit_min", ""),
}
"""Key → setting and the unit that its value has there."""
_BEAT, _MISSES = "LCMHBEATTIME", "LCMNUMHBEATS"
_UNANSWERED, _WAIT = "CONFIRMSODEF", "CONFIRMSOTO"
_ANSWERS = {"0": "proceed", "1": "block"}
PACKAGES = "lifekeeper packages"
COMMAND = lifekeeper_quorum.asks_packages()
_QUORUM = ("QUORUM_MODE", "QUORUM_HOSTS", "QUORUM_LOSS_ACTION", "QUORUM_TIMEOUT_SECS", "WITNESS_MODE")


def describe(draft: Draft, nodes: Sequence[NodeFacts]) -> None:
    """What the first node has; the keys that it says are compared on both, and others are told of each node."""
    found = {each.name: defaults.values(each.files.get(defaults.PATH, "")) for each in nodes}
    said = _declare(draft.site["lifekeeper"], found[nodes[0].name])
    for each in nodes:
        _note(draft, each.name, found[each.name], said)
        _note_quorum(draft, each, found[each.name])


def _declare(section: dict[str, Any], found: Mapping[str, str]) -> set[str]:
    """Returns the keys that are in the section then."""
    said: set[str] = set()
    if watched := {setting: found[key] == "0" for key, setting in _BOTH_WAYS.items() if key in found}:
        section["address"] = section.get("address", {}) | watched
        said |= {key for key in _BOTH_WAYS if key in found}
    # What the declaration does not take (0: never look) is left out, and so left alone.
    numbers = {key: number for key in _NUMBERS if (number := _number(found.get(key, "")))}
    if numbers.get(_LEAST, 0) > numbers.get(_MOST, math.inf):
        del numbers[_LEAST]
    for key, number in numbers.items():
        path, unit = _NUMBERS[key]
        _put(section, path, f"{number}{unit}" if unit else number)
    said |= numbers.keys() | _confirmation(section, found)
    beat, misses = _number(found.get(_BEAT, "")), _number(found.get(_MISSES, ""))
    if beat and misses > 1:
        section["heartbeat"] = {"interval": f"{beat}s", "misses": misses}
        said |= {_BEAT, _MISSES}
    return said


def _confirmation(section: dict[str, Any], found: Mapping[str, str]) -> set[str]:
    given: dict[str, tuple[str, str]] = {}
    if answer := _ANSWERS.get(found.get(_UNANSWERED, "")):
        given[_UNANSWERED] = ("unanswered", answer)
    wait = found.get(_WAIT, "")
    if wait == "0" or _number(wait):
        given[_WAIT] = ("wait", f"{wait}s")
    if given:
        section["failover_confirmation"] = dict(given.values())
    return set(given)


def _put(section: dict[str, Any], path: str, value: object) -> None:
    group, _, name = path.rpartition(".")
    (section.setdefault(group, {}) if group else section)[name] = value


def _note(draft: Draft, name: str, values: Mapping[str, str], said: set[str]) -> None:
    """Of the rest the keys that are known and not as after an installation."""
    customary = {setting.key: setting.default for setting in grammar.load().settings}
    left = {
        key: text
        for key, text in values.items()
        if customary.get(key, text) != text and key not in said and key not in _QUORUM
    }
    if left:
        listed = ", ".join(f"{key}={text}" for key, text in sorted(left.items()))
        draft.note(name, defaults.PATH, f"{listed}: not in the file, and `up` leaves it as it is")


def _note_quorum(draft: Draft, node: NodeFacts, values: Mapping[str, str]) -> None:
    """The mode that is set; where none is, the package's own, if that is installed."""
    mode = lifekeeper_quorum.mode(values)
    if mode not in ("", "off"):
        listed = ", ".join(f"{key}={values[key]}" for key in _QUORUM if key in values)
        what = f"the quorum ({listed}) is left by `up` as it is; `lifekeeper.quorum` says it anew"
        draft.note(node.name, defaults.PATH, what)
    elif not mode and lifekeeper_quorum.installed(node.said(PACKAGES)):
        told = f"{lifekeeper_quorum.UNSET}: {lifekeeper_quorum.alone(values)}. `up` leaves that as it is: "
        draft.note(node.name, "the quorum", f"{told}{lifekeeper_quorum.WAYS}")


def _number(text: str) -> int:
    """0 for what is none, or is written otherwise than the declaration would have it (`007`)."""
    return int(text) if text.isdecimal() and not text.startswith("0") else 0
