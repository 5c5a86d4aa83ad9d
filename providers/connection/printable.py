"""Text that hosts had a hand in, as it may stand on a terminal and in a pipeline's log."""

from __future__ import annotations

import re

# C0 but tab and newline, DEL, and C1: some terminals obey the latter as they do an escape sequence (ECMA-48).
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
# Orders to GitHub's runner: a line that begins so, blanks before it aside, and the older form anywhere in one
# (https://docs.github.com/actions/reference/workflow-commands-for-github-actions).
_ORDER = re.compile(r"^([^\S\n]*)(?=::)", re.MULTILINE)
_OLDER = "##["


def printable(text: str) -> str:
    """The text without what a terminal, or the runner of a pipeline, would take for orders."""
    return without_orders(visible(text))


def visible(text: str) -> str:
    """The text without what a terminal would obey: each control character is the replacement character."""
    return _CONTROL.sub("\ufffd", text)


def without_orders(text: str) -> str:
    """Whole lines without what a pipeline's runner would obey: a line of orders begins with a bar."""
    return _ORDER.sub(r"\1| ", text).replace(_OLDER, "## [")


def printable_json(document: str) -> str:
    """A JSON document that says the same and gives no orders: they can stand only within its strings, escaped."""
    shown = _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", document)
    return shown.replace(_OLDER, r"#\u0023[")
