"""What DRBD and the filesystem on it say of themselves, as settings of the declaration."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from blueprint import names, paths
from blueprint.platforms import PLATFORMS
from declaration.mirror import PEER_TIMEOUT_STEP, Mirror
from operations.adopt.engines.pacemaker_members import Members, mounts
from operations.adopt.model import Draft, NodeFacts
from providers.pacemaker.model import Primitive
from providers.storage.found import digests

_AGAIN = "make it the same on both, then adopt again"


class Unlike(Exception):
    """The mirror that is there cannot be declared; the text says why, and what to do."""


def describe(draft: Draft, nodes: Sequence[NodeFacts], told: NodeFacts, members: Members) -> None:
    """Fill in ``mirror``. One that cannot be declared is a change of the draft, and its members are listed."""
    below = members.of_the_mirror
    if not below:
        _loose(draft, told, members)
        return
    try:
        filesystem = _filesystem(members)
        (_own if members.own else _as_found)(draft, nodes, told, members, filesystem)
    except Unlike as why:
        dropped = ", ".join(f"{each.id} ({each.agent})" for each in below)
        draft.changes.append(f"mirror: is there, and the file would have none of it ({dropped}): {why}")
        for each in below:
            what = "belongs to the service's mirror, which cannot be declared: it is not in the file"
            draft.note(told.name, f"resource {each.id} ({each.agent})", what)


def _loose(draft: Draft, told: NodeFacts, members: Members) -> None:
    """A filesystem with Squid's logs that is not tied to Squid is a change too."""
    text = told.files.get(PLATFORMS[told.platform].squid_configuration, "")
    for each in members.others.values():
        folder = each.parameters.get("directory") or ""
        if mounts(each) and re.search(rf"^\s*access_log\s+(?:\w+:)?{re.escape(folder)}/", text, re.MULTILINE):
            draft.changes.append(
                f"mirror: {each.id} mounts {folder}, where Squid's logs lie, but may run where Squid does not, and the "
                "file would have none of it: tie Squid to it by a score of INFINITY, then adopt again"
            )


def _filesystem(members: Members) -> Primitive:
    """The one on DRBD. Raises `Unlike` where the two are not both there."""
    found = members.named.get("filesystem")
    if found is None:
        mounted = ", ".join(
            f"{each.id} mounts {each.parameters.get('device') or 'nothing by name'}"
            for each in members.of_the_mirror
            if each.id != getattr(members.named.get("mirror"), "id", "")
        )
        raise Unlike(
            f"{mounted}, and not DRBD's device (/dev/drbd…); only a filesystem on DRBD can be adopted"
            if mounted
            else "no filesystem of the service lies on it; mount it by a resource of the agent Filesystem"
        )
    if "mirror" not in members.named:
        device = found.parameters.get("device")
        raise Unlike(f"{found.id} mounts {device}, but no resource of DRBD's is tied to it; tie it to that")
    return found


def _own(
    draft: Draft,
    nodes: Sequence[NodeFacts],  # noqa: ARG001 the same as of others
    told: NodeFacts,
    members: Members,
    filesystem: Primitive,
) -> None:
    """This program's own mirror, out of its file."""
    others = [each for each in told.said("resources").split() if each != paths.MIRROR_CONFIGURATION]
    for path in others:
        draft.note(told.name, path, "a mirror of another name than this program's is left alone")
    text = told.files.get(paths.MIRROR_CONFIGURATION, "")
    if not text:
        raise Unlike(f"{told.name} has no {paths.MIRROR_CONFIGURATION}; bring it back, then adopt again")
    mirror = _of_file(draft, text)
    mirror |= {"mount_point": filesystem.parameters["directory"], "filesystem": filesystem.parameters["fstype"]}
    mirror |= _durability(members.named["squid"], filesystem) if "squid" in members.named else {}
    label, *_ = told.said("volume").split() or [""]
    if label and label != mirror["filesystem"]:
        mirror["label"] = label
    draft.site["mirror"] = mirror


def _as_found(
    draft: Draft, nodes: Sequence[NodeFacts], told: NodeFacts, members: Members, filesystem: Primitive
) -> None:
    """Somebody else's, as drbdadm has read it; how a disk that fails is dealt with stays what it is, unsaid."""
    name = members.named["mirror"].parameters.get("drbd_resource") or ""
    digest = _digest(nodes, name)
    mounted = _mounted(filesystem)
    text = section(told.said("dump"), name)
    if not text:
        raise Unlike(f"`drbdadm dump` on {told.name} does not tell how DRBD's resource {name} is configured; see why")
    mirror = _of_file(draft, text)
    del mirror["failure"]
    draft.site["mirror"] = mirror | mounted
    draft.site["pacemaker"].setdefault("adopted", {})["mirror"] = {"resource": name, "sha256": digest}
    # Others rotate the logs on a filesystem that is not this program's.
    draft.site.setdefault("adopted", {})["things"] = [names.ROTATION]


