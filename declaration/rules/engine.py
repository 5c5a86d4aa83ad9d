"""Times that must fit into each other, and fencing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from declaration.errors import Mistake
from declaration.probed import adopted_of
from declaration.quantities import Duration
from declaration.rules.registry import rule
from declaration.rules.seconds import whole_seconds
from declaration.types import Settings

if TYPE_CHECKING:
    from declaration.engines.pacemaker import Pacemaker, Sbd
    from declaration.site import Site

# Squid stops 2 s after its grace (measured), the agent kills what is left 10 s before the limit.
_STOP_RESERVE_MS = 13_000
_LEAST_GRACE_MS = 1_000

_SLOW_STOPS: Mapping[str, str] = {
    "pacemaker": "a stop that takes longer fences the node",
    "lifekeeper": "a Squid that takes longer to stop is ended by force",
}
"""What comes of a stop that outlives its limit, by engine."""

_LEAST = {("mirror", "monitor_interval"): 2}
"""Seconds, for limits that one is too little for: the mirror's source is looked at a second more often than this,
because Pacemaker wants its two monitors to differ, and an interval of nothing is none at all."""


_LONGEST_WAIT = 180
"""Seconds; whoever starts a cluster waits for twice that at the most."""


@rule("squid")
def grace_is_whole(site: Site) -> Iterator[Mistake]:
    """Squid counts its grace in whole seconds."""
    if not site.squid.shutdown_lifetime.is_whole:
        yield Mistake("squid.shutdown_lifetime", site.squid.shutdown_lifetime, "whole seconds, such as `1s`")


@rule("engine", "squid", "timeouts")
def squid_stops_in_time(site: Site) -> Iterator[Mistake]:
    """A stop that outlives its limit has failed. Where no grace would fit in, the limit is at fault."""
    grace, limit = site.squid.shutdown_lifetime, site.timeouts.squid.stop
    room = limit.milliseconds - _STOP_RESERVE_MS
    if grace.milliseconds <= room:
        return
    after = _SLOW_STOPS.get(site.engine, "a stop that takes longer has failed")
    if room < _LEAST_GRACE_MS:
        least = Duration.of_milliseconds(grace.milliseconds + _STOP_RESERVE_MS)
        reserve = Duration.of_milliseconds(_STOP_RESERVE_MS)
        expected = f"at least {least}, `squid.shutdown_lifetime` ({grace}) and {reserve}: {after}"
        yield Mistake("timeouts.squid.stop", limit, expected)
    else:
        most = Duration.of_milliseconds(room)
        expected = f"at most {most}: `timeouts.squid.stop` is {limit}, and {after}"
        yield Mistake("squid.shutdown_lifetime", grace, expected)


@rule("timeouts")
def limits_are_sane(site: Site) -> Iterator[Mistake]:
    """Agents count in whole seconds, and a limit of nothing always fails."""
    for member in sorted(type(site.timeouts).model_fields):
        limits: Settings = getattr(site.timeouts, member)
        for name in type(limits).model_fields:
            yield from whole_seconds(f"timeouts.{member}.{name}", getattr(limits, name), _LEAST.get((member, name), 1))


@rule("ssh")
def connecting_takes_time(site: Site) -> Iterator[Mistake]:
    """A limit of nothing reaches nobody."""
    if site.ssh.connect_timeout.milliseconds < 1_000:  # noqa: PLR2004
        yield Mistake("ssh.connect_timeout", site.ssh.connect_timeout, "at least `1s`")


@rule("pacemaker")
def fencing_is_decided(site: Site) -> Iterator[Mistake]:
    """Exactly one kind of fencing, or its absence in so many words."""
    if site.pacemaker is None:
        return
    fencing = site.pacemaker.fencing
    if fencing.sbd is None and fencing.none is None:
        yield Mistake("pacemaker.fencing", "nothing", "either `sbd: {device: ...}` or `none: <why there is none>`")
    if fencing.sbd is not None and fencing.none is not None:
        yield Mistake("pacemaker.fencing.none", fencing.none, "either `sbd` or `none`, not both")
    if fencing.sbd is not None:
        yield from _sbd_times(site.pacemaker, fencing.sbd)


def _sbd_times(pacemaker: Pacemaker, sbd: Sbd) -> Iterator[Mistake]:
    path = "pacemaker.fencing.sbd"
    for name, value in (("watchdog_timeout", sbd.watchdog_timeout), ("message_timeout", sbd.message_timeout)):
        yield from whole_seconds(f"{path}.{name}", value)
    least = 2 * sbd.watchdog_timeout.milliseconds
    if sbd.message_timeout.milliseconds < least:
        yield Mistake(
            f"{path}.message_timeout",
            sbd.message_timeout,
            f"at least {Duration.of_milliseconds(least)}, twice the `watchdog_timeout`:"
            " before that a node may still be running",
        )
    # sbd(8): stonith-timeout must be larger than msgwait, by a fifth.
    least = sbd.message_timeout.milliseconds * 12 // 10
    if pacemaker.stonith_timeout.milliseconds < least:
        yield Mistake(
            "pacemaker.stonith_timeout",
            pacemaker.stonith_timeout,
            f"at least {Duration.of_milliseconds(least)}, 1.2 times `{path}.message_timeout`:"
            " otherwise every fencing fails",
        )
    if pacemaker.longest_fencing > _LONGEST_WAIT:
        yield Mistake(
            f"{path}.message_timeout",
            sbd.message_timeout,
            f"with 2.2 times `pacemaker.token` and `pacemaker.priority_fencing_delay` at most {_LONGEST_WAIT}s, not "
            f"{pacemaker.longest_fencing}s: so long does a node wait before it joins the cluster",
        )


@rule("pacemaker")
def token_is_sane(site: Site) -> Iterator[Mistake]:
    """Below a second ordinary load looks like a dead node; above a minute nothing fails over."""
    if site.pacemaker is None:
        return
    if not 1_000 <= site.pacemaker.token.milliseconds <= 60_000:  # noqa: PLR2004
        yield Mistake("pacemaker.token", site.pacemaker.token, "between 1s and 60s, such as `3s`")
    for name in ("stonith_timeout", "priority_fencing_delay"):
        value: Duration = getattr(site.pacemaker, name)
        if not value.is_whole:
            yield Mistake(f"pacemaker.{name}", value, "whole seconds, such as `60s`")


@rule("pacemaker", "mirror")
def the_service_is_adopted_whole(site: Site) -> Iterator[Mistake]:
    """Members of this program's are tied to each other by their own names."""
    adopted = adopted_of(site)
    if adopted is None:
        return
    needed = ("squid", "address", *(("filesystem", "mirror") if site.mirror else ()))
    named = [name for name in ("squid", "address", "filesystem", "mirror") if getattr(adopted.members, name)]
    path = "pacemaker.adopted.members"
    if named:
        for name in (each for each in needed if each not in named):
            yield Mistake(f"{path}.{name}", "nothing", f"the resource that was found, as for `{named[0]}`")
    for name in (each for each in named if each not in needed):
        yield Mistake(f"{path}.{name}", getattr(adopted.members, name).id, "nothing: the site has no section `mirror`")
    if named and adopted.options is None:
        yield Mistake("pacemaker.adopted.options", "nothing", "the options that were found, by name; `{}` for none")
    if (adopted.mirror is not None) != (adopted.members.mirror is not None):
        given, missing = ("mirror", "members.mirror") if adopted.mirror else ("members.mirror", "mirror")
        yield Mistake(f"pacemaker.adopted.{missing}", "nothing", f"what was found, as for `{given}`")
