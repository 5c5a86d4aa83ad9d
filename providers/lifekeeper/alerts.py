"""What the alerts' regular look asks of LifeKeeper and of its mirror: two programs on the nodes.

Their texts are files of their own, so that shell tools can check them.
"""

from __future__ import annotations

from importlib import resources


def look() -> str:
    """Prints what LifeKeeper tells of failovers and split brain, to be put on the nodes with mode 0755."""
    return _text("alert_look.sh")


def mirror_check() -> str:
    """Prints what is wrong with the mirror, likewise."""
    return _text("alert_mirror.sh")


def _text(name: str) -> str:
    return resources.files("providers.lifekeeper").joinpath(name).read_text(encoding="utf-8")
