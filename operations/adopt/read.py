"""Reading nodes for adoption: one batch per node, and nothing that changes anything."""

from __future__ import annotations

from pydantic import BaseModel, TypeAdapter, ValidationError

from blueprint import paths
from blueprint.platforms import PLATFORMS
from operations.adopt.engines import ENGINES
from operations.adopt.model import NodeFacts
from operations.silence import heard
from providers.connection.answers import not_understood
from providers.connection.cluster import Cluster, Node
from providers.connection.command import command
from providers.connection.errors import all_silent
from providers.connection.files import files_command, parse_files
from providers.host import facts
from providers.host.systemd import parse_units, units_command

_ROUTES = command("ip", "-json", "route", "show", "default", ok=None, reads=True)
_UNITS = ("corosync.service", "pacemaker.service", "lifekeeper.service")


def _files() -> list[str]:
    """Every file that some platform or engine keeps something in."""
    found = [paths.ROTATION_CONFIGURATION, paths.FIREWALL]
    for platform in PLATFORMS.values():
        found += [platform.squid_configuration, *(each.configuration for each in platform.time_services.values())]
    return list(dict.fromkeys([*found, *(path for engine in ENGINES.values() for path in engine.FILES)]))


def _units() -> list[str]:
    found = (name for each in PLATFORMS.values() for name in (*each.clock_units, each.squid_unit))
    return list(dict.fromkeys([*_UNITS, *found]))


async def read(cluster: Cluster, reached: dict[str, tuple[str, int]]) -> list[NodeFacts]:
    """All nodes at once; ``reached``: node → host and port that it was reached by.

    Raises `HostError`, of all nodes that tell nothing in one.
    """
    found, silent = await heard(cluster, lambda node: _one(node, *reached[node.name]))
    if silent:
        raise all_silent([*silent.values()])
    return [*found.values()]


async def _one(node: Node, host: str, port: int) -> NodeFacts:
    files, units = _files(), _units()
    asked = {name: each for engine in ENGINES.values() for name, each in engine.COMMANDS.items()}
    fixed = [facts.OS_RELEASE, facts.HOSTNAME, facts.ADDRESSES, _ROUTES, units_command(units), files_command(files)]
    results = await node.batch([*fixed, *asked.values()])
    release, hostname, links, routes, states, content = results[: len(fixed)]
    there = {path: each.content.decode(errors="replace") for path, each in parse_files(content.stdout, files).items()
             if each.kind == "file"}  # fmt: skip
    return NodeFacts(
        name=node.name,
        platform=facts.parse_platform(release.stdout),
        hostname=hostname.stdout.strip(),
        addresses=_addresses(links.stdout),
        gateway=parse_gateway(routes.stdout),
        files=there,
        answers=dict(zip(asked, results[len(fixed) :], strict=True)),
        active=frozenset(name for name, unit in parse_units(states.stdout, units).items() if unit.state == "active"),
        connect_to=host,
        port=port,
    )


def _addresses(text: str) -> dict[str, dict[str, int]]:
    """Interface → its addresses, those left out that count on its link alone, with the lengths of their prefixes."""
    found: dict[str, dict[str, int]] = {name: {} for name in facts.parse_addresses(text)}
    for each in facts.parse_prefixes(text):
        if each.scope != "link":
            found[each.interface][each.text] = each.prefix
    return found


class _Route(BaseModel):
    dev: str = ""
    gateway: str = ""


_DEFAULTS = TypeAdapter(list[_Route])


def parse_gateway(text: str) -> tuple[str, str]:
    """Interface and address of the first default route, both '' where there is none.

    Raises `Unknown` for what `ip -json route show` does not print.
    """
    try:
        routes = _DEFAULTS.validate_json(text) if text.strip() else []
    except ValidationError as error:
        raise not_understood("what `ip` says of the routes") from error
    return (routes[0].dev, routes[0].gateway) if routes else ("", "")
