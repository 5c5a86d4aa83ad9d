"""Bounds of drills: some time that a drill may take."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from declaration.errors import Mistake
from declaration.rules.registry import rule

if TYPE_CHECKING:
    from declaration.site import Site


@rule("drill")
def bounds_can_be_kept(site: Site) -> Iterator[Mistake]:
    """Between two answers there is always some time."""
    stated = {"planned_gap": site.drill.planned_gap, "unplanned_gap": site.drill.unplanned_gap}
    stated |= {f"gaps.{name}": gap for name, gap in site.drill.gaps.items()}
    for name, gap in stated.items():
        if gap.milliseconds == 0:
            yield Mistake(f"drill.{name}", gap, "a time longer than none, such as `30s`: no drill could keep it")
