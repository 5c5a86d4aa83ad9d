"""LifeKeeper itself on the nodes: installed, licensed, with its settings, running, and started at boot.

A change of the heartbeat needs LifeKeeper down on all nodes; what it protects runs on meanwhile (``lkstop -f``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from providers import applied
from providers.connection.cluster import Cluster, Node
from providers.connection.command import Command, command
from providers.connection.errors import CommandFailed, Refused, refuse_all
from providers.connection.together import both
from providers.contract import PENDING, Absent, Observed, Present, State
from providers.host import foreign_file
from providers.host.foreign_file import ForeignFile
from providers.host.secret_files import Secrets
from providers.host.waiting import reporting
from providers.lifekeeper import defaults, grammar, licence, speaking, stopping, views
from providers.lifekeeper.licence import Licence
from providers.lifekeeper.speaking import Line
from providers.lifekeeper.up import runs, wait_until_up
from providers.lifekeeper.views import View

_RAN, _KEY, _ENABLED, _AGAIN = "ran", "key ", "enabled", "start again"


class NodeLifeKeeper(State):
    """``settings``: keys of /etc/default/LifeKeeper that the site declares.

    ``licensed``: whether the declared licence is the one that was installed (`providers.lifekeeper.licence`).
    """

    installed: Literal["yes", "no"] = "yes"
    running: Literal["yes", "no"] = "yes"
    enabled: Literal["yes", "no"] = "yes"
    licensed: Literal["yes", "no"] = "yes"
    settings: dict[str, str | None] = Field(default_factory=dict[str, "str | None"])


class Wanted(State):
    """``media``: directory on the nodes with the setup program; ``license_file`` there, or ``license_secret`` by name.

    ``license_digest`` stands for the secret's text, so that another one shows.

    ``assumed``: command of the grammar → what this site uses of it (`speaking.assumed_of`), where nobody has seen such
    a line: compared with the product's own help before anything is set up, be it by another thing (`declared`).
    """

    nodes: dict[str, NodeLifeKeeper]
    media: str | None = None
    license_file: str | None = None
    license_secret: str | None = None
    license_digest: str | None = None
    assumed: dict[str, list[str]] = Field(default_factory=dict[str, "list[str]"])

    @property
    def licence(self) -> Licence | None:
        """The declared licence, if any."""
        if not self.license_file and not self.license_secret:
            return None
        return Licence(self.license_file, self.license_secret, self.license_digest)


def sealed(wanted: Wanted, secret: Secrets) -> Wanted:
    """``wanted`` with the digest of the licence that a secret holds; without one where that is not set, which only an
    installation needs."""
    if wanted.license_secret is None or wanted.license_digest is not None:
        return wanted
    return wanted.model_copy(update={"license_digest": licence.secret_digest(wanted.license_secret, secret)})


def declared(site: str, wanted: Wanted) -> None:
    """What the whole site assumes, for the first of its things that sets anything up: this one may be as wanted."""
    speaking.declare(site, wanted.assumed)


def refusal(previous: Wanted, wanted: Wanted) -> str | None:
    """Why this change is not made in place (`providers.contract`): settings that have to be equal on both nodes.

    With another heartbeat than its peer a node takes it for dead while it is not (SIOS's manuals, *Tuning the
    Heartbeat*), also one that is away now and boots later.
    """
    if len(wanted.nodes) > 1:
        return None
    changes = [
        f"{key} from {before.get(key) or 'what it was'} to {value}"
        for name, node in wanted.nodes.items()
        for before in [previous.nodes[name].settings if name in previous.nodes else node.settings]
        for key, value in node.settings.items()
        if key in _equal_on_all() and before.get(key) != value
    ]
    if not changes:
        return None
    return (
        f"the heartbeat of a pair does not change while one of its nodes is away: {', '.join(changes)}. The other node "
        "would keep its own, and once it is up each would take the other for dead; leave `lifekeeper.heartbeat` as it "
        "is until no node is `away: true`"
    )


async def observe(cluster: Cluster, wanted: Wanted) -> Observed[Wanted]:
    """Absent if it is installed on no node."""
    nodes = await cluster.each(lambda node: _look(cluster, node, wanted), list(wanted.nodes))
    if all(each.installed == "no" for each in nodes.values()):
        return Absent()
    return Present(wanted.model_copy(update={"nodes": nodes}))


async def _look(cluster: Cluster, node: Node, wanted: Wanted) -> NodeLifeKeeper:
    seen, enabled = await both(views.read(cluster, [node.name]), node.run(_is_enabled()))
    view = seen[node.name]
    found = defaults.values((await foreign_file.read(node, defaults.PATH)).text)
    licensed = await licence.is_installed(cluster, node, wanted.licence, runs=view.running)
    return NodeLifeKeeper(
        installed="yes" if view.installed else "no",
        running="yes" if view.running else "no",
        enabled="no" if enabled.stdout.strip() in ("disabled", "masked") else "yes",
        licensed="yes" if licensed else "no",
        settings={key: found.get(key) for key in wanted.nodes[node.name].settings},
    )


def unit() -> str:
    """The systemd unit that starts LifeKeeper at boot."""
    return grammar.load().unit.name


def _is_enabled() -> Command:
    return command("systemctl", "is-enabled", unit(), ok=None, reads=True)


def lines(wanted: Wanted) -> list[Line]:
    """What would be said on fresh nodes, step by step as `converge` does it; where a step is for all nodes at once, in
    their order."""
    given = wanted.licence
    made = [_setup(name, wanted.media) for name in wanted.nodes if wanted.media]
    made += [licence.line(name, given) for name in wanted.nodes if given]
    for name, node in wanted.nodes.items():
        made += [speaking.setting(name, key, value) for key, value in node.settings.items() if value is not None]
        if defaults.INTERVAL in node.settings:
            made.append(_checked_anew(name))
    return [*made, *(line for name in wanted.nodes for line in (_enable(name), _start(name)))]


def _setup(name: str, media: str) -> Line:
    return Line(name, "setup", "Installation", {"media": media})


def _start(name: str) -> Line:
    return Line(name, "lkcli start", "Start LifeKeeper")


def _enable(name: str) -> Line:
    known = grammar.load().unit
    page = "Start LifeKeeper at boot: only where it is disabled"
    return speaking.system(name, page, "systemctl", "enable", known.name, known=known)


def _checked_anew(name: str) -> Line:
    known = grammar.load().system_line("lkcheck again")
    return speaking.system(name, "Have the interval of the checks read anew", *known.argv, known=known)


async def converge(cluster: Cluster, wanted: Wanted, observed: Observed[Wanted]) -> None:  # noqa: ARG001
    """Install, compare what is assumed with the product's help, license, set, start; each where it is missing."""
    seen = await views.read(cluster, list(wanted.nodes))
    _refuse_absent(wanted, seen)
    if _needs_stop(await _changes(cluster, {name: node.settings for name, node in wanted.nodes.items()})):
        stopping.refuse_vmdk(seen)

    async def install(node: Node) -> None:
        view = seen[node.name]
        await _note(cluster, node, wanted, running=view.running)
        await cluster.journal(node).put({PENDING: "LifeKeeper"})
        if view.installed:
            await _tell_media(cluster, node, wanted)
        elif wanted.media:
            cluster.progress(f"{node.name}: installing LifeKeeper from {wanted.media}")
            await reporting(
                speaking.say_plainly(cluster, _setup(node.name, wanted.media)),
                lambda seconds: cluster.progress(f"{node.name}: still installing LifeKeeper ({seconds:.0f} s)"),
            )

    await cluster.each(install, list(wanted.nodes))
    for name in wanted.nodes:
        await speaking.compare(cluster, name, wanted.assumed)
    # What may fail comes before LifeKeeper is stopped for a setting.
    for name in wanted.nodes:
        await licence.install(cluster, cluster.node(name), wanted.licence, runs=seen[name].running)
    await _settings(cluster, wanted)
    await cluster.each(lambda node: _bring_up(cluster, node, wanted.licence), list(wanted.nodes))
    await cluster.each(lambda node: cluster.journal(node).drop([PENDING, _AGAIN]), list(wanted.nodes))


