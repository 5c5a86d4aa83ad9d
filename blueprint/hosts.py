"""The hosts' own things: nodes claimed, packages, names, time."""

from __future__ import annotations

from blueprint import firewall, names
from blueprint.nodes import present
from blueprint.parts import HOSTS
from blueprint.platforms import PLATFORMS, Platform, TimeService
from blueprint.render import chrony_conf, ntpsec_conf
from blueprint.thing import Thing
from blueprint.traits import traits
from declaration.nodes import Node
from declaration.site import Site
from declaration.time import Time
from providers.host import clocks, node, packages, phases, time
from providers.host import names as name_kind
from providers.host.settings import FileState, NodeSettings, UnitState

_PHASES: dict[int, phases.Phase] = {1: "1", 2: "2", 3: "3"}


def things(site: Site, owner: str, engine_packages: tuple[str, ...]) -> list[Thing]:
    """Nodes first; everything else of the site comes after them."""
    platform = PLATFORMS[site.platform]
    nodes = _nodes(site, owner)
    claimed = tuple(thing.name for thing in nodes)
    made = [*nodes, _packages(site, platform, (*engine_packages, *firewall.packages(site)), claimed)]
    opened = firewall.things(site)
    made += opened
    if site.time is not None:
        made.append(_time(site, site.time, owner, platform))
    if len(site.nodes) > 1:
        # What crosses the network comes after the names, and so after the firewall that lets it in.
        made.append(_names(site, (*claimed, *(thing.name for thing in opened))))
    return made


def _nodes(site: Site, owner: str) -> list[Thing]:
    return [
        Thing(
            role,
            "host.node",
            node.Wanted(
                node=declared.name,
                platform=site.platform,
                hostname=declared.name,
                owner=owner,
                interfaces=_interfaces(site, declared),
                phase=_PHASES[site.phase],
                away="yes" if declared.away else None,
                engine=None if site.virtual_ip is None else traits(site).engine_in_node_state,
                squid_configuration=_unusual(PLATFORMS[site.platform].squid_configuration),
            ),
            HOSTS,
        )
        for role, declared in zip(names.NODES, site.nodes, strict=False)
    ]


def _unusual(configuration: str) -> str | None:
    """None for what a state that names none means: named there, it would be a difference on every deployed site."""
    return None if configuration == node.SQUID_CONFIGURATION else configuration


def _interfaces(site: Site, node: Node) -> dict[str, str]:
    borne = {site.network.public.interface: node.address}
    if site.network.replication is not None and node.replication_address is not None:
        borne[site.network.replication.interface] = node.replication_address
    return borne


def _packages(site: Site, platform: Platform, engine: tuple[str, ...], after: tuple[str, ...]) -> Thing:
    service = _service(site, platform)
    wanted = dict.fromkeys(
        (*platform.squid_packages, *(service.packages if service else ()), *platform.rotation_packages, *engine),
        "installed",
    )
    started = service.unit if service else ""
    quiet = [*platform.quiet_units, *([started] if started not in ("", *platform.quiet_units) else [])]
    inputs = packages.Wanted(nodes={name: dict(wanted) for name in present(site)}, quiet_units=quiet)
    return Thing(names.PACKAGES, "host.packages", inputs, HOSTS, after)


def _service(site: Site, platform: Platform) -> TimeService | None:
    """The time service that is ours to install; None where there is none or another one is left as it is."""
    if site.time is None or site.time.service == "existing":
        return None
    return platform.time_services[site.time.service]


def _names(site: Site, after: tuple[str, ...]) -> Thing:
    lines = [f"{declared.address} {declared.name}" for declared in site.nodes]
    inputs = name_kind.Wanted(nodes=dict.fromkeys(present(site), lines))
    return Thing(names.NAMES, "host.names", inputs, HOSTS, after)


def _time(site: Site, declared: Time, owner: str, platform: Platform) -> Thing:
    service = _service(site, platform)
    settings = _time_settings(declared, owner, service) if service else NodeSettings()
    inputs = time.Wanted(
        nodes={name: time.NodeTime(settings=settings) for name in present(site)},
        max_offset=f"{declared.max_offset.seconds:g}",
        wait=f"{declared.wait.seconds:g}",
        service=declared.service,
        clock_units=None if platform.clock_units == clocks.UNITS else dict(platform.clock_units),
    )
    return Thing(names.TIME, "host.time", inputs, HOSTS, (names.PACKAGES,))


def _time_settings(declared: Time, owner: str, service: TimeService) -> NodeSettings:
    render = {"chrony": chrony_conf.render, "ntpsec": ntpsec_conf.render}[declared.service]
    texts = {service.configuration: render(owner, service, declared.servers, declared.minimum_sources, declared.pools)}
    if service.defaults:
        texts[service.defaults] = ntpsec_conf.defaults(owner)
    return NodeSettings(
        files={path: FileState(content=text, mode="0644", owner="root:root") for path, text in texts.items()},
        units={service.unit: UnitState(enabled="enabled", active="active", restart_on=list(texts))},
    )
