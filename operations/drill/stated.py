"""What a site states for scenarios by name, where none has that name: the bound would count for nothing."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from declaration.errors import Mistake
from declaration.site import Site
from operations.drill.scenarios import scenarios


def unknown_scenarios(site: Site) -> Iterator[Mistake]:
    """Bounds of scenarios that there are not. A rule of `declaration` would not know the scenarios."""
    known = list(scenarios())
    for name, gap in site.drill.gaps.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"perhaps `{near[0]}` is meant" if near else f"there are {', '.join(known)}"
            yield Mistake(f"drill.gaps.{name}", gap, f"the name of a scenario; {hint}")
