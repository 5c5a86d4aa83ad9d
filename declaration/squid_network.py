"""Squid as a client of others: DNS and time limits."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict

from declaration.addresses import Ip
from declaration.quantities import Duration
from declaration.types import Settings, Some, is_host_name, written


def _suffix(text: str) -> str:
    if not text.startswith(".") or not is_host_name(text[1:]):
        raise ValueError(text)
    return text


Suffix = Annotated[str, written("a domain with a dot in front, such as `.example.org`", _suffix)]


class Dns(Settings):
    """How Squid looks names up. Without a setting, Squid's own default."""

    model_config = ConfigDict(validate_default=False)

    servers: Some[Ip] = ()
    """Name servers; without them those of the node (`/etc/resolv.conf`)."""

    timeout: Duration | None = None
    """After which a name that nobody answers for counts as unknown."""

    append_domain: Suffix | None = None
    """What is put behind names without a dot."""

    longest: Duration | None = None
    """How long an answer is kept at most; more than `failed`. Squid's own default is 6 hours."""

    failed: Duration | None = None
    """How long a failure is kept, and any answer at least. Squid's own default is 1 minute."""


class SquidTimeouts(Settings):
    """How long Squid waits for others. Without a setting, Squid's own default. Whole seconds."""

    connect: Duration | None = None
    """For a connection to a server."""

    parent_connect: Duration | None = None
    """For a connection to a parent."""

    forward: Duration | None = None
    """For all attempts to find a way to the server together."""

    read: Duration | None = None
    """For the next piece of an answer."""

    write: Duration | None = None
    """For a client to take the next piece."""

    request: Duration | None = None
    """For the whole head of a request, once the client is connected."""

    client_idle: Duration | None = None
    """For the next request on a client's connection."""

    server_idle: Duration | None = None
    """How long an unused connection to a server is kept."""

    client_lifetime: Duration | None = None
    """For a client's connection altogether, tunnels too."""
