"""What of an engine concerns things that every site has: Squid's unit, its agent, the firewall, drills."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from blueprint import paths
from blueprint.render.nftables import Opening
from declaration.engines.lifekeeper import CUSTOMARY_PRIORITIES
from declaration.nodes import Node
from declaration.ports import MIRROR_PORTS, PATH_PORT
from declaration.probed import is_adopted
from declaration.site import Site

Openings = Callable[[Site, Node], Iterator[Opening]]

_FIRST_LINK = 5405
"""corosync.conf(5): with knet each link has a port of its own, from this one on."""


@dataclass(frozen=True)
class Traits:
    """An engine, as the parts that every site has see it. Each ``why_`` is a sentence, "" where it does not hold."""

    engine_in_node_state: str | None
    """What a node's state says of the engine; None is what the states of the first engine's sites have."""
    squid_stops_after: str
    """The engine's own unit if Squid is to outlive it at shutdown, else "".

    An engine that stops Squid by a plain ``systemctl stop`` must not be outlived: while its own unit is being stopped,
    that command would wait for the order that the command itself holds up.
    """
    agent_path: str
    """Where this program's OCF agent is put, if it looks after Squid."""
    why_public_loss_moves_nothing: Callable[[Site], str]
    """Where the active node loses the public network with its link still up."""
    why_frozen_disk_promises_nothing: Callable[[Site], str]
    """What nobody can state of a standby's disk that finishes no write; "" where it is cut off."""
    why_peer_may_lag: Callable[[Site], str]
    """The other node may lack what the mirror's filesystem has written; "" where each write waits for both nodes."""
    stays_setting: str
    """By which setting the service stays where it is when a node comes back."""
    mirror_device_type: str
    """Type of device (lsblk(8)) that the engine's mirror puts on its disk; "": the declared volume."""
    idle_half_signature: str
    """Signature (wipefs(8)) of a half that nothing uses; "": DRBD's metadata."""
    mirror_source: Callable[[Site], str]
    """The node whose disk a new mirror is made on, as it takes no smaller one beside it; "": the smaller one counts."""
    units: tuple[str, ...]
    """Those of systemd whose processes hold the engine's ports."""
    transient_unit_prefixes: tuple[str, ...]
    """How the names of such units begin that it makes itself (assumed)."""
    openings: Openings
    """What the other node must reach."""


def _no_pings(site: Site) -> str:
    if is_adopted(site, "squid"):
        return (
            "the service is adopted as it was found, so no rule of this program's moves it off a node without network"
        )
    if site.network.public.reachable:
        return ""
    return "no address is declared under network.public.reachable, so losing the network moves nothing"


def _no_broadcasts(site: Site) -> str:
    """LifeKeeper's own check of the address; it pings nothing that is declared."""
    if site.lifekeeper and site.lifekeeper.address and site.lifekeeper.address.broadcast_ping:
        return ""
    return "lifekeeper.address.broadcast_ping is not declared true, so losing the network moves nothing"


_DATAKEEPERS_OWN = "DataKeeper decides by itself what a disk does that finishes no write, and nobody has published it"


def _unknown_limits(site: Site) -> str:
    """DRBD's ko-count; 0 waits for ever."""
    if is_adopted(site, "mirror"):
        return "the mirror is adopted as it was found, and nothing looks at what its `ko-count` is"
    return ""


def _protocol(site: Site) -> str:
    """DRBD's protocol C, where the configuration is this program's."""
    if not is_adopted(site, "mirror"):
        return ""
    return (
        "the mirror is adopted as it was found, and nothing looks at its protocol: with DRBD's A or B a write counts as"
        " done before the other node has written it"
    )


def _asynchronous(site: Site) -> str:
    if site.lifekeeper is None or site.lifekeeper.replication.mode == "synchronous":
        return ""
    return (
        "with `lifekeeper.replication.mode: asynchronous` a write counts as done before the other node has it, and what"
        " it has not got when the active node is lost is missing, however long ago it was written"
    )


def _most_preferred(site: Site) -> str:
    ranks = site.lifekeeper.priorities if site.lifekeeper else CUSTOMARY_PRIORITIES
    return min(zip(ranks, site.nodes, strict=True), key=lambda each: each[0])[1].name


def _others(site: Site, node: Node) -> list[Node]:
    """The other nodes, those that are away too: one that comes back must get in."""
    return [each for each in site.nodes if each.name != node.name]


def _replication(site: Site, node: Node) -> tuple[tuple[str, ...], str]:
    """The other nodes' addresses in the replication network, and its interface; nothing where there is none."""
    if site.network.replication is None:
        return (), ""
    addresses = tuple(each.replication_address for each in _others(site, node) if each.replication_address)
    return addresses, site.network.replication.interface


def _corosync(site: Site, node: Node) -> Iterator[Opening]:
    public = tuple(each.address for each in _others(site, node))
    yield Opening("Corosync, from the other node", "udp", (_FIRST_LINK,), public, site.network.public.interface)
    others, interface = _replication(site, node)
    if others:
        yield Opening("Corosync, from the other node", "udp", (_FIRST_LINK + 1,), others, interface)
    if site.mirror is not None and interface:
        yield Opening("the mirror, from the other node", "tcp", (site.mirror.port,), others, interface)


def _lifekeeper(site: Site, node: Node) -> Iterator[Opening]:
    """Which of the ports is this site's mirror's is for DataKeeper to say: by how many mirrors the node has besides."""
    public = tuple(each.address for each in _others(site, node))
    yield Opening("LifeKeeper, from the other node", "tcp", (PATH_PORT,), public, site.network.public.interface)
    others, interface = _replication(site, node)
    if others:
        yield Opening("LifeKeeper, from the other node", "tcp", (PATH_PORT,), others, interface)
    if site.mirror is not None and interface:
        yield Opening("the mirror, from the other node", "tcp", MIRROR_PORTS, others, interface)


TRAITS: Mapping[str, Traits] = {
    "pacemaker": Traits(
        engine_in_node_state=None,
        squid_stops_after="pacemaker.service",
        agent_path=paths.AGENT,
        why_public_loss_moves_nothing=_no_pings,
        why_frozen_disk_promises_nothing=_unknown_limits,
        why_peer_may_lag=_protocol,
        stays_setting="`stickiness`",
        mirror_device_type="",
        idle_half_signature="",
        mirror_source=lambda _site: "",
        units=("corosync.service", "pacemaker.service"),
        transient_unit_prefixes=(),
        openings=_corosync,
    ),
    "lifekeeper": Traits(
        engine_in_node_state="lifekeeper",
        squid_stops_after="",
        agent_path=f"{paths.PROGRAM_DIRECTORY}/squid-agent",
        why_public_loss_moves_nothing=_no_broadcasts,
        why_frozen_disk_promises_nothing=lambda _site: _DATAKEEPERS_OWN,
        why_peer_may_lag=_asynchronous,
        stays_setting="`lifekeeper.switchback`, the switchback type of the resources",
        mirror_device_type="raid1",
        idle_half_signature="linux_raid_member",
        mirror_source=_most_preferred,
        units=("lifekeeper.service",),
        transient_unit_prefixes=("lifekeeper-",),
        openings=_lifekeeper,
    ),
}


def traits(site: Site) -> Traits:
    """Those of the engine that a site names."""
    return TRAITS[site.engine]
