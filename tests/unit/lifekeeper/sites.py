"""Sites with the engine `lifekeeper`."""

import copy
from typing import Any

from declaration.load import read
from declaration.site import Site
from tests.unit.declaration.conftest import SITES


def settings(phase: int = 3, **lifekeeper: object) -> dict[str, Any]:
    """The site that `squid-ha init` writes, with this engine and its section."""
    raw = copy.deepcopy(SITES[phase])
    raw["engine"] = "lifekeeper"
    raw["lifekeeper"] = lifekeeper
    return raw


def site(phase: int = 3, **lifekeeper: object) -> Site:
    """The same, read."""
    return read(settings(phase, **lifekeeper), "test")
