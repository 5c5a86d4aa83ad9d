"""Over a slow line it is the round trips that an adoption takes its time for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from declaration.load import read
from operations.adopt.compare import compare
from providers.connection.command import Command, Result
from providers.connection.fake import FakeNode, fake_cluster
from tests.support.phases import example


@dataclass
class Line(FakeNode):
    """Counts what goes to the node in a piece."""

    trips: int = 0

    async def run(self, command: Command) -> Result:
        self.trips += 1
        return await super().run(command)

    async def batch(self, commands: Sequence[Command]) -> list[Result]:
        self.trips += 1
        results = [await FakeNode.run(self, each) for each in commands]
        assert not any(each.command.writes for each in results)
        return results


def bare(command: Command) -> str:
    """Of a node on which no file is."""
    return "absent - - -\n\n" * (len(str(command).split()) - 1) if str(command).startswith("read /") else ""


async def test_all_things_are_looked_at_together() -> None:
    """A look, another by those who need to know something first, and the files that differ."""
    site, nodes = read(example(3), "the test"), [Line(name, bare) for name in ("qsp-a", "qsp-b")]
    await compare(fake_cluster(*nodes), site)
    assert max(each.trips for each in nodes) <= len(("look", "look again", "files", "to spare"))
