"""The look at a mirror by DRBD: one line of what is wrong with it.

Its text is a file of its own, so that shell tools can check it.
"""

from __future__ import annotations

from importlib import resources


def text() -> str:
    """The script, to be put on the nodes with mode 0755."""
    return resources.files("providers.storage").joinpath("mirror_check.sh").read_text(encoding="utf-8")
