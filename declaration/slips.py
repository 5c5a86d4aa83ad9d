"""A site with settings that there are not, read as if each was another one's slip of the pen, and as if none was there.

What is wrong in either reading is wrong whatever was meant, and told with the slip itself.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, cast

from declaration.explain import Location, meant

_Raw = Mapping[str, object]


def as_meant(raw: _Raw, unknown: Sequence[Location]) -> _Raw:
    """``raw`` with each ``unknown`` setting under the name that it is perhaps meant by, unless that is there too."""
    edited = without(raw, unknown)
    for location in unknown:
        name, section = meant(location), _section(edited, location)
        if name and section is not None:
            section.setdefault(name, _at(raw, location))
    return edited


def without(raw: _Raw, unknown: Sequence[Location]) -> _Raw:
    """``raw`` without its ``unknown`` settings."""
    edited = copy.deepcopy(dict(raw))
    for location in unknown:
        section = _section(edited, location)
        if section is not None:
            section.pop(str(location[-1]), None)
    return edited


def _section(raw: _Raw, location: Location) -> dict[str, object] | None:
    """The section that a setting stands in; None where a validator has made it of something else."""
    found = _at(raw, location[:-1])
    return cast("dict[str, object]", found) if isinstance(found, dict) else None


def _at(raw: _Raw, location: Location) -> object:
    here: Any = raw
    try:
        for part in location:
            here = here[part]
    except (KeyError, IndexError, TypeError):
        return None
    return here
