"""Keeping secrets out of all that is printed: a host may show one where the declaration has only its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

from pydantic import BaseModel

from declaration.secrets import secret_names
from operations.credentials import MASK
from operations.drift.model import Finding

_ANOTHER = " (what is hidden differs)"
_SHORTEST = 4
"""Characters; a shorter word would be found in texts that have nothing to do with it."""


class Mask:
    """Puts `MASK` in the place of secrets, in any value."""

    def __init__(self, declared: BaseModel, secret: Callable[[str], str | None]) -> None:
        secrets = [secret(name) or "" for name in secret_names(declared)]
        # A file that is a secret as a whole, such as one of logins, is found by any of its lines too.
        words = {word.strip() for text in secrets for word in (text, *text.splitlines())}
        self._words = sorted((word for word in words if len(word) >= _SHORTEST), key=len, reverse=True)

    def text(self, text: str) -> str:
        """A text without secrets."""
        for word in self._words:
            text = text.replace(word, MASK)
        return text

    def value(self, value: object) -> object:
        """A value of any kind without secrets."""
        return _each(value, self.text)


def without_passwords(finding: Finding, hide: Callable[[str], str]) -> Finding:
    """A finding without what ``hide`` takes out of a text, line for line; lines that differ in nothing else say so."""
    declared, live = _each(finding.declared, hide), _each(finding.live, hide)
    if isinstance(declared, str) and isinstance(live, str):
        live = _told_apart(finding.declared, finding.live, declared, live)
    return finding.model_copy(update={"declared": declared, "live": live})


def _told_apart(declared: str, live: str, masked: str, shown: str) -> str:
    """``shown``, the masked ``live``, with a mark on lines that look like those of ``masked`` and are not the same."""
    lines = shown.splitlines(keepends=True)
    pairs = zip(declared.splitlines(), live.splitlines(), masked.splitlines(), shown.splitlines(), strict=False)
    for number, (before, now, one, other) in enumerate(pairs):
        if before != now and one == other:
            lines[number] = f"{other}{_ANOTHER}{lines[number][len(other) :]}"
    return "".join(lines)


def _each(value: object, hide: Callable[[str], str]) -> object:
    """The value with every text in it as ``hide`` makes it."""
    if isinstance(value, str):
        return hide(value)
    if isinstance(value, Mapping):
        return {key: _each(each, hide) for key, each in cast("Mapping[str, object]", value).items()}
    if isinstance(value, list):
        return [_each(each, hide) for each in cast("list[object]", value)]
    return value
