"""Kinds against a pair of hosts, over the product's own SSH, and manifests that show what a kind left behind."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from blueprint.thing import Thing
from operations.drift.compare import Nodes, look
from operations.drift.model import Outcome
from providers import reconcile
from providers.applied import Digests
from providers.connection.access import ConnectionSettings
from providers.connection.batching import BatchingNode
from providers.connection.cluster import Cluster
from providers.connection.command import script
from providers.connection.errors import HostError
from providers.connection.loop import run_sync
from providers.connection.pool import open_cluster
from providers.contract import Absent, Observed, State
from providers.kinds import load_kind

OWNER = "squid-ha/lab"

# Files with mode, owner and digest; accounts; units. Left out: what any use of a host changes (logs, caches, apt's and
# dpkg's own books, backups of account files), what is kept on purpose (/var/log), and the lab's unit of a first boot.
_MANIFEST = r"""
cd /
find etc var usr opt root home srv mnt boot -xdev \
    \( -path var/log -o -path var/cache -o -path var/lib/apt -o -path var/lib/dpkg -o -path var/lib/ucf \
       -o -path var/lib/systemd -o -path var/lib/logrotate -o -path var/lib/chrony -o -path var/tmp \
       -o -path root/.ansible -o -name '__pycache__' -o -name 'passwd-' -o -name 'group-' -o -name 'shadow-' \
       -o -name 'gshadow-' -o -name 'subuid-' -o -name 'subgid-' -o -name 'ld.so.cache' \) -prune \
    -o -printf '%y %m %u:%g %p %l\n' | sort -k4
find etc -xdev -type f ! -name '*-' ! -name ld.so.cache -exec sha256sum {} + | sort -k2
dpkg-query --show --showformat '${db:Status-Abbrev} ${Package} ${Version}\n'
apt-mark showmanual | sed 's/^/manual /'
systemctl list-unit-files --no-legend --no-pager | awk '{print "unit", $1, $2}'
systemctl list-units --no-legend --no-pager --plain --type=service --state=active,failed |
    awk '{print "service", $1, $3}' | grep -v -e user@ -e session- -e user-runtime -e wait-online -e lab-identity
sed 's/^/boot /' /proc/sys/kernel/random/boot_id
"""


UNTOLD = "?"
"""In the place of a property: nobody can tell, and drift says so of that thing and node."""


class Found(NamedTuple):
    """A finding: ``property`` as drift names it, '' for the thing as a whole, or `UNTOLD`."""

    thing: str
    node: str
    property: str


async def found_by_drift(cluster: Cluster, listed: Sequence[Thing]) -> set[Found]:
    """What `squid-ha drift` tells of these things, on nodes where nothing is recorded as applied."""
    reading = replace(cluster, nodes={name: BatchingNode(node) for name, node in cluster.nodes.items()})
    recorded: dict[str, Mapping[str, Digests]] = {name: {} for name in reading.nodes}
    nodes = Nodes(reading.nodes, recorded, {})
    cases = [case for part in await asyncio.gather(*(look(reading, nodes, each) for each in listed)) for case in part]
    untold = {Found(each.thing, each.node, UNTOLD) for each in cases if each.outcome is Outcome.UNREACHABLE}
    wrong = [case for case in cases if case.outcome is Outcome.ERROR]
    assert not wrong, wrong
    return untold | {Found(each.thing, each.node, each.property) for case in cases for each in case.findings}


@dataclass
class Site:
    """The pair as a cluster; ``told`` collects progress."""

    cluster: Cluster
    told: list[str] = field(default_factory=list)

    def apply(self, kind: str, thing: str, wanted: State, previous: State | None = None):
        """As `pulumi up` does."""
        return run_sync(reconcile.apply(kind, self.cluster.of(thing), wanted, previous=previous))

    def observe(self, kind: str, thing: str, wanted: Any) -> Observed[Any]:
        """As `pulumi refresh` does."""
        return run_sync(load_kind(kind).observe(self.cluster.of(thing), wanted))

    def remove(self, kind: str, thing: str, wanted: State) -> None:
        """As `pulumi destroy` does."""
        run_sync(reconcile.remove(kind, self.cluster.of(thing), wanted))

    def drift(self, kind: str, thing: str, wanted: Any) -> list[str]:
        """Paths of the properties that differ."""
        observed = self.observe(kind, thing, wanted)
        assert not isinstance(observed, Absent)
        return [difference.path for difference in reconcile.differences(wanted, observed.values)]

    def findings(self, listed: Sequence[Thing]) -> set[Found]:
        """As `squid-ha drift` does, of all of these at once."""
        return run_sync(found_by_drift(self.cluster, listed))

    def journal(self, node: str, thing: str) -> dict[str, str]:
        return run_sync(self.cluster.of(thing).journal(node).entries())

    def sh(self, node: str, text: str, ok: frozenset[int] | None = frozenset({0})) -> str:
        """Output of a script as root, behind the product's back."""
        return run_sync(self.cluster.nodes[node].run(script(text, ok=ok, timeout=120))).stdout

    def manifest(self, node: str) -> list[str]:
        """All there is to compare a node by; a list, so that a failing assertion shows what differs."""
        return self.sh(node, _MANIFEST).splitlines()


class Way(Protocol):
    """What leads to a pair of the lab's hosts."""

    @property
    def names(self) -> tuple[str, ...]: ...

    @property
    def identity(self) -> Path: ...

    @property
    def known_hosts(self) -> Path: ...

    def proxy_command(self, name: str, /) -> str: ...


def site(
    pair: Way, *, owner: str = OWNER, takeover: bool = False, name: str = "lab", sudo_password: str | None = None
) -> Site:
    """The pair as a site of this name and owner."""
    told: list[str] = []
    settings = [
        ConnectionSettings(
            name=node,
            address=node,
            user="ops",
            identity=str(pair.identity),
            known_hosts=str(pair.known_hosts),
            proxy_command=pair.proxy_command(node),
            sudo_password=sudo_password,
        )
        for node in pair.names
    ]
    return Site(open_cluster(settings, site=name, owner=owner, progress=told.append, takeover=takeover), told)


def up(nodes: Site, listed: Sequence[Thing]) -> None:
    """Make these things, the first one first."""
    for thing in listed:
        nodes.apply(thing.kind, thing.name, thing.inputs)


def down(nodes: Site, listed: Sequence[Thing]) -> None:
    """Remove these things, the last one first."""
    for thing in reversed(listed):
        nodes.remove(thing.kind, thing.name, thing.inputs)


def difference(before: list[str], after: list[str]) -> list[str]:
    """Lines that only one of two manifests has, marked ``-`` and ``+``."""
    return sorted(
        [f"- {line}" for line in set(before) - set(after)] + [f"+ {line}" for line in set(after) - set(before)]
    )


__all__ = ["OWNER", "HostError", "Site", "difference", "site"]
