"""What was last applied, as digests on the nodes: tells what was changed there from what was edited and not deployed.

Every node's journal has a place `APPLIED` with one value per thing: a map from each property's path to a digest of its
value (JSON). The paths are those of `providers.reconcile.differences`. What is None or empty has none, so that a new
property of a later release, which is not used, is no edit.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias, cast

from pydantic import TypeAdapter, ValidationError

from providers.connection.cluster import Cluster, Node
from providers.connection.journal import APPLIED
from providers.contract import State
from providers.places import noted_on
from providers.reconcile import Difference, join

_LENGTH = 16

Digests: TypeAlias = Mapping[str, str]
"""Path of a property → digest of its value."""

_NOTE: TypeAdapter[Digests] = TypeAdapter(dict[str, str])

Origin: TypeAlias = Literal["host", "edited", "both", "begun", "unknown"]
"""Who made the difference: the host was changed, the declaration was edited and not deployed, both; a run that has not
finished; or nobody can tell, because nothing was recorded (the site was deployed by a release that did not)."""


def digests(wanted: State) -> dict[str, str]:
    """The digest of every property that says something."""
    return _leaves("", wanted.model_dump(mode="json"))


def _leaves(path: str, value: object) -> dict[str, str]:
    if isinstance(value, Mapping):
        items = cast("Mapping[str, object]", value).items()
        return {where: text for key, each in items for where, text in _leaves(join(path, key), each).items()}
    if value is None or value == []:
        return {}
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return {path: hashlib.sha256(text.encode()).hexdigest()[:_LENGTH]}


def origin(difference: Difference, applied: Digests | None) -> Origin:
    """Who made this difference; ``applied`` is None where nothing was recorded of the thing."""
    if applied is None:
        return "unknown"
    path = difference.path
    last = {where: text for where, text in applied.items() if within(where, path)}
    if _leaves(path, difference.wanted) == last:
        return "host"
    return "edited" if _leaves(path, difference.found) == last else "both"


def within(where: str, path: str) -> bool:
    """Whether the property ``where`` is ``path``, or a part of it."""
    return not path or where == path or where.startswith((f"{path}.", f"{path}["))


def edits(wanted: State, applied: Digests) -> list[str]:
    """Paths that are declared otherwise than they were last applied, or no longer; whatever the hosts have."""
    now = digests(wanted)
    paths = [*now, *(path for path in applied if path not in now)]
    return [path for path in paths if now.get(path) != applied.get(path)]


async def last(cluster: Cluster, wanted: State) -> dict[str, Digests | None]:
    """How the cluster's thing was last applied, on each node it belongs to; None where nobody can tell."""
    book = cluster.of(APPLIED)
    known = await cluster.each(lambda node: book.journal(node).entries(), noted_on(cluster, wanted))
    return {name: _digests(entries.get(cluster.thing, "")) for name, entries in known.items()}


def _digests(text: str) -> Digests | None:
    """A note as it was made; None where it is none, as a damaged one, which the next note is written over."""
    try:
        return _NOTE.validate_json(text)
    except ValidationError:
        return None


def edited(wanted: State, known: Mapping[str, Digests | None]) -> bool:
    """Whether it was `last` applied otherwise than it is wanted now; not where nothing is recorded."""
    return any(each is not None and edits(wanted, each) for each in known.values())


def stale(wanted: State, known: Mapping[str, Digests | None]) -> list[str]:
    """The nodes where something else stands than what is wanted now, or nothing."""
    now = digests(wanted)
    return [name for name, each in known.items() if each != now]


async def record(cluster: Cluster, wanted: State, names: Sequence[str] | None = None) -> None:
    """Write down that the cluster's thing was applied so, on the nodes it belongs to, or on these of them.

    Never on other nodes: they may not have been claimed yet.
    """
    where = noted_on(cluster, wanted) if names is None else names
    if where:
        text = json.dumps(digests(wanted), sort_keys=True, ensure_ascii=False)
        book = cluster.of(APPLIED)
        await cluster.hold()
        await cluster.each(lambda node: book.journal(node).put({cluster.thing: text}), where)


async def forget(cluster: Cluster) -> None:
    """Strike off what was recorded of the cluster's thing: everywhere, for earlier releases noted on more nodes."""
    book = cluster.of(APPLIED)
    await cluster.each(lambda node: book.journal(node).drop([cluster.thing]))


async def read(cluster: Cluster, node: Node) -> dict[str, Digests]:
    """All that is recorded on a node, by thing, without what is no note; one round trip."""
    entries = await cluster.of(APPLIED).journal(node).entries()
    notes = {thing: _digests(text) for thing, text in entries.items()}
    return {thing: note for thing, note in notes.items() if note is not None}
