"""Which resources of a cluster are the service's members, and what is said of those that are somebody else's. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from blueprint.engines.pacemaker import tree
from declaration.mirror import Mirror
from operations.adopt.model import Draft, NodeFacts
from providers.host.digest import AS_FOUND
from providers.pacemaker import definition, options
from providers.pacemaker.cib import Cib
from providers.pacemaker.model import Primitive
from providers.pacemaker.service import service
from providers.storage.found import digests

OWN = {"mirror": tree.MIRROR, "filesystem": tree.FILESYSTEM, "squid": tree.SQUID, "address": tree.ADDRESS}
"""Member as the declaration calls it → the id of this program's own resource."""

_AGENTS = {
    "mirror": {"ocf:linbit:drbd"},
    "filesystem": {"ocf:heartbeat:Filesystem"},
    "address": {"ocf:heartbeat:IPaddr2", "ocf:heartbeat:IPaddr"},
}
_OWN_AGENT = "ocf:squid-ha:squid"
_OPTIONS = {
    "properties": (
        "no-quorum-policy", "stonith-enabled", "start-failure-is-fatal", "stonith-timeout", "priority-fencing-delay",
    ),
    "resource_defaults": ("resource-stickiness", "migration-threshold", "failure-timeout"),
    "operation_defaults": ("timeout",),
}  # fmt: skip
"""What this program sets of a cluster, by section (`blueprint.engines.pacemaker.cluster`)."""


@dataclass(frozen=True)
class Members:
    """Member as the declaration calls it → the resource; ``others`` are what the cluster runs besides.

    ``own``: all of them have this program's names and Squid its agent.
    """

    named: Mapping[str, Primitive]
    others: Mapping[str, Primitive]
    own: bool


def members_of(cib: Cib) -> Members:
    """The service in a cluster's configuration: what is tied to the resource for Squid."""
    tied = service(cib)
    named = {
        member: found
        for member, agents in _AGENTS.items()
        if (found := _first(each for each in tied.values() if each.agent in agents)) is not None
    }
    squid = _first(each for each in tied.values() if _runs_squid(each))
    if squid is not None:
        named["squid"] = squid
    own = all(each.id == OWN[member] for member, each in named.items())
    used = {each.id for each in named.values()}
    others = {name: each for name, each in cib.primitives().items() if name not in used}
    return Members(named, others, own and (squid is None or squid.agent == _OWN_AGENT))


def _first(found: Iterable[Primitive]) -> Primitive | None:
    return next(iter(found), None)


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
        for section, names in _OPTIONS.items()
        for name, value in cib.options(*options.SECTIONS[section]).items()
        if name in names
    }


def mirror_as_found(draft: Draft, nodes: Sequence[NodeFacts], members: Members) -> tuple[str, str]:
    """The DRBD resource below the service and the digest of its configuration; '' twice where there is none to adopt.

    What keeps it from being adopted is noted.
    """
    if "mirror" not in members.named or "filesystem" not in members.named:
        return "", ""
    name = members.named["mirror"].parameters.get("drbd_resource") or ""
    seen = {each.name: digests(each.said("mirrors")).get(name, "") for each in nodes}
    if len(set(seen.values())) == 1 and all(seen.values()):
        return name, next(iter(seen.values()))
    missing = [node for node, text in seen.items() if not text]
    why = (
        f"is not known on {', '.join(missing)}" if missing else "is configured otherwise on one node than on the other"
    )
    draft.note(nodes[0].name, f"DRBD's resource {name}", f"{why}: make it the same on both, then adopt again")
    return "", ""


def filesystem_as_found(draft: Draft, node: str, filesystem: Primitive) -> dict[str, Any]:
    """``mirror``: where it is mounted, its type, and what its mount options say of durability."""
    given = filesystem.parameters
    made: dict[str, Any] = {"mount_point": given.get("directory") or ""}
    types = Mirror.model_fields["filesystem"].annotation
    known = getattr(types, "__args__", ())
    if (kind := given.get("fstype") or "") in known:
        made["filesystem"] = kind
    else:
        draft.note(node, f"resource {filesystem.id}", f"a filesystem of type `{kind or 'auto'}` has no word here")
    mounted = (given.get("options") or "").split(",")
    if "sync" in mounted:
        made["durability"] = "sync"
    elif {"data=journal", "commit=1"} <= set(mounted):
        made["durability"] = "1s"
    if "data=journal" in mounted and made.get("durability") != "1s":
        made["data_journal"] = True
    return made
