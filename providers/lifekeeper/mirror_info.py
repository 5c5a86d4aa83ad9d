"""What the info string of a mirror tells where words in it can be nothing else, and how it is unlike a site's; pure.

It has the other node's address and the bitmap's path among other things, between bytes that are no printable characters
(SIOS's scripts, AWSQS); which byte, and in which order, nobody has published. So words are taken for what they look
like, and where none looks so, nothing is told.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import cast

from providers.lifekeeper import grammar, members
from providers.lifekeeper.mirror_data import Wanted
from providers.lifekeeper.resource import Member, Unlike
from providers.lifekeeper.views import Instance, View

BITMAP, ADDRESS = "bitmap", "replication_address"
"""Properties of a node, shown where the info of its mirror tells something else than is declared."""
_PAIR = 2
_BETWEEN = re.compile(r"[^ -~]+")
_PATH = re.compile(r"(/[A-Za-z0-9._+@:=,-]+)+")
_ANEW = (
    "take the mirror away and make it anew, with the service down meanwhile: `pulumi destroy --target` of it and of "
    "those above it, then `pulumi up`; its data is kept"
)


# Reading


def bitmaps(instance: Instance) -> list[str]:
    """Absolute paths of files with `bitmap` in their name; empty where the info tells of none."""
    return [each for each in _words(instance) if _is_bitmap(each)]


def addresses(instance: Instance) -> list[str]:
    """IP addresses by which another node may be reached; empty where the info tells of none."""
    return [each for each in _words(instance) if _is_address(each)]


def customary_bitmap(mount_point: str) -> str:
    """Where LifeKeeper puts the bitmap of a mirror by itself (AZDOC, AWSQS)."""
    return f"{grammar.load().product.root}/bitmap_{mount_point.replace('/', '_')}"


def _words(instance: Instance) -> list[str]:
    words = (each.strip() for each in _BETWEEN.split(instance.info))
    return list(dict.fromkeys(filter(None, words)))


def _is_bitmap(word: str) -> bool:
    """A disk may have the word in its name, too."""
    return bool(_PATH.fullmatch(word)) and not word.startswith("/dev/") and "bitmap" in PurePosixPath(word).name


def _is_address(word: str) -> bool:
    try:
        found = ipaddress.ip_address(word)
    except ValueError:
        return False
    return not (found.is_loopback or found.is_unspecified)


# Against what is declared


def _is_bitmap_of(mirror: Wanted, path: str) -> bool:
    """Where none is declared LifeKeeper chooses one in its own folder; how every version names it is not known."""
    return path == mirror.bitmap if mirror.bitmap else path.startswith(f"{grammar.load().product.root}/")


def _is_address_of(mirror: Wanted, address: str) -> bool:
    return ipaddress.ip_address(address) in map(ipaddress.ip_address, mirror.addresses.values())


def _other_bitmap(wanted: Member, view: View) -> Unlike | None:
    mirror, instance = cast("Wanted", wanted), view.instances[wanted.tag]
    found = bitmaps(instance)
    if not found or any(_is_bitmap_of(mirror, each) for each in found):
        return None
    there = " or ".join(found)
    remedy = (
        f"declare {there} as `lifekeeper.replication.bitmap` (without that, LifeKeeper's own) and run "
        f"`pulumi up --refresh`, or {_ANEW}"
    )
    return Unlike(", ".join(found), mirror.bitmap or customary_bitmap(mirror.mount_point), remedy)


def _other_address(wanted: Member, view: View) -> Unlike | None:
    """It is the other node's; that of a node that is away is not declared."""
    mirror, instance = cast("Wanted", wanted), view.instances[wanted.tag]
    found = addresses(instance) if len(mirror.addresses) == _PAIR else []
    if not found or any(_is_address_of(mirror, each) for each in found):
        return None
    remedy = f"declare those that it has as `replication_address` and run `pulumi up --refresh`, or {_ANEW}"
    return Unlike(", ".join(found), " or ".join(mirror.addresses.values()), remedy)


BY_HAND: Mapping[str, Callable[[Member, View], Unlike | None]] = {BITMAP: _other_bitmap, ADDRESS: _other_address}
"""As in `providers.lifekeeper.resource.Kit`."""


def refusal(previous: Wanted, wanted: Wanted) -> str | None:
    """Why bitmap or addresses do not change in place, unless ``previous`` shows of each node that they are so."""
    fields: dict[str, tuple[str, str, Callable[[Wanted, str], bool]]] = {
        BITMAP: ("bitmap", "`lifekeeper.replication.bitmap`", _is_bitmap_of),
        ADDRESS: ("addresses", "the replication addresses", _is_address_of),
    }
    for key, (field, setting, fits) in fields.items():
        shown = [node.properties.get(key, "") for node in previous.nodes.values() if node is not None]
        if shown and all(each and any(fits(wanted, word) for word in each.split(", ")) for each in shown):
            continue
        if told := members.fixed(previous, wanted, **{field: setting}):
            return f"{told}. If somebody has made the mirror so already, `pulumi up --refresh` sees that and takes it"
    return None
