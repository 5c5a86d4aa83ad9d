"""What the cluster is doing, read from one `crm_mon --output-as=xml`: nodes, instances of resources, failures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from lxml import etree

from providers.connection.command import Command, command
from providers.pacemaker.fragments import Element
from providers.pacemaker.moments import seconds

PROMOTED = frozenset({"Promoted", "Master"})
"""What releases since and before Pacemaker 2.1 call the promoted role."""

RUNNING = frozenset({"Started", "Unpromoted", "Slave"}) | PROMOTED

_DEGRADED = frozenset({"190", "191"})
"""Agents' answers OCF_DEGRADED and, of what is promoted, OCF_DEGRADED_PROMOTED; releases differ in their texts."""

_WELL = frozenset({"0", "8"})
"""Agents' answers: it runs, and it runs promoted."""

_HOPELESS = frozenset({"2", "4", "5", "6"})
"""Agents' answers: wrong parameters, no permission, software missing, not configured (Pacemaker Administration)."""


@dataclass(frozen=True)
class NodeView:
    """One node as the answering node sees it."""

    name: str
    online: bool
    pending: bool
    unclean: bool
    standby: bool
    maintenance: bool

    @property
    def ready(self) -> bool:
        """Whether it takes part and can be given work."""
        return self.online and not self.pending and not self.unclean


@dataclass(frozen=True)
class Instance:
    """One instance of a resource; ``clone`` is its clone's id or empty, ``nodes`` where it is active."""

    id: str
    clone: str
    agent: str
    role: str
    nodes: tuple[str, ...]
    failed: bool
    blocked: bool
    managed: bool
    orphaned: bool
    pending: str


@dataclass(frozen=True)
class Failure:
    """The last failed operation of a kind on a node; ``reason`` is what the agent said, ``when`` its own clock."""

    resource: str
    operation: str
    node: str
    status: str
    reason: str
    when: str
    code: str = ""

    @property
    def degraded(self) -> bool:
        """Whether it is none: the agent said that the resource works, but not as it should."""
        return self.code in _DEGRADED

    def __str__(self) -> str:
        reason = f": {self.reason}" if self.reason and self.reason != "none" else ""
        return f"{self.operation} of {self.resource} on {self.node} ended with {self.status!r}{reason}"


@dataclass(frozen=True)
class Monitor:
    """One reading. ``dc`` is the coordinator's name, empty while none is elected.

    ``attributes``: node → transient attributes, as agents set them. ``fail_counts``: by resource and node, where there
    were any; a million is for good.
    """

    dc: str
    quorate: bool
    maintenance: bool
    nodes: Sequence[NodeView]
    instances: Sequence[Instance]
    failures: Sequence[Failure]
    attributes: Mapping[str, Mapping[str, str]]
    fail_counts: Mapping[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])

    def online(self) -> list[str]:
        """Names of the nodes that take part."""
        return [node.name for node in self.nodes if node.ready]

    def of(self, resource: str) -> list[Instance]:
        """Instances of a primitive, without leftovers that are no longer configured."""
        return [instance for instance in self.instances if instance.id == resource and not instance.orphaned]

    def running(self, resource: str, *, promoted: bool = False) -> list[str]:
        """Nodes where the primitive runs and has not failed, in the promoted role only if asked for."""
        roles = PROMOTED if promoted else RUNNING
        return [
            node
            for instance in self.of(resource)
            if instance.role in roles and not instance.failed
            for node in instance.nodes
        ]

    def active(self, resource: str) -> list[str]:
        """Nodes where anything of the primitive is not known to be stopped, failed or left over included."""
        return sorted(
            {
                node
                for instance in self.instances
                if instance.id == resource and instance.role != "Stopped"
                for node in instance.nodes
            }
        )

    def pending(self, resource: str) -> list[str]:
        """Operations under way, such as ``Starting``."""
        return [instance.pending for instance in self.of(resource) if instance.pending]

    def failures_of(self, resource: str) -> list[Failure]:
        """Failed operations of a primitive, the latest last."""
        return sorted((f for f in self.failures if f.resource == resource), key=lambda failure: failure.when)


class Starting(ValueError):
    """crm_mon reached Pacemaker, which has nothing to say of the cluster yet (crm_mon prints no summary then)."""


def query() -> Command:
    """The command whose output `parse` reads; exit 102 means that Pacemaker does not run here."""
    return command("crm_mon", "--output-as=xml", "--one-shot", "--inactive", ok={0, 102}, timeout=60, reads=True)


