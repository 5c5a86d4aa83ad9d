"""The replicated volume."""

from __future__ import annotations

from typing import Annotated, Literal

from declaration.nodes import Node
from declaration.paths import BlockDevicePath, MountPoint
from declaration.quantities import Duration
from declaration.types import Port, Settings, matching, written

Label = Annotated[
    str,
    written(
        "a label of at most 12 letters, digits, `_` or `-`, such as `squid-mirror`",
        matching(r"[A-Za-z0-9][A-Za-z0-9_-]{0,11}"),
    ),
]

PEER_TIMEOUT_STEP = 6
"""Seconds: DRBD counts the silence of its peer in timeouts of this length."""


class DiskFailure(Settings):
    """What a disk of the mirror that fails or freezes does to the proxy."""

    on_error: Literal["detach", "pass_on"] = "detach"
    """When a node's disk reports an error: `detach` it and go on with that of the other node, or `pass_on`: keep it,
    mark the bad block, and take only that from the other node."""

    disk_timeout: Duration | None = None
    """How long a disk may not answer before it counts as failed. Without it: for ever; the proxy then hangs with the
    disk, and the engine takes the service from the node. DRBD warns that a disk which answers after all after this
    time may write into memory that is used otherwise by then: a node where it ran out has to be restarted soon."""

    peer_timeout: Duration = Duration("42s")
    """How long the other node's disk may hold up the active one before it is cut off; a multiple of 6s."""


class Mirror(Settings):
    """A disk of each node, kept the same over the replication network, mounted on the active node."""

    device: BlockDevicePath
    """The disk, by its path on both nodes; where a node has it by another one, that stands in `mirror_device` under
    `nodes`. It must be blank, or bear this site's mark."""

    mount_point: MountPoint = "/mnt/mirror"
    """Where the filesystem is mounted on the active node."""

    filesystem: Literal["ext3", "ext4", "xfs"] = "ext3"
    """Type of the filesystem, made once."""

    durability: Literal["relaxed", "1s", "sync"] = "relaxed"
    """What a crash of the active node may cost of the log: what the filesystem has not written yet (`relaxed`), two
    seconds (`1s`, which implies `data_journal`), or nothing that was written to the log (`sync`). The stack's outputs
    tell the bound, docs/logs.md the cost."""

    data_journal: bool = False
    """Write the log through the filesystem's journal: no zeros at the log's end after a crash, at the cost of writing
    everything twice. A change of this restarts the service once. Not with xfs."""

    failure: DiskFailure = DiskFailure()
    """What a disk that fails or freezes does."""

    on_remove: Literal["keep", "wipe"] = "keep"
    """What becomes of the data when the mirror is no longer declared or the site is destroyed."""

    port: Port = 7789
    """Port of the replication on both nodes."""

    label: Label = "squid-mirror"
    """Label of the filesystem."""

    def device_on(self, node: Node) -> str:
        """The path of the disk on ``node``."""
        return node.mirror_device or self.device