def _refuse_absent(wanted: Wanted, seen: Mapping[str, View]) -> None:
    missing = [] if wanted.media else [name for name, view in seen.items() if not view.installed]
    remedy = "install it by its own setup, or name the folder of its media on the node: `lifekeeper.media`"
    refuse_all([Refused("LifeKeeper is not installed", node=name, remedy=remedy) for name in missing])


async def _tell_media(cluster: Cluster, node: Node, wanted: Wanted) -> None:
    """That nothing is upgraded, where other media are declared than were when the site was last applied."""
    last = (await applied.read(cluster, node)).get(cluster.thing)
    if wanted.media and last is not None and "media" in applied.edits(wanted, last):
        cluster.progress(
            f"{node.name}: LifeKeeper is installed and is not upgraded from {wanted.media}: `lifekeeper.media` counts "
            "only where it is not installed yet"
        )


async def _note(cluster: Cluster, node: Node, wanted: Wanted, *, running: bool) -> None:
    """What was there before the first change. LifeKeeper that runs has a licence, also where none is journalled.

    A start that failed takes the licence out of the journal, and leaves LifeKeeper down.
    """
    journal = cluster.journal(node)
    entries = await journal.entries()
    if _RAN in entries and (licence.INSTALLED in entries or not running):
        return
    counts: Mapping[str, str] = await licence.counting(cluster, node, wanted.licence) if running else {}
    # The licence first: cut off between the two, the run that follows finds nothing to be the first one.
    await journal.record({**counts, _RAN: "yes" if running else "no"})


