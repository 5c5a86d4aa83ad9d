"""Changes by hand on a fleet, and whether a scan names exactly them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from benchmarks.drift.fleet import Fleet
from benchmarks.drift.pairs import Pair
from benchmarks.drift.scan import Scan

DRIFT = 3
"""The command's exit code."""

Named: TypeAlias = tuple[str, str, str]
"""Stack, thing, and node; no node where it is the cluster's as a whole."""


class Inexact(Exception):
    """A scan does not name exactly what was changed; the message says what it names beside that, or not."""


@dataclass(frozen=True)
class Deviation:
    """What somebody does to a pair as root on a node, and the thing as which a scan has to name it."""

    pair: Pair
    node: str
    thing: str
    command: str
    of_cluster: bool = False

    @property
    def named(self) -> Named:
        """How it has to be named."""
        return self.pair.stack, self.thing, "" if self.of_cluster else self.node

    def plant(self, fleet: Fleet) -> None:
        """Do it. Raises `HostError` where it does not work."""
        fleet.sh(self.pair, self.node, self.command)


def deviations(pairs: Sequence[Pair]) -> list[Deviation]:
    """Six, each of another kind and on another pair, spread over the fleet: five to find, and one too many."""
    at = [pairs[place * (len(pairs) - 1) // 5] for place in range(6)]
    return [
        Deviation(at[0], at[0].nodes[1], "squid-config", "echo '# by hand' >>/etc/squid/squid.conf"),
        Deviation(at[1], at[1].nodes[0], "time", "systemctl disable chrony"),
        _of_engine(at[2], _FIVE),
        Deviation(at[3], at[3].nodes[1], "names", f"sed -i '/^[0-9.]* {at[3].nodes[0]}$/d' /etc/hosts"),
        Deviation(at[4], at[4].nodes[0], "squid-profile", "rm /etc/apparmor.d/local/usr.sbin.squid"),
        _of_engine(at[5], _ONE_TOO_MANY),
    ]


@dataclass(frozen=True)
class _Engines:
    """What somebody does to a cluster by its engine's own means."""

    thing: str
    command: str
    of_cluster: bool = False


_FIVE = {
    "pacemaker": _Engines(
        "tree-address", """cibadmin --delete --xpath "//rsc_order[@id='address-after-squid']" """, of_cluster=True
    ),
    "lifekeeper": _Engines("tree-squid", "/opt/LifeKeeper/bin/ins_setas -t qsp-squid -s AUTOMATIC"),
}
_ONE_TOO_MANY = {
    "pacemaker": _Engines("squid-agent", "chmod 0750 /usr/lib/ocf/resource.d/squid-ha/squid"),
    "lifekeeper": _Engines("lifekeeper", "sed -i 's/^LKCHECKINTERVAL=.*/LKCHECKINTERVAL=77/' /etc/default/LifeKeeper"),
}


def _of_engine(pair: Pair, by_engine: Mapping[str, _Engines]) -> Deviation:
    it = by_engine[pair.engine]
    return Deviation(pair, pair.nodes[0], it.thing, it.command, it.of_cluster)


def named(scan: Scan) -> set[Named]:
    """All that a scan names."""
    return {
        (site["stack"], finding["thing"], finding["node"])
        for site in scan.report["sites"]
        for case in site["cases"]
        for finding in case["findings"]
    }


def require_exactly(planted: Collection[Deviation], scan: Scan) -> None:
    """Raises `Inexact` unless the scan names these, nothing else, and ends with the exit code of drift."""
    wrong = [*_differences({each.named for each in planted}, named(scan)), *_not_looked_at(scan)]
    if scan.code != DRIFT:
        wrong.append(f"exit code {scan.code}")
    if wrong:
        raise Inexact("; ".join(wrong))


def _differences(planted: Collection[Named], found: Collection[Named]) -> Iterator[str]:
    for stack, thing, node in sorted(set(planted) - set(found)):
        yield f"planted and not named: {thing} on {node or 'both'} of {stack}"
    for stack, thing, node in sorted(set(found) - set(planted)):
        yield f"named and not planted: {thing} on {node or 'both'} of {stack}"


def _not_looked_at(scan: Scan) -> Iterator[str]:
    for site in scan.report["sites"]:
        if site["message"]:
            yield f"{site['stack']}: {site['message']}"
        for case in site["cases"]:
            if case["message"]:
                where = f"{case['thing']} on {case['node'] or 'both'} of {site['stack']}"
                yield f"not looked at: {where}: {case['message']}"
