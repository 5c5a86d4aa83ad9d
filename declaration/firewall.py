"""The firewall of the nodes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, cast

from pydantic import BeforeValidator

from declaration.addresses import Subnet
from declaration.types import Many, Port, Settings, Told, quoting_hint, wrong


class Opening(Settings):
    """A port of the nodes that something else than the cluster needs, such as monitoring."""

    port: Port
    """The port."""

    protocol: Literal["tcp", "udp"] = "tcp"
    """Of this protocol."""

    networks: Many[Subnet] = ()
    """Networks that may come in by it. Empty: everybody."""


class Firewall(Settings):
    """A table of nftables of this site's own that lets in what the cluster needs, and refuses the rest.

    Let in: SSH, Squid's ports from the clients' networks, the cluster's links and the mirror's port from the other
    node, pings and other ICMP, answers, and `openings`. Tables of others are left as they are and count as well.
    """

    ssh_ports: Many[Port] = ()
    """Ports that the nodes' SSH servers listen on, where these are not the ports that are connected to (a forwarded
    port). SSH is let in from everywhere."""

    openings: Many[Opening] = ()
    """What else is let in."""


def _firewall(value: object) -> object:
    """`unmanaged` is none, `nftables` is one with nothing further to say."""
    if value is None or isinstance(value, Firewall):
        return value
    if isinstance(value, Mapping):
        return cast("Mapping[str, object]", value)
    if value == "unmanaged":
        return None
    if value == "nftables":
        return Firewall()
    raise wrong(f"`unmanaged`, `nftables`, or a section with `openings`, `ssh_ports`{quoting_hint(value)}")


Managed = Annotated[
    Firewall | None,
    BeforeValidator(_firewall, json_schema_input_type=Firewall | Literal["unmanaged", "nftables"] | None),
    Told("`unmanaged`, `nftables`, or a section", default="unmanaged"),
]
"""A firewall, or None where it is not this program's business."""