async def _bring_up(cluster: Cluster, node: Node, given: Licence | None) -> None:
    enabled = (await node.run(_is_enabled())).stdout.strip()
    if enabled == "masked":
        raise Refused(
            f"{unit()} is masked, so that nothing starts LifeKeeper here",
            node=node.name,
            remedy=f"`systemctl unmask {unit()}`, or declare the node `away: true` while it has to stay so",
        )
    if enabled == "disabled":
        await cluster.journal(node).record({_ENABLED: "no"})
        await node.run(command(*_enable(node.name).argv))
    await _started(cluster, node, given)


async def _started(cluster: Cluster, node: Node, given: Licence | None) -> None:
    if not await runs(node):
        try:
            await speaking.say_plainly(cluster, _start(node.name))
        except CommandFailed as failure:
            if "licen" not in failure.stderr.lower():
                raise
            raise await licence.rejected(cluster, node, given, failure.stderr) from failure

    await wait_until_up(cluster, node)


# Settings


async def _settings(cluster: Cluster, wanted: Wanted) -> None:
    missing = await _changes(cluster, {name: node.settings for name, node in wanted.nodes.items()})
    await _down_for(cluster, missing)
    for name, keys in missing.items():
        if keys:
            await _set(cluster, cluster.node(name), keys)


async def _down_for(cluster: Cluster, changes: Mapping[str, Mapping[str, str | None]]) -> None:
    """Stop LifeKeeper on all nodes if one of these settings needs that; their journals say that it must start again.

    It is stopped nowhere before every node has settled (`stopping.settled`).
    """
    if not _needs_stop(changes):
        return
    running = [name for name in changes if await runs(cluster.node(name))]
    # One by one: each waits for what any node is busy with, and tells of it.
    for name in running:
        await stopping.settled(cluster, name)
    if running:
        cluster.progress("Stopping LifeKeeper on all nodes for a change of its heartbeat; the service runs on")
    for name in running:
        await cluster.journal(name).put({_AGAIN: "yes"})
        stop = Line(name, "lkstop", "Stop LifeKeeper, leaving what it protects running", {"running": True})
        await speaking.say(cluster, stop)


