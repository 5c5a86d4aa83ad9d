"""Memory and room on disks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from declaration.nodes import Node
from declaration.quantities import in_bytes
from declaration.site import Site
from operations.doctor.model import Asked, Finding
from providers.connection.command import Command, command

NAME = "room"
_MB = 1024 * 1024
MEMORY = 256 * _MB
"""Bytes for Squid without a cache, and an engine."""
DISK = 700 * _MB
"""Bytes below /var for packages, and logs of the first days."""
LEAST = 50 * _MB
"""Bytes below /var that a node needs on which all is there already: for its logs, and what the next `up` notes."""


def commands(site: Site, node: Node) -> Sequence[Command]:  # noqa: ARG001
    """Memory and the filesystem that logs and packages go to."""
    return [
        command("cat", "/proc/meminfo", reads=True),
        command("df", "--block-size=1", "--output=avail", "/var", reads=True),
    ]


def judge(asked: Asked) -> Iterator[Finding]:
    """What the declared cache needs comes on top."""
    cache = asked.site.squid.cache
    memory = MEMORY + (in_bytes(cache.memory) if cache else 0)
    local = cache.disk if cache and cache.disk and cache.disk.where == "local" else None
    disk = DISK + (in_bytes(local.size) if local else 0)
    found = re.search(r"^MemAvailable:\s+(\d+) kB", asked.out[0], re.MULTILINE)
    yield _judged(
        asked, "memory", int(found[1]) * 1024 if found else None, memory, "add memory, or declare a smaller cache"
    )
    words = asked.out[1].split()
    there = int(words[-1]) if words and words[-1].isdigit() else None
    what, remedy = "room below /var", "make room there, or declare a smaller cache on disk"
    if asked.ours and there is not None and there < LEAST:
        yield _full(asked, f"{there // _MB} MB of {what}")
    else:
        yield _judged(asked, what, there, disk, remedy)


def _full(asked: Asked, sentence: str) -> Finding:
    away = f"`squid-ha switchover {asked.stack}` if this node is the active one; then there: "
    return asked.problem(
        NAME,
        f"{sentence}, so that next to nothing can be written",
        f"{away if asked.site.virtual_ip else ''}`journalctl --vacuum-size=200M`, `apt-get clean`, /var/log/squid "
        "(docs/runbook.md, A disk is full)",
    )


def _judged(asked: Asked, what: str, there: int | None, needed: int, remedy: str) -> Finding:
    if there is None:
        return asked.note(NAME, f"the {what} could not be read")
    sentence = f"{there // _MB} MB of {what}"
    # A node that this stack owns has its cache and its packages already.
    if there >= needed or asked.ours:
        return asked.ok(NAME, sentence)
    return asked.problem(NAME, f"{sentence}, but {needed // _MB} MB are needed", remedy)
