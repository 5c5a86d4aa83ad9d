"""Parts of `lab.container`: control groups, root file systems, limits of this machine."""

from pathlib import Path

from lab.containers import cgroup, limits


def clean_up(directory: Path) -> None:
    """Put back what containers changed outside their tree. For whoever ended the tree of this run directory, as root.

    Safe at any time: what a living tree uses stays, and the next tree's first container does the same.
    """
    limits.put_back(directory)
    cgroup.remove_dead()
