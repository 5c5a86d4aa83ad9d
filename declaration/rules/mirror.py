"""The mirror: how its filesystem is mounted, and how long a disk may be silent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from declaration.errors import Mistake
from declaration.mirror import PEER_TIMEOUT_STEP
from declaration.rules.registry import rule

if TYPE_CHECKING:
    from declaration.site import Site

_LONGEST_DISK = 600_000
_LONGEST_PEER = 200 * PEER_TIMEOUT_STEP * 1000


@rule("mirror")
def durability_is_possible(site: Site) -> Iterator[Mistake]:
    """XFS has neither an interval of its journal that could be set nor a journal for data."""
    mirror = site.mirror
    if mirror is None or mirror.filesystem != "xfs":
        return
    if mirror.durability == "1s":
        yield Mistake("mirror.durability", mirror.durability, "`relaxed` or `sync`: xfs knows nothing in between")
    if mirror.data_journal:
        yield Mistake("mirror.data_journal", "true", "`false`: the journal of xfs never holds data")


@rule("mirror")
def disks_may_be_silent(site: Site) -> Iterator[Mistake]:
    """DRBD counts a disk's time in tenths of seconds up to 600 s, and that of a peer in its own timeouts of 6 s."""
    if site.mirror is None:
        return
    failure = site.mirror.failure
    disk, peer = failure.disk_timeout, failure.peer_timeout
    if disk is not None and not (1_000 <= disk.milliseconds <= _LONGEST_DISK and disk.milliseconds % 100 == 0):  # noqa: PLR2004
        yield Mistake("mirror.failure.disk_timeout", disk, "between 1s and 600s in tenths of seconds, such as `60s`")
    if not 0 < peer.milliseconds <= _LONGEST_PEER or peer.milliseconds % (PEER_TIMEOUT_STEP * 1000):
        yield Mistake(
            "mirror.failure.peer_timeout", peer, f"a multiple of {PEER_TIMEOUT_STEP}s up to 20m, such as `42s`"
        )
