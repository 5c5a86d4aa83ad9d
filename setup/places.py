"""Where setup puts what it makes."""

from __future__ import annotations

import os
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
SETUP = PROJECT / "setup"
VENV = PROJECT / ".venv"
TOOLS = PROJECT / ".tools"
STATE = PROJECT / ".state"
PULUMI = TOOLS / "pulumi"
"""A link to the folder that holds the Pulumi in use; the launcher goes through it."""


def cache() -> Path:
    """The folder for what takes long to make; shared by all checkouts of one user."""
    chosen = os.environ.get("SQUID_HA_CACHE")
    return Path(chosen).expanduser().absolute() if chosen else usual_cache()


def usual_cache() -> Path:
    """The cache of a user who chose no other; all in it is this project's."""
    return Path.home() / ".cache" / "squid-ha"


def keep(made: Path, place: Path) -> None:
    """Move what was made to its place in the cache; if somebody else was faster, theirs stays."""
    try:
        made.rename(place)
    except OSError:
        if not place.is_dir():
            raise
