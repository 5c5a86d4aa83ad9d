"""Power cuts of the lab's pair under load, with the mirror set up for a durability.

Each setting is deployed once, by a change of the lab's own site where its filesystem is the same and else from the bare
machines, and kept as a snapshot; each cut begins from there.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import yaml

from benchmarks.durability.count import Loss, loss
from blueprint.logs import mirror_log
from declaration.site import Site
from lab import control, demo, deployed, load, snapshot
from lab.errors import LabError
from operations.engines import engine_of
from operations.project import stack_file
from operations.proof.read import parse, search
from operations.site import Hosts, hosts_of
from operations.stacks import ensure_stack, write_lab
from operations.status import read_status
from providers.connection.command import script
from providers.connection.errors import Unknown, Unreachable
from providers.connection.loop import run_sync
from providers.connection.pool import close_all

STACK = "lab"
SNAPSHOT = "durability"
TAKEOVER = 900.0
"""Seconds that the other node may take to serve; an emulated guest is slow, and fencing waits for a watchdog."""
T = TypeVar("T")


@dataclass(frozen=True)
class Setting:
    """What is measured."""

    filesystem: str
    durability: str
    data_journal: bool = False

    @property
    def name(self) -> str:
        """For tables."""
        return f"{self.filesystem} {self.durability}{' data_journal' if self.data_journal else ''}"


@contextmanager
def stack_with(**sections: Mapping[str, object]) -> Generator[None]:
    """The lab's stack file with other settings in some sections of its site; its own again afterwards."""
    write_lab()
    ensure_stack(STACK)
    file = stack_file(STACK)
    before = file.read_text(encoding="utf-8")
    try:
        document: dict[str, Any] = yaml.safe_load(before)
        site = document["config"]["squid-ha:site"]
        for section, settings in sections.items():
            site[section] = {**site.get(section, {}), **settings}
        file.write_text(yaml.safe_dump(document, sort_keys=False, allow_unicode=True), encoding="utf-8")
        yield
    finally:
        file.write_text(before, encoding="utf-8")


@contextmanager
def deployed_with(setting: Setting, report: Callable[[str], None]) -> Generator[Callable[[], Hosts]]:
    """The lab's site with ``setting`` in it; gives a function that brings back the pair, healthy, each time."""
    declared = {
        "filesystem": setting.filesystem, "durability": setting.durability, "data_journal": setting.data_journal,
    }  # fmt: skip
    in_place = setting.filesystem == _filesystem()
    if in_place:
        deployed.ensure(report)
    with stack_with(mirror=declared):
        _deploy(setting, report, in_place=in_place)
        yield lambda: _bring_back(deployed.key())


def _filesystem() -> str:
    """What the lab's own site has on its mirror."""
    mirror = hosts_of(STACK).site.mirror
    return mirror.filesystem if mirror else ""


def _deploy(setting: Setting, report: Callable[[str], None], *, in_place: bool) -> None:
    key = deployed.key()
    if snapshot.exists(SNAPSHOT, key):
        return
    report(f"deploying the lab's site: {setting.name}")
    if not in_place:
        snapshot.restore(snapshot.BARE)
    deployed.deploy(timeout=2400)
    snapshot.save(SNAPSHOT, key)


def _bring_back(key: str) -> Hosts:
    snapshot.restore(SNAPSHOT, key)
    run_sync(close_all())
    hosts = hosts_of(STACK)
    until(lambda: _asked(lambda: hosts.run(read_status(hosts.cluster(), hosts.site)).sound or None), "a healthy pair")
    return hosts


def cut(hosts: Hosts, run: str, *, rate: float, seconds: float) -> Loss:
    """Cut the active node's power after ``seconds`` of ``rate`` requests each, and read what the other node has.

    Raises LabError when clients are not answered, or the other node does not take over.
    """
    active = until(lambda: _active(hosts), "an active node")
    survivor = next(node.name for node in hosts.site.nodes if node.name != active)
    file = load.start(run, rate=rate)
    try:
        # By answers, not by the clock: a slow guest is given the time that it needs.
        demo.await_answers(lambda: load.read(file), round(rate * seconds), limit=20 * seconds + 120)
        moment = time.time()
        control.call("kill", host=active)
        until(lambda: (_active(hosts) == survivor) or None, f"the service on {survivor}")
        # Only then is the log that of the survivor: parts of the service run before the filesystem is mounted.
        demo.await_answers(lambda: [each for each in load.read(file) if each.start > moment], 10, limit=TAKEOVER)
    finally:
        records = load.stop(file)
    recorded, zeros = _read(hosts, survivor, run)
    return loss(records, recorded, moment, zeros)


def _read(hosts: Hosts, node: str, run: str) -> tuple[set[str], int]:
    """Ids of the run in the mirror's log where it is mounted now, and zeros in it."""
    site: Site = hosts.site
    if site.mirror is None:
        raise LabError("the lab's site has no mirror")
    log = mirror_log(site)
    reader = hosts.cluster().nodes[node]
    found = hosts.run(reader.run(search(log, run, mounted=site.mirror.mount_point)))
    if found.exit_code != 0:
        raise LabError(f"{node}: the mirror is not mounted, though the service answers from there")
    zeros = hosts.run(reader.run(script(r'tr -cd "\000" <"$1" | wc -c', log, reads=True)))
    ids = re.compile(rf"/r/({re.escape(run)}-[0-9]+)\b")
    recorded = {match[1] for line in parse(found.stdout) for match in ids.finditer(line.text)}
    return recorded, int(zeros.stdout)


def _active(hosts: Hosts) -> str | None:
    return _asked(lambda: hosts.run(engine_of(hosts.site).runtime.active_node(hosts.cluster())))


def _asked(ask: Callable[[], T | None]) -> T | None:
    """None while nobody can tell."""
    try:
        return ask()
    except (Unknown, Unreachable):
        return None


def until(ask: Callable[[], T | None], what: str, limit: float = TAKEOVER) -> T:
    """Ask until there is an answer. Raises LabError after ``limit`` seconds."""
    deadline = time.monotonic() + limit
    while (found := ask()) is None:
        if time.monotonic() > deadline:
            raise LabError(f"{what}: not within {limit:g} s")
        time.sleep(1)
    return found
