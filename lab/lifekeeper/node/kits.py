"""Which kit a resource belongs to, and its four actions.

A kind without a kit has no actions: it is an instance that `ins_create` alone has made.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from lab.lifekeeper.node import address, filesystem, mirror, service
from lab.lifekeeper.node.lcd import Instance


@dataclass(frozen=True)
class Kit:
    """restore, remove, quickCheck, and recover where it is something else than restore."""

    start: Callable[[Instance], Awaitable[None]]
    stop: Callable[[Instance], Awaitable[None]]
    healthy: Callable[[Instance], Awaitable[bool]]
    recover: Callable[[Instance], Awaitable[None]] | None = None


KITS = {
    "ip": Kit(
        lambda each: address.start(each.kit), lambda each: address.stop(each.kit), lambda each: address.check(each.kit)
    ),
    "qsp": Kit(
        lambda each: service.start(each.kit),
        lambda each: service.stop(each.kit),
        lambda each: service.running(each.kit["service"]),
        lambda each: service.recover(each.kit),
    ),
    "app": Kit(
        lambda each: service.act(each.tag, each.id, "restore"),
        lambda each: service.act(each.tag, each.id, "remove"),
        lambda each: service.check(each.tag, each.id),
        lambda each: service.act(each.tag, each.id, "recover"),
    ),
    "filesys": Kit(
        lambda each: filesystem.start(each.kit),
        lambda each: filesystem.stop(each.kit),
        lambda each: filesystem.check(each.kit),
    ),
    "netraid": Kit(
        lambda each: mirror.start(each.kit), lambda each: mirror.stop(each.kit), lambda each: mirror.running(each.kit)
    ),
}


async def start(each: Instance) -> None:
    """restore. Raises `Failed`."""
    if kit := KITS.get(each.type):
        await kit.start(each)


async def stop(each: Instance) -> None:
    """remove. Raises `Failed`."""
    if kit := KITS.get(each.type):
        await kit.stop(each)


async def healthy(each: Instance) -> bool:
    """quickCheck."""
    kit = KITS.get(each.type)
    return kit is None or await kit.healthy(each)


async def recover(each: Instance) -> None:
    """Local recovery. Raises `Failed`."""
    if kit := KITS.get(each.type):
        await (kit.recover or kit.start)(each)
