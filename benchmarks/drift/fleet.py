"""A fleet of deployed pairs of containers in a running lab.

Packages are installed once, by the product's own kind, and the other hosts begin with what that wrote. Each site is
then made as `pulumi up` makes it, thing by thing and with the note of what was applied; without Pulumi's engine, which
takes longer than the things do, and whose state a scan does not read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks.drift import project
from benchmarks.drift.pairs import Pair, pairs
from benchmarks.drift.project import Project
from blueprint.site import things
from declaration.load import from_stack_file
from declaration.site import Site
from lab import control, lifekeeper
from providers import applied, reconcile
from providers.connection.access import ConnectionSettings
from providers.connection.cluster import Cluster
from providers.connection.command import script
from providers.connection.loop import run_sync
from providers.connection.pool import close_all, open_cluster
from providers.host import packages
from providers.session import SiteAccess

Report = Callable[[str], None]

MODEL = ("model", 60)
"""The host that packages are installed on: its name, and a number that no pair has."""
_JOURNAL = "/var/lib/squid-ha"
_UNPACK = 'mkdir -p "$1" && tar -xz --no-same-owner -C "$1"'
_STARTED_AT_ONCE = 8
_DEPLOYED_AT_ONCE = 10
"""Sites; most of a deployment is waiting for the cluster."""


@dataclass(frozen=True)
class Fleet:
    """``lab`` is the run directory of the lab, ``known_hosts`` holds the keys of all nodes."""

    lab: Path
    folder: Path
    pairs: Sequence[Pair]
    project: Project

    @property
    def known_hosts(self) -> Path:
        """The keys of all nodes."""
        return self.folder / "known_hosts"

    @property
    def sockets(self) -> Mapping[str, Path]:
        """Node → the socket that leads to its sshd."""
        return {name: self.lab / f"{name}.ssh" for pair in self.pairs for name in pair.nodes}

    def with_sockets(self, folder: Path, sockets: Path) -> Project:
        """A second project for the same sites, which goes through other sockets."""
        return project.write(folder, self.pairs, self.lab, sockets, self.known_hosts)

    def sh(self, pair: Pair, node: str, text: str) -> str:
        """Run a script as root on a node, behind the product's back; its output. Raises `HostError`."""
        nodes = _access(self, pair).cluster(_owner(pair)).nodes
        return run_sync(nodes[node].run(script(text, timeout=120))).stdout


def deploy(lab: Path, folder: Path, count: int, engine: str, report: Report) -> Fleet:
    """Make so many pairs in the running lab, each with its site by ``engine``; ``folder`` is for files, and empty.

    Raises LabError or `HostError` where that does not work.
    """
    chosen = pairs(count, engine)
    known_hosts = folder / "known_hosts"
    fleet = Fleet(lab, folder, chosen, project.write(folder / "project", chosen, lab, lab, known_hosts))
    report("installing the packages on a host that the others begin with")
    layer = _model(fleet)
    report(f"starting {2 * count} containers")
    _start(fleet, layer)
    try:
        run_sync(_deploy(fleet, report))
    finally:
        run_sync(close_all())
    return fleet


def _model(fleet: Fleet) -> str:
    """Install what the sites need on one host, and keep that as a layer, without the product's journal.

    LifeKeeper's media lie there too, of no use to the other engine.
    """
    name, number = MODEL
    answer = control.call("add", name=name, number=number)
    _write_known(fleet.known_hosts, {name: answer})
    first = fleet.pairs[0]
    (thing,) = [each for each in things(_site(fleet, first), _owner(first)) if each.kind == "host.packages"]
    declared = thing.inputs
    assert isinstance(declared, packages.Wanted)
    wanted = declared.model_copy(update={"nodes": {name: declared.nodes[first.nodes[0]]}})
    settings = ConnectionSettings(
        name=name, address=answer["address"], user="ops", identity=str(fleet.lab / "id_ed25519"),
        known_hosts=str(fleet.known_hosts), proxy_command=f"socat - UNIX-CONNECT:{fleet.lab}/%n.ssh",
    )  # fmt: skip
    cluster = open_cluster([settings], site=name, owner="squid-ha/model", progress=lambda _text: None)
    try:
        run_sync(reconcile.apply(thing.kind, cluster.of(thing.name), wanted))
        run_sync(cluster.node(name).run(script(_UNPACK, lifekeeper.MEDIA, stdin=lifekeeper.packed())))
    finally:
        run_sync(close_all())
    layer: str = control.call("keep", host=name)
    control.call("run", namespace="client", argv=["rm", "-r", f"{layer}{_JOURNAL}"])
    return layer


def _start(fleet: Fleet, layer: str) -> None:
    numbers = {name: number for pair in fleet.pairs for name, number in pair.containers.items()}

    def add(name: str) -> Mapping[str, str]:
        return control.call("add", name=name, number=numbers[name], layer=layer)

    with ThreadPoolExecutor(_STARTED_AT_ONCE) as pool:
        _write_known(fleet.known_hosts, dict(zip(numbers, pool.map(add, numbers), strict=True)))


def _write_known(path: Path, hosts: Mapping[str, Mapping[str, str]]) -> None:
    lines = [f"{name},{host['address']} {host['host_key']}\n" for name, host in hosts.items()]
    path.write_text("".join(lines), encoding="utf-8")


async def _deploy(fleet: Fleet, report: Report) -> None:
    places = asyncio.Semaphore(_DEPLOYED_AT_ONCE)
    done = 0

    async def one(pair: Pair) -> None:
        nonlocal done
        async with places:
            await _apply(_access(fleet, pair).cluster(_owner(pair), progress=lambda _text: None), _site(fleet, pair))
        done += 1
        report(f"{pair.stack} is deployed ({done} of {len(fleet.pairs)})")

    await asyncio.gather(*(one(pair) for pair in fleet.pairs))


async def _apply(cluster: Cluster, site: Site) -> None:
    for thing in things(site, cluster.owner):
        await reconcile.apply(thing.kind, cluster.of(thing.name), thing.inputs)
        await applied.record(cluster.of(thing.name), thing.inputs)


def _site(fleet: Fleet, pair: Pair) -> Site:
    return from_stack_file(fleet.project.file(pair))


def _access(fleet: Fleet, pair: Pair) -> SiteAccess:
    return SiteAccess(_site(fleet, pair), lambda _name: None)


def _owner(pair: Pair) -> str:
    return f"squid-ha/{pair.stack}"
