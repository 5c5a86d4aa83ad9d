"""What LifeKeeper says of itself, as settings of the declaration.

The service is what is tied to the resource for Squid, of Quick Service Protection or a Generic Application. Its members
are known by what they are, so their tags may be anything; other hierarchies are told as left alone.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

from declaration.engines.lifekeeper import CUSTOMARY_PRIORITIES, SquidKit
from declaration.rules.lifekeeper import SQUID_WORD, customary_tags
from operations.adopt.engines import lifekeeper_scripts, lifekeeper_settings
from operations.adopt.model import Draft, NodeFacts
from providers.connection.command import Command, command
from providers.connection.errors import Unknown
from providers.host.facts import is_address
from providers.lifekeeper import (
    defaults,
    filesystem,
    generic,
    hierarchy,
    ip,
    mirror,
    mirror_info,
    node,
    scripts,
    views,
)
from providers.lifekeeper.resource import Kit
from providers.lifekeeper.views import Instance, Path, View

FILES: Sequence[str] = (defaults.PATH,)
_LISTS: Mapping[str, Command] = {f"lifekeeper {number}": each for number, each in enumerate(views.queries())}
_MOUNTS = "mounts"
COMMANDS: Mapping[str, Command] = {
    **_LISTS,
    lifekeeper_scripts.ANSWER: lifekeeper_scripts.COMMAND,
    lifekeeper_settings.PACKAGES: lifekeeper_settings.COMMAND,
    _MOUNTS: command("findmnt", "--real", "--raw", "--noheadings", "--output", "TARGET,FSTYPE", ok=None, reads=True),
}
_CUSTOMARY_TYPE = "ext3"
_FOREIGN = "is none of this service's, and is left alone: `up` neither changes it nor looks at it"
Ties = set[tuple[str, str]]
"""Parent, child."""


def runs(facts: NodeFacts) -> bool:
    """Whether LifeKeeper runs."""
    return node.unit() in facts.active


def describe(draft: Draft, nodes: Sequence[NodeFacts]) -> None:
    """Fill in everything; the lists of a node tell of that node alone.

    Raises `ValueError` with a sentence where there is no service to describe.
    """
    seen = {each.name: _view(each) for each in nodes}
    try:
        tags = hierarchy.service(seen)
    except Unknown as error:
        raise ValueError(f"{error.message}: there is no service of LifeKeeper's to adopt") from None
    members = {tag: view.instances[tag] for tag in tags for view in seen.values() if tag in view.instances}
    draft.site["lifekeeper"] = {}
    squid = hierarchy.squid(seen)
    ties = {tie for view in seen.values() for tie in view.dependencies}
    mirrored = _mirrored(members, ties, squid)
    _paths(draft, list(seen.values()), _replicating(seen, mirrored))
    addresses = _virtual_ips(draft, members, ties, squid)
    tags = {"squid": squid, **({"address": addresses[0]} if addresses else {})}
    chosen = _members(draft, nodes, seen, members, tags, mirrored)
    chosen |= _applications(draft, nodes, seen, members, {"squid": squid, "address": next(iter(addresses), "")})
    _order(draft, seen, squid)
    lifekeeper_settings.describe(draft, nodes)
    _others(draft, seen, members, chosen, addresses)


def _others(
    draft: Draft,
    seen: Mapping[str, View],
    members: Mapping[str, Instance],
    chosen: set[str],
    addresses: Sequence[str],
) -> None:
    """Resources and flags that are not in the file, of each node that has them."""
    for name, view in seen.items():
        for tag, instance in view.instances.items():
            if tag in chosen:
                continue
            lone = any(tag not in other.instances for other in seen.values())
            what = _left(instance, lone=lone) if tag in members else _FOREIGN
            if tag in addresses:
                what += (
                    f". It stands where {addresses[0]} does, which the file takes for the clients': if it is this one, "
                    "say so by `virtual_ip` and `lifekeeper.tags.address`"
                )
            draft.note(name, f"resource {tag} ({instance.app}/{instance.type}, {instance.id})", what)
        raised = [flag for flag in view.flags if not flag.startswith("!")]
        if raised:
            what = f"{', '.join(raised)}: the file has no words for flags, and `up` leaves them as they are"
            draft.note(name, "flags", what)


def _left(instance: Instance, *, lone: bool) -> str:
    """Why a member of the service is not in the file, and what becomes of it; ``lone``: it is on one node only."""
    moves = "is on this node only, so it does not move along" if lone else "moves along"
    if _is(instance, generic.KIT):
        place = f"{scripts.COPIES}/actions/!restore/{instance.tag}"
        return (
            f"belongs to the service. It {moves}, and `up` leaves it as it is. `lifekeeper.generic` has words only for "
            "one right below Squid or the virtual IP, with Squid's priorities and switchback, and whose scripts "
            f"({place} and its like) are the same on both nodes and begin with `#!/`"
        )
    return (
        f"belongs to the service, and the file has no words for it: it {moves}, and `up` neither changes it nor looks "
        "at it"
    )


def _view(facts: NodeFacts) -> View:
    """Of what the lists printed. Raises `ValueError` where LifeKeeper does not tell all of it."""
    try:
        view = views.parse(facts.name, [facts.answers[name] for name in _LISTS])
    except Unknown as error:
        raise ValueError(f"{facts.name}: {error.message}") from None
    if not view.running:
        raise ValueError(f"{facts.name}: LifeKeeper's unit is active but `lktest` says that it does not run")
    return view


def _is(instance: Instance, kit: Kit) -> bool:
    return (instance.app, instance.type) == (kit.app, kit.type)


def _halves(seen: Mapping[str, View], tag: str) -> list[Instance]:
    """The resource as each node has it that does."""
    return [view.instances[tag] for view in seen.values() if tag in view.instances]


def _replicating(seen: Mapping[str, View], mirrored: tuple[Instance, Instance] | None) -> set[str]:
    """Addresses that the mirror's info tells of, if any."""
    halves = _halves(seen, mirrored[1].tag) if mirrored else []
    return {address for half in halves for address in mirror_info.addresses(half)}


