"""Nodes and journals without a host, for unit tests of kinds: a function from command to answer.

>>> import asyncio
>>> node = FakeNode("qsp-a", lambda command: "active\\n" if "is-active" in str(command) else "")
>>> journals = FakeJournals()
>>> cluster = fake_cluster(node, thing="time", journals=journals)
>>> asyncio.run(cluster.journal("qsp-a").record({"unit chrony": "enabled"}))
>>> asyncio.run(node.run(Command(("systemctl", "is-active", "chrony"), writes=False))).stdout
'active\\n'
>>> journals.opened["qsp-a", "time"].values  # what was journalled
{'unit chrony': 'enabled'}
>>> node.commands, node.written  # what was run, and the part of it that writes
([<reads systemctl is-active chrony>], [])
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from providers.connection.cluster import Cluster, Journal, Node
from providers.connection.command import Command, Result
from providers.connection.errors import CommandFailed

Answer = Callable[[Command], "Result | str"]


def nothing(command: Command) -> Result:
    """Every command succeeds and says nothing."""
    return Result(command, 0, "", "")


@dataclass
class FakeNode:
    """A node that answers by ``answer`` and remembers every command; a text answer means exit code 0.

    To fail, ``answer`` returns a `Result` with another exit code (`CommandFailed` follows where the command does not
    expect it) or raises.
    """

    name: str
    answer: Answer = nothing
    commands: list[Command] = field(default_factory=list[Command])

    @property
    def written(self) -> list[Command]:
        """Those commands that may have changed something."""
        return [command for command in self.commands if command.writes]

    async def run(self, command: Command) -> Result:
        """Answer one command."""
        self.commands.append(command)
        answer = self.answer(command)
        result = Result(command, 0, answer, "") if isinstance(answer, str) else answer
        if not result.ok:
            raise CommandFailed(self.name, str(command), result.exit_code, result.stderr)
        return result

    async def batch(self, commands: Sequence[Command]) -> list[Result]:
        """Answer commands that only read; all are asked before the first failure is raised."""
        results: list[Result] = []
        failures: list[CommandFailed] = []
        for command in commands:
            try:
                results.append(await self.run(replace(command, writes=False)))
            except CommandFailed as failure:
                failures.append(failure)
        if failures:
            raise failures[0]
        return results


@dataclass
class FakeJournal:
    """A journal in memory; ``values`` is what it holds, ``others`` gives those of the other things on its node."""

    values: dict[str, str] = field(default_factory=dict[str, str])
    others: Callable[[], Sequence[FakeJournal]] = field(default=lambda: (), repr=False, compare=False)

    async def entries(self) -> dict[str, str]:
        """All that is recorded."""
        return dict(self.values)

    async def elsewhere(self, names: Collection[str]) -> dict[str, list[str]]:
        """What the others have under these names."""
        found = {name: [each.values[name] for each in self.others() if name in each.values] for name in names}
        return {name: texts for name, texts in found.items() if texts}

    async def record(self, values: Mapping[str, str]) -> None:
        """Record what is not recorded yet."""
        self.values = {**values, **self.values}

    async def put(self, values: Mapping[str, str]) -> None:
        """Record, replacing."""
        self.values.update(values)

    async def drop(self, names: Collection[str]) -> None:
        """Drop these names."""
        for name in names:
            self.values.pop(name, None)

    async def forget(self) -> None:
        """Drop everything."""
        self.values.clear()


@dataclass
class FakeJournals:
    """Opens one `FakeJournal` per node and thing, and the same one again."""

    opened: dict[tuple[str, str], FakeJournal] = field(default_factory=dict[tuple[str, str], FakeJournal])

    def __call__(self, node: Node, thing: str) -> Journal:
        """The journal of ``thing`` on ``node``."""

        def others() -> list[FakeJournal]:
            return [each for (name, other), each in self.opened.items() if name == node.name and other != thing]

        return self.opened.setdefault((node.name, thing), FakeJournal(others=others))


def fake_cluster(
    *nodes: Node,
    site: str = "lab",
    owner: str = "squid-ha/lab",
    thing: str = "thing",
    takeover: bool = False,
    journals: Callable[[Node, str], Journal] | None = None,
    progress: Callable[[str], None] = lambda _text: None,
) -> Cluster:
    """A cluster of these nodes with journals in memory and nothing to lock."""
    opener = journals if journals is not None else FakeJournals()
    return Cluster(site, owner, {node.name: node for node in nodes}, opener, progress, thing, takeover)
