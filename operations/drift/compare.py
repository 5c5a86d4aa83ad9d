"""One thing: what a refresh would find, told apart by node and by who made the difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from blueprint.thing import Thing
from operations.drift.masks import without_passwords
from operations.drift.model import Case, Finding, Outcome
from providers import applied, reconcile
from providers.applied import Digests
from providers.connection.answers import NotUnderstood
from providers.connection.cluster import Cluster, Node
from providers.connection.errors import HostError, TimedOut, Unforeseen, Unknown, Unreachable
from providers.contract import Absent, Observed, State
from providers.kinds import load_kind
from providers.places import belongs_to, by_node
from providers.reconcile import Difference

_CANNOT_TELL = (Unreachable, Unknown, TimedOut)
NOT_READ = "declared now, not yet deployed; looking at the host cannot tell it"
UNFINISHED = "under way, or begun and never finished: `pulumi up`, and `pulumi up --refresh` if that finds nothing"


@dataclass(frozen=True)
class Nodes:
    """The nodes that answer, what was last applied to each (node → thing → digests), and why the others do not.

    ``journalled``: node → thing → names in its journal.
    """

    answering: Mapping[str, Node]
    recorded: Mapping[str, Mapping[str, Digests]]
    silent: Mapping[str, HostError]
    journalled: Mapping[str, Mapping[str, Sequence[str]]] = field(
        default_factory=dict[str, Mapping[str, Sequence[str]]]
    )

    @property
    def names(self) -> list[str]:
        """All of them."""
        return [*self.answering, *self.silent]

    def without(self, node: str, why: HostError) -> Nodes:
        """The same, where ``node`` counts as one that does not answer."""
        left = {name: each for name, each in self.answering.items() if name != node}
        return replace(self, answering=left, silent={**self.silent, node: why})

    def unfinished(self, thing: str, where: Sequence[str]) -> list[str]:
        """Where a change of the thing was begun and never finished; ``['']`` if so and it belongs to no node."""
        begun = [node for node, things in self.journalled.items() if reconcile.is_begun(things.get(thing, ()))]
        return begun if where or not begun else [""]

    def last(self, thing: str, node: str) -> Digests | None:
        """What was last applied of a thing, to a node or, for ``''``, to the cluster; None if nothing is recorded.

        Where a node has nothing recorded at all, the others have it too, if the thing is about them as well.
        """
        if own := self.recorded.get(node):
            return own.get(thing)
        return next((each[thing] for each in self.recorded.values() if thing in each), None)

    def lost(self, node: str) -> bool:
        """Whether a node had been deployed to and has nothing recorded any more, as one that was installed anew.

        What another node has recorded tells that it was.
        """
        if self.recorded.get(node):
            return False
        paths = (path for things in self.recorded.values() for each in things.values() for path in each)
        return any(_node_of(path, self.names) == node for path in paths)

    def untold(self, node: str) -> bool:
        """Whether a node has nothing recorded, and one does not answer that could tell whether it ever had."""
        return not self.recorded.get(node) and bool(self.silent)


async def look(cluster: Cluster, nodes: Nodes, thing: Thing) -> list[Case]:
    """A case per node that the thing belongs to, and one for what belongs to none of them."""
    places = belongs_to(thing.inputs, nodes.names)
    where = [name for name in places if name in nodes.answering]
    silent = [_case(thing, name, nodes.silent[name]) for name in places if name in nodes.silent]
    if not nodes.answering:
        error = next(iter(nodes.silent.values()), Unknown("every node is declared away"))
        return silent or [_case(thing, "", error)]
    if places and not where:
        return silent
    wanted = _narrowed(thing.inputs, nodes)
    try:
        observed = await load_kind(thing.kind).observe(cluster.of(thing.name), wanted)
    except Exception as error:  # noqa: BLE001 one thing that cannot be read hides no other
        failure = error if isinstance(error, HostError) else Unforeseen.of(error)
        if len(where) > 1 and failure.node in where:
            # One node's trouble hides nothing of the others: once more, as if it were silent.
            left = nodes.without(failure.node, failure)
            return await look(replace(cluster, nodes=left.answering), left, thing)
        return [*silent, *(_case(thing, name, failure) for name in where or [""])]
    findings = _findings(nodes, thing.name, wanted, observed, where, own=places[0] if len(places) == 1 else "")
    if silent:
        # Half of it was looked at: what the two halves have between them cannot be told.
        findings = [finding for finding in findings if finding.node]
    named = {finding.node for finding in findings}
    cases = where + ([""] if "" in named or not places else [])
    return [*silent, *(_found(thing, name, [each for each in findings if each.node == name]) for name in cases)]


def _narrowed(wanted: State, nodes: Nodes) -> State:
    """What is wanted of the nodes that answer."""
    update = {
        name: {node: each for node, each in value.items() if node in nodes.answering}
        for name in type(wanted).model_fields
        if by_node(value := getattr(wanted, name), nodes.names)
    }
    return wanted.model_copy(update=update) if nodes.silent else wanted


def _findings(
    nodes: Nodes, thing: str, wanted: State, observed: Observed[Any], where: Sequence[str], own: str
) -> list[Finding]:
    """``own``: the one node that the thing is all about, if there is one."""
    if isinstance(observed, Absent):
        return [
            Finding(thing=thing, node=name, property="", declared="there", origin=_of_absent(nodes, thing, name, own))
            for name in where or [""]
        ]
    differing = reconcile.differences(wanted, observed.values)
    found = [_finding(nodes, thing, each, own) for each in differing]
    found += [
        Finding(thing=thing, node=node, property="", live="there", origin="begun", note=UNFINISHED)
        for node in nodes.unfinished(thing, where)
    ]
    return found + _edited(nodes, thing, wanted, differing, where, own)


def _of_absent(nodes: Nodes, thing: str, node: str, own: str) -> applied.Origin:
    if nodes.last(thing, node) is not None or (own and nodes.lost(own)):
        return "host"
    return "unknown" if node and nodes.untold(node) else "edited"


def _finding(nodes: Nodes, thing: str, difference: Difference, own: str) -> Finding:
    node = _node_of(difference.path, nodes.names) or own
    return Finding(
        thing=thing,
        node=node,
        property=difference.path,
        declared=difference.wanted,
        live=difference.found,
        origin=_of_difference(nodes, thing, difference, node, own),
    )


def _of_difference(nodes: Nodes, thing: str, difference: Difference, node: str, own: str) -> applied.Origin:
    last = nodes.last(thing, node)
    return "host" if last is None and own and nodes.lost(own) else applied.origin(difference, last)


def _edited(
    nodes: Nodes, thing: str, wanted: State, differing: Sequence[Difference], where: Sequence[str], own: str
) -> list[Finding]:
    """What was edited although the hosts do not show it: what is only kept for later, or is no longer declared."""
    made: list[Finding] = []
    for node in where or [""]:
        last = nodes.last(thing, node)
        if last is None:
            continue
        for path in applied.edits(wanted, last):
            of = _node_of(path, nodes.names)
            mine = of == node if of else node == (where or [""])[0]
            if mine and not any(applied.within(path, each.path) for each in differing):
                made.append(Finding(thing=thing, node=of or own, property=path, origin="edited", note=NOT_READ))
    return made


def _node_of(path: str, names: Sequence[str]) -> str:
    """The node that a path leads to: the key after the field's name."""
    for name in names:
        for way in (f".{name}", f'["{name}"]'):
            rest = path[path.find(way) :] if way in path else ""
            head = path[: len(path) - len(rest)]
            if rest and head.isidentifier() and rest[len(way) : len(way) + 1] in ("", ".", "["):
                return name
    return ""


