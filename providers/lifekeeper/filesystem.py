"""The mirror's filesystem as LifeKeeper mounts it: its resource, and what must lie on it.

The resource is made and extended together with the mirror (`providers.lifekeeper.mirror`); here it is only kept.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from pydantic import Field

from providers.connection.cluster import Cluster
from providers.connection.errors import Refused, Unknown
from providers.contract import Absent, Observed, Present
from providers.lifekeeper import making, members, removal
from providers.lifekeeper.resource import Kit, Member
from providers.lifekeeper.speaking import Line
from providers.lifekeeper.steps import Step
from providers.lifekeeper.views import IN_SERVICE, Instance, View
from providers.storage import volume
from providers.storage.filesystem_types import TYPES

_KNOWN = frozenset({*TYPES, "ext2", "btrfs", "jfs", "reiserfs", "vxfs", "nfs"})
_FIRST = re.compile(r"[A-Za-z0-9]+")


class Wanted(Member):
    """``directories`` and ``files`` as in `providers.storage.filesystem`; read and made where it is mounted."""

    mount_point: str
    directories: dict[str, str | None]
    files: dict[str, str | None] = Field(default_factory=dict[str, "str | None"])


def _nothing(wanted: Member, *_names: str) -> list[Step]:
    del wanted
    return []


def _properties(wanted: Member, node: str, instance: Instance) -> Mapping[str, str | None]:
    """The id is the mount point; type and options are in the info string, whose exact form is unknown."""
    del wanted, node
    return {"mount_point": instance.id}


KIT = Kit(_nothing, _nothing, _properties, "gen", "filesys")


def type_of(instance: Instance) -> str | None:
    """The filesystem's type, with which the info string begins; None where that begins with no known one.

    What stands between it and the options that follow is unknown.
    """
    found = _FIRST.match(instance.info)
    return found[0] if found is not None and found[0] in _KNOWN else None


def refusal(previous: Wanted, wanted: Wanted) -> str | None:
    """Why this change is not made in place (`providers.contract`)."""
    return members.fixed(previous, wanted, mount_point="`mirror.mount_point`")


async def observe(cluster: Cluster, wanted: Wanted) -> Observed[Wanted]:
    """The resource on each node, and the directories where it is mounted. Raises `Unknown` if it is nowhere."""
    seen = await members.read(cluster, wanted)
    observed = members.found(wanted, seen, KIT)
    if isinstance(observed, Absent):
        return observed
    node = cluster.node(_active(wanted, seen))
    listed = await node.run(volume.entries_mounted(wanted.mount_point, [*wanted.directories, *wanted.files]))
    return Present(
        observed.values.model_copy(
            update={
                "directories": volume.parse_entries(listed.stdout, wanted.directories),
                "files": volume.parse_entries(listed.stdout, wanted.files),
            }
        ),
        {**observed.facts, "mounted": node.name},
    )


def _active(wanted: Wanted, seen: Mapping[str, View]) -> str:
    active = [name for name, view in seen.items() if view.state(wanted.tag) in IN_SERVICE]
    if len(active) != 1:
        where = " and ".join(active) or "no node"
        raise Unknown(
            f"the filesystem {wanted.tag} is in service on {where}, so nobody can tell what is on it",
            remedy="put the service where it belongs: `squid-ha switchover`",
        )
    return active[0]


async def converge(cluster: Cluster, wanted: Wanted, observed: Observed[Wanted]) -> None:  # noqa: ARG001
    """Attributes of the resource, then the directories where it is mounted."""
    seen = await members.read(cluster, wanted)
    if any(wanted.tag not in view.instances for view in seen.values()):
        raise Refused(
            f"the filesystem {wanted.tag} is not on every node, though its mirror is made",
            remedy="see `lcdstatus`; if somebody deleted it, `pulumi up --refresh` finds the mirror without it, and "
            "extends the two again",
        )
    node = cluster.node(_active(wanted, seen))
    await members.converge(cluster, wanted, KIT)
    await node.run(volume.make_entries(wanted.tag, "", wanted.mount_point, wanted.directories, wanted.files))


async def remove(cluster: Cluster, wanted: Wanted) -> None:
    """Ties only: the resource goes with its mirror, and what is on the filesystem stays."""
    await removal.remove(cluster, wanted, resource=False)


def lines(wanted: Wanted) -> list[Line]:
    """The resource, and that it depends on the mirror, come with the mirror."""
    return making.lines_along(wanted)
