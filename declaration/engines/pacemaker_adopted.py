"""What of a cluster that was built by hand, with pcs or crm, stays as it was found (docs/adopt.md)."""

from __future__ import annotations

from typing import Annotated, Literal

from declaration.adopted import Digest
from declaration.types import Settings, matching, section, written

ResourceId = Annotated[
    str,
    written(
        "the id of a resource in the cluster, such as `proxy-ip`",
        matching(r"[A-Za-z_][A-Za-z0-9_.-]{0,127}"),
    ),
]
DrbdName = Annotated[
    str, written("the name of a DRBD resource, such as `r0`", matching(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"))
]
OptionName = Literal[
    "no-quorum-policy", "stonith-enabled", "start-failure-is-fatal", "stonith-timeout", "priority-fencing-delay",
    "resource-stickiness", "migration-threshold", "failure-timeout", "timeout",
]  # fmt: skip
"""What this program sets of a cluster: properties, defaults of resources, and the one of operations (the last)."""

OptionValue = Annotated[
    str, written("the value of an option, such as `ignore`", matching(r"[A-Za-z0-9+-][A-Za-z0-9_.+-]{0,63}"))
]


class AdoptedMember(Settings):
    """A resource of the cluster as it was found."""

    id: ResourceId
    """What the cluster calls it."""

    sha256: Digest
    """The digest of its definition and of the constraints that tie it, as `squid-ha adopt` writes it."""


class AdoptedMembers(Settings):
    """The service's members that somebody else has defined. `squid` and `address` are named together, on a site with a
    mirror `filesystem` and `mirror` too: members of this program's are not tied to others."""

    mirror: AdoptedMember | None = None
    """DRBD's resource, which is promoted on the active node."""

    filesystem: AdoptedMember | None = None
    """What mounts the mirror."""

    squid: AdoptedMember | None = None
    """What starts and stops Squid. Without this program's own agent nothing asks Squid for an answer."""

    address: AdoptedMember | None = None
    """The virtual IP."""

    fencing: AdoptedMember | None = None
    """The fencing device, where it is SBD's under another name."""


class AdoptedMirror(Settings):
    """A DRBD resource as it was found; its filesystem is looked at no closer than its member of the cluster."""

    resource: DrbdName
    """DRBD's name for it."""

    sha256: Digest
    """The digest of its configuration on both nodes, as `squid-ha adopt` writes it; the secret is left out."""


class AdoptedCluster(Settings):
    """What `squid-ha adopt` found in a cluster that somebody else has set up. Another definition than the one found is
    drift, which `up` refuses to repair."""

    members: AdoptedMembers = AdoptedMembers()
    """The members of the service."""

    mirror: AdoptedMirror | None = None
    """The mirror below them."""

    options: (
        Annotated[
            dict[OptionName, OptionValue],
            section("a section of options and values, such as `{no-quorum-policy: ignore}`"),
        ]
        | None
    ) = None
    """The cluster's options with the values that were found, in the place of all that this program sets."""
