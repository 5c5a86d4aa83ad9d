"""One alert of the cluster's configuration: the agent that Pacemaker runs when something happens.

Facts: Pacemaker Explained, chapter "Alerts". Alerts of others are left alone.
"""

from __future__ import annotations

from typing import Literal

from lxml import etree
from pydantic import Field

from providers.connection.cluster import Cluster
from providers.contract import Absent, Observed, Present, State
from providers.pacemaker import fragments, journals, live
from providers.pacemaker.cib import Cib
from providers.pacemaker.fragments import Element

Selected = Literal["attributes", "fencing", "nodes", "resources"]

_FOUND = "found"


class Wanted(State):
    """``id`` is the alert's own in the CIB, ``path`` the agent's; None on observation: there is no agent.

    ``timeout`` is how long it may take. ``select`` are the kinds of events that it is run for.
    """

    id: str
    path: str | None
    timeout: str | None = None
    select: list[Selected] = Field(default_factory=list[Selected])


async def observe(cluster: Cluster, wanted: Wanted) -> Observed[Wanted]:
    """The alert of that id. Raises `Unknown` where no node can tell."""
    found = _read((await live.read(cluster)).cib, wanted.id)
    return Absent() if found is None else Present(found)


async def converge(cluster: Cluster, wanted: Wanted, observed: Observed[Wanted]) -> None:  # noqa: ARG001 read afresh
    """One patch with the alert instead of whatever has its id."""
    current = await live.settled_quorum(cluster)
    await journals.begin(cluster, {_FOUND: excerpt(current.cib, wanted.id)}, await journals.entries(cluster))
    await live.change(cluster, lambda now: with_alert(now.cib, wanted), live=current)
    await journals.finish(cluster)


async def remove(cluster: Cluster, wanted: Wanted) -> None:
    """The alert as it was found, or none."""
    entries = await journals.entries(cluster)
    if _FOUND in entries:
        await live.change(cluster, lambda now: restored(now.cib, wanted.id, entries[_FOUND]), verify=False)
    await journals.forget(cluster)


def _read(cib: Cib, alert_id: str) -> Wanted | None:
    alert = _alert(_root(cib), alert_id)
    if alert is None:
        return None
    chosen = alert.find("select")
    names = [each.tag.removeprefix("select_") for each in chosen] if chosen is not None else []
    meta = fragments.read_pairs(alert, "meta_attributes")
    return Wanted.model_validate(
        {"id": alert_id, "path": alert.get("path"), "timeout": meta.get("timeout"), "select": sorted(names)}
    )


def with_alert(cib: Cib, wanted: Wanted) -> Cib:
    """The configuration with this alert instead of whatever has its id."""
    alert = fragments.element("alert", id=wanted.id, path=wanted.path)
    if wanted.timeout is not None:
        alert.append(fragments.pairs_element("meta_attributes", f"{wanted.id}-meta", {"timeout": wanted.timeout}))
    if wanted.select:
        chosen = etree.SubElement(alert, "select")
        for name in wanted.select:
            etree.SubElement(chosen, f"select_{name}")
    return _put(cib, wanted.id, alert)


def excerpt(cib: Cib, alert_id: str) -> str:
    """The alert as it stands, to be put back by `restored`; '' if there is none."""
    alert = _alert(_root(cib), alert_id)
    return "" if alert is None else etree.tostring(alert, encoding="unicode")


def restored(cib: Cib, alert_id: str, text: str) -> Cib:
    """The configuration with the alert as `excerpt` found it."""
    return _put(cib, alert_id, etree.fromstring(text) if text else None)


def _put(cib: Cib, alert_id: str, alert: Element | None) -> Cib:
    root = _root(cib)
    configuration = root.find("configuration")
    if configuration is None:
        raise ValueError("a CIB without a configuration")
    alerts = configuration.find("alerts")
    if alerts is None:
        alerts = etree.SubElement(configuration, "alerts")
    old = _alert(root, alert_id)
    if old is not None:
        alerts.remove(old)
    if alert is not None:
        alerts.append(alert)
    if len(alerts) == 0:
        configuration.remove(alerts)
    return Cib.parse(etree.tostring(root, encoding="unicode"))


def _root(cib: Cib) -> Element:
    return etree.fromstring(cib.text())


def _alert(root: Element, alert_id: str) -> Element | None:
    found = root.iterfind("configuration/alerts/alert")
    return next((each for each in found if each.get("id") == alert_id), None)
