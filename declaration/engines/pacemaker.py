"""What only the engine `pacemaker` knows: Corosync's membership and fencing."""

from __future__ import annotations

import math
from typing import Annotated

from declaration.engines.pacemaker_adopted import AdoptedCluster
from declaration.paths import BlockDevicePath, WatchdogPath
from declaration.quantities import Duration
from declaration.types import Settings, written

_SHORTEST_REASON = 15


def _reason(text: str) -> str:
    if len(text.strip()) < _SHORTEST_REASON:
        raise ValueError(text)
    return text


Reason = Annotated[
    str,
    written(
        "a sentence that says why this site goes without fencing, such as `test site, split brain accepted`",
        _reason,
    ),
]


class Sbd(Settings):
    """Fencing by a small disk that both nodes share, and a watchdog in each node (sbd(8))."""

    device: BlockDevicePath
    """The shared disk, some megabytes. It must be blank at first, and so must one that takes its place; the old one
    keeps its header."""

    watchdog: WatchdogPath = "/dev/watchdog"
    """The watchdog of each node."""

    watchdog_timeout: Duration = Duration("10s")
    """Whole seconds after which the watchdog resets a node that no longer feeds it."""

    message_timeout: Duration = Duration("20s")
    """Whole seconds after which a node counts as fenced; at least twice `watchdog_timeout`."""


class Fencing(Settings):
    """How a node that is lost is kept from the data: exactly one of these."""

    sbd: Sbd | None = None
    """By a shared disk and watchdogs."""

    none: Reason | None = None
    """Not at all, and why: after a broken connection both nodes may then write, each for itself."""


class Pacemaker(Settings):
    """Corosync and Pacemaker."""

    token: Duration = Duration("3s")
    """How long a node may be silent before the other acts. Its loss is certain after 2.2 times this."""

    fencing: Fencing
    """Fencing, or in so many words its absence."""

    stonith_timeout: Duration = Duration("60s")
    """How long fencing may take; at least 1.2 times the `message_timeout` of SBD."""

    priority_fencing_delay: Duration = Duration("10s")
    """Head start in a tie for the node that runs the service."""

    adopted: AdoptedCluster | None = None
    """What of a cluster built by hand is left as it was found (docs/adopt.md). Written by `squid-ha adopt`."""

    @property
    def longest_fencing(self) -> int:
        """Seconds from the last word of a node that was lost to the moment at which the other counts it as fenced.

        Its loss is certain after the token and the consensus, 1.2 times that (corosync.conf(5)); then the head start in
        a tie, and SBD's message timeout. SBD's own file of settings advises such a sum for SBD_DELAY_START. 0 without.
        """
        sbd = self.fencing.sbd
        if sbd is None:
            return 0
        return math.ceil(self.token.seconds * 2.2 + self.priority_fencing_delay.seconds + sbd.message_timeout.seconds)
