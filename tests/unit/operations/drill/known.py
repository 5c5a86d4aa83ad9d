"""The scenarios that there are, and their steps on the lab's site."""

from __future__ import annotations

from declaration.site import Site
from operations.drill.scenarios import scenarios
from operations.drill.steps import Disturb, Steps, View
from tests.support.sites import lab_site

LAB = frozenset({"power", "public network", "replication network", "disk"})
NAMES = tuple(scenarios())


def steps(site: Site, name: str, patience: float = 20, can: frozenset[str] = LAB) -> Steps:
    return scenarios()[name].steps(View(site, "qsp-a", "qsp-b", can, patience))


DISTURBING = tuple(name for name in NAMES if any(isinstance(step, Disturb) for step in steps(lab_site(), name)))
"""Those that break something; the others only do what an operator does."""