def _case(thing: Thing, node: str, error: HostError) -> Case:
    silent = error.node or node if isinstance(error, Unreachable) else ""
    return Case(
        thing=thing.name,
        kind=thing.kind,
        node=node,
        outcome=_outcome(error),
        message=_why(node, error),
        remedy=error.remedy,
        silent=silent,
    )


def _outcome(error: HostError) -> Outcome:
    # What prints otherwise than is known here does so the next time too.
    cannot_tell = isinstance(error, _CANNOT_TELL) and not isinstance(error, NotUnderstood)
    return Outcome.UNREACHABLE if cannot_tell else Outcome.ERROR


def _why(node: str, error: HostError) -> str:
    """Why there is nothing to say of a thing on ``node``: its own trouble, or that of another one."""
    if not error.node or error.node == node:
        return error.message
    return f"{error.node}: {error.message}" if not node else f"because of {error.node}: {error.message}"


def _found(thing: Thing, node: str, findings: Sequence[Finding]) -> Case:
    outcome = Outcome.DRIFT if findings else Outcome.CLEAN
    hide = reconcile.hidden_by(load_kind(thing.kind))
    findings = [without_passwords(each, hide) for each in findings]
    return Case(thing=thing.name, kind=thing.kind, node=node, outcome=outcome, findings=findings)
