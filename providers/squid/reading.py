"""What a look at the nodes tells of Squid: where it runs, and what became of the files that squid.conf includes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from providers.connection.cluster import Cluster, Node
from providers.connection.together import both
from providers.host.systemd import read_units
from providers.squid import accepted, admission, conf, includes
from providers.squid.includes import Included
from providers.squid.wanted import Wanted


async def active(cluster: Cluster, wanted: Wanted, names: Sequence[str] | None = None) -> list[str]:
    """The nodes, or those of them that are named, on which Squid runs."""
    asked = list(wanted.nodes) if names is None else names
    units = await cluster.each(lambda node: read_units(node, [wanted.unit]), asked)
    return [name for name, found in units.items() if found[wanted.unit].state == "active"]


async def included(cluster: Cluster, wanted: Wanted) -> dict[str, str]:
    """What became of the included files since they were accepted; without nodes of which that is not recorded.

    As they were included then: what is declared otherwise by now, or was changed in squid.conf, shows there.
    """
    names = [name for name in wanted.included if name in wanted.nodes]
    seen = await cluster.each(lambda node: _accepted_and_found(cluster, node, wanted), names)
    made: dict[str, str] = {}
    for name, (entries, record, its) in seen.items():
        text = admission.text_of(wanted.nodes[name])
        refused = includes.refusal(text, its, reserved=wanted.reserved, may_be_open=wanted.may_be_open)
        word = accepted.became(record, its, refused, new=not entries)
        if word is not None:
            made[name] = word
    return made


async def _accepted_and_found(
    cluster: Cluster, node: Node, wanted: Wanted
) -> tuple[Mapping[str, str], accepted.Accepted | None, Included]:
    """The journal, what was accepted out of it, and the files; mostly in one moment, so in one round trip."""
    patterns = conf.includes(admission.text_of(wanted.nodes[node.name]))
    entries, found = await both(cluster.journal(node).entries(), includes.read(node, patterns))
    record = accepted.recorded(entries)
    if record is not None and list(record.patterns) != patterns:
        found = await includes.read(node, record.patterns)
    return entries, record, found
