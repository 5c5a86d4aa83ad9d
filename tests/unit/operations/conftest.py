from __future__ import annotations

import pytest

from declaration.load import read
from declaration.site import Site
from operations.stacks import render


@pytest.fixture
def site() -> Site:
    """The lab's site."""
    return read(render("lab.yaml.j2", lab="/lab"), "stacks/templates/lab.yaml.j2")
