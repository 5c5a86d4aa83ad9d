"""Other proxies that requests are passed on to."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from declaration.addresses import Host
from declaration.squid_access import Domain
from declaration.types import Port, Settings, Some


class Parent(Settings):
    """One parent (`cache_peer`)."""

    model_config = ConfigDict(validate_default=False)

    host: Host
    """Its name or address."""

    port: Port = 3128
    """Its port."""

    tls: bool = False
    """Whether it is spoken to in TLS."""

    weight: Annotated[int, Field(ge=1, le=1000)] = 1
    """How much of the requests it gets where parents take turns, in proportion to the others' weights."""

    domains: Some[Domain] = ()
    """Only requests for these domains go there; without it all."""

    login: Literal["none", "pass"] = "none"
    """`pass`: the client's own credentials are passed on to it."""


class Parents(Settings):
    """Parents, and when they are used."""

    proxies: Annotated[Some[Parent], Field(max_length=32)]
    """The parents."""

    choose: Literal["first", "in_turn", "by_client"] = "first"
    """`first`: the first that answers. `in_turn`: one after the other. `by_client`: each client always has the same."""

    direct: Literal["never", "as_last_resort"] = "never"
    """Whether requests go to the servers themselves when no parent answers, or never."""
