"""What the doctor finds, and what a check gets to judge by."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict, computed_field

from blueprint.thing import Thing
from declaration.nodes import Node
from declaration.site import Site
from providers.connection.cluster import no_secrets
from providers.connection.command import Command, Result

Level = Literal["ok", "note", "problem"]


class Finding(BaseModel):
    """One answer: ``where`` is a node's name or a pair of them; ``remedy`` is '' where nothing has to be done.

    A ``note`` is worth knowing and holds up nothing.
    """

    model_config = ConfigDict(frozen=True)

    check: str
    where: str
    level: Level
    sentence: str
    remedy: str = ""


class Report(BaseModel):
    """All findings about one stack's hosts; ``unreachable`` are nodes that could not be asked anything."""

    model_config = ConfigDict(frozen=True)

    stack: str
    findings: list[Finding]
    nodes: list[str]
    unreachable: list[str] = []

    @computed_field
    @property
    def ready(self) -> bool:
        """Whether nothing stands in the way of `up`."""
        return not any(finding.level == "problem" for finding in self.findings)

    @property
    def nobody_told(self) -> bool:
        """Whether no node at all could be asked."""
        return bool(self.nodes) and set(self.unreachable) == set(self.nodes)


@dataclass(frozen=True)
class Asked:
    """What the doctor knows of one node when a check judges: its own results, and those of the same check elsewhere.

    ``owners``: who claims the node, site → ``project/stack``; ``pair_is_ours``: this stack owns one of the site's
    nodes, as when this one was replaced. ``things`` are what the site is made of. ``secret(name)`` is the stack's
    secret of that name, or None.
    """

    site: Site
    owner: str
    node: Node
    results: Sequence[Result]
    others: Mapping[str, Sequence[Result]] = field(default_factory=dict[str, Sequence[Result]])
    owners: Mapping[str, str] = field(default_factory=dict[str, str])
    things: Sequence[Thing] = ()
    pair_is_ours: bool = False
    secret: Callable[[str], str | None] = no_secrets

    @property
    def stack(self) -> str:
        """The stack's name, as commands take it and as the nodes know the site."""
        return self.owner.rpartition("/")[2]

    @property
    def ours(self) -> bool:
        """Whether this stack owns the node already."""
        return self.owners.get(self.stack) == self.owner

    @property
    def unasked(self) -> list[str]:
        """The site's other nodes that were not asked: they do not answer, or are declared away."""
        return [each.name for each in self.site.nodes if each.name not in {self.node.name, *self.others}]

    @property
    def out(self) -> list[str]:
        """The standard output of each command."""
        return [result.stdout for result in self.results]

    def ok(self, check: str, sentence: str) -> Finding:
        """Nothing to do."""
        return Finding(check=check, where=self.node.name, level="ok", sentence=sentence)

    def note(self, check: str, sentence: str, remedy: str = "") -> Finding:
        """Worth knowing."""
        return Finding(check=check, where=self.node.name, level="note", sentence=sentence, remedy=remedy)

    def problem(self, check: str, sentence: str, remedy: str) -> Finding:
        """In the way of `up`, and how to get it out of the way."""
        return Finding(check=check, where=self.node.name, level="problem", sentence=sentence, remedy=remedy)


class Check(Protocol):
    """A module of `operations.doctor.checks`; both functions are pure."""

    def commands(self, site: Site, node: Node) -> Sequence[Command]:
        """What to ask the node; only what reads. Empty: this check has nothing to do with the site."""
        ...

    def judge(self, asked: Asked) -> Iterable[Finding]:
        """What the answers mean. A command that failed is among them with its exit code."""
        ...
