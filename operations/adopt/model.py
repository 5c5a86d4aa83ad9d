"""What is read from nodes that were built by hand, and what becomes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from providers.connection.command import Result


@dataclass(frozen=True)
class NodeFacts:
    """One node as it was read: ``files`` by path (those that are there), ``answers`` of the engines' commands by name.

    ``connect_to`` and ``port`` are how it was reached, as the caller said it.
    """

    name: str
    platform: str
    hostname: str
    addresses: Mapping[str, Mapping[str, int]]
    """Interface → its addresses with the length of their prefix."""
    gateway: tuple[str, str] = ("", "")
    """Interface and address of the way out."""
    files: Mapping[str, str] = field(default_factory=dict[str, str])
    answers: Mapping[str, Result] = field(default_factory=dict[str, Result])
    active: frozenset[str] = frozenset()
    """Units that run."""
    connect_to: str = ""
    port: int = 22

    def said(self, name: str) -> str:
        """What that command printed, '' where it was not asked."""
        return self.answers[name].stdout if name in self.answers else ""


@dataclass(frozen=True)
class Note:
    """What the declaration cannot say: where it stands, in words, and what becomes of it."""

    node: str
    place: str
    what: str

    def __str__(self) -> str:
        return f"{self.node}, {self.place}: {self.what}"


@dataclass
class Draft:
    """A declaration in the making, as plain data, and what it does not express."""

    site: dict[str, Any] = field(default_factory=dict[str, Any])
    notes: list[Note] = field(default_factory=list[Note])

    def note(self, node: str, place: str, what: str) -> None:
        """Remember that something is not expressed, once."""
        note = Note(node, place, what)
        if note not in self.notes:
            self.notes.append(note)
