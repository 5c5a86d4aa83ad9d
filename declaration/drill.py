"""What a drill of the site holds it to: bounds that the site states of itself. They change nothing on the nodes."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from declaration.quantities import Duration
from declaration.squid import Url
from declaration.types import Settings, matching, section, written

_SECTION = "a section of scenarios and times, such as `{squid-killed: 20s}`"

ScenarioName = Annotated[
    str,
    written(
        "the name of a scenario as `squid-ha drill --list` shows it, such as `node-off`",
        matching(r"[a-z]+(-[a-z]+)*"),
    ),
]


class Drill(Settings):
    """What clients may notice, and what the log may lose, at most."""

    url: Url | None = None
    """The web server whose paths `/r/...` `squid-ha drill` and `squid-ha verify` ask the proxy for; that it has no such
    page (404) is an answer too. Without it that of `squid.probe_url`, else port 80 of the first of
    `network.public.reachable`: a gateway rarely has one."""

    planned_gap: Duration = Duration("30s")
    """The longest time without an answer when the service is moved on purpose."""

    unplanned_gap: Duration = Duration("2m")
    """The longest time without an answer when something fails."""

    gaps: Annotated[dict[ScenarioName, Duration], section(_SECTION)] = Field(default_factory=dict)
    """The longest time without an answer in single scenarios, by name, such as `{squid-killed: 20s}`."""

    lost_records: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    """Records of answered requests that may be missing, beyond those that `mirror.durability` and `log.on_full` give
    up."""
