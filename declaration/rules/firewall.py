"""The firewall: nothing twice, and nothing opened to everybody that is opened to the other node already."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from declaration.errors import Mistake
from declaration.ports import ENGINE_PORTS
from declaration.rules.registry import rule
from declaration.rules.repeats import repeated

if TYPE_CHECKING:
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
    taken = {
        (each.protocol, number): f"{each.owner} has this one, which nobody but the other node needs"
        for each in ENGINE_PORTS[site.engine]
        if not each.for_people
        for number in each.numbers
    }
    if site.mirror is not None:
        taken["tcp", site.mirror.port] = "this one is opened for the mirror, to the other node only"
    for port in (site.squid.port, *site.squid.more_ports):
        taken["tcp", port] = "this one is opened for Squid, to its clients' networks"
    for index, opening in enumerate(site.firewall.openings if site.firewall else ()):
        whose = taken.get((opening.protocol, opening.port))
        if whose is not None:
            yield Mistake(f"firewall.openings[{index}].port", str(opening.port), f"another port: {whose}")