def parse(text: str, configuration: str = "") -> Monitor:
    """Read the output of `query`. Raises `ValueError` where it is not that.

    ``configuration`` is `cibadmin --query` of the same moment: only its status section says why a probe failed.
    """
    root = document(text, "crm_mon's answer")
    if root.tag == "pacemaker-result" and root.find("status") is not None and root.find("summary") is None:
        raise Starting("Pacemaker does not answer for the cluster yet: it is starting or stopping")
    if root.tag not in {"pacemaker-result", "crm_mon"} or root.find("summary") is None:
        raise ValueError(f"crm_mon's answer begins with <{root.tag}> and holds no summary")
    dc = root.find("summary/current_dc")
    options = root.find("summary/cluster_options")
    elected = dc is not None and _yes(dc, "present")
    return Monitor(
        dc=dc.get("name", "") if dc is not None and elected else "",
        quorate=dc is not None and elected and _yes(dc, "with_quorum"),
        maintenance=options is not None and _yes(options, "maintenance-mode"),
        nodes=[_node(node) for node in root.iterfind("nodes/node")],
        instances=[_instance(resource) for resource in root.iterfind("resources//resource")],
        failures=[
            *(each for each in map(_failure, root.iterfind("failures/failure")) if not _is_over(each, root)),
            *_failed_probes(root, _reasons(configuration)),
        ],
        attributes={
            node.get("name", ""): {each.get("name", ""): each.get("value", "") for each in node.iterfind("attribute")}
            for node in root.iterfind("node_attributes/node")
        },
        fail_counts=_fail_counts(root),
    )


def document(text: str, what: str) -> Element:
    """The XML that a tool printed. Raises `ValueError` where it is none; ``what`` names it."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    try:
        return etree.fromstring(text.encode(), parser)
    except etree.XMLSyntaxError as error:
        raise ValueError(f"{what} is not XML: {error}") from error


def _yes(found: Element, name: str) -> bool:
    return found.get(name) == "true"


def _node(found: Element) -> NodeView:
    return NodeView(
        name=found.get("name", ""),
        online=_yes(found, "online"),
        pending=_yes(found, "pending"),
        unclean=_yes(found, "unclean"),
        standby=_yes(found, "standby"),
        maintenance=_yes(found, "maintenance"),
    )


def _instance(found: Element) -> Instance:
    parent = found.getparent()
    return Instance(
        # Instances of a globally unique clone are called id:number.
        id=found.get("id", "").partition(":")[0],
        clone=parent.get("id", "") if parent is not None and parent.tag == "clone" else "",
        agent=found.get("resource_agent", ""),
        role=found.get("role", ""),
        nodes=tuple(node.get("name", "") for node in found.iterfind("node")),
        failed=_yes(found, "failed"),
        blocked=_yes(found, "blocked"),
        managed=_yes(found, "managed"),
        orphaned=_yes(found, "orphaned"),
        pending=found.get("pending", ""),
    )


def _failure(found: Element) -> Failure:
    # op_key is resource_operation_interval; a resource's id may itself hold underscores.
    resource, _, _ = found.get("op_key", "").rpartition("_")
    return Failure(
        resource=resource.rpartition("_")[0].partition(":")[0],
        operation=found.get("task") or resource.rpartition("_")[2],
        node=found.get("node", ""),
        status=found.get("exitstatus", ""),
        reason=found.get("exitreason", ""),
        when=found.get("last-rc-change", ""),
        code=found.get("exitcode", ""),
    )


def _is_over(failure: Failure, root: Element) -> bool:
    """Whether a resource that was degraded is well again: it was looked at with that result since.

    Pacemaker keeps the bad answer until the failure expires, in which nothing happens to the resource. The good answer
    that it keeps beside it is of the last time that the answer changed to a good one, which may have been before.
    """
    if not failure.degraded:
        return False
    looks = [
        (operation.get("rc", ""), seconds(operation.get("last-rc-change", "")))
        for node in root.iterfind("node_history/node")
        if node.get("name") == failure.node
        for history in node.iterfind("resource_history")
        if history.get("id", "").partition(":")[0] == failure.resource
        for operation in history.iterfind("operation_history")
        if operation.get("task") == failure.operation
    ]
    bad = max((when for code, when in looks if code == failure.code and when is not None), default=None)
    return bad is not None and any(code in _WELL and when is not None and when > bad for code, when in looks)


def _fail_counts(root: Element) -> dict[tuple[str, str], int]:
    counts: dict[tuple[str, str], int] = {}
    for history in root.iterfind("node_history/node/resource_history[@fail-count]"):
        parent = history.getparent()
        node = parent.get("name", "") if parent is not None else ""
        counts[history.get("id", "").partition(":")[0], node] = int(history.get("fail-count", "0"))
    return counts


def _failed_probes(root: Element, reasons: Mapping[tuple[str, str], str]) -> Iterator[Failure]:
    """Probes that say the resource can never run there; crm_mon does not count these as failures."""
    for history in root.iterfind("node_history/node/resource_history"):
        parent = history.getparent()
        node = parent.get("name", "") if parent is not None else ""
        name = history.get("id", "").partition(":")[0]
        for operation in history.iterfind("operation_history[@task='probe']"):
            if operation.get("rc") in _HOPELESS:
                yield Failure(
                    resource=name,
                    operation="probe",
                    node=node,
                    status=operation.get("rc_text", ""),
                    reason=reasons.get((name, node), ""),
                    when="",
                )
                break


def _reasons(configuration: str) -> dict[tuple[str, str], str]:
    """(resource, node) → what the agent said when it last failed there."""
    if not configuration:
        return {}
    root = document(configuration, "the cluster's configuration")
    return {
        (resource.get("id", "").partition(":")[0], state.get("uname", "")): operation.get("exit-reason", "")
        for state in root.iterfind("status/node_state")
        for resource in state.iterfind("lrm/lrm_resources/lrm_resource")
        for operation in resource.iterfind("lrm_rsc_op")
        if operation.get("exit-reason")
    }
