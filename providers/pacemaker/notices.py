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
from providers.pacemaker.service import fencing, ids, service
from providers.pacemaker.steps import PLACE
from providers.pacemaker.undeclared import by_hand
from providers.roles import Notice, NoticeKind

_ROLE, _STOP_ALL = "target-role", "stop-all-resources"
FENCE = "drbd-fence-by-handler-"
"""Begins the ids of constraints by which DRBD's fencing keeps a half that is behind from becoming the source."""


def notices_of(current: Live) -> list[Notice]:
    """All of them, out of one reading; pure."""
    lasting = (*_stopped(current), *_unfenced(current), *_options(current), *_bindings(current))
    return [*_modes(current), *_unmanaged(current), *_failures(current), *_constraints(current), *lasting]


def apart_of(apart: Sequence[str], alone: Mapping[str, Sequence[str]]) -> Iterator[Notice]:
    """Nodes that the others do not see; ``alone``: those that are a cluster with quorum, with the members there."""
    for name in apart:
        if name in alone:
            runs = f"runs {', '.join(alone[name])} too" if alone[name] else "may start the service too"
            text = (
                f"{name} is a cluster by itself and {runs}: the nodes do not see each other (`corosync-cfgtool -s`), "
                "and neither was fenced"
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
    for failure in current.monitor.failures:
        if not failure.degraded:
            told.add((failure.resource, failure.node))
            count = current.monitor.fail_counts.get((failure.resource, failure.node), 0)
            times = f" ({_times(count)})" if count > 1 else ""
            # What a look found to be impossible there has no count.
            hopeless = failure.operation == "probe" or _bans(current.cib, failure.resource, count)
            yield _failure(current.cib, f"{failure}{times}", failure.node, failure.resource, hopeless=hopeless)
    for (member, node), count in current.monitor.fail_counts.items():
        if count and (member, node) not in told:
            text = f"{member} failed on {node} ({_times(count)})"
            yield _failure(current.cib, text, node, member, hopeless=_bans(current.cib, member, count))


def _failure(cib: Cib, text: str, node: str, member: str, *, hopeless: bool) -> Notice:
    kind: NoticeKind = "failure"
    if hopeless:
        kind = "ban" if member in service(cib) else "unfenced" if member in fencing(cib) else "failure"
    away = f"; until that is forgotten (`squid-ha cleanup`) {member} does not run on {node}"
    return Notice(kind, text if kind == "failure" else text + away, node=node, member=member)


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
                f"`{name}`: only {node or 'one node'} may become the mirror's source until the other half has caught "
                "up; if it has, `squid-ha cleanup` removes this constraint"
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


def _unfenced(current: Live) -> Iterator[Notice]:
    """Fencing devices that were told to stop, or run nowhere: until a lost node is fenced, nothing takes over."""
    devices = fencing(current.cib)
    told = _told_to_stop(current.cib, devices)
    for (text, undo), names in told.items():
        members = ", ".join(names)
        said = f"{text}: the cluster does not fence by {members}; to take it back: `{undo}`"
        yield Notice("unfenced", said, member=members)
    for name in devices:
        if _runs_nowhere(current, name) and not any(name in names for names in told.values()):
            said = (
                f"the fencing device {name} runs on no node: where a node is lost and cannot be fenced, the other one "
                "does not take over; `crm_mon -1rf` tells why"
            )
            yield Notice("unfenced", said, member=name)


def _runs_nowhere(current: Live, name: str) -> bool:
    """Whether a resource is stopped though a node for it is there; of nodes that are away, other notices tell."""
    cib, monitor = current.cib, current.monitor
    if monitor.running(name) or monitor.pending(name):
        return False
    bindings = cib.bindings({name, *cib.around(name)}, [node.name for node in monitor.nodes])
    barred = {node for each in bindings for node in each.off}
    able = [node for node in monitor.nodes if node.name not in barred]
    return not able or any(node.ready and not node.standby for node in able)


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
