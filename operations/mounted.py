"""Scripts that look at a mirror only where it is mounted, and how they say that it is not."""

from __future__ import annotations

from collections.abc import Iterable

from providers.connection.command import Result
from providers.connection.errors import Unknown

NOT_MOUNTED = 32
"""Exit code of a script where the mirror is not mounted; also mountpoint(1)'s own."""
ONLY_MOUNTED = f'[ -z "$1" ] || mountpoint -q -- "$1" || exit {NOT_MOUNTED}\n'
"""The first line of such a script, whose $1 is the mount point; empty for what does not lie on a mirror."""


def require_mounted(node: str, results: Iterable[Result]) -> None:
    """Raises `Unknown` where one of them says `NOT_MOUNTED`, on the node that is said to be active."""
    if any(result.exit_code == NOT_MOUNTED for result in results):
        raise Unknown("the mirror is not mounted here, though the service is said to run here", node=node)
