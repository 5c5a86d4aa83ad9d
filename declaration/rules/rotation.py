"""Rotation: sizes that fit each other and the schedule, and file names that tell one rotation from the next."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from declaration.errors import Mistake
from declaration.rotation import Rotation, date_parts
from declaration.rules.registry import rule

if TYPE_CHECKING:
    from declaration.site import Site

_UNITS = {"k": 2**10, "M": 2**20, "G": 2**30}
_FINEST = {"hourly": "H", "daily": "d", "weekly": "d", "monthly": "m"}
"""The part of a date that is needed, so that no two rotations of a schedule have the same name."""


@rule("rotation")
def sizes_fit(site: Site) -> Iterator[Mistake]:
    """logrotate takes one of `size` and a schedule, the one that it reads last; here both is a mistake."""
    rotation = site.rotation
    if rotation is None:
        return
    if rotation.size is not None:
        for name in ("schedule", "max_size", "min_size"):
            value = getattr(rotation, name)
            if name in rotation.model_fields_set and value is not None:
                yield Mistake(f"rotation.{name}", str(value), f"either this or `size: {rotation.size}`, not both")
    if rotation.min_size and rotation.max_size and _bytes(rotation.min_size) >= _bytes(rotation.max_size):
        yield Mistake("rotation.min_size", rotation.min_size, f"less than `max_size: {rotation.max_size}`")


@rule("rotation")
def names_differ(site: Site) -> Iterator[Mistake]:
    """logrotate leaves a log alone when the rotated file's name is taken, and the log grows on."""
    rotation = site.rotation
    if rotation is None or isinstance(rotation.date_suffix, bool):
        return
    parts = set(date_parts(rotation.date_suffix))
    why, finest = _needed(rotation)
    if not parts & {finest, "s"}:
        yield Mistake(
            "rotation.date_suffix",
            rotation.date_suffix,
            f"a format with %{finest} or %s, because of {why}: two rotations must not have the same name",
        )


def _needed(rotation: Rotation) -> tuple[str, str]:
    for name in ("size", "max_size"):
        if getattr(rotation, name) is not None:
            return f"`{name}`, which may rotate every hour", "H"
    return f"`schedule: {rotation.schedule}`", _FINEST[rotation.schedule]


def _bytes(size: str) -> int:
    return int(size[:-1]) * _UNITS[size[-1]]
