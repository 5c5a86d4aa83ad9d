"""The contract that every kind of thing keeps: observe, converge, remove, over a cluster and typed models.

A *kind* is a module (listed in `providers.kinds`) that offers

- ``Wanted``: a `State` model; what shall be, per node where nodes can differ, everything written out;
- ``async observe(cluster, wanted) -> Present | Absent``: what is there now, in the very shape of ``wanted``.
  Read-only and batched. Raises `Unknown` where it cannot tell (node unreachable, volume not mounted anywhere, a
  transition under way): unknown is never absent. `Absent` only if absent on every node where it belongs;
- ``async converge(cluster, wanted, observed) -> None``: makes only the difference true. Cut off anywhere and run
  again it ends in the same state. What was there before the first change is in the journal first;
- ``async remove(cluster, wanted) -> None``: undoes what this declaration made (the journal tells), never what it
  found, and never data. Finding nothing left to undo is success.

It may offer these as well, which are looked for by their names:

- ``refusal(previous, wanted) -> str | None``: why what was wanted before cannot become this in place, and what to do
  instead. Pure, and asked before anything is changed;
- ``declared(site, wanted) -> None``: told in each run, previews too, what is wanted, also of a thing that is not
  changed then; it keeps that in memory at most;
- ``sealed(wanted, secret) -> Wanted``: the same with digests of the secrets that it names, so that a changed one shows.
  ``secret`` is `Cluster.secret`. Raises `ValueError` where one is not set;
- ``as_found(wanted, changed) -> tuple[str, str]``: of what was adopted as it was found (`providers.host.digest`) and
  has changed since, a `providers.reconcile.Difference` each, what that is, and what to do. Without it, files are spoken
  of;
- ``without_passwords(text) -> str``: a text out of its files, line for line, without the passwords that somebody
  may have written into it by hand; shown in its place;
- ``lines(wanted) -> list[Line]``: the command lines for fresh nodes in their order, for an engine that is spoken to in
  such (`providers.lifekeeper.speaking`); shown by ``squid-ha plan --commands``;
- ``CLAIMS = True``: it sees to itself what becomes of nodes that another stack owns. All others are kept from them
  (`providers.session`).

And it keeps to two ways of saying:

- a change of which a cut-off would leave no difference is journalled before it is begun, under a name that begins with
  `PENDING`, and that name is dropped when it is complete. While there is one, ``converge`` is called whatever is
  observed, and drift tells of it;
- the nodes that a thing belongs to are those that ``Wanted`` names: by a field ``node``, or by fields that map nodes'
  names to what is wanted there (`providers.places`). One that names none is the cluster's, and journalled on all nodes.

Because ``observe`` answers in the shape of ``wanted``, the difference between the two *is* the drift report, the
preview and the verification after a change: nothing needs a second description of what it looks like.
"""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from types import NoneType
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeAlias, TypeVar, cast, get_args

from pydantic import BaseModel, ConfigDict, ValidationInfo, model_validator

if TYPE_CHECKING:
    from providers.connection.cluster import Cluster


PENDING = "pending"
"""How names in a journal begin that mark a change which was begun. Older releases have left some: never rename it."""

MISSING_IS_NONE = "missing is None"
"""Context of a validation in which a missing field does not take its default (`providers.wire.decode`)."""


class State(BaseModel):
    """Base of everything that is wanted of, or observed on, a host.

    Frozen; unknown keys are refused. ``None`` means "not there" and vanishes on the wire. Numbers that Pulumi hands
    back as floats are accepted where whole; modes, versions, dates and sizes are strings (`providers.wire`).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _missing_is_none(cls, data: object, info: ValidationInfo) -> object:
        """Off the wire, what may be None and is missing was None: its default would have been written out."""
        if info.context is not MISSING_IS_NONE or not isinstance(data, Mapping):
            return data
        given = cast("Mapping[str, object]", data)
        optional = (name for name, each in cls.model_fields.items() if NoneType in get_args(each.annotation))
        return {**{name: None for name in optional if name not in given}, **given}


W = TypeVar("W", bound=State)


@dataclass(frozen=True)
class Present(Generic[W]):
    """The thing is there, with these live values; ``facts`` are outputs that nothing is compared against."""

    values: W
    facts: Mapping[str, object] = field(default_factory=dict[str, object])


@dataclass(frozen=True)
class Absent:
    """The thing is on none of the nodes where it belongs."""


Observed: TypeAlias = Present[W] | Absent


class Kind(Protocol[W]):
    """What a kind's module looks like from outside; modules satisfy it by their functions."""

    Wanted: type[W]

    def observe(self, cluster: Cluster, wanted: W) -> Coroutine[Any, Any, Observed[W]]:
        """What is there; raises `Unknown` where that cannot be told."""
        ...

    def converge(self, cluster: Cluster, wanted: W, observed: Observed[W]) -> Coroutine[Any, Any, None]:
        """Make only the difference true."""
        ...

    def remove(self, cluster: Cluster, wanted: W) -> Coroutine[Any, Any, None]:
        """Take back what this declaration made, and never data."""
        ...