def _paths(draft: Draft, views_: Sequence[View], replicating: set[str]) -> None:
    """Over which networks the nodes hear each other; the public one is that of the address they were reached by.

    One path over each network can be said, of several beside the public one that which is ``replicating``; others, and
    those to other systems, are told of each node that has them.
    """
    here, there = draft.site["nodes"]
    made: dict[str, int] = {}
    said: set[str] = set()
    between = [path for path in _by_priority(views_[0]) if path.system == there["name"]]
    mirrors = [path for path in between if not replicating.isdisjoint(path.addresses.split("/"))]
    beside = next((path for path in mirrors if not path.addresses.startswith(f"{here['address']}/")), None)
    for path in between:
        local, _, remote = path.addresses.partition("/")
        network = "public" if local == here["address"] else "replication"
        if not is_address(local) or network in made or (network == "replication" and beside not in (None, path)):
            continue
        if network == "replication":
            here["replication_address"], there["replication_address"] = local, remote
        made[network] = _number(path.priority) or len(made) + 1
        said |= {path.addresses, f"{remote}/{local}"}
    for each, view in zip(draft.site["nodes"], views_, strict=True):
        for path in _by_priority(view):
            if path.addresses not in said:
                how = ", ".join(filter(None, (f"priority {path.priority}" if path.priority else "", path.state)))
                what = f"is one more than the file has words for ({how}): `up` leaves it as it is"
                draft.note(each["name"], f"path {path.addresses} to {path.system}", what)
    customary = {"replication": 1, "public": 2} if len(made) > 1 else {"public": 1}
    if made != customary:
        draft.site["lifekeeper"]["paths"] = [{"network": name, "priority": rank} for name, rank in made.items()]


