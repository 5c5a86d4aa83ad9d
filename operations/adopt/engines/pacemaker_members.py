"""Which resources of a cluster are the service's members, and what is said of those that are somebody else's. Pure."""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from blueprint.engines.pacemaker import tree
from blueprint.engines.pacemaker.found import OPTIONS
from providers.host.digest import AS_FOUND
from providers.pacemaker import definition, options
from providers.pacemaker.cib import Cib
from providers.pacemaker.model import Primitive
from providers.pacemaker.service import service

OWN = {"mirror": tree.MIRROR, "filesystem": tree.FILESYSTEM, "squid": tree.SQUID, "address": tree.ADDRESS}
"""Member as the declaration calls it → the id of this program's own resource."""

_DRBD = "ocf:linbit:drbd"
_FILESYSTEM = "ocf:heartbeat:Filesystem"
_ADDRESSES = {"ocf:heartbeat:IPaddr2", "ocf:heartbeat:IPaddr"}
_OWN_AGENT = "ocf:squid-ha:squid"


@dataclass(frozen=True)
class Members:
    """Member as the declaration calls it → the resource.

    ``further`` are of the service too, ``others`` are what the cluster runs besides; ``of_the_mirror`` what the file
    says in the section ``mirror``. ``own``: all members have this program's names and Squid its agent.
    """

    named: Mapping[str, Primitive]
    further: Mapping[str, Primitive]
    others: Mapping[str, Primitive]
    own: bool

    @property
    def of_the_mirror(self) -> list[Primitive]:
        """DRBD's resource and the filesystem on it; where there is none on it, the filesystems that there are."""
        found = [self.named[name] for name in ("mirror", "filesystem") if name in self.named]
        return found if "filesystem" in self.named else [*found, *filter(mounts, self.further.values())]


def members_of(cib: Cib, subnet: str = "") -> Members:
    """The service in a cluster's configuration: what is tied to the resource for Squid.

    Of several addresses the one in the clients' network ``subnet`` that is nearest above Squid counts, of several
    filesystems the nearest one on DRBD.
    """
    tied = service(cib)
    squid = next((each for each in tied.values() if _runs_squid(each)), None)
    if squid is None:
        # All that runs once, whosever it is.
        tied = {name: each for name, each in tied.items() if name in OWN.values()}
    near = _Near(cib)
    named: dict[str, Primitive] = {"squid": squid} if squid else {}
    ours = squid is None or squid.agent == _OWN_AGENT

    def choose(member: str, fits: Callable[[Primitive], bool], key: Callable[[Primitive], tuple[float, ...]]) -> None:
        found = [each for each in tied.values() if fits(each)]
        if found:
            named[member] = min(found, key=lambda each: (not (ours and each.id == OWN[member]), *key(each)))

    def from_squid(each: Primitive, *, above: bool) -> tuple[float, ...]:
        return near.steps(squid.id, each.id, above=above) if squid else ()

    choose(
        "address",
        is_address,
        lambda each: (not _is_in(each.parameters.get("ip"), subnet), *from_squid(each, above=True)),
    )
    choose("filesystem", on_drbd, lambda each: from_squid(each, above=False))
    start = named.get("filesystem", squid)
    choose(
        "mirror",
        lambda each: each.agent == _DRBD,
        lambda each: near.steps(start.id, each.id, above=False) if start else (),
    )
    own = all(each.id == OWN[member] for member, each in named.items()) and ours
    used = {each.id for each in named.values()}
    further = {name: each for name, each in tied.items() if name not in used}
    others = {name: each for name, each in cib.primitives().items() if name not in used | further.keys()}
    return Members(named, further, others, own)


class _Near:
    """How far resources are from each other along what must be together."""

    def __init__(self, cib: Cib) -> None:
        ties = [tie for tie in cib.ties() if tie.must]
        self._up = [(tie.lower, tie.upper) for tie in ties]
        self._down = [(tie.upper, tie.lower) for tie in ties]

    def steps(self, start: str, end: str, *, above: bool) -> tuple[float, ...]:
        """Something to sort by: first what stands on the start (or, not ``above``, below it), the nearest first."""
        straight, back = (self._up, self._down) if above else (self._down, self._up)
        return _distance(start, end, straight), _distance(start, end, [*straight, *back])


