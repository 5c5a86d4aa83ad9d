"""Every command line that an engine would be given on fresh nodes, in order; where it is spoken to in lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

from blueprint.site import things
from declaration.site import Site
from providers.connection.command import command
from providers.connection.errors import Refused
from providers.contract import State
from providers.kinds import load_kind


class Line(Protocol):
    """A line as a kind gives it by its function ``lines(wanted)``."""

    @property
    def node(self) -> str:
        """Where it is said."""
        ...

    @property
    def page(self) -> str:
        """What it stands for."""
        ...

    @property
    def words(self) -> list[str]:
        """The line."""
        ...

    @property
    def certainty(self) -> str:
        """How well it is known that the product takes it."""
        ...

    @property
    def source(self) -> Sequence[str]:
        """Where that is known from."""
        ...


@dataclass(frozen=True)
class Row:
    """One line: the resource that it belongs to, its node, what it stands for, and how certain it is."""

    number: int
    resource: str
    node: str
    page: str
    command: str
    certainty: str
    source: tuple[str, ...]


def rows(site: Site, owner: str) -> list[Row]:
    """The lines of all things of a site. Raises `Refused` where its engine is not spoken to in lines."""
    made: list[Row] = []
    for thing in things(site, owner):
        spoken = cast("Callable[[State], list[Line]] | None", getattr(load_kind(thing.kind), "lines", None))
        for line in spoken(thing.inputs) if spoken else []:
            text = command(*line.words).shell()
            row = Row(len(made) + 1, thing.name, line.node, line.page, text, line.certainty, tuple(line.source))
            made.append(row)
    if not made:
        raise Refused(
            f"the command lines of `engine: {site.engine}` depend on what runs on the nodes, so they cannot be printed "
            "without them"
            if site.virtual_ip
            else "a site with a single node has no engine to give commands to",
            remedy="`pulumi preview --diff` shows what would change; --commands is for `engine: lifekeeper`",
        )
    return made
