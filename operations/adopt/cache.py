"""Squid's cache, out of its language into the declaration's."""

from __future__ import annotations

from typing import Any

from blueprint import paths
from blueprint.platforms import Platform
from blueprint.squid_settings import LEVELS
from declaration.quantities import in_bytes
from declaration.squid_cache import Disk
from operations.adopt.directives import Reader, fits
from operations.adopt.quantities import WHOLE_SIZE, size
from providers.squid.conf import Directive

_LEAST_MEMORY = in_bytes("1M")
_LEAST_DISK = in_bytes("16M")
_WORDS = 5
"""Of a directory: its kind, path, megabytes, and how many folders there are on two levels."""


def read(reader: Reader, platform: Platform, mount: str) -> dict[str, Any]:
    """``cache`` below ``squid``; ``mount`` is the mirror's mount point, '' without a mirror."""
    memory = reader.value("cache_mem", _memory, f"{WHOLE_SIZE}: it takes 1M and more")
    small = reader.value("maximum_object_size_in_memory", size, WHOLE_SIZE)
    places = {platform.squid_spool: "local", **({f"{mount}/{paths.CACHE_DIRECTORY}": "mirror"} if mount else {})}
    disk = _disk(reader, places)
    made: dict[str, Any] = {}
    made |= {"memory": memory} if memory else {}
    made |= {"max_object_in_memory": small} if small else {}
    made |= {"disk": disk} if disk else {}
    return {"cache": made} if made else {}


def _memory(text: str) -> str | None:
    made = size(text)
    return made if made and in_bytes(made) >= _LEAST_MEMORY else None


def _disk(reader: Reader, places: dict[str, str]) -> dict[str, Any]:
    """The first directory that can be said; Squid gives it the largest object that was said before it."""
    each = next((each for each in reader.of("cache_dir") if _can_be_said(each, places)), None)
    if each is None:
        _lose_largest(reader.of("maximum_object_size"), reader, "the largest object without a cache on disk")
        return {}
    reader.done(each)
    made: dict[str, Any] = {"size": f"{each.words[2]}M", "where": places[each.words[1]]}
    if each.words[3:] != LEVELS:
        reader.unsaid(each, f"{' '.join(each.words[3:])}: the directory is declared, and has {' '.join(LEVELS)} there")
    large = reader.of("maximum_object_size")
    before = [said for said in large if said.line < each.line]
    _lose_largest([said for said in large if said not in before], reader, "the largest object behind the `cache_dir`")
    reader.overridden(before)
    largest = size(" ".join(before[-1].words)) if before else None
    if largest:
        reader.done(before[-1])
        made["max_object"] = largest
    elif before:
        reader.unsaid(before[-1], WHOLE_SIZE)
    return made


def _can_be_said(each: Directive, places: dict[str, str]) -> bool:
    if len(each.words) < _WORDS or each.words[0] != "aufs" or each.words[1] not in places:
        return False
    wanted = f"{each.words[2]}M"
    return fits(Disk, "size", wanted) and in_bytes(wanted) >= _LEAST_DISK


def _lose_largest(found: list[Directive], reader: Reader, what: str) -> None:
    for each in found:
        reader.unsaid(each, what)
