from __future__ import annotations

import pytest

from declaration.site import Site
from tests.support.sites import lab_site


@pytest.fixture
def site() -> Site:
    """The lab's site."""
    return lab_site()
