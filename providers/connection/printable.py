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
    """The text without what a terminal, or the runner of a pipeline, would take for orders: each control character is
    the replacement character, and a line of orders begins with a bar."""
    return _ORDER.sub(r"\1| ", _CONTROL.sub("\ufffd", text)).replace(_OLDER, "## [")
