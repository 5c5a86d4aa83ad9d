"""What is read from nodes that were built by hand, and what becomes of it."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from providers.connection.command import Result
from providers.squid.masking import without_userinfo


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

    def bearer(self, address: str) -> str:
        """The interface that bears an address, '' where none does."""
        return next((name for name, borne in self.addresses.items() if address and address in borne), "")

    def subnet(self, address: str) -> str:
        """The network that an address of this node is in, '' where no interface bears it."""
        prefix = self.addresses.get(self.bearer(address), {}).get(address, 0)
        return str(ipaddress.ip_network(f"{address}/{prefix}", strict=False)) if prefix else ""


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
    """A declaration in the making, as plain data, and what it does not express.

    ``changes``: what makes it another site than the one that is there, a sentence each, told beside what `up` would
    change.
    """

    site: dict[str, Any] = field(default_factory=dict[str, Any])
    notes: list[Note] = field(default_factory=list[Note])
    changes: list[str] = field(default_factory=list[str])

    def note(self, node: str, place: str, what: str) -> None:
        """Remember that something is not expressed, once."""
        note = Note(node, place, without_userinfo(what))
        if note not in self.notes:
            self.notes.append(note)
