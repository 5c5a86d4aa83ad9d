"""A thing: one piece of a site, as data."""

from __future__ import annotations

from dataclasses import dataclass, field

from providers.contract import State


@dataclass(frozen=True)
class Thing:
    """``name`` is the resource's name by role, ``kind`` an entry of `providers.kinds`, ``inputs`` what the kind wants.

    ``after`` are the names of things that must be true first (and are removed later); ``part`` is the component that
    the thing belongs to, a key of `blueprint.parts.PARTS`.
    """

    name: str
    kind: str
    inputs: State
    part: str
    after: tuple[str, ...] = field(default=())
