"""The package of LifeKeeper's quorum: its settings are only text where it is not installed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from blueprint.site import things
from blueprint.thing import Thing
from declaration.nodes import Node
from declaration.rules.lifekeeper import QUORUM_PACKAGE
from declaration.site import Site
from operations.doctor.model import Asked, Finding
from providers.connection.command import Command, script
from providers.lifekeeper.node import Wanted

NAME = "quorum"
_MODE = "QUORUM_MODE"
_PREFIX = "steeleye-lk"
"""How the names of LifeKeeper's packages begin."""

# $1 how their names begin. Prints those that are installed, by either of the two; dpkg's are in lower case.
_PACKAGES = r"""
dpkg-query --show --showformat '${db:Status-Status} ${Package}\n' "$1*" 2>/dev/null | sed -n 's/^installed //p'
rpm --query --all --queryformat '%{NAME}\n' "$1*" 2>/dev/null
true
"""


def commands(site: Site, node: Node) -> Sequence[Command]:
    """Only where a quorum is declared, and of LifeKeeper."""
    if not _declared(things(site, "doctor/doctor"), node):
        return []
    return [script(_PACKAGES, _PREFIX, reads=True, label="look for LifeKeeper's packages")]


def _declared(listed: Sequence[Thing], node: Node) -> bool:
    products = (thing.inputs for thing in listed if isinstance(thing.inputs, Wanted))
    return any(node.name in each.nodes and _MODE in each.nodes[node.name].settings for each in products)


def judge(asked: Asked) -> Iterator[Finding]:
    """Whoever declares a quorum relies on it, so its absence is a problem though `up` would go through."""
    if not asked.results[0].ok:
        yield asked.note(
            NAME,
            f"whether {QUORUM_PACKAGE} is installed could not be asked (exit code {asked.results[0].exit_code}): "
            "without it `lifekeeper.quorum` guards nothing",
            "run this again; where it stays so, see `dpkg --list` or `rpm --query --all` there",
        )
        return
    installed = {line.strip().lower() for line in asked.out[0].splitlines() if line.strip()}
    if QUORUM_PACKAGE.lower() in installed:
        yield asked.ok(NAME, f"LifeKeeper's package {QUORUM_PACKAGE} is installed")
    elif installed:
        yield asked.problem(
            NAME,
            f"LifeKeeper's package {QUORUM_PACKAGE} is not installed, so `lifekeeper.quorum` guards nothing: nodes "
            "that lose each other may both run the service",
            "install it on both nodes from LifeKeeper's media, or take `lifekeeper.quorum` out of the file",
        )
    else:
        yield asked.note(
            NAME,
            f"neither dpkg nor rpm knows a package of LifeKeeper's there, so nobody can tell whether {QUORUM_PACKAGE} "
            "is installed, without which `lifekeeper.quorum` guards nothing",
            "choose it when LifeKeeper is installed, on both nodes, and run this again",
        )
