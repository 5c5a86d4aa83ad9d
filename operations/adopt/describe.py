"""From what was read on the nodes to a declaration. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from blueprint import paths
from blueprint.platforms import PLATFORMS, Platform
from declaration.log import Log
from declaration.paths import MIRROR_ITSELF
from operations.adopt import squid
from operations.adopt.engines import ENGINES
from operations.adopt.model import Draft, NodeFacts

DEFAULT_ENGINE = "pacemaker"
_DIRECTORY = Log.model_fields["mirror_directory"].default
FIREWALL = paths.FIREWALL


def engine_of(nodes: Sequence[NodeFacts]) -> str:
    """The engine that runs on all nodes; '' where none does."""
    return next((name for name, engine in ENGINES.items() if all(map(engine.runs, nodes))), "")


def _without_engine(nodes: Sequence[NodeFacts]) -> str:
    """That no engine runs on all nodes; where one runs on some of them, on which it is to be started."""
    for name, engine in ENGINES.items():
        running = [each.name for each in nodes if engine.runs(each)]
        if running:
            stopped = " and ".join(each.name for each in nodes if each.name not in running)
            return f"{name} runs on {' and '.join(running)}, and not on {stopped}: start it there, then run this again"
    return "no engine that this program knows runs on both nodes; adopt a single node, or use `init`"


def describe(nodes: Sequence[NodeFacts], ssh: Mapping[str, Any], engine: str = "") -> Draft:
    """The declaration that says what is there, and what it cannot say. ``engine`` '' looks for the one that runs.

    Raises `ValueError` with a sentence where there is nothing to describe.
    """
    platforms = {each.platform for each in nodes}
    platform = PLATFORMS.get(nodes[0].platform)
    if platform is None or len(platforms) > 1:
        raise ValueError(f"the nodes run {' and '.join(sorted(platforms))}; this program knows {', '.join(PLATFORMS)}")
    bare = next((each.name for each in nodes if platform.squid_configuration not in each.files), "")
    if bare:
        raise ValueError(f"{bare} has no {platform.squid_configuration}: there is no Squid to adopt")
    found = engine or engine_of(nodes)
    if len(nodes) > 1 and not found:
        raise ValueError(_without_engine(nodes))
    draft = Draft({"engine": found or DEFAULT_ENGINE, "platform": nodes[0].platform, "nodes": [], "ssh": dict(ssh)})
    _networks(draft, nodes)
    if found and len(nodes) > 1:
        ENGINES[found].describe(draft, nodes)
        _replication(draft, nodes)
    _squid(draft, nodes, platform)
    _time(draft, nodes[0], platform)
    _rotation(draft, nodes[0])
    if not draft.site["log"]:
        del draft.site["log"]
    if FIREWALL in nodes[0].files:
        draft.site["firewall"] = "nftables"
    return draft


def _networks(draft: Draft, nodes: Sequence[NodeFacts]) -> None:
    """The public network is the one that nodes are reached in or, where that does not tell, the way out."""
    first = nodes[0]
    interface = first.bearer(first.connect_to) or first.gateway[0]
    if not interface:
        interface = next((name for name, borne in first.addresses.items() if name != "lo" and borne), "")
    if not interface:
        raise ValueError(f"{first.name} has no address that clients could reach")
    for each in nodes:
        address = each.connect_to if each.bearer(each.connect_to) else next(iter(each.addresses.get(interface, {})), "")
        node: dict[str, Any] = {"name": each.name, "address": address}
        if each.connect_to != address:
            node["ssh_host"] = each.connect_to
        draft.site["nodes"].append(node)
    public: dict[str, Any] = {"interface": interface, "subnet": first.subnet(draft.site["nodes"][0]["address"])}
    draft.site["network"] = {"public": public}


def _replication(draft: Draft, nodes: Sequence[NodeFacts]) -> None:
    """Of what the engine said about the nodes' addresses: interfaces and networks."""
    first, node = nodes[0], draft.site["nodes"][0]
    for name, key in (("public", "address"), ("replication", "replication_address")):
        address = node.get(key, "")
        if first.bearer(address):
            section = draft.site["network"].setdefault(name, {})
            section |= {"interface": first.bearer(address), "subnet": first.subnet(address)}
    for each, declared in zip(nodes, draft.site["nodes"], strict=True):
        if each.connect_to and each.connect_to != declared["address"]:
            declared["ssh_host"] = each.connect_to
        elif "ssh_host" in declared:
            del declared["ssh_host"]


