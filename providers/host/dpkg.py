"""What dpkg, apt and the account files say, and what an installation changed: pure parsing and arithmetic of sets.

Facts: dpkg-query(1), apt-mark(8), apt-get(8), passwd(5), group(5).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from pydantic import Field

from providers.contract import State

STATE_ROOTS = ("/var/lib", "/var/cache", "/var/spool")
"""Where daemons keep state that only means something to them. Logs (/var/log) are data and are never listed."""

HOUSEKEEPING = (
    "/var/lib/apt",
    "/var/lib/dpkg",
    "/var/lib/systemd",
    "/var/lib/squid-ha",
    "/var/lib/ucf",
    "/var/cache/apt",
)
"""State of the machine itself: whatever appears below these is not a leftover of one package."""


class Snapshot(State):
    """A node's packages (``name`` or ``name:arch``) and accounts at one moment.

    ``automatic`` are packages that apt installed as somebody's dependency; ``directories`` stand below `STATE_ROOTS`;
    ``empty`` are empty directories of the distribution (``mode owner:group path``), which dpkg removes together with
    the last file that another package had in them if one of the two knows them by a path from before usrmerge.
    """

    packages: list[str] = Field(default_factory=list[str])
    automatic: list[str] = Field(default_factory=list[str])
    users: list[str] = Field(default_factory=list[str])
    groups: list[str] = Field(default_factory=list[str])
    directories: list[str] = Field(default_factory=list[str])
    empty: list[str] = Field(default_factory=list[str])


class Made(Snapshot):
    """What installations added; ``displaced`` are packages that had to go because of a conflict.

    ``automatic`` is the part of ``displaced`` that apt regarded as a dependency, ``empty`` is what was so before the
    first of them.
    """

    displaced: list[str] = Field(default_factory=list[str])


class Package(NamedTuple):
    """``status`` is dpkg's word, ``installed`` or something on the way to or from it; ``version`` may be empty."""

    status: str
    version: str


def parse_packages(text: str) -> dict[str, Package]:
    """Name → package, from lines ``name<TAB>Status-Status<TAB>Version``; what is not there any more is left out.

    A package of several architectures counts as its best one.
    """
    found: dict[str, Package] = {}
    for line in text.splitlines():
        name, status, version = (*line.split("\t"), "", "")[:3]
        gone = status in {"", "not-installed", "config-files"}
        if not gone and (name not in found or found[name].status != "installed"):
            found[name] = Package(status, version)
    return found


def parse_names(text: str) -> list[str]:
    """Sorted first fields of a colon-separated file (passwd, group), or plain lines."""
    return sorted({line.partition(":")[0] for line in text.splitlines() if line and not line.startswith(("#", "+"))})


def parse_directories(text: str) -> list[str]:
    """Sorted directories without the machine's own housekeeping."""
    return sorted(
        {
            line
            for line in text.splitlines()
            if line.startswith("/") and not any(line == root or line.startswith(f"{root}/") for root in HOUSEKEEPING)
        }
    )


def parse_simulated_removal(text: str) -> set[str]:
    """Names that ``apt-get --simulate purge`` would take away: its lines begin with ``Purg`` or ``Remv``."""
    words = (line.split() for line in text.splitlines())
    return {line[1] for line in words if len(line) > 1 and line[0] in {"Purg", "Remv"}}


def parse_dependencies(text: str) -> set[str]:
    """Every package named by ``apt-cache depends --recurse --installed``: unindented lines, without virtual ones."""
    return {line.strip() for line in text.splitlines() if line and not line[0].isspace() and not line.startswith("<")}


def add(so_far: Made, before: Snapshot, after: Snapshot) -> Made:
    """``so_far`` and what happened between two snapshots, taken together.

    What was made by an earlier run stays made, and what it displaced stays displaced, even if it is back now.
    """

    def new(old: Iterable[str], now: Iterable[str], known: Iterable[str]) -> list[str]:
        return sorted((set(now) - set(old)) | set(known))

    gone = set(before.packages) - set(after.packages) - set(so_far.packages)
    return Made(
        packages=new(before.packages, after.packages, so_far.packages),
        displaced=sorted(gone | set(so_far.displaced)),
        automatic=sorted((gone & set(before.automatic)) | set(so_far.automatic)),
        users=new(before.users, after.users, so_far.users),
        groups=new(before.groups, after.groups, so_far.groups),
        directories=topmost(new(before.directories, after.directories, so_far.directories)),
        empty=so_far.empty or before.empty,
    )


def topmost(directories: Iterable[str]) -> list[str]:
    """Without those that lie below another of them."""
    kept: list[str] = []
    for directory in sorted(set(directories)):
        if not any(directory.startswith(f"{above}/") for above in kept):
            kept.append(directory)
    return kept


def without_architecture(name: str) -> str:
    """``libc6`` of ``libc6:amd64``: apt prints native packages without it."""
    return name.partition(":")[0]
