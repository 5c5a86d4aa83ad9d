"""Time synchronisation."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from declaration.addresses import Host
from declaration.quantities import Duration
from declaration.types import HostName, Many, Settings


class Time(Settings):
    """Which service keeps the nodes' clocks, from which sources, and what counts as right."""

    service: Literal["chrony", "ntpsec", "existing"] = "chrony"
    """The service: installed, enabled at boot, running, any other one off. `existing`: whichever of chrony, ntpsec and
    systemd-timesyncd runs on a node is left as it is, and only its clock is looked at."""

    servers: Many[Host] = ()
    """NTP servers, asked in quick succession at the start (`iburst`)."""

    pools: Many[HostName] = ()
    """Names that stand for many NTP servers, of which the service picks some."""

    minimum_sources: Annotated[int, Field(ge=1, le=16)] = 1
    """How many sources must agree before the clock follows them."""

    max_offset: Duration = Duration("500ms")
    """A clock further off than this is drift."""

    wait: Duration = Duration("3m")
    """How long `up` waits for the clocks to be right."""
