"""All things of a site, in an order in which every thing comes after those it needs."""

from __future__ import annotations

from dataclasses import replace

from blueprint import alerts, hosts, proxy
from blueprint.adopted import leave_as_found
from blueprint.engines import engine_of
from blueprint.thing import Thing
from declaration.site import Site


def things(site: Site, owner: str) -> list[Thing]:
    """What ``site`` is made of; ``owner`` is ``project/stack``. A site without a virtual IP has no engine."""
    engine = engine_of(site) if site.virtual_ip is not None else None
    packages = (*(engine.packages(site) if engine else ()), *alerts.packages(site))
    made = [
        *hosts.things(site, owner, packages),
        *proxy.things(site, owner),
        *(engine.things(site, owner) if engine else ()),
    ]
    return _ordered(leave_as_found(site, alerts.with_alerts(site, owner, made)))


def _ordered(listed: list[Thing]) -> list[Thing]:
    """The same things, each as early as what it needs allows; needs that this site has not are left out.

    Raises `ValueError` for a circle.
    """
    names = {thing.name for thing in listed}
    waiting = {
        thing.name: replace(thing, after=tuple(name for name in thing.after if name in names)) for thing in listed
    }
    made: list[Thing] = []
    while waiting:
        ready = next((thing for thing in waiting.values() if not waiting.keys() & set(thing.after)), None)
        if ready is None:
            raise ValueError(f"these wait for each other: {', '.join(waiting)}")
        made.append(waiting.pop(ready.name))
    return made
