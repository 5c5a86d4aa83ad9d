"""Scripts of this program with the names of another platform in the place of those that stand in their files. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

_PLAIN = re.compile(r"[A-Za-z0-9/._@-]+")


def renamed(text: str, names: Mapping[str, str]) -> str:
    """``text`` with every name in ``names`` called otherwise; the same text where each is called as it was.

    Raises `ValueError` for a name that a shell would not take as one plain word, wherever it stands.
    """
    for name in names.values():
        if not _PLAIN.fullmatch(name):
            raise ValueError(f"{name!r} is no plain word, so it cannot stand in a script")
    return re.sub("|".join(map(re.escape, names)), lambda found: names[found[0]], text)
