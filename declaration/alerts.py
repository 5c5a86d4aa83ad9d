"""Alerts: which events of a site people are told of, and how."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field

from declaration.addresses import Host
from declaration.quantities import Duration
from declaration.types import PORT_IN_TEXT, Many, Port, Secret, Settings, Some, is_host_name, matching, written

Event = Literal["failover", "node_lost", "fencing", "split_brain", "mirror_unsynced", "mirror_full", "clock"]

EVENTS: tuple[Event, ...] = get_args(Event)

_BEFORE_AT = matching(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")


def _mail_address(text: str) -> str:
    name, at, host = text.partition("@")
    if not at or not is_host_name(host):
        raise ValueError(text)
    return f"{_BEFORE_AT(name)}@{host}"


MailAddress = Annotated[str, written("a mail address, such as `ops@example.org`", _mail_address)]
HookUrl = Annotated[
    str,
    written(
        "an address without a login, such as `https://chat.example.org/hooks/squid` (letters, digits, `/:.?=&%_`)",
        matching(rf"https?://[A-Za-z0-9.-]+(:{PORT_IN_TEXT})?(/[A-Za-z0-9/.:?=&%_-]*)?"),
    ),
]
Login = Annotated[
    str,
    written(
        "a login at the mail server, such as `alerts@example.org`",
        matching(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}"),
    ),
]


class Relay(Settings):
    """The mail server that takes the site's mail."""

    host: Host
    """Its name or address."""

    port: Port = 25
    """Its port: 25, 587 for logins, 465 for TLS from the start."""

    tls: Literal["none", "starttls", "tls"] = "none"
    """`starttls`: refused by us where the server does not offer it. `tls`: from the first byte."""

    user: Login | None = None
    """Login, if the server asks for one; needs `password` and TLS."""

    password: Secret | None = None
    """The login's password."""


class Mail(Settings):
    """Alerts by mail."""

    to: Some[MailAddress]
    """Who gets them."""

    sender: MailAddress
    """Whom they are from."""

    relay: Relay | None = None
    """The server that takes them. Without it the node's own `sendmail`, which the node then has to have."""


class Webhook(Settings):
    """Alerts as a POST of JSON, whose `text` chat services show. Exactly one of `url` and `secret_url`."""

    url: HookUrl | None = None
    """Where to."""

    secret_url: Secret | None = None
    """Where to, if whoever knows the address may post there."""

    token: Secret | None = None
    """Sent as `Authorization: Bearer`; `url` must then begin with https."""


class Alerts(Settings):
    """Whom to tell when something happens to the site. Needs `mail`, `webhook`, or both."""

    mail: Mail | None = None
    """Tell by mail."""

    webhook: Webhook | None = None
    """Tell by HTTP."""

    events: Many[Event] = ()
    """What is told; empty: everything that this site can have. A planned switchover is none of it."""

    mirror_full: Annotated[int, Field(ge=1, le=99)] = 80
    """How full, in percent, the mirror's filesystem may be before that is told."""

    check_every: Duration = Duration("1m")
    """How often the mirror and the clock are looked at, with `engine: lifekeeper` LifeKeeper's lists too; what lasts is
    told of when two looks in a row found the same."""

    pause: Duration = Duration("1m")
    """Least time between two messages of a node about the same kind of event; what happens meanwhile is told at once
    in the next one."""

    remind: Duration = Duration("1d")
    """After this time, what is still wrong with the mirror or the clock is told again."""


def told(alerts: Alerts, possible: frozenset[Event]) -> tuple[Event, ...]:
    """The events that are told of: those declared, or all that are ``possible``."""
    return tuple(event for event in EVENTS if event in (alerts.events or possible))
