"""Squid's log formats: the built-in names, and format strings checked against Squid's format codes.

Source: squid.conf.documented of Squid 5.7, directive ``logformat``; each code was given to Squid 5.7's own parser. Left
out are codes of adaptation, ICAP and TLS interception, which a Squid built without these does not know.
"""

from __future__ import annotations

import difflib
import re
from typing import Annotated

from declaration.types import written, wrong

BUILT_IN = ("squid", "common", "combined", "referrer", "useragent")

_PLAIN = "% sn err_code err_detail note master_xaction la lp ts tu tl tg tr dt tS et ea un ul ue ui credentials Ss Sh"
_CLIENT = ">a >A >p >eui >la >lp >qos >nfmark >handshake proxy_protocol::>h"
_SERVER = "<a <A <p <la <lp <qos <nfmark"
_HTTP = (
    "rm >rm <rm ru >ru <ru >rs <rs >rd <rd >rP <rP rp >rp <rp rv >rv <rv >h >ha <Hs >Hs <h mt"
    " st >st <st >sh <sh <sH <sS <bs <pt <tt"
)
CODES = frozenset(f"{_PLAIN} {_CLIENT} {_SERVER} {_HTTP}".split()) | {f"http::{code}" for code in _HTTP.split()}

# % [encoding] [-] [[0]width[.max]] [{arg}] code [{arg}]
_MODIFIERS = re.compile(r"""["\[#/']?-?(?:[0-9]+)?(?:\.[0-9]+)?(\{[^{}]*\})?""")
_NAME = re.compile(r"[A-Za-z0-9_:<>]+|%")
_LONGEST_LINE = 4096
_WITH_PATH = frozenset({"ru", ">ru", "rp", ">rp"})


def codes_of(text: str) -> list[str]:
    """The format codes used in ``text``; raises pydantic's error for one that Squid does not know."""
    codes: list[str] = []
    position = text.find("%")
    while position >= 0:
        modifiers = _MODIFIERS.match(text, position + 1)
        start = modifiers.end() if modifiers else position + 1
        code = _code_at(text, start)
        codes.append(code)
        position = text.find("%", start + len(code))
    return codes


def _code_at(text: str, start: int) -> str:
    """The longest known code at ``start``: Squid reads ``%tsx`` as ``%ts`` and an x."""
    match = _NAME.match(text, start)
    word = match[0] if match else ""
    for length in range(len(word), 0, -1):
        if word[:length] in CODES:
            return word[:length]
    near = difflib.get_close_matches(word, CODES, n=1, cutoff=0.4)
    hint = f"; perhaps `%{near[0]}`" if near else ""
    raise wrong(f"format codes that Squid knows, such as `%ts`, `%>a`, `%ru`: `%{word}` is none{hint}")


def _format(text: str) -> str:
    if text in BUILT_IN:
        return text
    if "%" not in text:
        raise ValueError(text)
    if len(text) > _LONGEST_LINE or not text.isascii() or text != text.strip():
        raise wrong(f"at most {_LONGEST_LINE} ASCII characters without blanks at the ends")
    if text.startswith("#"):
        raise wrong("a format that does not begin with `#`: Squid takes that for a comment, and does not start")
    if text.endswith("\\"):
        raise wrong(
            "a format that does not end in a backslash: Squid would take the next line of its file for the rest"
        )
    if set(codes_of(text)) <= {"%"}:
        raise ValueError(text)
    return text


def shows_address(text: str) -> bool:
    """Whether lines of this format (a built-in name, or a format string) tell what was asked for, path included."""
    if text in BUILT_IN:
        return text != "useragent"
    return not _WITH_PATH.isdisjoint(code.removeprefix("http::") for code in codes_of(text))


LogFormat = Annotated[
    str,
    written(f"one of Squid's formats ({', '.join(BUILT_IN)}) or a format such as `%ts.%03tu %>a %rm %ru`", _format),
]
