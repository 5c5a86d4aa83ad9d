"""What was checked, and what was seen."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, computed_field

from operations.proof.model import Proof


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Check(_Frozen):
    """One check: what, where (a node, an address, a way between nodes), its verdict, and what was seen."""

    name: str
    where: str
    passed: bool
    seen: str


class FileChange(_Frozen):
    """A log's file, or one that was rotated out of it, before and after a rotation; None where it was not there."""

    node: str
    file: str
    before: int | None
    """Size in bytes."""
    after: int | None
    """Size in bytes."""
    became: str
    """What happened to it, in words."""


class Report(_Frozen):
    """All checks in the order in which they were made."""

    stack: str
    phase: int
    checks: Sequence[Check]
    files: Sequence[FileChange] = ()
    proof: Proof | None = None
    """Requests against records, where there is a mirror."""

    @computed_field
    @property
    def passed(self) -> bool:
        """The verdict: at least one check, and none that failed."""
        return bool(self.checks) and all(check.passed for check in self.checks)
