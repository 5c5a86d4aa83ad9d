"""Conditions on which a request comes into a log: those of Squid's access lists that can be asked without waiting.

Source: squid.conf.documented of Squid 5.7, directives ``access_log`` (only fast access lists count) and ``acl``.
"""

from __future__ import annotations

import re
from typing import Annotated

from declaration.addresses import Subnet
from declaration.types import Many, Port, Settings, is_host_name, matching, written, wrong


def _domain(text: str) -> str:
    if not is_host_name(text.removeprefix(".")):
        raise ValueError(text)
    return text.lower()


def _status(text: str) -> str:
    match = re.fullmatch(r"([1-5][0-9]{2})(?:-([1-5][0-9]{2}))?", text)
    if match is None:
        raise ValueError(text)
    if match[2] and int(match[2]) <= int(match[1]):
        raise wrong(f"a range from a smaller to a larger status, such as `{match[2]}-{match[1]}`")
    return text


Domain = Annotated[
    str,
    written("a domain such as `www.example.org`, or `.example.org` for it and all below it", _domain),
]
Method = Annotated[
    str,
    written("a method in capital letters, such as `GET` or `CONNECT`", matching(r"[A-Z][A-Z-]{0,19}")),
]
Status = Annotated[
    str,
    written("a status in quotes, such as '403', or a range such as '500-599'", _status),
]


class Condition(Settings):
    """What a request is like. Of one setting any value will do; of several settings all must hold."""

    networks: Many[Subnet] = ()
    """The client's address is in one of these networks."""

    domains: Many[Domain] = ()
    """The host that was asked for is one of these, or below one that begins with a dot. No name is looked up."""

    ports: Many[Port] = ()
    """The port that was asked for."""

    methods: Many[Method] = ()
    """The request's method."""

    status: Many[Status] = ()
    """The status that the client was answered with; ranges such as `'500-599'` too."""

    @property
    def is_empty(self) -> bool:
        """Whether it says nothing, and so holds for every request."""
        return not (self.networks or self.domains or self.ports or self.methods or self.status)
