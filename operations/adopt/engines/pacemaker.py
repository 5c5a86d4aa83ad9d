"""What Corosync, Pacemaker and DRBD say of themselves, as settings of the declaration.

The members of the service are this program's own, or somebody else's (`pacemaker_members`): those stay as they were
found, with the options of the cluster and the mirror below.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from blueprint import paths
from blueprint.engines.pacemaker import tree
from declaration.mirror import PEER_TIMEOUT_STEP
from operations.adopt.engines.pacemaker_members import (
    OWN,
    Members,
    as_found,
    filesystem_as_found,
    members_of,
    mirror_as_found,
)
from operations.adopt.model import Draft, NodeFacts
from providers.connection.command import Command, command, script
from providers.host.digest import AS_FOUND
from providers.pacemaker import corosync_conf, definition, sbd, sbd_conf
from providers.pacemaker.cib import PROPERTIES, Cib
from providers.pacemaker.model import Primitive
from providers.storage.found import DIGESTS

FILES: Sequence[str] = (corosync_conf.PATH, sbd_conf.PATH, paths.MIRROR_CONFIGURATION)
_UNFENCED = "found without fencing by squid-ha adopt; say here why that is accepted"
_OURS = {tree.REACHABILITY, "fencing"}
_LABEL = 'blkid -o value -s LABEL -- "$1"; blkid -o value -s TYPE -- "$1"'
# The secret stays on the node.
_DUMP = r"""
command -v drbdadm >/dev/null || exit 0
drbdadm dump 2>/dev/null </dev/null |
    sed -e '/^[[:space:]]*#/d' -e '/shared-secret/d' -e 's/[[:space:]]\{1,\}/ /g' \
        -e 's/^resource "\(.*\)" {/resource \1 {/'
true
"""
COMMANDS: Mapping[str, Command] = {
    "cib": command("cibadmin", "--query", ok=None, reads=True),
    "resources": script("ls /etc/drbd.d/*.res 2>/dev/null; true", reads=True, label="list DRBD's resources"),
    "mirrors": DIGESTS,
    "dump": script(_DUMP, reads=True, label="drbdadm dump"),
    "volume": script(_LABEL, paths.MIRROR_VOLUME, ok=None, reads=True, label=f"blkid {paths.MIRROR_VOLUME}"),
    "sbd": script(
        '[ -r /etc/default/sbd ] && . /etc/default/sbd; [ -n "$SBD_DEVICE" ] && sbd -d "$SBD_DEVICE" dump',
        ok=None,
        reads=True,
        label="sbd dump",
    ),
}


def runs(facts: NodeFacts) -> bool:
    """Whether Corosync and Pacemaker run."""
    return {"corosync.service", "pacemaker.service"} <= facts.active


def describe(draft: Draft, nodes: Sequence[NodeFacts]) -> None:
    """Fill in everything; the cluster's configuration is the same on both, so the first one that tells it counts."""
    told = next((each for each in nodes if each.said("cib").lstrip().startswith("<")), None)
    if told is None:
        draft.note(nodes[0].name, "cibadmin --query", "the cluster's configuration could not be read")
        return
    cib = Cib.parse(told.said("cib"))
    members = members_of(cib)
    _membership(draft, nodes)
    _address(draft, members.named.get("address"))
    _reachable(draft, cib.primitives().get(tree.REACHABILITY))
    _limits(draft, members)
    _options(draft, cib)
    (_mirror if members.own else _mirror_as_found)(draft, nodes, told, members)
    _fencing(draft, told, fencing := _device(cib))
    squid = members.named.get("squid")
    if squid is not None and members.own:
        url = _probe(squid)
        draft.site["squid"] = {"probe_url": url} if url else {}
        if squid.parameters.get("record_lost") == "fail":
            draft.site["log"] = {"on_lost": "fail"}
    if not members.own:
        _as_found(draft, cib, members, fencing)
    _unsaid(draft, told, members)


def _as_found(draft: Draft, cib: Cib, members: Members, fencing: str) -> None:
    """What somebody else has built stays; of the fencing only SBD's device has words, under whatever name."""
    adopted: dict[str, Any] = draft.site["pacemaker"].setdefault("adopted", {})
    found = as_found(cib, members)
    if "mirror" not in adopted:
        found["members"] = {name: each for name, each in found["members"].items() if name in ("squid", "address")}
    if "sbd" in draft.site["pacemaker"]["fencing"] and fencing not in ("", "fencing"):
        digest = definition.digest(cib, fencing) or ""
        found["members"]["fencing"] = {"id": fencing, "sha256": digest.removeprefix(AS_FOUND)}
    draft.site["pacemaker"]["adopted"] = {**found, **adopted}


def _unsaid(draft: Draft, told: NodeFacts, members: Members) -> None:
    """What the cluster runs besides the service's members, and members that it lacks."""
    for name, primitive in members.others.items():
        if name not in _OURS:
            draft.note(
                told.name, f"resource {name} ({primitive.agent})", "is none of this program's, and is left alone"
            )
    for name in ("squid", "address"):
        if name not in members.named:
            draft.note(told.name, "the cluster", f"has no resource called `{OWN[name]}`, which this program would make")


def _device(cib: Cib) -> str:
    """The id of SBD's fencing device, '' without one."""
    return next((name for name, each in cib.primitives().items() if each.agent == sbd.AGENT), "")


def _probe(squid: Primitive) -> str | None:
    url = squid.parameters.get("probe_url")
    return None if url == "http://probe.squid-ha.invalid/" else url


