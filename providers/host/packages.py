"""Packages on all nodes, installed without letting the distribution start what the cluster shall start.

In a cluster that runs already its engine leaves all alone meanwhile (`providers.host.maintenance`).

Found stays found: what was installed before is neither journalled as made nor removed. What an installation brings
(packages with dependencies, accounts, state directories) and what it displaces by a conflict is taken from two
snapshots, before and after, and of that only what the packages themselves explain: others may have been at work in
between. The one before is in the journal until the one after has been written down, so that a run that was cut off in
the middle is accounted for by the next.

`remove` takes back exactly that, but for packages that others need by now, with the accounts and directories that they
name. Logs under ``/var/log`` stay, as data does.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from pydantic import Field

from providers.connection.cluster import Cluster, Node
from providers.connection.errors import Refused
from providers.contract import Absent, Observed, Present, State
from providers.host import apt, maintenance, quiet
from providers.host.dpkg import Made, Snapshot, add, parse_packages
from providers.host.waiting import reporting

PENDING = "pending-install"
MADE = "made"


class Wanted(State):
    """``nodes``: node → package → ``installed`` (None on observation: not installed).

    ``quiet_units`` are masked while packages are being installed, because Debian starts and enables what it unpacks;
    afterwards they are unmasked and left disabled and stopped. A unit that was enabled or running before is left alone.
    ``unrecorded``: node → those of them that the next version of their package would enable and start
    (`providers.host.quiet`); none shall be.
    """

    nodes: dict[str, dict[str, str | None]]
    quiet_units: list[str] = Field(default_factory=list[str])
    unrecorded: dict[str, list[str]] = Field(default_factory=dict[str, list[str]])


class Begun(State):
    """An installation that has begun: the node before it, and the units that are masked meanwhile."""

    before: Snapshot
    quiet: list[str]


class Reading(NamedTuple):
    """Of a node: package → status, package → version, and the units in `Wanted.unrecorded`."""

    statuses: dict[str, str | None]
    versions: dict[str, str]
    unrecorded: list[str]


async def observe(cluster: Cluster, wanted: Wanted) -> Observed[Wanted]:
    """One round trip per node. A package that is half installed shows dpkg's own word for it."""
    found = await cluster.each(lambda node: _read(node, wanted), list(wanted.nodes))
    if not any(status for reading in found.values() for status in reading.statuses.values()):
        return Absent()
    seen = {
        "nodes": {name: reading.statuses for name, reading in found.items()},
        "unrecorded": {name: reading.unrecorded for name, reading in found.items() if reading.unrecorded},
    }
    return Present(wanted.model_copy(update=seen), {"versions": {name: each.versions for name, each in found.items()}})


async def _read(node: Node, wanted: Wanted) -> Reading:
    names = list(wanted.nodes[node.name])
    queried, looked = await node.batch([apt.query(names), quiet.unrecorded(wanted.quiet_units)])
    found = parse_packages(queried.stdout)
    return Reading(
        {name: found[name].status if name in found else None for name in names},
        {name: package.version for name, package in found.items()},
        looked.stdout.split(),
    )


async def converge(cluster: Cluster, wanted: Wanted, observed: Observed[Wanted]) -> None:
    """Install what is missing, on all nodes at once; where a cluster runs, its engine leaves all alone meanwhile.

    Units that an upgrade would enable are recorded first: that touches nothing that runs.

    Raises `CommandFailed` with apt's own words, and what `maintenance.held` does.
    """
    unrecorded = observed.values.unrecorded if isinstance(observed, Present) else {}
    await cluster.each(lambda node: quiet.record(node, unrecorded[node.name]), list(unrecorded))
    entries = await cluster.each(lambda node: cluster.journal(node).entries(), list(wanted.nodes))
    missing = {name: _missing(wanted, observed, name) for name in wanted.nodes}
    changing = [name for name in wanted.nodes if missing[name] or PENDING in entries[name]]

    async def install(node: Node) -> None:
        await _install(cluster, node, list(wanted.nodes[node.name]), missing[node.name], wanted.quiet_units)

    async def work() -> None:
        await cluster.each(install, list(wanted.nodes))

    await maintenance.held(cluster, changing, work)


def _missing(wanted: Wanted, observed: Observed[Wanted], name: str) -> list[str]:
    found: Mapping[str, str | None] = observed.values.nodes.get(name, {}) if isinstance(observed, Present) else {}
    return [package for package in wanted.nodes[name] if found.get(package) != "installed"]


