"""Time: enough sources, and none where the service is not ours to configure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from declaration.errors import Mistake
from declaration.rules.registry import rule

if TYPE_CHECKING:
    from declaration.site import Site
    from declaration.time import Time

_OF_A_POOL = 4
"""Sources that chrony takes of one pool (chrony.conf(5), `maxsources`); ntpd takes at least as many."""
_LONGEST_OFFSET = 60_000


@rule("time")
def time_sources_suffice(site: Site) -> Iterator[Mistake]:
    """More sources cannot agree than there are."""
    if site.time is None:
        return
    if site.time.service == "existing":
        yield from _unheard(site.time)
        return
    sources = [*site.time.servers, *site.time.pools]
    if not sources:
        yield Mistake("time.servers", None, "at least 1 server here, or a pool under `time.pools`")
        return
    for name, values in (("servers", site.time.servers), ("pools", site.time.pools)):
        for index, value in enumerate(values):
            before = values[:index] if name == "servers" else [*site.time.servers, *values[:index]]
            if value in before:
                yield Mistake(f"time.{name}[{index}]", value, "each entry once, as a server or as a pool")
    most = len(site.time.servers) + _OF_A_POOL * len(site.time.pools)
    if site.time.minimum_sources > most:
        pools = f" and {_OF_A_POOL} of each pool" if site.time.pools else ""
        yield Mistake(
            "time.minimum_sources",
            str(site.time.minimum_sources),
            f"at most {most}, the number of `time.servers`{pools}",
        )


@rule("time")
def time_limits_are_sensible(site: Site) -> Iterator[Mistake]:
    """An offset of nothing is never reached, and a minute is no synchronisation."""
    if site.time is None:
        return
    if not 1 <= site.time.max_offset.milliseconds <= _LONGEST_OFFSET:
        yield Mistake("time.max_offset", site.time.max_offset, "between 1ms and 60s")
    if site.time.wait.milliseconds < 1_000:  # noqa: PLR2004
        yield Mistake("time.wait", site.time.wait, "at least 1s")


def _unheard(time: Time) -> Iterator[Mistake]:
    for name in ("servers", "pools", "minimum_sources"):
        if name in time.model_fields_set:
            yield Mistake(
                f"time.{name}",
                "a setting",
                "no such setting with `service: existing`: that service has a configuration of its own",
            )
