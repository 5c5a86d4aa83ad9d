"""Which kit a resource belongs to, and its four actions."""

from __future__ import annotations

from lab.lifekeeper.node import address, filesystem, mirror, service
from lab.lifekeeper.node.lcd import Instance


async def start(each: Instance) -> None:
    """restore. Raises `Failed`."""
    match each.type:
        case "ip":
            await address.start(each.kit)
        case "qsp":
            await service.start(each.kit)
        case "app":
            await service.act(each.tag, each.id, "restore")
        case "filesys":
            await filesystem.start(each.kit)
        case "netraid":
            await mirror.start(each.kit)
        case _:
            pass  # an instance by ins_create alone: no kit's scripts


async def stop(each: Instance) -> None:
    """remove. Raises `Failed`."""
    match each.type:
        case "ip":
            await address.stop(each.kit)
        case "qsp":
            await service.stop(each.kit)
        case "app":
            await service.act(each.tag, each.id, "remove")
        case "filesys":
            await filesystem.stop(each.kit)
        case "netraid":
            await mirror.stop(each.kit)
        case _:
            pass


async def healthy(each: Instance) -> bool:
    """quickCheck."""
    match each.type:
        case "ip":
            well = await address.check(each.kit)
        case "qsp":
            well = await service.running(each.kit["service"])
        case "app":
            well = await service.check(each.tag, each.id)
        case "filesys":
            well = await filesystem.check(each.kit)
        case "netraid":
            well = await mirror.running(each.kit)
        case _:
            well = True
    return well


async def recover(each: Instance) -> None:
    """Local recovery. Raises `Failed`."""
    match each.type:
        case "qsp":
            await service.recover(each.kit)
        case "app":
            await service.act(each.tag, each.id, "recover")
        case _:
            await start(each)
