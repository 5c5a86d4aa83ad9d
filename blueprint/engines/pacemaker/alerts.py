"""Alerts of this engine: Pacemaker's alert agent, DRBD's handler of a split brain, the look at the mirror."""

from __future__ import annotations

from blueprint import alerts, names
from blueprint.engines.pacemaker.found import mirror_resource
from blueprint.parts import ENGINE
from blueprint.thing import Thing
from declaration.alerts import told
from declaration.probed import adopted_of
from declaration.rules.alerts import possible
from declaration.site import Site
from providers.pacemaker import alert_agent
from providers.pacemaker import alerts as kind
from providers.storage import mirror_check

AGENT = f"{alerts.DIRECTORY}/pacemaker-alert"
MIRROR_CHECK = f"{alerts.DIRECTORY}/mirror-check"
GROUP = "haclient"
"""The group of the user as whom Pacemaker runs alert agents."""

_ID = "squid-ha-alerts"


def things(site: Site, owner: str) -> list[Thing]:
    """Nothing for a site without alerts; the agent is on the nodes before Pacemaker is told of it."""
    if site.alerts is None:
        return []
    engine = alerts.EngineAlerts(
        programs={AGENT: _agent(site), **({MIRROR_CHECK: mirror_check.text()} if site.mirror else {})},
        group=GROUP,
        mirror_check=MIRROR_CHECK,
        mirror_resource=mirror_resource(site),
    )
    made = [alerts.thing(site, site.alerts, owner, engine)]
    if set(told(site.alerts, possible(site))) & {"failover", "node_lost", "fencing"}:
        inputs = kind.Wanted(id=_ID, path=AGENT, timeout="60s", select=["fencing", "nodes", "resources"])
        made.append(Thing(names.CLUSTER_ALERTS, "pacemaker.alerts", inputs, ENGINE, (names.ALERTS, names.OPTIONS)))
    return made


def _agent(site: Site) -> str:
    adopted = adopted_of(site)
    if adopted is None or adopted.members.address is None:
        return alert_agent.text()
    members = adopted.members
    below = [each.id for each in (members.filesystem, members.squid) if each is not None]
    return alert_agent.text(adopted.members.address.id, members.mirror.id if members.mirror else "mirror", below)


def split_brain_handler(site: Site) -> str | None:
    """What DRBD runs where it finds a split brain that it does not resolve; None where nobody is to be told."""
    if site.alerts is None or "split_brain" not in told(site.alerts, possible(site)):
        return None
    return f"{alerts.PROGRAM} raise split_brain 'both nodes have written to the mirror (docs/runbook.md)'"
