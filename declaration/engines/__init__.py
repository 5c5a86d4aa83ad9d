"""What only one engine knows: a module per engine."""

from __future__ import annotations

from typing import Literal

Engine = Literal["pacemaker", "lifekeeper"]
"""The engines that a site can name; the customary one comes first."""
