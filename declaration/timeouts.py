"""How long each member of the service tree may take to start, to stop and to answer.

Defaults are what the agents advise in Debian 12 (their metadata); Pacemaker itself would give everything 20 s,
and a stop that takes longer fences the node.
"""

from __future__ import annotations

from declaration.quantities import Duration
from declaration.types import Settings


class MirrorTimeouts(Settings):
    """The mirror. Advice of ocf:linbit:drbd."""

    start: Duration = Duration("240s")
    """Limit for a start."""
    stop: Duration = Duration("100s")
    """Limit for a stop."""
    promote: Duration = Duration("90s")
    """Limit for becoming the source."""
    demote: Duration = Duration("90s")
    """Limit for becoming the target."""
    notify: Duration = Duration("90s")
    """Limit for a notification."""
    monitor: Duration = Duration("20s")
    """Limit for a look at the state."""
    monitor_interval: Duration = Duration("30s")
    """How often the state is looked at, a second less on the source and a second more on the target; at least 2 s."""


class FilesystemTimeouts(Settings):
    """The filesystem. Advice of ocf:heartbeat:Filesystem."""

    start: Duration = Duration("60s")
    """Limit for mounting."""
    stop: Duration = Duration("60s")
    """Limit for unmounting."""
    monitor: Duration = Duration("40s")
    """Limit for a look at the state."""
    monitor_interval: Duration = Duration("20s")
    """How often the state is looked at."""


class SquidTimeouts(Settings):
    """Squid. A stop takes `shutdown_lifetime` and 2 s more."""

    start: Duration = Duration("60s")
    """Limit for a start."""
    stop: Duration = Duration("60s")
    """Limit for a stop; at least `shutdown_lifetime` and 13 s."""
    monitor: Duration = Duration("30s")
    """Limit for a look at the state."""
    monitor_interval: Duration = Duration("10s")
    """How often the state is looked at, and the functional probe asks."""


class AddressTimeouts(Settings):
    """The virtual IP. Advice of ocf:heartbeat:IPaddr2."""

    start: Duration = Duration("20s")
    """Limit for a start."""
    stop: Duration = Duration("20s")
    """Limit for a stop."""
    monitor: Duration = Duration("20s")
    """Limit for a look at the state."""
    monitor_interval: Duration = Duration("10s")
    """How often the state is looked at."""


class Timeouts(Settings):
    """Limits per member of the service tree."""

    mirror: MirrorTimeouts = MirrorTimeouts()
    """The mirror."""
    filesystem: FilesystemTimeouts = FilesystemTimeouts()
    """The filesystem."""
    squid: SquidTimeouts = SquidTimeouts()
    """Squid."""
    address: AddressTimeouts = AddressTimeouts()
    """The virtual IP."""
