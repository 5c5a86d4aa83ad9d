"""A cluster as kinds see it: named nodes that run commands, a journal on each, one lock over all.

These are the seams. The real ones speak SSH (`providers.connection.ssh`); tests hand in functions
(`providers.connection.fake`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from providers.connection.answers import told_by
from providers.connection.command import Command, Result
from providers.connection.errors import Unknown

T = TypeVar("T")


class Node(Protocol):
    """One node. All commands run as root (directly, or by sudo)."""

    @property
    def name(self) -> str:
        """The node's name in the declaration."""
        ...

    async def run(self, command: Command) -> Result:
        """Run one command. Raises `CommandFailed`, `TimedOut`, `Unreachable`, `SudoRefused`.

        One that writes raises `Locked` where the cluster's lock was held, was lost, and another run has taken it.
        """
        ...

    async def batch(self, commands: Sequence[Command]) -> list[Result]:
        """Run several commands that only read, one after the other, in a single round trip.

        Same errors as `run`, first failure wins. Commands of a batch take no standard input and change nothing,
        whatever their ``writes`` says. All of them run even if an earlier one fails.
        """
        ...


class Journal(Protocol):
    """What one thing found on one node before it changed anything, and what it last applied.

    Lives in ``/var/lib/squid-ha/<site>/things/<thing>/`` on the node; values are texts under any names.
    Names that begin with ``pending`` mark a change that was begun: while there is one, `providers.reconcile.apply`
    calls converge even though what is observed equals what is wanted.
    """

    async def entries(self) -> dict[str, str]:
        """All that is recorded for this thing on this node; empty if nothing."""
        ...

    async def elsewhere(self, names: Collection[str]) -> dict[str, list[str]]:
        """What the site's other things have recorded under these names on this node; without those nobody has."""
        ...

    async def record(self, values: Mapping[str, str]) -> None:
        """Record each value unless its name is recorded already: the first writer saw the original state."""
        ...

    async def put(self, values: Mapping[str, str]) -> None:
        """Record each value, replacing what stood there (digests, not originals)."""
        ...

    async def drop(self, names: Collection[str]) -> None:
        """Drop these names; those that are not recorded are no error."""
        ...

    async def forget(self) -> None:
        """Drop everything recorded for this thing on this node (after a completed remove)."""
        ...


class Hold(Protocol):
    """See `Cluster.hold`."""

    async def __call__(self, *, without_lost: bool = False) -> None:
        """Become the only writer. Raises `Locked`, `Unreachable`."""
        ...


async def no_lock(*, without_lost: bool = False) -> None:
    """For a cluster that nobody else can reach: nothing to hold."""


def no_secrets(name: str) -> str | None:  # noqa: ARG001
    """For a cluster without Pulumi's configuration: no secret is set."""
    return None


@dataclass(frozen=True)
class Cluster:
    """The nodes of one site, in the declaration's order, without those declared away.

    ``site`` names the journal's directory, ``owner`` is ``project/stack``, ``open_journal(node, thing)`` opens the
    journal of a thing on a node, ``progress(text)`` shows a line to the person who waits. ``thing`` is the resource
    being worked on. ``takeover``: the site says that what it finds there of others may become its own.
    ``hold()`` makes sure that this process is the only writer; it raises `Locked`, and costs nothing when held already.
    With ``without_lost`` it does so on the nodes that can be reached.
    ``secret(name)`` is the value of a key of the configuration that was set with ``--secret``, or None.
    """

    site: str
    owner: str
    nodes: Mapping[str, Node]
    open_journal: Callable[[Node, str], Journal]
    progress: Callable[[str], None]
    thing: str = ""
    takeover: bool = False
    hold: Hold = no_lock
    secret: Callable[[str], str | None] = no_secrets

    def of(self, thing: str) -> Cluster:
        """The same cluster, working on ``thing``."""
        return replace(self, thing=thing)

    def node(self, name: str) -> Node:
        """The node called so. Raises `Unknown` for one that is declared away, or is no longer declared."""
        if name not in self.nodes:
            raise Unknown(
                f"{name} is declared away, or no longer declared, so nobody can tell how it is",
                remedy="run `pulumi up` without --refresh first: it leaves that node out of what is looked at",
            )
        return self.nodes[name]

    def journal(self, node: Node | str) -> Journal:
        """The journal of the thing being worked on, on ``node``."""
        return self.open_journal(self.node(node) if isinstance(node, str) else node, self.thing)

    async def each(self, act: Callable[[Node], Awaitable[T]], names: Sequence[str] | None = None) -> dict[str, T]:
        """``act`` on all nodes (or those named) at once; all finish before the first error is raised.

        Raises `Unknown` for a name that is not among the nodes. An answer that is not understood names its node.
        """

        async def on(node: Node) -> T:
            with told_by(node.name):
                return await act(node)

        chosen = [self.node(name) for name in (names if names is not None else list(self.nodes))]
        results = await asyncio.gather(*map(on, chosen), return_exceptions=True)
        finished: dict[str, T] = {}
        for node, result in zip(chosen, results, strict=True):
            if isinstance(result, BaseException):
                raise result
            finished[node.name] = result
        return finished
