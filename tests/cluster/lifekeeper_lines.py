"""LifeKeeper by hand on the pair: its own commands, as a person types them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from lab import lifekeeper

if TYPE_CHECKING:
    from tests.cluster.conftest import Machines

A, B = "qsp-a", "qsp-b"
BIN = "/opt/LifeKeeper/bin"
MOUNT = "/mnt/mirror"
DEVICE = "/dev/disk/by-id/virtio-data"
# Over the clients' network, and between the nodes; the second is preferred, as the lab's site declares it.
PATHS = (("192.0.2.11", "192.0.2.12"), ("172.16.77.11", "172.16.77.12"))
SETTINGS = "LKCHECKINTERVAL=5\nLCMHBEATTIME=2\nLCMNUMHBEATS=5\n"


async def until(condition: Callable[[], Awaitable[bool]], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not await condition():
        assert time.monotonic() < deadline, f"not so within {seconds:g} s"
        await asyncio.sleep(1)


async def install(pair: Machines, settings: str = SETTINGS) -> None:
    """From the media, licensed, started, connected over both networks."""
    for place, name in enumerate((A, B)):
        await lifekeeper.provide(name)
        await pair.sudo(name, f"{lifekeeper.MEDIA}/setup", 600)
        await pair.sudo(name, f"printf '{settings}' > /etc/default/LifeKeeper")
        await ok(pair, name, f"lkkeyins {lifekeeper.LICENCE}")
        await ok(pair, name, "lkstart")
        for priority, ends in enumerate(reversed(PATHS), start=1):
            path = f"--laddr {ends[place]} --raddr {ends[1 - place]} --dest {(B, A)[place]} --priority {priority}"
            await ok(pair, name, f"lkcli commpath create {path}")

    async def alive() -> bool:
        return "DEAD" not in await ok(pair, A, "lcdstatus")

    await until(alive, 120)


async def run(pair: Machines, name: str, line: str, seconds: float = 60):
    return await pair.run(name, f"sudo -n {BIN}/{line}", seconds)


async def ok(pair: Machines, name: str, line: str, seconds: float = 60) -> str:
    done = await run(pair, name, line, seconds)
    assert done.code == 0, done
    return done.out