def _digest(nodes: Sequence[NodeFacts], name: str) -> str:
    """Of the resource's configuration, where that is the same on all nodes."""
    seen = {each.name: digests(each.said("mirrors")).get(name, "") for each in nodes}
    if missing := [node for node, text in seen.items() if not text]:
        raise Unlike(f"DRBD's resource {name} is not known on {' and '.join(missing)}: {_AGAIN}")
    if len(set(seen.values())) > 1:
        raise Unlike(f"DRBD's resource {name} is configured otherwise on one node than on the other: {_AGAIN}")
    return next(iter(seen.values()))


def _mounted(filesystem: Primitive) -> dict[str, Any]:
    """Where it is mounted, its type, and what its mount options say of durability."""
    given = filesystem.parameters
    known = getattr(Mirror.model_fields["filesystem"].annotation, "__args__", ())
    if (kind := given.get("fstype") or "") not in known:
        raise Unlike(f"{filesystem.id} mounts a filesystem of type `{kind or 'auto'}`; {', '.join(known)} have words")
    made: dict[str, Any] = {"mount_point": given.get("directory") or "", "filesystem": kind}
    mounted = (given.get("options") or "").split(",")
    if "sync" in mounted:
        made["durability"] = "sync"
    elif {"data=journal", "commit=1"} <= set(mounted):
        made["durability"] = "1s"
    if "data=journal" in mounted and made.get("durability") != "1s":
        made["data_journal"] = True
    return made


def _of_file(draft: Draft, text: str) -> dict[str, Any]:
    """What a resource's text says of ``mirror``, and of the nodes: addresses, and disks where they differ."""
    sides = _sides(text)
    mirror = resource(text, [sides.get(node["name"], "") for node in draft.site["nodes"]])
    for node in draft.site["nodes"]:
        side = sides.get(node["name"], "")
        found = re.search(r"address\s+(?:ipv4|ipv6) \[?([0-9a-f.:]+?)\]?:\d+;", side)
        if found:
            node["replication_address"] = found[1]
        if _disk(side) not in (None, mirror["device"]):
            node["mirror_device"] = _disk(side)
    return mirror


def section(dump: str, name: str) -> str:
    """What `drbdadm dump` prints of one resource."""
    found = re.search(rf"^resource {re.escape(name)} \{{$.*?^\}}$", dump, re.MULTILINE | re.DOTALL)
    return found[0] if found else ""


_SIDE = re.compile(r"^\s*on\s+(\S+)\s*\{((?:[^{}]|\{[^{}]*\})*)\}", re.MULTILINE)
"""The section of one node in a resource file, with sections of volumes in it."""


def _sides(text: str) -> dict[str, str]:
    """Node → what a resource file says of it alone."""
    return dict(_SIDE.findall(text))


def _disk(text: str) -> str | None:
    found = re.search(r'(?<![\w-])disk\s+"?([^";{]+?)"?\s*;', text)
    return found[1] if found else None


def resource(text: str, sides: Sequence[str]) -> dict[str, Any]:
    """What a resource file of DRBD says of the declaration's ``mirror``; ``sides`` are its sections of the nodes.

    The disk is that of the first node that has one of its own, where the file does not name one for both.
    """
    said = dict(re.findall(r"^\s*([a-z-]+) ([^;{]+);", text, re.MULTILINE))
    port = re.search(r"address ipv[46] \S+:(\d+);", text)
    disks = (_disk(each) for each in (_SIDE.sub("", text), *sides))
    made: dict[str, Any] = {"device": next(filter(None, disks), "")}
    if port:
        made["port"] = int(port[1])
    failure: dict[str, Any] = {"on_error": said.get("on-io-error", "pass_on")}
    failure["peer_timeout"] = f"{int(said.get('ko-count', '7')) * PEER_TIMEOUT_STEP}s"
    if "disk-timeout" in said:
        failure["disk_timeout"] = f"{int(said['disk-timeout']) * 100}ms"
    made["failure"] = failure
    return made


def _durability(squid: Primitive, filesystem: Primitive) -> dict[str, Any]:
    mounted = (squid.parameters.get("log_mount_options") or "").split(",")
    journal = "data=journal" in (filesystem.parameters.get("options") or "")
    if "sync" in mounted:
        return {"durability": "sync", **({"data_journal": True} if journal else {})}
    if "commit=1" in mounted:
        return {"durability": "1s"}
    return {"data_journal": True} if journal else {}
