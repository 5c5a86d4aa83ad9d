"""Where the lab keeps its things."""

from __future__ import annotations

import os
from pathlib import Path

LOCK_FILE = "lock"
"""In the run directory: locked while any process of the lab lives; names the outermost one."""

PROJECT = Path(__file__).resolve().parent.parent
PROJECT_RUN = PROJECT / ".lab" / "run"
"""Run directory of the lab that the lab's stack file tells of."""


def run_directory() -> Path:
    """Sockets, key, logs and consoles of the lab; SQUID_HA_LAB_RUN moves it, so that two labs can run."""
    return Path(os.environ.get("SQUID_HA_LAB_RUN") or PROJECT_RUN).absolute()


def cache_directory(what: str) -> Path:
    """The folder of one kind of built things, made if missing."""
    base = Path(os.environ.get("SQUID_HA_CACHE") or Path.home() / ".cache" / "squid-ha").absolute()
    folder = base / what
    folder.mkdir(parents=True, exist_ok=True)
    return folder
