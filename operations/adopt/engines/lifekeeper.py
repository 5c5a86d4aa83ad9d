"""What LifeKeeper says of itself, as settings of the declaration.

The service is what is tied to the Quick Service Protection resource for Squid. Its members are known by what they are,
so their tags may be anything; other hierarchies are told as left alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from declaration.engines.lifekeeper import CUSTOMARY_PRIORITIES
from operations.adopt.model import Draft, NodeFacts
from providers.connection.command import Command, Result, command
from providers.connection.errors import Unknown
from providers.lifekeeper import defaults, filesystem, generic, ip, mirror, node, runtime, service, views
from providers.lifekeeper.members import Kit
from providers.lifekeeper.views import Instance, View

FILES: Sequence[str] = (defaults.PATH,)
_LISTS: Mapping[str, Command] = {f"lifekeeper {number}": each for number, each in enumerate(views.queries())}
_MOUNTS = "mounts"
COMMANDS: Mapping[str, Command] = {
    **_LISTS,
    _MOUNTS: command("findmnt", "--real", "--raw", "--noheadings", "--output", "TARGET,FSTYPE", ok=None, reads=True),
}
_BOTH_WAYS = {"NOBCASTPING": "broadcast_ping", "IP_NOLINKCHECK": "link_check"}
_QUORUM = ("QUORUM_MODE", "QUORUM_HOSTS", "QUORUM_LOSS_ACTION", "QUORUM_TIMEOUT_SECS", "WITNESS_MODE")


def runs(facts: NodeFacts) -> bool:
    """Whether LifeKeeper runs."""
    return node.UNIT in facts.active


def describe(draft: Draft, nodes: Sequence[NodeFacts]) -> None:
    """Fill in everything; the lists of a node tell of that node alone."""
    seen = {each.name: _view(each) for each in nodes}
    try:
        tags = runtime.service(seen)
    except Unknown as error:
        draft.note(nodes[0].name, "ins_list", str(error).splitlines()[0])
        return
    first = seen[nodes[0].name]
    members = {tag: view.instances[tag] for tag in tags for view in seen.values() if tag in view.instances}
    draft.site["lifekeeper"] = {}
    _paths(draft, first)
    _members(draft, nodes[0], members)
    _order(draft, seen, _tag(members, service.KIT))
    _settings(draft, nodes[0])
    for tag, instance in first.instances.items():
        if tag not in members:
            place = f"resource {tag} ({instance.app}/{instance.type})"
            draft.note(nodes[0].name, place, "is none of this program's, and is left alone")


def _view(facts: NodeFacts) -> View:
    """Of what the lists printed; that LifeKeeper runs there is known."""
    return views.parse(facts.name, [Result(asked, 0, facts.outputs[name], "") for name, asked in _LISTS.items()])


def _is(instance: Instance, kit: Kit) -> bool:
    return (instance.app, instance.type) == (kit.app, kit.type)


def _tag(members: Mapping[str, Instance], kit: Kit) -> str:
    return next((tag for tag, instance in members.items() if _is(instance, kit)), "")


def _paths(draft: Draft, view: View) -> None:
    """Over which networks the nodes hear each other; the public one is that of the address they were reached by."""
    here, there = draft.site["nodes"]
    made: list[tuple[int, str]] = []
    for path in view.paths.values():
        local, _, remote = path.addresses.partition("/")
        public = local == here["address"]
        if not public:
            here["replication_address"], there["replication_address"] = local, remote
        made.append((int(path.priority or len(made) + 1), "public" if public else "replication"))
    customary = [(1, "replication"), (2, "public")] if len(made) > 1 else [(1, "public")]
    if sorted(made) != customary:
        draft.site["lifekeeper"]["paths"] = [{"network": name, "priority": rank} for rank, name in sorted(made)]


def _members(draft: Draft, told: NodeFacts, members: Mapping[str, Instance]) -> None:
    """The virtual IP, the mirror and its filesystem, and the tags that are not the customary ones."""
    tags: dict[str, str] = {"squid": _tag(members, service.KIT)}
    address = members.get(_tag(members, ip.KIT))
    if address is None:
        draft.note(told.name, "the hierarchy of Squid", "has no IP resource, which this program would make")
    else:
        draft.site["virtual_ip"] = address.id.removeprefix("IP-")
        tags["address"] = address.tag
    customary = {"squid": "qsp-squid", "address": f"ip-{draft.site.get('virtual_ip', '')}"}
    if (volume := members.get(_tag(members, filesystem.KIT))) and (half := members.get(_tag(members, mirror.KIT))):
        draft.site["mirror"] = {"device": half.id, "mount_point": volume.id, "filesystem": _type(told, volume.id)}
        tags |= {"filesystem": volume.tag, "mirror": half.tag}
        customary |= {"filesystem": volume.id, "mirror": f"datarep-{volume.id.rsplit('/', 1)[-1]}"}
        place = f"resource {half.tag}"
        draft.note(
            told.name, place, "whether it is asynchronous, and where its bitmap is, no list shows: see `replication`"
        )
    if changed := {name: tag for name, tag in tags.items() if tag and tag != customary[name]}:
        draft.site["lifekeeper"]["tags"] = changed
    for tag, instance in members.items():
        if _is(instance, generic.KIT):
            draft.note(
                told.name, f"resource {tag}", "its scripts are not read; `lifekeeper.generic` can bring them along"
            )


def _type(told: NodeFacts, mount_point: str) -> str:
    """The filesystem's type where it is mounted, else the customary one."""
    mounted = dict(line.rsplit(" ", 1) for line in told.outputs.get(_MOUNTS, "").splitlines() if " " in line)
    return mounted.get(mount_point, "ext3")


def _order(draft: Draft, seen: Mapping[str, View], squid: str) -> None:
    """Which node is preferred, and whether the service goes back there."""
    engine: dict[str, Any] = draft.site["lifekeeper"]
    ranks = [int(seen[each["name"]].priorities.get(squid, "0")) for each in draft.site["nodes"]]
    if all(ranks) and tuple(ranks) != CUSTOMARY_PRIORITIES:
        engine["priorities"] = ranks
    back = {view.instances[squid].switchback for view in seen.values() if squid in view.instances}
    if back == {"automatic"}:
        engine["switchback"] = "automatic"


def _settings(draft: Draft, told: NodeFacts) -> None:
    """Of /etc/default/LifeKeeper what the declaration has words for; the rest of that file is never touched."""
    engine: dict[str, Any] = draft.site["lifekeeper"]
    found = defaults.values(told.files.get(defaults.PATH, ""))
    if watched := {setting: found[key] == "0" for key, setting in _BOTH_WAYS.items() if key in found}:
        engine["address"] = watched
    if "LKCHECKINTERVAL" in found:
        engine["check_interval"] = f"{found['LKCHECKINTERVAL']}s"
    if {"LCMHBEATTIME", "LCMNUMHBEATS"} <= found.keys():
        engine["heartbeat"] = {"interval": f"{found['LCMHBEATTIME']}s", "misses": int(found["LCMNUMHBEATS"])}
    if found.get("QUORUM_MODE", "off") not in ("", "off"):
        settings = ", ".join(f"{key}={found[key]}" for key in _QUORUM if key in found)
        draft.note(
            told.name, defaults.PATH, f"the quorum stays as it is ({settings}); `lifekeeper.quorum` says it anew"
        )