def _by_priority(view: View) -> list[Path]:
    return sorted(view.paths.values(), key=lambda each: _number(each.priority) or len(view.paths))


def _number(text: str) -> int:
    """0 for what is none."""
    return int(text) if text.isdecimal() else 0


def _mirrored(members: Mapping[str, Instance], ties: Ties, squid: str) -> tuple[Instance, Instance] | None:
    """The filesystem and the mirror that it lies on; a filesystem on something else is none of this program's.

    Of several the one that Squid needs itself, as `providers.lifekeeper.halves` has it. Raises `ValueError` where that
    does not tell which one is meant.
    """
    pairs = [(members[over], members[under]) for over, under in sorted(ties) if over in members and under in members]
    lying = [each for each in pairs if _is(each[0], filesystem.KIT) and _is(each[1], mirror.KIT)]
    chosen = [each for each in lying if (squid, each[0].tag) in ties] or lying
    if len(chosen) > 1:
        told = " and ".join(f"{over.tag} on {under.tag}" for over, under in chosen)
        raise ValueError(
            f"the service has more than one filesystem on a mirror ({told}), and nobody can tell which one is this "
            f"site's: see `lcdstatus`, have {squid} depend on just one of them, then adopt anew"
        )
    return next(iter(chosen), None)


def _virtual_ips(draft: Draft, members: Mapping[str, Instance], ties: Ties, squid: str) -> list[str]:
    """Tags of what may be the clients' address, by name: above Squid, as this program's is, and in their network.

    Where none is so, the next best.
    """
    subnet = draft.site["network"]["public"]["subnet"]

    def strange(tag: str) -> tuple[bool, bool]:
        address = members[tag].id.removeprefix("IP-")
        inside = bool(subnet) and is_address(address) and ipaddress.ip_address(address) in ipaddress.ip_network(subnet)
        return (tag, squid) not in ties, not inside

    found = sorted(tag for tag, each in members.items() if _is(each, ip.KIT))
    least = min(map(strange, found), default=None)
    return [tag for tag in found if strange(tag) == least]


def _members(
    draft: Draft,
    nodes: Sequence[NodeFacts],
    seen: Mapping[str, View],
    members: Mapping[str, Instance],
    tags: dict[str, str],
    mirrored: tuple[Instance, Instance] | None,
) -> set[str]:
    """The virtual IP, the mirror and its filesystem, and the tags that are not the customary ones; returns all tags.

    ``tags``: of Squid and, where there is one, of the virtual IP.
    """
    told = nodes[0]
    if "address" in tags:
        draft.site["virtual_ip"] = members[tags["address"]].id.removeprefix("IP-")
        if backup := ip.backup_interface(members[tags["address"]]):
            draft.site["lifekeeper"]["address"] = {"backup_interface": backup}
    else:
        draft.note(told.name, "the hierarchy of Squid", "has no IP resource, which `up` would make")
    if mirrored:
        volume, half = mirrored
        draft.site["mirror"] = {
            "device": _disk(draft, seen, half),
            "mount_point": volume.id,
            "filesystem": _type(draft, nodes, volume.id),
        }
        tags = {**tags, "filesystem": volume.tag, "mirror": half.tag}
        _replication(draft, told.name, _halves(seen, half.tag))
    kit: SquidKit = "qsp"
    if _is(members[tags["squid"]], generic.KIT):
        kit = "generic"
        lifekeeper_scripts.describe(draft, nodes, tags["squid"])
    customary = customary_tags(draft.site.get("virtual_ip"), draft.site.get("mirror", {}).get("mount_point"), kit)
    if changed := {name: tag for name, tag in tags.items() if tag and tag != customary[name]}:
        draft.site["lifekeeper"]["tags"] = changed
    return set(tags.values())


