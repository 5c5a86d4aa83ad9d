"""LifeKeeper on the nodes and its communication paths: what must stand before the first resource is made."""

from __future__ import annotations

from collections.abc import Sequence

from blueprint import names
from blueprint.nodes import present
from blueprint.parts import ENGINE
from blueprint.thing import Thing
from declaration.engines.lifekeeper import CommunicationPath, LifeKeeper
from declaration.nodes import Node
from declaration.quantities import Duration
from declaration.site import Site
from providers.kinds import load_kind
from providers.lifekeeper import node
from providers.lifekeeper import paths as path_kind
from providers.lifekeeper.speaking import Line, assumed_of


def section(site: Site) -> LifeKeeper:
    """The engine's own section; without one, what the wizards propose."""
    return site.lifekeeper or LifeKeeper()


def lines_of(thing: Thing) -> list[Line]:
    """What would be said for this thing on fresh nodes; nothing for a kind that is not LifeKeeper's."""
    spoken = getattr(load_kind(thing.kind), "lines", None)
    return spoken(thing.inputs) if spoken else []


def thing(site: Site, others: Sequence[Thing]) -> Thing:
    """The product; it is asked first whether it takes those lines of the ``others`` that nobody has seen."""
    declared = section(site)
    given = declared.license
    settings = dict(sorted(_settings(declared).items()))
    inputs = node.Wanted(
        nodes={name: node.NodeLifeKeeper(settings=dict(settings)) for name in present(site)},
        media=declared.media,
        license_file=given.file if given else None,
        license_secret=given.secret.secret if given and given.secret else None,
        assumed=assumed_of([line for other in others for line in lines_of(other)]),
    )
    return Thing(
        names.LIFEKEEPER,
        "lifekeeper.node",
        inputs,
        ENGINE,
        (names.PACKAGES, names.NAMES, names.TIME, names.FIREWALL),
    )


def _settings(declared: LifeKeeper) -> dict[str, str]:
    confirmation = declared.failover_confirmation
    numbers = {
        "IP_PINGTRIES": declared.address.ping_tries,
        "IP_PINGTIME": _seconds(declared.address.ping_time),
        "IP_QUICKCHECK_TIMEOUT": _seconds(declared.address.check_timeout),
        "LKCHECKINTERVAL": _seconds(declared.check_interval),
        "LKDR_SPEED_LIMIT": declared.replication.speed_limit,
        "LKDR_SPEED_LIMIT_MIN": declared.replication.speed_limit_min,
        "CONFIRMSOTO": _seconds(confirmation.wait),
    }
    made = {key: str(number) for key, number in numbers.items() if number is not None}
    if declared.address.broadcast_ping is not None:
        made["NOBCASTPING"] = "0" if declared.address.broadcast_ping else "1"
    if declared.address.link_check is not None:
        made["IP_NOLINKCHECK"] = "0" if declared.address.link_check else "1"
    if confirmation.unanswered is not None:
        made["CONFIRMSODEF"] = "1" if confirmation.unanswered == "block" else "0"
    if declared.heartbeat is not None:
        made["LCMHBEATTIME"] = str(declared.heartbeat.interval.whole_seconds)
        made["LCMNUMHBEATS"] = str(declared.heartbeat.misses)
    if declared.quorum is not None:
        # The modes that are not offered ask a third LifeKeeper node, or a store that both nodes share.
        made["QUORUM_MODE"] = "tcp_remote"
        made["QUORUM_HOSTS"] = ",".join(f"{each.host}:{each.port}" for each in declared.quorum.hosts)
        made["QUORUM_LOSS_ACTION"] = declared.quorum.on_loss
        made["QUORUM_TIMEOUT_SECS"] = str(declared.quorum.timeout.whole_seconds)
        made["WITNESS_MODE"] = "none"
    return made


def _seconds(given: Duration | None) -> int | None:
    return None if given is None else given.whole_seconds


def paths(site: Site) -> Thing:
    """Each declared path, seen from each node that is not away."""
    declared = section(site)
    nodes: dict[str, path_kind.NodePaths] = {}
    for each in site.nodes:
        peer = next(other for other in site.nodes if other.name != each.name)
        if not each.away:
            sides = {
                f"{_address(each, path)}/{_address(peer, path)}": path_kind.Side(
                    priority=str(path.priority or place), alive="away" if peer.away else "yes"
                )
                for place, path in enumerate(_paths(site, declared), 1)
            }
            nodes[each.name] = path_kind.NodePaths(peer=peer.name, sides=dict(sides))
    inputs = path_kind.Wanted(nodes=nodes, route=declared.prefer)
    return Thing(names.PATHS, "lifekeeper.paths", inputs, ENGINE, (names.LIFEKEEPER,))


def _paths(site: Site, declared: LifeKeeper) -> tuple[CommunicationPath, ...]:
    if declared.paths:
        return declared.paths
    replication = (CommunicationPath(network="replication"),) if site.network.replication else ()
    return (*replication, CommunicationPath(network="public"))


def _address(node: Node, path: CommunicationPath) -> str:
    address = node.address if path.network == "public" else node.replication_address
    return str(address)
