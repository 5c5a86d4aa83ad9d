"""Keeping secrets out of all that is printed: a host may show one where the declaration has only its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

from pydantic import BaseModel

from declaration.secrets import secret_names
from operations.credentials import MASK

_SHORTEST = 4
"""Characters; a shorter word would be found in texts that have nothing to do with it."""


class Mask:
    """Puts `MASK` in the place of secrets, in any value."""

    def __init__(self, declared: BaseModel, secret: Callable[[str], str | None]) -> None:
        secrets = [(secret(name) or "").strip() for name in secret_names(declared)]
        # One of several lines, as those of a file of people who may use the proxy, may stand alone somewhere else.
        words = {*secrets, *(line.strip() for each in secrets for line in each.splitlines())}
        self._words = sorted((word for word in words if len(word) >= _SHORTEST), key=len, reverse=True)

    def text(self, text: str) -> str:
        """A text without secrets."""
        for word in self._words:
            text = text.replace(word, MASK)
        return text

    def value(self, value: object) -> object:
        """A value of any kind without secrets."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {key: self.value(each) for key, each in cast("Mapping[str, object]", value).items()}
        if isinstance(value, list):
            return [self.value(each) for each in cast("list[object]", value)]
        return value