def _needs_stop(changes: Mapping[str, Mapping[str, str | None]]) -> bool:
    return any(_equal_on_all() & set(keys) for keys in changes.values())


def _equal_on_all() -> set[str]:
    """Settings that are equal on all nodes, and changed while LifeKeeper is down on all."""
    return {setting.key for setting in grammar.load().settings if setting.both}


async def _changes(
    cluster: Cluster, wanted: Mapping[str, Mapping[str, str | None]]
) -> dict[str, dict[str, str | None]]:
    """Node → settings that are otherwise there."""
    return await cluster.each(lambda node: _missing(node, wanted[node.name]), list(wanted))


async def _missing(node: Node, wanted: Mapping[str, str | None]) -> dict[str, str | None]:
    found = defaults.values((await foreign_file.read(node, defaults.PATH)).text)
    return {key: value for key, value in wanted.items() if found.get(key) != value}


async def _set(cluster: Cluster, node: Node, keys: Mapping[str, str | None]) -> None:
    file = await foreign_file.read(node, defaults.PATH)
    before = defaults.values(file.text)
    await cluster.journal(node).record({f"{_KEY}{key}": before.get(key, "") for key in keys})
    await _write(node, file, keys)


async def _write(node: Node, file: ForeignFile, keys: Mapping[str, str | None]) -> None:
    await file.write(node, defaults.changed(file.text, keys))
    if defaults.INTERVAL in keys:
        # It reads the interval when it starts, and LifeKeeper starts it again (its manuals).
        await node.run(command(*_checked_anew(node.name).argv, ok=None))


# Removal


async def remove(cluster: Cluster, wanted: Wanted) -> None:
    """Settings and start at boot as they were; stopped where it did not run before. It stays installed.

    Where it protects what is not this site's, it runs on and is started at boot.
    """
    entries = {name: await cluster.journal(name).entries() for name in wanted.nodes}
    before = {name: _before(entry) for name, entry in entries.items()}
    if _needs_stop(await _changes(cluster, before)):
        stopping.refuse_vmdk(await views.read(cluster, list(wanted.nodes)))
    await cluster.each(lambda node: _start_again(cluster, node, wanted), list(wanted.nodes))
    for name, entry in entries.items():
        if entry.get(_RAN) == "no":
            await _stop(cluster, cluster.node(name), disable=entry.get(_ENABLED) == "no")
    changes = await _changes(cluster, before)
    await _down_for(cluster, changes)
    for name, keys in changes.items():
        if keys:
            node = cluster.node(name)
            await _write(node, await foreign_file.read(node, defaults.PATH), keys)
    await cluster.each(lambda node: _start_again(cluster, node, wanted), list(wanted.nodes))
    await cluster.each(lambda node: cluster.journal(node).forget(), list(wanted.nodes))


async def _start_again(cluster: Cluster, node: Node, wanted: Wanted) -> None:
    if _AGAIN in await cluster.journal(node).entries():
        await _started(cluster, node, wanted.licence)
        await cluster.journal(node).drop([_AGAIN])


def _before(entries: Mapping[str, str]) -> dict[str, str | None]:
    """Settings as they were before the site's; None where there was none."""
    return {key.removeprefix(_KEY): value or None for key, value in entries.items() if key.startswith(_KEY)}


async def _stop(cluster: Cluster, node: Node, *, disable: bool) -> None:
    if await runs(node):
        await speaking.wait_idle(cluster, node)  # before the look: somebody may be making a resource
    view = (await views.read(cluster, [node.name]))[node.name]
    if view.running and view.instances:
        left = ", ".join(sorted(view.instances))
        cluster.progress(f"{node.name}: LifeKeeper runs on, because it protects what is not this site's: {left}")
        return
    if disable:
        await node.run(command("systemctl", "disable", unit()))
    if view.running:
        await speaking.say_plainly(cluster, Line(node.name, "lkcli stop", "Stop LifeKeeper"))
        cluster.progress(f"{node.name}: LifeKeeper is stopped and stays installed")
