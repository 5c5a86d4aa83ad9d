"""The lab's site as operators reach it, for tests on the pair."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from operations.engines import engine_of
from operations.site import Hosts, hosts_of
from operations.status import Status, read_status
from providers.connection.errors import Unknown, Unreachable
from providers.connection.loop import run_sync
from providers.connection.pool import close_all

T = TypeVar("T")


def reach() -> Hosts:
    """The hosts of stack `lab`, by new connections: those from before a restore lead nowhere."""
    run_sync(close_all())
    return hosts_of("lab")


def until(wanted: Callable[[], T | None], what: str, limit: float = 600.0) -> T:
    """Ask until there is an answer; fails the test after ``limit`` seconds."""
    deadline = time.monotonic() + limit
    while (found := wanted()) is None:
        assert time.monotonic() < deadline, f"{what}: not within {limit:g} s"
        time.sleep(1)
    return found


def active(hosts: Hosts) -> str | None:
    """The node that runs the service; None while that cannot be told."""
    try:
        return hosts.run(engine_of(hosts.site).runtime.active_node(hosts.cluster()))
    except (Unknown, Unreachable):
        return None


def status(hosts: Hosts) -> Status | None:
    """How the site is; None while that cannot be told."""
    try:
        return hosts.run(read_status(hosts.cluster(), hosts.site))
    except (Unknown, Unreachable):
        return None


def healthy(hosts: Hosts) -> Status | None:
    """How the site is, once it is well."""
    found = status(hosts)
    return found if found is not None and found.sound else None
