"""A line of squid.conf as it may be shown: what is a password in it is not said again, for the file goes into git.

Rather too much is hidden than too little: nobody needs these lines but to find them again, and they are told by number.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from providers.squid.conf import Directive

HIDDEN = "…"
_NAME = r"(?:[\w.-]*(?<!by)(?:pass|pw|pwd|passwd|password|passphrase|secret|token))"
_BEFORE = re.compile(rf"(?-i:-[wy])|(?:.*[^\w./-])?{_NAME}", re.IGNORECASE)
"""Names and options, without quotes, whose value is the next word."""
_WITHIN = re.compile(rf"(?P<name>^[\"']*(?-i:-[wy])(?![\"']$)|{_NAME}[\w.-]*[\"']?[=:]|login=[^:]*:).+", re.IGNORECASE)
_USERINFO = re.compile(r"(?P<before>[a-z][a-z0-9+.-]*://|(?<![^\s\"'=,;(])(?=[^\s:@\"'=,;(/]*:))\S*@", re.IGNORECASE)
_COMMUNITY = "snmp_community"
_QUOTES = "\"'"


def shown(each: Directive) -> str:
    """The directive without its passwords."""
    words, made = [each.name, *each.words], list[str]()
    place = 0
    while place < len(words):
        hidden = _hidden(words, place)
        made.append(hidden or words[place])
        place = _end(words, place) if hidden else place + 1
    if _COMMUNITY in made:
        after = made.index(_COMMUNITY) + 1
        made[after:] = [HIDDEN] * len(made[after:])
    return without_userinfo(" ".join(made))


def without_passwords(text: str) -> str:
    """A text of ours in which words of such a line stand, without the passwords in these."""
    return without_userinfo(" ".join(_masked(word) or word for word in text.split(" ")))


def without_userinfo(text: str) -> str:
    """A text without what stands before the host in its addresses: ``http://user:password@host/``."""
    return _USERINFO.sub(rf"\g<before>{HIDDEN}@", text)


def _hidden(words: Sequence[str], place: int) -> str:
    """What is shown in the place of a word; '' if there is no password in it."""
    before = [word for each in words[:place] if (word := each.strip(_QUOTES).rstrip("=:").rstrip(_QUOTES))]
    if before and _BEFORE.fullmatch(before[-1]) and words[place].strip("=:"):
        return HIDDEN
    return _masked(words[place])


def _masked(word: str) -> str:
    found = _WITHIN.search(word)
    return f"{word[: found.end('name')]}{HIDDEN}" if found else ""


def _end(words: Sequence[str], start: int) -> int:
    """The place behind a value that begins in a word: in quotes, or behind a backslash, it goes on in the next."""
    text = ""
    for place in range(start, len(words)):
        text = re.sub(r"\\.", "", f"{text} {words[place]}")
        if not text.endswith("\\") and not any(text.count(quote) % 2 for quote in _QUOTES):
            return place + 1
    return len(words)
