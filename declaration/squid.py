"""Squid."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field

from declaration.addresses import Subnet
from declaration.paths import NodeFile
from declaration.quantities import Duration
from declaration.squid_access import AccessRule, Ports
from declaration.squid_auth import Auth
from declaration.squid_cache import Cache
from declaration.squid_network import Dns, SquidTimeouts
from declaration.squid_parents import Parents
from declaration.types import HostName, Many, Port, Settings, Some, written

Url = Annotated[
    str,
    written(
        "an address that a client might ask the proxy for, such as `http://192.0.2.1/`",
        lambda text: text if re.fullmatch(r"http://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._~/=&?%-]*)?", text) else _no(text),
    ),
]


def _no(text: str) -> str:
    raise ValueError(text)


class Squid(Settings):
    """The proxy: what it listens on and whom it serves."""

    port: Port = 3128
    """Port for clients."""

    more_ports: Many[Port] = ()
    """Further ports for clients."""

    listen: Literal["all", "virtual_ip"] = "all"
    """`all`: on all addresses of the node. `virtual_ip`: on the virtual IP only, and on the node's own loopback, where
    the probe asks."""

    outgoing: Literal["node", "virtual_ip"] | None = None
    """The address that servers see: the active node's, or the virtual IP. Without it the system chooses, which is the
    node's."""

    allow: Annotated[Some[Subnet], Field(validate_default=False)] = ()
    """Networks whose hosts may use the proxy, once they have logged in if there is `auth`. Everybody else is denied.
    The short form of `access`: either of them is needed."""

    access: Annotated[Some[AccessRule], Field(validate_default=False)] = ()
    """Rules of access in the order in which Squid asks them: the first that fits decides. The last one must be
    `action: deny` without conditions."""

    connect_ports: Some[Ports] = ("443",)
    """Ports that tunnels (`CONNECT`) may go to, before any other rule; `safe_ports` must have them too, because what
    goes to other ports is denied before this is asked."""

    safe_ports: Some[Ports] = ("80", "21", "443", "70", "210", "1025-65535", "280", "488", "591", "777")
    """Ports that requests may go to at all, before any other rule; Squid's own list unless said otherwise."""

    auth: Auth | None = None
    """How clients log in; without it nobody does."""

    allow_public: bool = False
    """Accept public networks, or everybody, without a login. Without it an open proxy is refused."""

    shutdown_lifetime: Duration = Duration("1s")
    """Whole seconds that Squid gives its clients when it stops; it takes 2 s more than this."""

    visible_hostname: HostName | None = None
    """Name that Squid gives itself in error pages and headers; without it the node's name."""

    include: Many[NodeFile] = ()
    """Files on the nodes with further settings in Squid's own language, read before the rules of access."""

    parents: Parents | None = None
    """Other proxies that requests are passed on to; without them requests go to the servers."""

    forwarded_for: Literal["add", "unknown", "keep", "remove", "replace"] = "add"
    """The header `X-Forwarded-For`: `add` the client's address to it, add `unknown`, `keep` or `remove` what is there,
    or `replace` it by the client's address."""

    via: bool = True
    """Whether the proxy names itself in the header `Via`; HTTP demands it."""

    dns: Dns | None = None
    """How names are looked up."""

    timeouts: SquidTimeouts | None = None
    """How long Squid waits for others."""

    cache: Cache | None = None
    """What is kept of the answers; without it Squid's own defaults, in memory only."""

    probe_url: Url | None = None
    """What the functional probe asks the proxy for. Without it, a page that Squid answers by itself."""
