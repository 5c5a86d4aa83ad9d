"""What the cluster and its tools noted for a while: failures, constraints that tools left, nodes put aside; and what
people have set by which a node does not take over."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from providers.pacemaker.bindings import INFINITY
from providers.pacemaker.cib import TRANSIENT, Cib
from providers.pacemaker.fragments import YES
from providers.pacemaker.live import Live
from providers.pacemaker.model import Constraint, Location
from providers.pacemaker.options import SECTIONS, harmful
from providers.pacemaker.service import ids, service
from providers.pacemaker.steps import PLACE
from providers.pacemaker.undeclared import by_hand
from providers.roles import Notice, NoticeKind

_ROLE, _STOP_ALL = "target-role", "stop-all-resources"
FENCE = "drbd-fence-by-handler-"
"""Begins the ids of constraints by which DRBD's fencing keeps a half that is behind from becoming the source."""


def notices_of(current: Live) -> list[Notice]:
    """All of them, out of one reading; pure."""
    lasting = (*_stopped(current), *_options(current), *_bindings(current))
    return [*_modes(current), *_unmanaged(current), *_failures(current), *_constraints(current), *lasting]


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
            text = (
                f"{name} takes no part in the cluster: it is off, or the cluster's software does not run there "
                "(`systemctl start pacemaker` starts it, and so does `pulumi up --refresh`)"
            )
        yield Notice("apart", text, node=name)


def _modes(current: Live) -> Iterator[Notice]:
    if current.monitor.maintenance:
        yield Notice("maintenance", "the cluster is in maintenance mode: nothing is started, stopped or moved")
    for node in current.monitor.nodes:
        if node.maintenance and not current.monitor.maintenance:
            yield Notice("maintenance", f"{node.name} is in maintenance mode", node=node.name)
        if node.standby:
            yield Notice("standby", f"{node.name} is aside: it runs nothing until it is brought back", node=node.name)


def _unmanaged(current: Live) -> Iterator[Notice]:
    defaults = current.cib.options(*SECTIONS["resource_defaults"])
    for name in service(current.cib):
        said = {**defaults, **current.cib.meta(name)}
        why = [f"{option}={value}" for option, value in harmful("resource_defaults", said).items()]
        if why:
            text = f"{name} is left alone by the cluster ({', '.join(why)}): it is not started, stopped or moved"
            yield Notice("maintenance", text, member=name)


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
    threshold = int(said) if said.isdecimal() else INFINITY
    # 0 means that no number of failures does.
    return 0 < threshold <= count


def _times(count: int) -> str:
    # A fatal failure sets the count to it (Pacemaker Explained).
    return "for good" if count >= INFINITY else f"{count} times" if count != 1 else "once"


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


def _stopped(current: Live) -> Iterator[Notice]:
    """What was told to stop, by people or by a run that was cut off: it starts nowhere, and nothing has failed."""
    for (text, undo), names in _told_to_stop(current.cib, service(current.cib)).items():
        members = ", ".join(names)
        yield Notice("ban", f"{text}: no node runs {members}; to take it back: `{undo}`", member=members)
    if current.cib.options(*SECTIONS["properties"]).get(_STOP_ALL, "").lower() in YES:
        undo = f"crm_attribute --type crm_config --name {_STOP_ALL} --delete"
        yield Notice("ban", f"`{_STOP_ALL}=true`: the cluster runs nothing on any node; to take it back: `{undo}`")


def _told_to_stop(cib: Cib, names: Iterable[str]) -> dict[tuple[str, str], list[str]]:
    """What says so, and the command that takes it back → which of these resources it is about."""
    section, set_id = SECTIONS["resource_defaults"]
    default = cib.options(section, set_id).get(_ROLE, "")
    told: dict[tuple[str, str], list[str]] = {}
    for name in names:
        if cib.meta(name).get(_ROLE, default).lower() == "stopped":
            if said_by := cib.says(name, _ROLE):
                whose, undo = said_by, f"crm_resource --resource {said_by} --meta --delete-parameter {_ROLE}"
            else:
                whose, undo = "all resources", f"crm_attribute --type {section} --name {_ROLE} --delete"
            told.setdefault((f"`{_ROLE}=Stopped` of {whose}", undo), []).append(name)
    return told


def _options(current: Live) -> Iterator[Notice]:
    """Options of the cluster by which a node does not take over; `pacemaker.options` tells of them as drift."""
    said = harmful("properties", current.cib.options(*SECTIONS["properties"]))
    nodes = [node.name for node in current.monitor.nodes]
    if "symmetric-cluster" in said:
        allowed = {name: current.cib.allowed({name, *current.cib.around(name)}, nodes) for name in service(current.cib)}
        for node in nodes:
            barred = [name for name in service(current.cib) if node not in allowed[name]]
            if barred:
                names = ", ".join(barred)
                text = f"`symmetric-cluster=false`, and no constraint allows {names} on {node}: it cannot take over"
                yield Notice("ban", text, node=node)
    if "shutdown-lock" in said:
        yield Notice("ban", "`shutdown-lock=true`: no node takes over what another one ran that is shut down")


def _bindings(current: Live) -> Iterator[Notice]:
    """What people have made, which stays until they take it back. A mere preference is none of it."""
    nodes = [node.name for node in current.monitor.nodes]
    for each in current.cib.bindings(ids(current.cib), nodes):
        if each.constraint.startswith((*TRANSIENT, PLACE)):
            continue
        member, remedy = ", ".join(each.resources), by_hand(each.constraint)
        for node in each.off:
            text = f"`{each.constraint}` keeps {member} off {node}, which cannot take over; to delete it: {remedy}"
            yield Notice("ban", text, node, member)
        for node in nodes if each.to else ():
            if node not in (*each.to, *each.off):
                text = (
                    f"`{each.constraint}` binds {member} to {', '.join(each.to)}: as long as it can run there, the "
                    f"service does not move to {node}, nor stay there; to delete it: {remedy}"
                )
                yield Notice("constraint", text, node, member)


def _node(constraint: Constraint | None) -> str:
    """The node that a constraint is about, as far as the models can tell."""
    if not isinstance(constraint, Location):
        return ""
    named = [each.value for each in constraint.rule if each.attribute == "#uname" and each.value]
    return constraint.node or next(iter(named), "")
