"""Which parts a site may have together: this is what makes its phase."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from declaration.errors import Mistake
from declaration.rules.registry import rule

if TYPE_CHECKING:
    from declaration.site import Site

_PAIR = 2


@rule("nodes", "virtual_ip")
def pair_has_address(site: Site) -> Iterator[Mistake]:
    """A pair without a virtual IP has nothing that could move; a single node has nowhere to move it."""
    if len(site.nodes) == _PAIR and site.virtual_ip is None:
        yield Mistake("virtual_ip", None, "the address that clients use, because there are two nodes")
    if len(site.nodes) < _PAIR and site.virtual_ip is not None:
        yield Mistake(
            "virtual_ip", site.virtual_ip, "no virtual IP with a single node; declare a second one under `nodes`"
        )


@rule("nodes", "mirror")
def mirror_needs_pair(site: Site) -> Iterator[Mistake]:
    """A mirror has two ends."""
    if site.mirror is not None and len(site.nodes) < _PAIR:
        yield Mistake("mirror", site.mirror.device, "no mirror with a single node; declare a second one under `nodes`")


@rule("nodes", "mirror")
def disks_have_mirror(site: Site) -> Iterator[Mistake]:
    """A disk is taken for the mirror only where one is declared."""
    for index, node in enumerate(site.nodes):
        if node.mirror_device is not None and site.mirror is None:
            yield Mistake(
                f"nodes[{index}].mirror_device", node.mirror_device, "no disk without a mirror; declare one as `mirror`"
            )


@rule("network", "mirror")
def mirror_needs_network(site: Site) -> Iterator[Mistake]:
    """The mirror has a network of its own."""
    if site.mirror is not None and site.network.replication is None:
        yield Mistake(
            "network.replication", None, "the network between the nodes (interface, subnet), because there is a mirror"
        )


@rule("mirror", "rotation")
def rotation_needs_mirror(site: Site) -> Iterator[Mistake]:
    """Without a mirror only the distribution's rotation runs."""
    if site.rotation is not None and site.mirror is None:
        yield Mistake(
            "rotation", site.rotation.schedule, "no such section without a mirror; local logs keep their own rotation"
        )


@rule("mirror", "time")
def mirror_needs_time(site: Site) -> Iterator[Mistake]:
    """A log that goes on across a switchover needs clocks that agree."""
    if site.mirror is not None and site.time is None:
        yield Mistake("time", None, "time synchronisation (`servers: [...]`), because both nodes write one log")


@rule("nodes", "engine", "pacemaker")
def engine_needs_pair(site: Site) -> Iterator[Mistake]:
    """The engine's own section belongs to a pair, and a pair needs it."""
    if len(site.nodes) == _PAIR and site.engine == "pacemaker" and site.pacemaker is None:
        yield Mistake("pacemaker", None, "the engine's section with its `fencing`, because there are two nodes")
    if len(site.nodes) < _PAIR and site.pacemaker is not None:
        yield Mistake("pacemaker", "a section", "no such section with a single node, where no engine runs")


@rule("nodes", "lifekeeper")
def lifekeeper_needs_pair(site: Site) -> Iterator[Mistake]:
    """Where no engine runs, none has settings."""
    if len(site.nodes) < _PAIR and site.lifekeeper is not None:
        yield Mistake("lifekeeper", "a section", "no such section with a single node, where no engine runs")


@rule("nodes", "mirror", "timeouts")
def timeouts_have_members(site: Site) -> Iterator[Mistake]:
    """A limit for what is not there would be without effect."""
    given = site.timeouts.model_fields_set
    members = {"squid", "address"} if len(site.nodes) == _PAIR else set[str]()
    if site.mirror is not None:
        members |= {"mirror", "filesystem"}
    for member in sorted(given - members):
        yield Mistake(
            f"timeouts.{member}", "a section", f"no limits for the {member}: the engine does not run one here"
        )


@rule("nodes")
def one_stays(site: Site) -> Iterator[Mistake]:
    """Somebody has to serve."""
    if all(node.away for node in site.nodes):
        for index in range(len(site.nodes)):
            yield Mistake(f"nodes[{index}].away", "true", "at least one node that is not away")
