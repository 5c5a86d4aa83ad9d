"""A line of squid.conf as it may be shown: what is a password in it is not said again, for the file goes into git."""

from __future__ import annotations

import re

from providers.squid.conf import Directive

HIDDEN = "…"
_NAMED = re.compile(r"(?P<name>(?:--)?(?:password|passwd|secret)=|login=[^:=]*:)\S+", re.IGNORECASE)
_OPTIONS = frozenset({"-w", "--password", "--passwd", "--secret"})
_FIRST = frozenset({"cachemgr_passwd"})
_COMMUNITY = "snmp_community"


def shown(each: Directive) -> str:
    """The directive without its passwords."""
    words = list(each.words)
    for number, word in enumerate(words):
        before = words[number - 1] if number else ""
        if before in _OPTIONS or (each.name in _FIRST and number == 0):
            words[number] = HIDDEN
        elif word.startswith("-w") and len(word) > len("-w"):
            words[number] = f"-w{HIDDEN}"
        else:
            words[number] = _NAMED.sub(rf"\g<name>{HIDDEN}", word)
    if _COMMUNITY in words:
        after = words.index(_COMMUNITY) + 1
        words[after:] = [HIDDEN] * len(words[after:])
    return " ".join((each.name, *words))