def _applications(
    draft: Draft,
    nodes: Sequence[NodeFacts],
    seen: Mapping[str, View],
    members: Mapping[str, Instance],
    above: Mapping[str, str],
) -> set[str]:
    """Generic Applications of the service that are in the file then; ``above``: what they may lie below → its tag."""
    squid, said = above["squid"], set[str]()
    for tag, instance in sorted(members.items()):
        # Of a Squid by scripts the tag alone tells, so no other one may have the word.
        taken = tag == squid or (_is(members[squid], generic.KIT) and SQUID_WORD.search(tag))
        if taken or not _is(instance, generic.KIT) or not _treated_alike(seen, tag, squid):
            continue
        tied = [{over for over, under in view.dependencies if under == tag} for view in seen.values()]
        below = next((name for name, over in above.items() if all(over in each for each in tied)), "")
        if below and lifekeeper_scripts.application(draft, nodes, tag, below):
            said.add(tag)
    return said


def _treated_alike(seen: Mapping[str, View], one: str, other: str) -> bool:
    """Whether LifeKeeper treats both resources the same on each node: what is declared of one holds of the other."""

    def treated(view: View, tag: str) -> tuple[object, ...]:
        peers = {there: view.peer_priorities.get((tag, there, tag)) for own, there, _ in view.equivalents if own == tag}
        return view.priorities.get(tag), view.instances[tag].switchback, view.initial.get(tag), peers

    having = all(view.instances.keys() >= {one, other} for view in seen.values())
    return having and all(treated(view, one) == treated(view, other) for view in seen.values())


def _replication(draft: Draft, node: str, halves: Sequence[Instance]) -> None:
    """The bitmap, where all halves tell of the same one and it is not the customary one; what no list shows is told."""
    found = [mirror_info.bitmaps(each) for each in halves]
    bitmaps = {bitmap for each in found for bitmap in each}
    if all(found) and len(bitmaps) == 1:
        draft.site["lifekeeper"] |= _bitmap(draft, *bitmaps)
    unseen = "" if all(found) else " and, in this version, where its bitmap is"
    what = f"no list shows whether it is asynchronous{unseen}, and `up` does not compare it: say it in "
    draft.note(node, f"resource {halves[0].tag}", f"{what}`lifekeeper.replication`")


def _bitmap(draft: Draft, path: str) -> dict[str, Any]:
    customary = mirror_info.customary_bitmap(draft.site["mirror"]["mount_point"])
    return {} if path == customary else {"replication": {"bitmap": path}}


def _disk(draft: Draft, seen: Mapping[str, View], half: Instance) -> str:
    """The mirror's disk on the first node that has it; a node that has it by another path says so itself."""
    ids = {name: view.instances[half.tag].id for name, view in seen.items() if half.tag in view.instances}
    first = next(iter(ids.values()))
    for each in draft.site["nodes"]:
        if ids.get(each["name"], first) != first:
            each["mirror_device"] = ids[each["name"]]
    return first


def _type(draft: Draft, nodes: Sequence[NodeFacts], mount_point: str) -> str:
    """The filesystem's type where it is mounted, else the customary one, which is told."""
    for each in nodes:
        lines = each.said(_MOUNTS).splitlines()
        mounted = dict(line.rsplit(" ", 1) for line in lines if " " in line)
        if mount_point in mounted:
            return mounted[mount_point]
    draft.note(
        nodes[0].name,
        mount_point,
        f"is mounted on no node: its type is taken for {_CUSTOMARY_TYPE}; `up` leaves it as it is",
    )
    return _CUSTOMARY_TYPE


def _order(draft: Draft, seen: Mapping[str, View], squid: str) -> None:
    """Which node is preferred, and whether the service goes back there."""
    engine: dict[str, Any] = draft.site["lifekeeper"]
    ranks = [_number(seen[each["name"]].priorities.get(squid, "")) for each in draft.site["nodes"]]
    if all(ranks) and tuple(ranks) != CUSTOMARY_PRIORITIES:
        engine["priorities"] = ranks
    back = {view.instances[squid].switchback for view in seen.values() if squid in view.instances}
    if back == {"automatic"}:
        engine["switchback"] = "automatic"
