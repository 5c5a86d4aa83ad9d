"""What stands twice in a list is a slip: how any rule tells it, and the lists that no other rule looks at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

from declaration.errors import Mistake
from declaration.rules.access_cover import holds_domain
from declaration.rules.registry import rule

if TYPE_CHECKING:
    from declaration.site import Site

T = TypeVar("T")


def repeated(
    path: str, values: Sequence[T], key: Callable[[T], object] = str, what: str = "entry"
) -> Iterator[Mistake]:
    """Mistakes for values that stand in the list before; those of one ``key`` are the same. ``what``: each is one."""
    keys = [key(value) for value in values]
    for index, value in enumerate(values):
        if keys[index] in keys[:index]:
            yield Mistake(f"{path}[{index}]", str(value), f"each {what} once")


def inner_domains(path: str, domains: Sequence[str]) -> Iterator[Mistake]:
    """Mistakes for domains that another one of the list holds already."""
    for index, domain in enumerate(domains):
        outer = next((each for each in domains if each != domain and holds_domain(each, domain)), None)
        if outer is not None:
            yield Mistake(f"{path}[{index}]", domain, f"only `{outer}`, which holds it")


@rule("squid")
def squid_lists_have_no_repeats(site: Site) -> Iterator[Mistake]:
    """What stands twice is a slip."""
    yield from repeated("squid.allow", site.squid.allow)
    yield from repeated("squid.include", site.squid.include)


@rule("network")
def reachable_has_no_repeats(site: Site) -> Iterator[Mistake]:
    """What stands twice is a slip."""
    yield from repeated("network.public.reachable", site.network.public.reachable)
