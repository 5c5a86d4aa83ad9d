"""Alerts: somebody to tell, secrets that do not travel in the clear, and events that the site can have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from declaration.alerts import EVENTS, Event
from declaration.errors import Mistake
from declaration.probed import is_adopted
from declaration.rules.registry import rule
from declaration.rules.repeats import repeated

if TYPE_CHECKING:
    from declaration.alerts import Mail, Webhook
    from declaration.site import Site

NOT_TOLD: Mapping[str, Mapping[Event, str]] = {
    "lifekeeper": {
        "fencing": "LifeKeeper fences nobody for this program: what its own quorum and STONITH do, its log tells",
        "node_lost": "LifeKeeper's lists do not tell a lost node from one that was stopped on purpose; `failover` and "
        "`mirror_unsynced` tell what follows from it",
    }
}
"""Engine → what it does not tell of, and why."""

_HOUR = 3_600_000
_MONTH = 30 * 24 * _HOUR


def possible(site: Site) -> frozenset[Event]:
    """The events that this site can have."""
    found = frozenset(EVENTS) - NOT_TOLD.get(site.engine, {}).keys()
    if site.virtual_ip is None:
        found &= {"clock"}
    if site.mirror is None:
        found -= {"split_brain", "mirror_unsynced", "mirror_full"}
    if is_adopted(site, "mirror"):
        # Told by a handler in DRBD's configuration, which is somebody else's there.
        found -= {"split_brain"}
    if site.time is None:
        found -= {"clock"}
    return found


@rule("alerts")
def alerts_reach_somebody(site: Site) -> Iterator[Mistake]:
    """An alert that nobody gets is none."""
    if site.alerts is None:
        return
    if site.alerts.mail is None and site.alerts.webhook is None:
        yield Mistake("alerts", "nobody to tell", "`mail`, `webhook`, or both")
    if site.alerts.mail is not None:
        yield from _mail(site.alerts.mail)
    if site.alerts.webhook is not None:
        yield from _webhook(site.alerts.webhook)


def _mail(mail: Mail) -> Iterator[Mistake]:
    yield from repeated("alerts.mail.to", mail.to, what="address")
    relay = mail.relay
    if relay is None:
        return
    path = "alerts.mail.relay"
    if relay.user is not None and relay.password is None:
        yield Mistake(f"{path}.password", None, "the password of `user`, by name: `{secret: NAME}`")
    if relay.password is not None and relay.user is None:
        yield Mistake(f"{path}.user", None, "whose `password` it is")
    if relay.password is not None and relay.tls == "none":
        yield Mistake(f"{path}.tls", "none", "`starttls` or `tls`: a password never goes over the network in the clear")


def _webhook(webhook: Webhook) -> Iterator[Mistake]:
    path = "alerts.webhook"
    if webhook.url is None and webhook.secret_url is None:
        yield Mistake(f"{path}.url", None, "an address, or a secret that holds it: `secret_url: {secret: NAME}`")
    if webhook.url is not None and webhook.secret_url is not None:
        yield Mistake(f"{path}.secret_url", "a secret", "either `url` or `secret_url`, not both")
    if webhook.token is not None and webhook.url is not None and not webhook.url.startswith("https://"):
        yield Mistake(f"{path}.url", webhook.url, "an address that begins with https, because a `token` is sent there")


@rule("alerts")
def alerts_come_in_time(site: Site) -> Iterator[Mistake]:
    """Timers of systemd and the script's own arithmetic know whole seconds."""
    if site.alerts is None:
        return
    limits = {"check_every": (10_000, _HOUR), "pause": (1_000, _HOUR), "remind": (_HOUR, _MONTH)}
    for name, (least, most) in limits.items():
        value = getattr(site.alerts, name)
        if not least <= value.milliseconds <= most or not value.is_whole:
            words = {10_000: "10s", 1_000: "1s", _HOUR: "1h", _MONTH: "30d"}
            yield Mistake(f"alerts.{name}", value, f"whole seconds, between {words[least]} and {words[most]}")


@rule("alerts", "engine", "virtual_ip", "mirror", "time", "pacemaker")
def alerts_can_happen(site: Site) -> Iterator[Mistake]:
    """Waiting for an event that cannot come is a false comfort."""
    if site.alerts is None:
        return
    can = possible(site)
    if not can:
        yield Mistake(
            "alerts", "a section", "no such section: this site has no event to tell of (a node without `time`)"
        )
        return
    yield from repeated("alerts.events", site.alerts.events, what="event")
    for index, event in enumerate(site.alerts.events):
        if event not in can:
            yield Mistake(f"alerts.events[{index}]", event, f"an event that this site can have: {_why(site, event)}")


def _why(site: Site, event: Event) -> str:
    if event == "clock" and site.time is None:
        return "`clock` needs the section `time`"
    if site.virtual_ip is None and event != "clock":
        return f"`{event}` needs two nodes"
    if site.mirror is None and event in {"split_brain", "mirror_unsynced", "mirror_full"}:
        return f"`{event}` needs a mirror"
    if event == "split_brain" and is_adopted(site, "mirror"):
        return "a handler in DRBD's configuration tells of `split_brain`, and that of an adopted mirror stays as it was"
    return f"the engine `{site.engine}` does not tell of `{event}`: {NOT_TOLD[site.engine][event]}"
