"""Mistakes in a declaration, all of them at once, as text for people.

DeclarationError      a declaration that cannot be used; carries its mistakes
    StackFileError    no declaration to be found: the stack file is missing, unreadable or holds no site
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Mistake:
    """One setting that is wrong: where (``path``), what stands there, what would be right.

    ``found`` is shown as in YAML; None where the setting is missing. ``line`` counts from 1.
    """

    path: str
    found: str | None
    expected: str
    line: int | None = None

    def render(self) -> str:
        """The mistake as a block of two or three lines."""
        where = f"{self.path or 'the whole site'}" + (f"  (line {self.line})" if self.line else "")
        lines = [where]
        if self.found is not None:
            lines.append(f"    found:    {self.found}")
        lines.append(f"    expected: {self.expected}")
        return "\n".join(lines)


class DeclarationError(Exception):
    """A declaration that cannot be used. ``source`` is the file or the configuration key it was read from."""

    heading: ClassVar[str] = "the declaration of the site is not usable"

    def __init__(self, mistakes: Sequence[Mistake], source: str) -> None:
        super().__init__()
        self.mistakes = tuple(mistakes)
        self.source = source

    def __str__(self) -> str:
        count = "1 mistake" if len(self.mistakes) == 1 else f"{len(self.mistakes)} mistakes"
        blocks = [f"{self.source}: {self.heading}, {count}:", *(m.render() for m in self.mistakes)]
        return "\n\n".join(blocks)


class StackFileError(DeclarationError):
    """There is no declaration to read: ``reason`` is a sentence with what to do."""

    def __init__(self, reason: str, source: str) -> None:
        super().__init__([], source)
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.source}: {self.reason}"