def _distance(start: str, end: str, steps: Sequence[tuple[str, str]]) -> float:
    reached, taken = {start}, 0
    while end not in reached:
        grown = reached | {after for before, after in steps if before in reached}
        if grown == reached:
            return math.inf
        reached, taken = grown, taken + 1
    return taken


def is_address(primitive: Primitive) -> bool:
    """Whether it is an address that moves."""
    return primitive.agent in _ADDRESSES


def on_drbd(primitive: Primitive) -> bool:
    """Whether it mounts what lies on a device of DRBD's."""
    return mounts(primitive) and (primitive.parameters.get("device") or "").startswith("/dev/drbd")


def mounts(primitive: Primitive) -> bool:
    """Whether it mounts a filesystem."""
    return primitive.agent == _FILESYSTEM


def _is_in(address: str | None, subnet: str) -> bool:
    try:
        return bool(subnet) and ipaddress.ip_address(address or "") in ipaddress.ip_network(subnet)
    except ValueError:
        return False


def refuse_untied(cib: Cib, members: Members) -> None:
    """Raises `ValueError` with a sentence where Squid and its address do not move together."""
    every = cib.primitives()
    addresses = [each for each in every.values() if is_address(each)]
    clone = next(
        ((each, found.id) for each in every.values() if _runs_squid(each) and (found := cib.clone_of(each.id))), None
    )
    squid = members.named.get("squid")
    if squid is None and clone is not None:
        raise ValueError(
            f"Squid runs on both nodes, as the clone {clone[1]}, and only {_called(addresses) or 'what is besides'} "
            f"moves: a service that squid-ha keeps runs on one node; make it a single resource (`pcs resource unclone "
            f"{clone[0].id}`), tied to its address by a score of INFINITY"
        )
    if "address" in members.named and (squid is not None or members.own):
        return
    if squid is None:
        raise ValueError(
            "the cluster has no resource for Squid (systemd:squid, ocf:heartbeat:Squid): make one, tied to its address "
            "by a score of INFINITY, or write the stack file by hand: `squid-ha init`"
        )
    if not addresses:
        raise ValueError(
            f"the cluster has no address that moves with {squid.id}: make a resource of the agent IPaddr2, tied to it "
            f"by a score of INFINITY"
        )
    weak = [each for each in addresses if _is_tied(cib, each.id, squid.id)]
    found, how = (weak, "tied by a finite score only") if weak else (addresses, "not tied at all")
    raise ValueError(
        f"{_called(found)} may run where Squid ({squid.id}) does not, being {how}: tie the clients' address to it by a "
        f"score of INFINITY (`pcs constraint colocation add {found[0].id} with {squid.id}`), or put both in a group"
    )


def _called(addresses: Sequence[Primitive]) -> str:
    word = "the address" if len(addresses) == 1 else "each of the addresses"
    names = ", ".join(f"{each.id} ({each.parameters.get('ip')})" for each in addresses)
    return f"{word} {names}" if names else ""


def _is_tied(cib: Cib, address: str, squid: str) -> bool:
    """Whether anything at all pulls the address to the service."""
    pairs = [pair for tie in cib.ties() for pair in ((tie.upper, tie.lower), (tie.lower, tie.upper))]
    return _distance(squid, address, pairs) < math.inf


def _runs_squid(primitive: Primitive) -> bool:
    name = primitive.agent.rsplit(":", 1)[-1].partition("@")[0].removesuffix(".service")
    return name.lower() == "squid"


def as_found(cib: Cib, members: Members) -> dict[str, Any]:
    """``pacemaker.adopted`` of a service that is somebody else's, without its mirror."""
    found = {
        member: {"id": each.id, "sha256": (definition.digest(cib, each.id) or "").removeprefix(AS_FOUND)}
        for member, each in members.named.items()
    }
    return {"members": found, "options": _options(cib)}


def _options(cib: Cib) -> dict[str, str]:
    """Those that this program would set, as far as they are set."""
    return {
        name: value
        for section, names in OPTIONS.items()
        for name, value in cib.options(*options.SECTIONS[section]).items()
        if name in names
    }