async def _install(
    cluster: Cluster, node: Node, names: Sequence[str], missing: Sequence[str], quiet_units: Sequence[str]
) -> None:
    journal = cluster.journal(node)
    entries = await journal.entries()
    cut_off = PENDING in entries
    if cut_off:
        begun = Begun.model_validate_json(entries[PENDING])
        # apt of the cut-off run may still be at work: going through apt again waits for it and repairs what it left.
        missing = [name for name in names if name not in begun.before.packages]
    elif missing:
        begun = Begun(before=await apt.snapshot(node), quiet=await quiet.idle(node, quiet_units))
        await journal.record({PENDING: begun.model_dump_json()})
    else:
        return
    await quiet.silence(node, begun.quiet)
    if missing:
        cluster.progress(f"{node.name}: installing {', '.join(missing)}")
        await reporting(
            node.run(apt.install(missing)),
            lambda seconds: cluster.progress(f"{node.name}: still installing packages ({seconds:.0f} s)"),
        )
    # Others install too, and daemons make directories, while this waits for apt.
    after = await apt.brought(node, names, begun.before, await apt.snapshot(node))
    made = add(_made(entries), begun.before, after)
    await journal.put({MADE: made.model_dump_json()})
    await quiet.release(node, begun.quiet)
    await journal.drop([PENDING])


async def remove(cluster: Cluster, wanted: Wanted) -> None:
    """Purge what installations brought and bring back what they displaced; logs under /var/log stay."""
    await maintenance.give_up(cluster)
    await cluster.each(lambda node: _remove(cluster, node, list(wanted.nodes[node.name])), list(wanted.nodes))


async def _remove(cluster: Cluster, node: Node, names: Sequence[str]) -> None:
    journal = cluster.journal(node)
    entries = await journal.entries()
    made = _made(entries)
    if PENDING in entries:
        begun = Begun.model_validate_json(entries[PENDING])
        after = await apt.brought(node, names, begun.before, await apt.snapshot(node))
        made = add(made, begun.before, after)
        await journal.put({MADE: made.model_dump_json()})
        await quiet.release(node, begun.quiet)
    stayed = await _purge(cluster, node, made)
    await _bring_back(cluster, node, made)
    made = await _without_theirs(cluster, node, made, stayed)
    if made.users or made.groups:
        await node.run(apt.delete_accounts(made.users, made.groups))
    if made.directories:
        await node.run(apt.delete_directories(made.directories))
    if made.empty:
        await node.run(apt.make_directories(made.empty))
    await journal.forget()


async def _purge(cluster: Cluster, node: Node, made: Made) -> set[str]:
    """The packages that stay, because others need them."""
    there = set(made.packages) & await apt.known(node)
    going = set(there)
    while going:
        needed = await apt.needed_by_others(node, going)
        if not needed:
            break
        keep = {name for names in needed.values() for name in names}
        if not keep:
            others = ", ".join(sorted(needed))
            raise Refused(
                f"removing {', '.join(sorted(going))} would also remove {others}, which somebody else installed",
                node=node.name,
                remedy=f"remove {others} by hand if it is not needed, then run again",
            )
        cluster.progress(f"{node.name}: {', '.join(sorted(keep))} stay, because {', '.join(sorted(needed))} need them")
        going -= keep
    if going:
        cluster.progress(f"{node.name}: removing {len(going)} packages")
        await reporting(
            node.run(apt.purge(sorted(going))),
            lambda seconds: cluster.progress(f"{node.name}: still removing packages ({seconds:.0f} s)"),
        )
    return there - going


async def _without_theirs(cluster: Cluster, node: Node, made: Made, stayed: Collection[str]) -> Made:
    """``made`` without the accounts and directories of packages that stay."""
    accounts, directories = {*made.users, *made.groups}, set(made.directories)
    theirs = await apt.named(node, stayed, accounts, directories) if stayed else set[str]()
    if not theirs:
        return made
    cluster.progress(
        f"{node.name}: {', '.join(sorted(theirs))} stay too, because {', '.join(sorted(stayed))} name them"
    )

    def others(names: Sequence[str]) -> list[str]:
        return [name for name in names if name not in theirs]

    return made.model_copy(
        update={
            "users": others(made.users),
            "groups": others(made.groups),
            "directories": others(made.directories),
        }
    )


async def _bring_back(cluster: Cluster, node: Node, made: Made) -> None:
    gone = sorted(set(made.displaced) - set((await apt.snapshot(node)).packages))
    if gone:
        cluster.progress(f"{node.name}: bringing back {', '.join(gone)}")
        await node.run(apt.install(gone))
    if made.automatic:
        await node.run(apt.mark_automatic(made.automatic))


def _made(entries: Mapping[str, str]) -> Made:
    return Made.model_validate_json(entries[MADE]) if MADE in entries else Made()
