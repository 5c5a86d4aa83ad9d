"""Several stacks at once: one that cannot be used or read hides no other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from operations.cli._errors import expected
from operations.trouble import Misused

if TYPE_CHECKING:
    from operations.site import Hosts

    Usable = Mapping[str, Hosts | Exception]

T = TypeVar("T")


def usable(names: list[str], hosts_of: Callable[[str], Hosts]) -> Usable:
    """Each stack's hosts, or the error for people that says why there are none. Raises `Misused`."""

    def one(name: str) -> Hosts | Exception:
        try:
            return hosts_of(name)
        except Misused:
            raise
        except expected() as error:
            return error

    # Each one's secrets are read by a process of its own.
    with ThreadPoolExecutor(4) as pool:
        return dict(zip(names, pool.map(one, names), strict=True))


def look(
    found: Usable,
    at: Callable[[Hosts], Awaitable[T]],
    untold: Callable[[str, Exception], T],
    told: Callable[[T], None] = lambda _one: None,
) -> list[T]:
    """What ``at`` tells of each, all at once, or ``untold`` of an error for people.

    ``told`` hears of each as soon as it is there, in the loop's thread: nobody has to wait for the slowest.
    One piece of work for all, so that an interrupt reaches each of them.
    """
    import asyncio

    from providers.connection.errors import Unforeseen
    from providers.connection.loop import run_sync

    async def one(name: str, hosts: Hosts | Exception) -> T:
        told(result := await found_of(name, hosts))
        return result

    async def found_of(name: str, hosts: Hosts | Exception) -> T:
        if isinstance(hosts, Exception):
            return untold(name, hosts)
        try:
            return await at(hosts)
        except expected() as error:
            return untold(name, error)
        except Exception as error:  # noqa: BLE001 one site that cannot be read hides no other
            return untold(name, Unforeseen.of(error))

    async def everything() -> list[T]:
        return await asyncio.gather(*(one(name, hosts) for name, hosts in found.items()))

    return run_sync(everything())
