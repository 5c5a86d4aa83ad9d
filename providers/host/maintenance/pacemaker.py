"""Pacemaker's maintenance mode around package changes: what an upgrade restarts runs on, or is found again, unmoved.

In maintenance mode Pacemaker starts, stops and moves nothing, and a Pacemaker or Corosync that a package's own script
restarts finds its services running and fails nothing over. It is left again when every node and every node attribute is
back: earlier the service would go to the node where they came back first. What it was before is in the journals of all
nodes of the cluster from before it is entered until after it is left, with one value: any of them may be away, or be
replaced, when it is left.

Facts: crm_attribute(8), crm_mon(8).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

from providers.connection.cluster import Cluster, Node
from providers.connection.command import command, script
from providers.connection.errors import TimedOut
from providers.host.maintenance.pause import Leave
from providers.host.waiting import until

MARK = "pending-maintenance"
BACK_WITHIN = 180.0
"""Seconds that a restarted cluster may take until it sees all its nodes again, on a slow machine."""
ATTRIBUTES_WITHIN = 30.0
"""Seconds that the first probes after a restart may take to bring back what they write down of each node."""

ON = "true"

_PROPERTY = ("crm_attribute", "--type", "crm_config", "--name", "maintenance-mode")
_READ = script(
    "systemctl is-active --quiet pacemaker.service || exit 0; crm_mon --output-as=xml --one-shot || :",
    label="crm_mon, where Pacemaker runs",
    reads=True,
)
_ONLINE = re.compile(r'<node name="([^"]*)"[^>]* online="true"')
_NODE_ATTRIBUTES = re.compile(r'<node name="([^"]*)">(.*?)</node>', re.DOTALL)
_ATTRIBUTE = re.compile(r'<attribute name="([^"]*)"')


class Standing(NamedTuple):
    """Who is online in the cluster, and which attributes each node has (node, attribute)."""

    online: frozenset[str] = frozenset()
    attributes: frozenset[tuple[str, str]] = frozenset()


def parse(text: str) -> Standing | None:
    """What `crm_mon --output-as=xml` says; None where there is no cluster to speak of."""
    online = frozenset(_ONLINE.findall(text))
    listed = text.partition("<node_attributes>")[2].partition("</node_attributes>")[0]
    attributes = {(node, name) for node, each in _NODE_ATTRIBUTES.findall(listed) for name in _ATTRIBUTE.findall(each)}
    return Standing(online, frozenset(attributes)) if online else None


async def _standing(node: Node) -> Standing | None:
    return parse((await node.run(_READ)).stdout)


def recorded(entries: Mapping[str, Mapping[str, str]], mark: str) -> str | None:
    """What the mode was before, by what each node's journal has under ``mark``; None where none has anything.

    Where they differ, those that say it was on were written later, by a run that found it entered by a cut-off one.
    """
    values = [known[mark] for known in entries.values() if mark in known]
    return next((value for value in values if value != ON), ON if values else None)


def before(found: str, entries: Mapping[str, Mapping[str, str]], mark: str) -> str:
    """What is to be recorded on every node, with the mode as it is ``found`` now.

    On already, it is so by a run that was cut off, whose record counts, or by a person; else what is found counts:
    somebody has left it since.
    """
    earlier = recorded(entries, mark)
    return earlier if found == ON and earlier is not None else found


async def enter(cluster: Cluster, names: Sequence[str]) -> Leave:
    """Enter it if one of these nodes is in a running cluster."""
    seen = await cluster.each(_standing, names)
    running = {name: standing for name, standing in seen.items() if standing is not None}
    if not running:
        return partial(leave, cluster)
    # All of them: nothing is entered where one does not answer, because what it has noted may be what counts.
    entries = await cluster.each(lambda node: cluster.journal(node).entries())
    name, standing = next(iter(running.items()))
    node = cluster.node(name)
    found = await node.run(command(*_PROPERTY, "--query", "--quiet", ok=None, reads=True))
    mark = {MARK: before(found.stdout.strip() if found.exit_code == 0 else "", entries, MARK)}
    members = [each for each in entries if each in running or each in standing.online or MARK in entries[each]]
    await cluster.each(lambda each: cluster.journal(each).put(mark), members)
    cluster.progress(f"{node.name}: maintenance mode while packages change; the service runs on")
    await node.run(command(*_PROPERTY, "--update", ON))
    await node.run(command("crm_resource", "--wait", "--timeout=60", ok=None, timeout=90, reads=True))
    return partial(leave, cluster, standing)


async def leave(cluster: Cluster, whole: Standing | None = None) -> None:
    """Bring maintenance mode back to what the journals say it was, once the cluster is as complete as ``whole``.

    One that was on before is left to whom it belongs, who may have ended it since.

    Raises `TimedOut` when it does not come back; it is in maintenance mode then.
    """
    entries = await cluster.each(lambda node: cluster.journal(node).entries())
    marked = [name for name, known in entries.items() if MARK in known]
    if not marked:
        return
    node = cluster.node(marked[0])
    wanted = whole or Standing(frozenset(marked))

    def all_online(standing: Standing | None) -> bool:
        return standing is not None and standing.online >= wanted.online

    def all_back(standing: Standing | None) -> bool:
        return standing is not None and standing.attributes >= wanted.attributes

    now, complete = await until(
        lambda: _standing(node),
        all_online,
        BACK_WITHIN,
        pause=2.0,
        report=lambda _, seconds: cluster.progress(f"{node.name}: waiting for the cluster ({seconds:.0f} s)"),
    )
    if not complete:
        missing = sorted(wanted.online - (now.online if now else frozenset()))
        raise TimedOut(
            f"after the packages changed not all nodes are back in the cluster after {BACK_WITHIN:.0f} s, "
            f"which stays in maintenance mode; missing: {', '.join(missing)}",
            node=node.name,
            remedy="see `systemctl status corosync pacemaker` there, then run again",
        )
    await until(lambda: _standing(node), all_back, ATTRIBUTES_WITHIN, pause=2.0)
    value = recorded(entries, MARK)
    if value != ON:
        await node.run(command(*_PROPERTY, *(("--update", value) if value else ("--delete",))))
    await cluster.each(lambda each: cluster.journal(each).drop([MARK]), marked)


async def give_up(cluster: Cluster) -> None:
    """Leave it for good, before packages are taken away: where Pacemaker no longer runs only the mark is dropped."""
    entries = await cluster.each(lambda node: cluster.journal(node).entries())
    marked = [name for name, known in entries.items() if MARK in known]
    seen = await cluster.each(_standing, marked) if marked else {}
    if any(standing is not None for standing in seen.values()):
        await leave(cluster)
    elif marked:
        await cluster.each(lambda node: cluster.journal(node).drop([MARK]), marked)
