"""What of an engine concerns things that every site has: Squid's unit, its agent, the firewall, reserved ports."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from blueprint import paths
from blueprint.render.nftables import Opening
from declaration.engines.lifekeeper import CUSTOMARY_PRIORITIES
from declaration.nodes import Node
from declaration.ports import MIRROR_PORTS, PATH_PORT, owners
from declaration.probed import is_adopted, is_probed
from declaration.site import Site

Openings = Callable[[Site, Node], Iterator[Opening]]

_FIRST_LINK = 5405
"""corosync.conf(5): with knet each link has a port of its own, from this one on."""


@dataclass(frozen=True)
class Traits:
    """``noted``: what a node's state says of the engine; None is what the states of the first engine's sites have.
    ``outlived`` is the engine's own unit if Squid is to outlive it at shutdown; ``agent``: this program's OCF agent
    runs Squid, and asks it for pages; ``agent_path``: where it is put then.

    An engine that stops Squid by a plain ``systemctl stop`` must not be outlived: while its own unit is being stopped,
    that command would wait for the order that the command itself holds up.

    ``unwatched`` says why nothing moves where the active node loses the public network with its link still up; ""
    if the service does. ``frozen`` says why nothing is stated of a standby's disk that finishes no write; "" where
    it is cut off. ``lags`` says why the other node may lack what the mirror's filesystem has written; "" where each
    write waits for both nodes. ``stays`` names the setting by which the service stays where it is when a node comes
    back. ``sits`` is the type of device (lsblk(8)) that the engine's mirror puts on its disk;
    "": the declared volume. ``idle`` is the signature (wipefs(8)) of a half that nothing uses; "": DRBD's metadata.
    ``source`` names the node whose disk a new mirror is made on, as it takes no smaller one beside it; "" where the
    smaller of both counts.
    ``units`` are those of systemd whose processes hold the engine's ports, ``made`` how the names of such begin
    that it makes itself (assumed). ``openings`` are what the other node must reach, ``ports`` those that nobody
    else may listen on, and whose they are.
    """

    noted: str | None
    outlived: str
    agent: Callable[[Site], bool]
    agent_path: str
    unwatched: Callable[[Site], str]
    frozen: Callable[[Site], str]
    lags: Callable[[Site], str]
    stays: str
    sits: str
    idle: str
    source: Callable[[Site], str]
    units: tuple[str, ...]
    made: tuple[str, ...]
    openings: Openings
    ports: Mapping[int, str]


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
        noted=None,
        outlived="pacemaker.service",
        agent=is_probed,
        agent_path=paths.AGENT,
        unwatched=_no_pings,
        frozen=_unknown_limits,
        lags=_protocol,
        stays="`stickiness`",
        sits="",
        idle="",
        source=lambda _site: "",
        units=("corosync.service", "pacemaker.service"),
        made=(),
        openings=_corosync,
        ports=owners("pacemaker"),
    ),
    "lifekeeper": Traits(
        noted="lifekeeper",
        outlived="",
        agent=is_probed,
        agent_path=f"{paths.PROGRAM_DIRECTORY}/squid-agent",
        unwatched=_no_broadcasts,
        frozen=lambda _site: _DATAKEEPERS_OWN,
        lags=_asynchronous,
        stays="`lifekeeper.switchback`, the switchback type of the resources",
        sits="raid1",
        idle="linux_raid_member",
        source=_most_preferred,
        units=("lifekeeper.service",),
        made=("lifekeeper-",),
        openings=_lifekeeper,
        ports=owners("lifekeeper"),
    ),
}


def traits(site: Site) -> Traits:
    """Those of the engine that a site names."""
    return TRAITS[site.engine]
