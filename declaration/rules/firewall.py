"""The firewall: nothing twice, and nothing opened to everybody that is opened to the other node already."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from declaration.errors import Mistake
from declaration.ports import ENGINE_PORTS, Ports
from declaration.rules.registry import rule
from declaration.rules.repeats import repeated

if TYPE_CHECKING:
    from declaration.firewall import Opening
    from declaration.site import Site


@rule("firewall")
def firewall_has_no_repeats(site: Site) -> Iterator[Mistake]:
    """What stands twice is a slip."""
    if site.firewall is None:
        return
    yield from repeated("firewall.ssh_ports", site.firewall.ssh_ports, what="port")
    seen: set[tuple[str, int]] = set()
    for index, opening in enumerate(site.firewall.openings):
        if (opening.protocol, opening.port) in seen:
            yield Mistake(
                f"firewall.openings[{index}].port", str(opening.port), "each port once, with all of its `networks`"
            )
        seen.add((opening.protocol, opening.port))
        yield from repeated(f"firewall.openings[{index}].networks", opening.networks, what="network")


@rule("firewall", "squid", "mirror", "engine")
def openings_are_for_others(site: Site) -> Iterator[Mistake]:
    """The cluster's own ports are opened to those who need them, and to nobody else."""
    engine = {(each.protocol, number): each for each in ENGINE_PORTS[site.engine] for number in each.numbers}
    taken: dict[tuple[str, int], str] = {}
    if site.mirror is not None:
        taken["tcp", site.mirror.port] = "another port: this one is opened for the mirror, to the other node only"
    for port in (site.squid.port, *site.squid.more_ports):
        taken["tcp", port] = "another port: this one is opened for Squid, to its clients' networks"
    for index, opening in enumerate(site.firewall.openings if site.firewall else ()):
        port = (opening.protocol, opening.port)
        expected = taken.get(port) or (_engines(engine[port], opening) if port in engine else "")
        if expected:
            yield Mistake(f"firewall.openings[{index}].port", str(opening.port), expected)


def _engines(ports: Ports, opening: Opening) -> str:
    """What is expected instead of opening a port of the engine's; empty where it may be opened as it says."""
    if ports.others == "none":
        return f"another port: {ports.owner} has this one, which nobody but the other node needs"
    if ports.others == "named" and not opening.networks:
        return f"with `networks`, or another port: {ports.owner} has this one, which is for its own nodes alone"
    return ""
