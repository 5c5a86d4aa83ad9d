"""What the cluster and its tools noted for a while: failures, constraints that tools left, nodes put aside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from providers.pacemaker.cib import Cib
from providers.pacemaker.live import Live
from providers.pacemaker.model import Constraint, Location
from providers.pacemaker.options import SECTIONS
from providers.pacemaker.service import ids, service
from providers.roles import Notice, NoticeKind

FENCE = "drbd-fence-by-handler-"
"""Begins the ids of constraints by which DRBD's fencing keeps a half that is behind from becoming the source."""

_INFINITY = 1_000_000
"""Pacemaker's; a fatal failure sets the count to it (Pacemaker Explained)."""


def notices_of(current: Live) -> list[Notice]:
    """All of them, out of one reading; pure."""
    return [*_modes(current), *_failures(current), *_constraints(current)]


def apart_of(apart: Sequence[str], alone: Mapping[str, Sequence[str]]) -> Iterator[Notice]:
    """Nodes that the others do not see; ``alone``: those that are a cluster with quorum, with the members there."""
    for name in apart:
        if name in alone:
            runs = f"runs {', '.join(alone[name])} too" if alone[name] else "may start the service too"
            text = (
                f"{name} is a cluster by itself and {runs}: the nodes do not see each other (`corosync-cfgtool -s`), "
                "and nothing has fenced either"
            )
        else:
            text = f"{name} takes no part in the cluster: it is off, or the cluster's software does not run there"
        yield Notice("apart", text, node=name)


def _modes(current: Live) -> Iterator[Notice]:
    if current.monitor.maintenance:
        yield Notice("maintenance", "the cluster is in maintenance mode: nothing is started, stopped or moved")
    for node in current.monitor.nodes:
        if node.maintenance and not current.monitor.maintenance:
            yield Notice("maintenance", f"{node.name} is in maintenance mode", node=node.name)
        if node.standby:
            yield Notice("standby", f"{node.name} is aside: it runs nothing until it is brought back", node=node.name)


def _failures(current: Live) -> Iterator[Notice]:
    told: set[tuple[str, str]] = set()
    members = service(current.cib)
    for failure in current.monitor.failures:
        if not failure.degraded:
            told.add((failure.resource, failure.node))
            count = current.monitor.fail_counts.get((failure.resource, failure.node), 0)
            times = f" ({_times(count)})" if count > 1 else ""
            # What a look found to be impossible there has no count.
            hopeless = failure.operation == "probe" or _bans(current.cib, failure.resource, count)
            banned = failure.resource in members and hopeless
            yield _failure(f"{failure}{times}", failure.node, failure.resource, banned=banned)
    for (member, node), count in current.monitor.fail_counts.items():
        if count and (member, node) not in told:
            banned = member in members and _bans(current.cib, member, count)
            yield _failure(f"{member} failed on {node} ({_times(count)})", node, member, banned=banned)


def _failure(text: str, node: str, member: str, *, banned: bool) -> Notice:
    kind: NoticeKind = "ban" if banned else "failure"
    away = f"; until that is forgotten (`squid-ha cleanup`) {member} does not run on {node}" if banned else ""
    return Notice(kind, text + away, node=node, member=member)


def _bans(cib: Cib, member: str, count: int) -> bool:
    """Whether so many failures keep the member off the node: ``migration-threshold`` of Pacemaker Explained."""
    default = cib.options(*SECTIONS["resource_defaults"]).get("migration-threshold", "INFINITY")
    said = (cib.meta(member).get("migration-threshold") or default).lstrip("+")
    threshold = int(said) if said.isdecimal() else _INFINITY
    # 0 means that no number of failures does.
    return 0 < threshold <= count


def _times(count: int) -> str:
    return "for good" if count >= _INFINITY else f"{count} times" if count != 1 else "once"


def _constraints(current: Live) -> Iterator[Notice]:
    members = ids(current.cib)
    for name, constraint in current.cib.transient().items():
        node = _node(constraint)
        member = constraint.resource if isinstance(constraint, Location) else ""
        if name.startswith(FENCE):
            text = (
                f"`{name}`: the mirror lets only {node or 'one node'} become its source until the other has caught up; "
                "where it has, `squid-ha cleanup` takes this back"
            )
            yield Notice("fence", text, node=node, member=member)
        elif isinstance(constraint, Location) and constraint.score == "-INFINITY" and member in members:
            text = f"`{name}` was left by a tool and keeps {member} off {node or 'a node'}: `squid-ha cleanup`"
            yield Notice("ban", text, node, member)
        else:
            yield Notice("constraint", f"`{name}` was left by a tool and binds {member or 'the service'}", node, member)


def _node(constraint: Constraint | None) -> str:
    """The node that a constraint is about, as far as the models can tell."""
    if not isinstance(constraint, Location):
        return ""
    named = [each.value for each in constraint.rule if each.attribute == "#uname" and each.value]
    return constraint.node or next(iter(named), "")