def _squid(draft: Draft, nodes: Sequence[NodeFacts], platform: Platform) -> None:
    path = platform.squid_configuration
    mount = draft.site.get("mirror", {}).get("mount_point", "")
    known = {name: draft.site.get(name, {}) for name in ("squid", "log")}
    mirror = _on_the_mirror(draft, nodes[0], path, mount, known["log"]) if mount else ""
    vip = draft.site.get("virtual_ip", "")
    squid.describe(draft, nodes[0].name, nodes[0].files[path], platform, mirror=mirror, mount=mount, vip=vip)
    for name, before in known.items():
        draft.site[name] = {**draft.site[name], **before}
    if not mount:
        draft.site["log"].pop("access", None)
    own = {each["name"]: each["address"] for each in draft.site["nodes"]}
    for other in nodes[1:]:
        if _said(other.files[path], own[other.name]) != _said(nodes[0].files[path], own[nodes[0].name]):
            draft.note(
                other.name, path, f"says something else than on {nodes[0].name}, which the site's file describes"
            )


def _on_the_mirror(draft: Draft, node: NodeFacts, path: str, mount: str, log: dict[str, Any]) -> str:
    """The directory of Squid's logs, which ``log`` is told; a further one is noted."""
    folders = _log_folders(node.files[path], mount) or [_DIRECTORY]
    first, *others = folders
    if first == MIRROR_ITSELF and "mirror" not in draft.site.get("pacemaker", {}).get("adopted", {}):
        what = (
            f"Squid's logs lie in {mount} itself, which can be said of a mirror only that Pacemaker's adoption leaves "
            f"as it was found: the file says `mirror_directory: {_DIRECTORY}`"
        )
        draft.note(node.name, path, what)
    elif first != _DIRECTORY:
        log["mirror_directory"] = first
    for each in others:
        folder = mount if each == MIRROR_ITSELF else f"{mount}/{each}"
        what = f"Squid has logs in {folder} too: the file has words for one directory of the mirror, `{first}`"
        draft.note(node.name, path, what)
    return mount if first == MIRROR_ITSELF else f"{mount}/{first}"


def _log_folders(text: str, mount: str) -> list[str]:
    """Directories below the mount point where Squid's logs lie, that of its first access log first."""
    folder = rf"(?:\w+:)?{re.escape(mount)}((?:/[\w.+@:=,-]+)*)/[^/\s]+"
    found = [
        below.lstrip("/") or MIRROR_ITSELF
        for directive in ("access_log", "cache_log")
        for below in re.findall(rf"^\s*{directive}\s+{folder}", text, re.MULTILINE)
    ]
    return list(dict.fromkeys(found))


def _said(text: str, own: str) -> list[str]:
    """What the file says; each node may send from its own address."""
    lines = (" ".join(line.split()) for line in text.splitlines())
    said = [line for line in lines if line and not line.startswith("#")]
    return ["tcp_outgoing_address" if line == f"tcp_outgoing_address {own}" else line for line in said]


def _time(draft: Draft, node: NodeFacts, platform: Platform) -> None:
    """The service that runs, with its sources; where they stand elsewhere, the service as it is."""
    for name, service in platform.time_services.items():
        text = node.files.get(service.configuration, "")
        if service.unit not in node.active or not text:
            continue
        servers = re.findall(r"^\s*server\s+(\S+)", text, re.MULTILINE)
        pools = re.findall(r"^\s*pool\s+(\S+)", text, re.MULTILINE)
        least = re.search(r"^\s*(?:minsources|tos minsane)\s+(\d+)", text, re.MULTILINE)
        if not servers and not pools:
            break
        draft.site["time"] = {"service": name, **({"servers": servers} if servers else {})}
        draft.site["time"] |= {"pools": pools} if pools else {}
        draft.site["time"] |= {"minimum_sources": int(least[1])} if least and least[1] != "1" else {}
        return
    if any(name and unit in node.active for unit, name in platform.clock_units.items()):
        draft.site["time"] = {"service": "existing"}
    else:
        draft.note(node.name, "time", "no time service runs that this program can read; the clocks are left alone")


def _rotation(draft: Draft, node: NodeFacts) -> None:
    text = node.files.get(paths.ROTATION_CONFIGURATION, "")
    if "mirror" not in draft.site or not text:
        return
    said = {words[0]: words[1:] for line in text.splitlines() if (words := line.split())}
    made: dict[str, Any] = {}
    schedule = next((each for each in ("hourly", "daily", "weekly", "monthly") if each in said), "")
    made |= {"schedule": schedule} if schedule else {}
    made |= {"keep": int(said["rotate"][0])} if "rotate" in said else {}
    made |= {"compress": False} if "nocompress" in said else {}
    made |= {"date_suffix": False} if "nodateext" in said else {}
    if said.get("dateformat", ["-%Y%m%d-%s"]) != ["-%Y%m%d-%s"]:
        made["date_suffix"] = said["dateformat"][0]
    for word, setting in (("size", "size"), ("maxsize", "max_size"), ("minsize", "min_size")):
        made |= {setting: said[word][0]} if word in said else {}
    draft.site["rotation"] = made
