"""What repeats, in the proxy and elsewhere; the proxy's own rules are in `access` and `squid`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from declaration.errors import Mistake
from declaration.rules import access, squid
from declaration.rules.access import repeated
from declaration.rules.registry import rule

if TYPE_CHECKING:
    from declaration.site import Site

__all__ = ["access", "squid"]


@rule("squid")
def squid_lists_have_no_repeats(site: Site) -> Iterator[Mistake]:
    """What stands twice is a slip."""
    yield from repeated("squid.allow", site.squid.allow)
    yield from repeated("squid.include", site.squid.include)


@rule("network")
def reachable_has_no_repeats(site: Site) -> Iterator[Mistake]:
    """What stands twice is a slip."""
    yield from repeated("network.public.reachable", site.network.public.reachable)
