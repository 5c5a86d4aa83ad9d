"""The running Squid reads its files, and must then serve with them: its ports, an answer, records in its logs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from providers.connection.cluster import Cluster, Node
from providers.connection.errors import HostError, NotVerified, Unknown
from providers.host.systemd import act
from providers.squid import admission, conf, probe, reading, served
from providers.squid.includes import Included
from providers.squid.rollback import Serving
from providers.squid.wanted import Wanted


class NotOpened(NotVerified):
    """A port that only included files name is not open."""


class NotSeen(Unknown):
    """A node whose Squid was not made to read anything could not be asked: no reason to take back what serves."""


async def load(cluster: Cluster, wanted: Wanted, serving: Sequence[Serving], included: Mapping[str, Included]) -> None:
    """Have the running Squid read its files, and see it serve. A Squid that the units just started is looked at too.

    ``included``: without nodes whose Squid was not made to read what is included. Raises `NotVerified`; and `NotSeen`
    where all of ``serving`` do, and of another node nobody can tell.
    """
    for one in serving:
        how = "starts anew: it does not take this while it runs" if one.restart else "reads its configuration"
        cluster.progress(f"{one.node.name}: Squid {how}")
        await act(one.node, one.act, wanted.unit)
    before = {one.node.name: one.listeners for one in serving}
    for name in await reading.active(cluster, wanted, list(before)):
        await _serves(cluster.node(name), wanted, included, not_by=before[name])
    lost = set(before) - set(await reading.active(cluster, wanted, list(before)))
    if lost:
        raise NotVerified(f"{wanted.unit} ended when it read its configuration", node=min(lost))
    await _look_at_others(cluster, wanted, list(before), included)


async def _look_at_others(
    cluster: Cluster, wanted: Wanted, serving: Sequence[str], included: Mapping[str, Included]
) -> None:
    """Where Squid runs besides ``serving`` it must serve too; a node that cannot be asked says nothing against it."""
    where = f", and Squid serves with it on {', '.join(serving)}" if serving else ""

    async def look(node: Node) -> None:
        try:
            if await reading.active(cluster, wanted, [node.name]):
                await _serves(node, wanted, included)
        except NotVerified:
            raise
        except HostError as error:
            raise NotSeen(
                f"{error.message}; the new configuration stays on all nodes{where}",
                node=node.name,
                remedy=f"see that {node.name} answers, and run again",
            ) from error

    await cluster.each(look, [name for name in wanted.nodes if name not in serving])


async def _serves(node: Node, wanted: Wanted, included: Mapping[str, Included], not_by: str = "") -> None:
    answer = await probe.serves(node, wanted.port, wanted.probe_url, not_by=not_by)
    if answer.problem:
        raise NotVerified(f"Squid does not serve on port {wanted.port}: {answer.problem}", node=node.name)
    await _look(node, wanted, included.get(node.name, Included()))


async def _look(node: Node, wanted: Wanted, included: Included) -> None:
    """All ports, and a record of a request in each log that must have one. Raises `NotVerified`."""
    text = admission.text_of(wanted.nodes[node.name])
    own = conf.endpoints(conf.directives(text))
    ports = await served.missing_ports(node, [*own, *included.endpoints])
    if ports:
        kind = NotVerified if {str(each) for each in own}.intersection(ports) else NotOpened
        raise kind(f"Squid does not listen on {', '.join(ports)}", node=node.name)
    logs = await served.missing_records(node, wanted.port, conf.request_logs(text))
    if logs:
        raise NotVerified(f"Squid served a request and left no record of it in {', '.join(logs)}", node=node.name)
