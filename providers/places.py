"""Which nodes a thing belongs to, as its model tells."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import cast

from providers.connection.cluster import Cluster
from providers.contract import State


def belongs_to(wanted: State, names: Collection[str]) -> list[str]:
    """Which of the nodes ``names`` a thing belongs to: those that its model names; none where it is the cluster's."""
    fields = [getattr(wanted, name) for name in type(wanted).model_fields]
    keyed = [cast("Mapping[str, object]", each) for each in fields if by_node(each, names)]
    own = getattr(wanted, "node", None)
    return [name for name in names if name == own or any(name in each for each in keyed)]


def by_node(value: object, names: Collection[str]) -> bool:
    """Whether a field says something per node."""
    keys = set(cast("Mapping[str, object]", value)) if isinstance(value, Mapping) else set[str]()
    return bool(keys) and keys <= set(names)


def noted_on(cluster: Cluster, wanted: State) -> list[str]:
    """Where a thing is journalled: the nodes it belongs to; nowhere while the one that it is about is declared away."""
    found = belongs_to(wanted, cluster.nodes)
    return found if found or getattr(wanted, "node", None) else list(cluster.nodes)
