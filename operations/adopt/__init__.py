"""Taking a site over that was built by hand: read, describe, compare, write."""

from __future__ import annotations

from operations.adopt.site import Adoption, adopt

__all__ = ["Adoption", "adopt"]
