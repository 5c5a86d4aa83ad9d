"""The declaration of a site as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, cast

from pydantic import Field, model_validator

from declaration.addresses import Ip, network
from declaration.adopted import Adopted
from declaration.alerts import Alerts
from declaration.drill import Drill
from declaration.engines import Engine
from declaration.engines.lifekeeper import LifeKeeper
from declaration.engines.pacemaker import Pacemaker
from declaration.firewall import Managed
from declaration.hooks import Hook
from declaration.log import Log
from declaration.mirror import Mirror
from declaration.network import Networks
from declaration.nodes import Node
from declaration.rotation import Rotation
from declaration.squid import Squid
from declaration.ssh import Ssh
from declaration.time import Time
from declaration.timeouts import Timeouts
from declaration.types import Many, Settings

Phase = Literal[1, 2, 3]


def with_implied(given: Mapping[str, object]) -> Mapping[str, object]:
    """The raw declaration with what others of its parts imply.

    A mirror's log is rotated unless said otherwise: what grows without end fills the volume.
    """
    return {"rotation": {}, **given} if given.get("mirror") is not None else given


class Site(Settings):
    """A site: nodes, networks, Squid and, with two nodes, the virtual IP, the engine and the mirror.

    Made by `declaration.load`, which reports every mistake at once. A part that is absent is not wanted, and
    which parts are present makes the phase: one node; two nodes and a virtual IP; these and a mirror.
    """

    engine: Engine
    """What keeps the service running on one of the nodes. It cannot be changed in place: destroy first, data stays."""

    platform: Literal["debian-12", "debian-13"]
    """The nodes' operating system; verified on each."""

    nodes: Annotated[Many[Node], Field(min_length=1, max_length=2)]
    """One node, or two."""

    ssh: Ssh = Ssh()
    """How the nodes are reached."""

    network: Networks
    """The networks that the nodes share."""

    firewall: Managed = None
    """`unmanaged`: left as it is. `nftables`, or a section: a table of this site's own lets in what the cluster
    needs."""

    virtual_ip: Ip | None = None
    """The address that clients use; it is on the active node. In the public network."""

    squid: Squid
    """The proxy."""

    log: Log = Log()
    """The access log."""

    mirror: Mirror | None = None
    """The replicated volume that holds the log."""

    rotation: Rotation | None = None
    """Rotation of the mirror's log; with a mirror it is daily unless said otherwise."""

    time: Time | None = None
    """Time synchronisation. Needed with a mirror; without this section the clocks are left alone."""

    timeouts: Timeouts = Timeouts()
    """How long each member of the service tree may take."""

    stickiness: Annotated[int, Field(ge=0, le=1_000_000)] = 1000
    """How strongly the service stays where it is when a failed node returns; 0: it may move back."""

    pacemaker: Pacemaker | None = None
    """What only the engine `pacemaker` knows. Needed with two nodes and this engine, ignored with another."""

    lifekeeper: LifeKeeper | None = None
    """What only the engine `lifekeeper` knows; ignored with another engine."""

    drill: Drill = Drill()
    """What a drill of the site holds it to (docs/drill.md). Changes nothing on the nodes."""

    alerts: Alerts | None = None
    """Whom to tell when something happens to the site. Without this section nobody."""

    hooks: Many[Hook] = ()
    """The site's own commands, run by pulumi-command after a deployment or before a destruction."""

    takeover: bool = False
    """Accept nodes that another stack owns, a foreign cluster, or a foreign configuration of Squid.

    That stack then changes nothing on them any more, unless it takes them over in turn, and its `pulumi destroy` is
    refused. Take it out again after the first `up`.
    """

    adopted: Adopted | None = None
    """What was found on nodes built by hand, and is left as it is (docs/adopt.md). Written by `squid-ha adopt`."""

    @property
    def phase(self) -> Phase:
        """1: a single node. 2: two nodes and a virtual IP. 3: and a mirror."""
        if self.mirror is not None:
            return 3
        return 2 if self.virtual_ip is not None else 1

    @property
    def prefix_length(self) -> int:
        """Length of the public network's prefix, which the virtual IP is set up with."""
        return network(self.network.public.subnet).prefixlen

    def node(self, name: str) -> Node:
        """The node called ``name``; `KeyError` if there is none."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(name)

    @model_validator(mode="before")
    @classmethod
    def _rotate_mirror(cls, value: object) -> object:
        return with_implied(cast("dict[str, object]", value)) if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _holds_together(self) -> Site:
        from declaration.rules import mistakes_of  # noqa: PLC0415 the rules are written in terms of this class

        found = mistakes_of(self)
        if found:
            raise ValueError("; ".join(f"{mistake.path}: {mistake.expected}" for mistake in found))
        return self
