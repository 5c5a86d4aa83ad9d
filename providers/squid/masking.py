"""Lines of squid.conf as they may be shown: what is a password in them is not said again, in what goes into git or into
a pipeline's log.

Rather too much is hidden than too little: nobody needs these lines but to find them again, and they are told by number.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from providers.squid.conf import Directive

HIDDEN = "…"
_NAME = r"(?:[\w.-]*(?<!by)(?:pass|pw|passwd|password|passphrase|secret|token|bearer|api[_-]?key))"
_HEADER = r"(?:[\w.-]*(?:authorization|cookie))"
_BEFORE = re.compile(rf"(?:(?-i:-[wy])|(?:.*[^\w./-])?{_NAME})[ =]", re.IGNORECASE)
"""Names and options, as `_name` has them, whose value is the next word."""
_OPTION = re.compile(r"(?:.*[^\w./-])?(?:-[\w.-]*(?:auth|key)[ =]|[\w.-]*(?:auth|key)=)", re.IGNORECASE)
"""The same, of words that access lists are called as well, and whose value may be a file."""
_USER = re.compile(r"(?:-U|--user)[ =]")
"""Options whose value is ``user%password``."""
_FILE = r"/[\w./@+-]+\.(?:pem|key|crt|cer|der)"
_WITHIN = re.compile(
    rf"(?P<name>^[\"']*(?-i:-[wy])(?![\"']$)|(?-i:^[\"']*-U|--user=)[^%]*%|login=[^:]*:"
    rf"|(?:{_NAME}|{_HEADER})[\w.-]*[\"']?[=:]|(?:auth|key)[\"']?[=:](?!{_FILE}$)).+",
    re.IGNORECASE,
)
_USERINFO = re.compile(r"(?P<before>[a-z][a-z0-9+.-]*://|(?<![^\s\"'=,;(])(?=[^\s:@\"'=,;(/]*:))\S*@", re.IGNORECASE)
_SETS_HEADER = re.compile(r"(?:\w+_)?header_(?:add|replace)")
_NAMES_HEADER = re.compile(r"(?:\w+_)?header_access")
_WHOLE = re.compile(rf"snmp_community|(?:.*[^\w./{{-])?{_HEADER}[\"']*(?:[=:].*)?", re.IGNORECASE)
"""Words behind which all is hidden: of how many words a header's value is, nobody can tell."""
_QUOTES = "\"'"


def shown(each: Directive) -> str:
    """The directive without its passwords."""
    words, made = [each.name, *each.words], list[str]()
    place, rest = 0, _rest(words)
    while place < rest:
        hidden = _hidden(words, place)
        made.append(hidden or words[place])
        place = _end(words, place) if hidden else place + 1
    if rest < len(words):
        made.append(HIDDEN)
    return without_userinfo(" ".join(made))


def in_file(text: str) -> str:
    """A file of Squid's without its passwords, those in comments too, line for line.

    Of a directive that goes on in further lines and has one, only the name is shown.
    """
    made, held = list[str](), list[int]()
    for line in text.splitlines(keepends=True):
        made.append(line)
        if not line.strip() or line.lstrip().startswith("#"):
            _hide(made, [len(made) - 1])
            continue
        held.append(len(made) - 1)
        # What Python breaks a line at is for Squid, but for these two, a blank or a letter.
        if line.endswith(("\r", "\n")) and not _body(line).endswith("\\"):
            _hide(made, held)
            held = []
    _hide(made, held)
    return "".join(made)


def _hide(lines: list[str], places: Sequence[int]) -> None:
    """Hide passwords of the directive, or the comment, that stands in these lines."""
    bodies = [_body(lines[place]).lstrip().removesuffix("\\") for place in places]
    # Squid reads what goes on in the next line as one word with what it begins with; people may have meant two.
    read = [_directive(between.join(bodies)) for between in ("", " ")]
    told = [shown(each) for each in read]
    if told == [str(each) for each in read]:
        return
    first = told[0] if len(places) == 1 else f"{told[1].split()[0]} {HIDDEN}"
    for place in places:
        line = lines[place]
        start = line[: len(line) - len(line.lstrip("# \t"))] if place == places[0] else ""
        lines[place] = start + (first if place == places[0] else HIDDEN) + line[len(_body(line)) :]


def _directive(text: str) -> Directive:
    name, *words = text.lstrip("#").split() or [""]
    return Directive(name.lower(), tuple(words))


def _body(line: str) -> str:
    return "".join(line.splitlines())


def without_passwords(text: str) -> str:
    """A text of ours in which words of such a line stand, without the passwords in these."""
    return without_userinfo(" ".join(_masked(word) or word for word in text.split(" ")))


def without_userinfo(text: str) -> str:
    """A text without what stands before the host in its addresses: ``http://user:password@host/``."""
    return _USERINFO.sub(rf"\g<before>{HIDDEN}@", text)


def _rest(words: Sequence[str]) -> int:
    """The place from which on all is hidden."""
    if _SETS_HEADER.fullmatch(words[0]):
        return min(2, len(words))
    if _NAMES_HEADER.fullmatch(words[0]):
        return len(words)
    return next((place for place, word in enumerate(words, 1) if _WHOLE.fullmatch(word)), len(words))


def _hidden(words: Sequence[str], place: int) -> str:
    """What is shown in the place of a word; '' if there is no password in it."""
    name, word = _name(words[:place]), words[place]
    if not word.strip("=:"):
        return ""
    if _BEFORE.fullmatch(name) or (_OPTION.fullmatch(name) and not re.fullmatch(_FILE, word)):
        return HIDDEN
    if _USER.fullmatch(name) and "%" in word:
        return f"{word.partition('%')[0]}%{HIDDEN}"
    return _masked(word)


def _name(words: Sequence[str]) -> str:
    """What the word behind these may be the value of, without quotes, and `=` or, where no sign is between, a blank."""
    signed = False
    for each in reversed(words):
        word = each.strip(_QUOTES)
        signed = signed or word.endswith(("=", ":"))
        if name := word.rstrip("=:").rstrip(_QUOTES):
            return f"{name}{'=' if signed else ' '}"
    return ""


def _masked(word: str) -> str:
    found = _WITHIN.search(word)
    return f"{word[: found.end('name')]}{HIDDEN}" if found else ""


def _end(words: Sequence[str], start: int) -> int:
    """The place behind a value that begins in a word: in quotes, or behind a backslash, it goes on in the next.

    In quotes that were opened before it, it goes on until these are closed.
    """
    before, text = _unescaped(" ".join(words[:start])), ""
    for place in range(start, len(words)):
        text = _unescaped(f"{text} {words[place]}")
        if not text.endswith("\\") and not _in_quotes(text) and not _in_quotes(before + text):
            return place + 1
    return len(words)


def _unescaped(text: str) -> str:
    return re.sub(r"\\.", "", text)


def _in_quotes(text: str) -> bool:
    return any(text.count(quote) % 2 for quote in _QUOTES)
