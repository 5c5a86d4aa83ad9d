"""The package of LifeKeeper's quorum: without it its settings are only text, and with it there is always a mode."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from blueprint.site import things
from blueprint.thing import Thing
from declaration.nodes import Node
from declaration.rules.lifekeeper import QUORUM_PACKAGE
from declaration.site import Site
from operations import lifekeeper_quorum as quorum
from operations.doctor.model import Asked, Finding
from providers.connection.command import Command
from providers.lifekeeper import defaults
from providers.lifekeeper.node import Wanted

NAME = "quorum"


def commands(site: Site, node: Node) -> Sequence[Command]:
    """Only where LifeKeeper is among the site's things: its packages, and what the node's own file says."""
    if not _products(things(site, "doctor/doctor"), node):
        return []
    return [quorum.asks_packages(), quorum.asks_settings()]


def _products(listed: Sequence[Thing], node: Node) -> list[Wanted]:
    products = [thing.inputs for thing in listed if isinstance(thing.inputs, Wanted)]
    return [each for each in products if node.name in each.nodes]


def judge(asked: Asked) -> Iterator[Finding]:
    """Whoever declares a quorum relies on it, so its absence is a problem though `up` would go through."""
    products = _products(asked.things, asked.node)
    declared = any(quorum.MODE in each.nodes[asked.node.name].settings for each in products)
    packages, settings = asked.results
    if declared:
        yield _declared(asked)
    elif not packages.ok or not settings.ok:
        broken = settings if packages.ok else packages
        yield asked.note(
            NAME,
            f"whether {QUORUM_PACKAGE} is installed and has a mode could not be asked (exit code {broken.exit_code}): "
            f"by its own mode, `{quorum.MAJORITY}`, {quorum.alone({})}",
            "run this again; where it stays so, see `dpkg --list` or `rpm --query --all` there",
        )
    elif quorum.installed(packages.stdout):
        yield _by_hand(asked, defaults.values(settings.stdout))


def _declared(asked: Asked) -> Finding:
    packages = asked.results[0]
    if not packages.ok:
        return asked.note(
            NAME,
            f"whether {QUORUM_PACKAGE} is installed could not be asked (exit code {packages.exit_code}): "
            "without it `lifekeeper.quorum` guards nothing",
            "run this again; where it stays so, see `dpkg --list` or `rpm --query --all` there",
        )
    there = quorum.installed(packages.stdout)
    if there:
        return asked.ok(NAME, f"LifeKeeper's package {QUORUM_PACKAGE} is installed")
    if there is None:
        return asked.note(
            NAME,
            f"neither dpkg nor rpm knows a package of LifeKeeper's there, so nobody can tell whether {QUORUM_PACKAGE} "
            "is installed, without which `lifekeeper.quorum` guards nothing",
            "choose it when LifeKeeper is installed, on both nodes, and run this again",
        )
    return asked.problem(
        NAME,
        f"LifeKeeper's package {QUORUM_PACKAGE} is not installed, so `lifekeeper.quorum` guards nothing: nodes "
        "that lose each other may both run the service",
        "install it on both nodes from LifeKeeper's media, or take `lifekeeper.quorum` out of the file",
    )


def _by_hand(asked: Asked, found: Mapping[str, str]) -> Finding:
    """The package is there and the site's file is silent: the node's own file decides, or else the package."""
    mode = quorum.mode(found)
    if not mode:
        return asked.problem(NAME, f"{quorum.UNSET}: {quorum.alone(found)}", quorum.WAYS)
    if mode == quorum.MAJORITY:
        return asked.note(
            NAME,
            f"{defaults.PATH} sets `{quorum.MODE}` to `{mode}`, which wants a third node with LifeKeeper as a witness: "
            f"without one {quorum.alone(found)}",
            f"see that there is a witness; else {quorum.WAYS}",
        )
    return asked.ok(NAME, f"LifeKeeper's package {QUORUM_PACKAGE} is installed, and its mode is set by hand: {mode}")
