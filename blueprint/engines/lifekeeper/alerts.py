"""Alerts of this engine: LifeKeeper is asked at each regular look, on each node, because nothing of it raises events.

What it sends by itself are mails to an alias of the node's own, without a webhook, a relay or a word on split brain.
"""

from __future__ import annotations

from blueprint import alerts
from blueprint.engines.lifekeeper.service import tags
from blueprint.nodes import present
from blueprint.thing import Thing
from declaration.alerts import told
from declaration.rules.alerts import possible
from declaration.site import Site
from providers.lifekeeper import alerts as programs

LOOK = f"{alerts.DIRECTORY}/lifekeeper-look"
MIRROR_CHECK = f"{alerts.DIRECTORY}/mirror-check"


def things(site: Site, owner: str) -> list[Thing]:
    """Nothing for a site without alerts."""
    if site.alerts is None:
        return []
    events = set(told(site.alerts, possible(site)))
    asks = bool(events & {"failover", "split_brain"})
    engine = alerts.EngineAlerts(
        programs={
            **({LOOK: programs.look()} if asks else {}),
            **({MIRROR_CHECK: programs.mirror_check()} if "mirror_unsynced" in events else {}),
        },
        mirror_check=MIRROR_CHECK if "mirror_unsynced" in events else "",
        mirror_resource=site.mirror.mount_point if site.mirror else "",
        look=LOOK if asks else "",
        look_words=_words(site) if asks else (),
    )
    return [alerts.thing(site, site.alerts, owner, engine)]


def _words(site: Site) -> tuple[str, ...]:
    known = tags(site)
    mirror = (f"mirror={known['mirror']}",) if site.mirror else ()
    return (
        *(f"node={name}" for name in present(site)),
        f"service={known['address']}",
        *mirror,
        *(f"member={tag}" for tag in known.values()),
    )
