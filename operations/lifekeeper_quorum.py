"""The package of LifeKeeper's quorum: whether it is installed, and which mode it is in where no declaration says one.

Installed, it takes `majority` by itself. That wants a third node with LifeKeeper: of a pair the node that has lost the
other has lost the majority too, and kills itself by default (SIOS's manuals).
"""

from __future__ import annotations

from collections.abc import Mapping

from declaration.rules.lifekeeper import QUORUM_PACKAGE
from providers.connection.command import Command, script
from providers.lifekeeper import defaults, grammar

MODE, ACTION = "QUORUM_MODE", "QUORUM_LOSS_ACTION"
MAJORITY = "majority"
_PREFIX = "steeleye-lk"
"""How the names of LifeKeeper's packages begin."""

# $1 how their names begin. Prints those that are installed, by either of the two; dpkg's are in lower case.
_PACKAGES = r"""
dpkg-query --show --showformat '${db:Status-Status} ${Package}\n' "$1*" 2>/dev/null | sed -n 's/^installed //p'
rpm --query --all --queryformat '%{NAME}\n' "$1*" 2>/dev/null
true
"""
# $1 file. Prints its lines about the quorum.
_SETTINGS = r"""
[ -e "$1" ] || exit 0
grep -e QUORUM_ -e WITNESS_ -- "$1"
[ $? -le 1 ]
"""


def asks_packages() -> Command:
    """For `installed`."""
    return script(_PACKAGES, _PREFIX, reads=True, label="look for LifeKeeper's packages")


def asks_settings() -> Command:
    """Prints the keys of the quorum in /etc/default/LifeKeeper, for `defaults.values`. Fails where nobody can tell."""
    return script(_SETTINGS, defaults.PATH, reads=True, label=f"look for the quorum in {defaults.PATH}")


def installed(printed: str) -> bool | None:
    """Whether the package is there; None where neither dpkg nor rpm knows of any package of LifeKeeper's."""
    names = {line.strip().lower() for line in printed.splitlines() if line.strip()}
    return QUORUM_PACKAGE.lower() in names if names else None


def mode(found: Mapping[str, str]) -> str:
    """Which one the keys of a node set, '' for none."""
    return found.get(MODE, "")


def alone(found: Mapping[str, str]) -> str:
    """What becomes, by `majority`, of a node that has lost the other one of a pair."""
    action = found.get(ACTION) or grammar.load().setting(ACTION).default
    return f"the node that is left has lost the majority with the other and does `{ACTION}`: {action}"


UNSET = f"the package {QUORUM_PACKAGE} is installed and nothing sets `{MODE}`, so that its own counts, `{MAJORITY}`"
WAYS = (
    f"declare `lifekeeper.quorum`; or set `{MODE}` and `WITNESS_MODE` in {defaults.PATH} on both nodes yourself, both "
    "`storage` (docs/lifekeeper.md) or both `none`"
)
"""What a pair without a third node does about that mode."""