def _membership(draft: Draft, nodes: Sequence[NodeFacts]) -> None:
    """Links and token of corosync.conf; the first link is the public network."""
    text = next((each.files[corosync_conf.PATH] for each in nodes if corosync_conf.PATH in each.files), "")
    settings = dict(corosync_conf.flatten(text))
    engine: dict[str, Any] = draft.site.setdefault("pacemaker", {})
    token = int(settings.get("totem.token", "3000"))
    engine["token"] = f"{token // 1000}s" if token % 1000 == 0 else f"{token}ms"
    links = {value: settings for path, value in settings.items() if path.endswith(".name")}
    for node in draft.site["nodes"]:
        section = next((path[: -len(".name")] for path, value in settings.items()
                        if path.endswith(".name") and value == node["name"] and links), "")  # fmt: skip
        if settings.get(f"{section}.ring0_addr"):
            node["address"] = settings[f"{section}.ring0_addr"]
        if settings.get(f"{section}.ring1_addr"):
            node["replication_address"] = settings[f"{section}.ring1_addr"]


def _address(draft: Draft, address: Primitive | None) -> None:
    if address is not None and address.parameters.get("ip"):
        draft.site["virtual_ip"] = address.parameters["ip"]


def _reachable(draft: Draft, reachability: Primitive | None) -> None:
    if reachability is not None:
        draft.site["network"]["public"]["reachable"] = (reachability.parameters.get("host_list") or "").split()


def _limits(draft: Draft, members: Members) -> None:
    """Every limit as it is; what is the default would say the same unwritten."""
    made: dict[str, dict[str, str]] = {}
    for name, member in members.named.items() if members.own else ():
        for operation in member.operations.values():
            limits = made.setdefault(name, {})
            if operation.timeout:
                limits[operation.name] = _time(operation.timeout)
            if operation.name == "monitor":
                seconds = int(_time(operation.interval).removesuffix("s") or 0)
                # The mirror's two readings are a second to either side of what is declared.
                slack = {"Promoted": 1, "Unpromoted": -1}.get(operation.role or "", 0)
                limits["monitor_interval"] = f"{seconds + slack}s"
    if made:
        draft.site["timeouts"] = made


def _time(text: str) -> str:
    """Pacemaker's ``60s``, ``60``, ``1min`` in seconds."""
    found = re.fullmatch(r"(\d+)\s*(s|sec|m|min|ms|)", text)
    if found is None:
        return text
    number = int(found[1])
    return f"{number // 1000 if found[2] == 'ms' else number * (60 if found[2] in ('m', 'min') else 1)}s"


def _options(draft: Draft, cib: Cib) -> None:
    defaults = cib.options("rsc_defaults", "squid-ha-resource-defaults")
    score = {"INFINITY": "1000000"}.get(
        defaults.get("resource-stickiness", ""), defaults.get("resource-stickiness", "0")
    )
    draft.site["stickiness"] = int(score)
    properties = cib.options("crm_config", PROPERTIES)
    engine: dict[str, Any] = draft.site["pacemaker"]
    for option, setting in (
        ("stonith-timeout", "stonith_timeout"),
        ("priority-fencing-delay", "priority_fencing_delay"),
    ):
        if option in properties:
            engine[setting] = _time(properties[option])


def _fencing(draft: Draft, told: NodeFacts, device: str) -> None:
    engine: dict[str, Any] = draft.site["pacemaker"]
    settings = dict(re.findall(r"^([A-Z_]+)=(.*)$", told.files.get(sbd_conf.PATH, ""), re.MULTILINE))
    disk = settings.get("SBD_DEVICE", "").strip("\"'")
    if not disk or not device:
        engine["fencing"] = {"none": _UNFENCED}
        draft.note(told.name, "fencing", "no fencing by SBD was found: `pacemaker.fencing.none` must say why")
        return
    header = dict(re.findall(r"^Timeout \((\w+)\)\s*:\s*(\d+)", told.said("sbd"), re.MULTILINE))
    made: dict[str, Any] = {"device": disk, "watchdog": sbd_conf.watchdog(told.files[sbd_conf.PATH])}
    made |= {"watchdog_timeout": f"{header['watchdog']}s"} if "watchdog" in header else {}
    made |= {"message_timeout": f"{header['msgwait']}s"} if "msgwait" in header else {}
    engine["fencing"] = {"sbd": made}


def _mirror(draft: Draft, nodes: Sequence[NodeFacts], told: NodeFacts, members: Members) -> None:  # noqa: ARG001
    """This program's own mirror, out of its file."""
    others = [each for each in told.said("resources").split() if each != paths.MIRROR_CONFIGURATION]
    for path in others:
        draft.note(told.name, path, "a mirror of another name than this program's is left alone")
    text, filesystem = told.files.get(paths.MIRROR_CONFIGURATION, ""), members.named.get("filesystem")
    if not text or filesystem is None:
        return
    mirror = _of_file(draft, text)
    mirror |= {"mount_point": filesystem.parameters["directory"], "filesystem": filesystem.parameters["fstype"]}
    mirror |= _durability(members.named["squid"], filesystem) if "squid" in members.named else {}
    label, *_ = told.said("volume").split() or [""]
    if label and label != mirror["filesystem"]:
        mirror["label"] = label
    draft.site["mirror"] = mirror


def _mirror_as_found(draft: Draft, nodes: Sequence[NodeFacts], told: NodeFacts, members: Members) -> None:
    """Somebody else's, as drbdadm has read it; how a disk that fails is dealt with stays what it is, unsaid."""
    name, digest = mirror_as_found(draft, nodes, members)
    if not name:
        return
    mirror = _of_file(draft, section(told.said("dump"), name))
    del mirror["failure"]
    mirror |= filesystem_as_found(draft, told.name, members.named["filesystem"])
    draft.site["mirror"] = mirror
    draft.site["pacemaker"].setdefault("adopted", {})["mirror"] = {"resource": name, "sha256": digest}


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
