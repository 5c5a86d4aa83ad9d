"""Membership, fencing and options: what must stand before the first resource may start."""

from __future__ import annotations

from blueprint import names, paths
from blueprint.nodes import present
from blueprint.parts import ENGINE
from blueprint.platforms import PLATFORMS
from blueprint.thing import Thing
from declaration.engines.pacemaker import Pacemaker, Sbd
from declaration.site import Site
from providers.host.settings import FileState, NodeSettings, UnitState
from providers.pacemaker import corosync_conf, member, membership, options, sbd, sbd_conf
from providers.pacemaker.model import Operation, Primitive, keyed

_COROSYNC = "/etc/corosync/corosync.conf"
_SBD_WAITS = f"{paths.UNIT_DIRECTORY}/sbd.service.d/squid-ha.conf"


def sbd_of(site: Site) -> Sbd | None:
    """The site's SBD, or None where the absence of fencing was declared."""
    return section(site).fencing.sbd


def section(site: Site) -> Pacemaker:
    """The engine's own section; the declaration refuses a cluster without it."""
    if site.pacemaker is None:
        raise ValueError("the engine pacemaker needs its section `pacemaker`")
    return site.pacemaker


def things(site: Site, owner: str) -> list[Thing]:
    """SBD before membership, because Corosync's start starts it; the fencing resource before the options, because
    Pacemaker refuses to start anything while fencing is on and no device is known."""
    made: list[Thing] = []
    device = sbd_of(site)
    if device:
        made.append(_sbd(site, device))
    made.append(_membership(site, owner, after=tuple(thing.name for thing in made)))
    if device:
        made.append(_fencing(device))
    made.append(_options(site, section(site), after=made[-1].name))
    return made


def _sbd(site: Site, device: Sbd) -> Thing:
    watchdog, message = round(device.watchdog_timeout.seconds), round(device.message_timeout.seconds)
    delay = section(site).longest_fencing
    conf = sbd_conf.SbdConf(device.device, device.watchdog, watchdog, delay)
    texts = {PLATFORMS[site.platform].sbd_defaults: sbd_conf.render(conf), _SBD_WAITS: sbd_conf.patience(delay)}
    settings = NodeSettings(
        files={path: FileState(content=text, mode="0644", owner="root:root") for path, text in texts.items() if text},
        units={"sbd.service": UnitState(enabled="enabled")},
    )
    inputs = sbd.Wanted(
        device=device.device,
        watchdog_timeout=str(watchdog),
        message_timeout=str(message),
        nodes=dict.fromkeys(present(site), settings),
    )
    return Thing(names.SBD, "pacemaker.sbd", inputs, ENGINE, (names.PACKAGES,))


def _membership(site: Site, owner: str, after: tuple[str, ...]) -> Thing:
    name = owner.rsplit("/", 1)[-1]
    settings = NodeSettings(
        files={_COROSYNC: FileState(content=_corosync(site, name), mode="0644", owner="root:root")},
        units={
            unit: UnitState(enabled="enabled", active="active") for unit in ("corosync.service", "pacemaker.service")
        },
    )
    inputs = membership.Wanted(
        name=name, nodes={node: membership.NodeMembership(settings=settings) for node in present(site)}
    )
    # A node that joins a cluster with resources, as a new one in an old one's place does, is asked at once what of them
    # runs there: an agent or a mirror's configuration that is not there yet would bar it from the service.
    asked = (names.SQUID_AGENT, names.MIRROR, names.FILESYSTEM)
    needs = (names.PACKAGES, names.NAMES, names.TIME, names.FIREWALL, *asked, *after)
    return Thing(names.MEMBERSHIP, "pacemaker.membership", inputs, ENGINE, needs)


def _corosync(site: Site, name: str) -> str:
    nodes = [
        corosync_conf.CorosyncNode(
            name=node.name,
            nodeid=index,
            links=[link for link in (node.address, node.replication_address) if link],
        )
        for index, node in enumerate(site.nodes, start=1)
    ]
    token = round(section(site).token.seconds * 1000)
    return corosync_conf.render(corosync_conf.CorosyncConf(cluster_name=name, token=token, nodes=nodes))


def _fencing(device: Sbd) -> Thing:
    fencing = Primitive(
        id="fencing",
        agent=sbd.AGENT,
        parameters={"sbd_device": device.device},
        operations=keyed(
            Operation(name="start", timeout="60s"),
            Operation(name="monitor", interval="60s", timeout="60s"),
        ),
    )
    # Both named: where fencing is declared otherwise the membership stays, and SBD has to go after what fences by it.
    after = (names.SBD, names.MEMBERSHIP)
    return Thing(names.FENCING, "pacemaker.member", member.Wanted(primitive=fencing), ENGINE, after)


def _options(site: Site, declared: Pacemaker, after: str) -> Thing:
    device = sbd_of(site)
    properties: dict[str, str | None] = {
        "no-quorum-policy": "stop",
        "stonith-enabled": "true" if device else "false",
        "start-failure-is-fatal": "false",
    }
    if device:
        properties["stonith-timeout"] = f"{round(declared.stonith_timeout.seconds)}s"
        properties["priority-fencing-delay"] = f"{round(declared.priority_fencing_delay.seconds)}s"
    inputs = options.Wanted(
        properties=properties,
        resource_defaults={
            "resource-stickiness": str(site.stickiness),
            "migration-threshold": "3",
            "failure-timeout": "10min",
        },
        operation_defaults={"timeout": "120s"},
    )
    return Thing(names.OPTIONS, "pacemaker.options", inputs, ENGINE, (after,))
