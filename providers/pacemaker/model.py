"""What of the CIB a member of the service tree consists of, typed; rendering and parsing live in `cib`.

Times are text with a unit (``60s``), scores are text (``INFINITY``), as Pacemaker Explained writes them.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from providers.contract import State


class Operation(State):
    """One operation. ``name`` is start, stop, monitor, promote, demote, notify; with ``interval`` it is unique."""

    name: str
    interval: str = "0s"
    timeout: str | None
    role: str | None = None
    on_fail: str | None = None

    @property
    def key(self) -> str:
        """What a primitive's ``operations`` call it: ``monitor-29s``."""
        return f"{self.name}-{self.interval}"


def keyed(*operations: Operation) -> dict[str, Operation]:
    """``operations`` as a primitive holds them."""
    return {operation.key: operation for operation in operations}


class Primitive(State):
    """A resource of one agent. ``agent`` is ``ocf:heartbeat:IPaddr2``, ``systemd:squid`` or ``stonith:external/sbd``.

    ``operations`` stand under their `Operation.key` (see `keyed`).
    """

    id: str
    agent: str
    parameters: dict[str, str | None] = Field(default_factory=dict[str, "str | None"])
    meta: dict[str, str | None] = Field(default_factory=dict[str, "str | None"])
    operations: dict[str, Operation] = Field(default_factory=dict[str, Operation])

    @model_validator(mode="after")
    def _keys(self) -> Primitive:
        wrong = [key for key, operation in self.operations.items() if key != operation.key]
        if wrong:
            raise ValueError(f"operations of {self.id} must stand under name-interval: {', '.join(wrong)}")
        return self


class Clone(State):
    """Wraps the primitive on several nodes; ``meta`` as promotable, clone-max, notify, interleave."""

    id: str
    meta: dict[str, str | None] = Field(default_factory=dict[str, "str | None"])


class Colocation(State):
    """``resource`` runs where ``with_resource`` runs (in ``with_role``, if given)."""

    kind: Literal["colocation"] = "colocation"
    resource: str
    with_resource: str
    with_role: str | None = None
    score: str = "INFINITY"


class Order(State):
    """``then`` does its action after ``first`` has done its own; ``requirement`` is Pacemaker's ``kind``."""

    kind: Literal["order"] = "order"
    first: str
    first_action: str = "start"
    then: str
    then_action: str = "start"
    requirement: str = "Mandatory"


class Expression(State):
    """One comparison of a rule on a node attribute; ``operation`` is lt, not_defined, eq …"""

    attribute: str
    operation: str
    value: str | None = None
    type: str | None = None


class Location(State):
    """``resource`` gets ``score`` on nodes where any of ``rule`` holds, or on ``node`` if given.

    ``role`` ``Promoted`` limits it to the promoted instance of a clone.
    """

    kind: Literal["location"] = "location"
    resource: str
    score: str
    role: str | None = None
    node: str | None = None
    rule: list[Expression] = Field(default_factory=list[Expression])


Constraint = Annotated[Colocation | Order | Location, Field(discriminator="kind")]
