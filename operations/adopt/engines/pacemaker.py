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
from blueprint.platforms import PLATFORMS
from operations.adopt.engines import pacemaker_fencing, pacemaker_mirror
from operations.adopt.engines.pacemaker_members import OWN, Members, as_found, members_of, refuse_untied
from operations.adopt.model import Draft, NodeFacts
from providers.connection.command import Command, command, script
from providers.host.facts import is_address
from providers.pacemaker import corosync_conf
from providers.pacemaker.cib import PROPERTIES, Cib
from providers.pacemaker.model import Primitive
from providers.storage.found import DIGESTS

_SBD_DEFAULTS = tuple(dict.fromkeys(each.sbd_defaults for each in PLATFORMS.values()))
FILES: Sequence[str] = (corosync_conf.PATH, *_SBD_DEFAULTS, paths.MIRROR_CONFIGURATION)
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
        'for file; do [ ! -r "$file" ] || . "$file"; done; [ -n "$SBD_DEVICE" ] && sbd -d "$SBD_DEVICE" dump',
        *_SBD_DEFAULTS,
        ok=None,
        reads=True,
        label="sbd dump",
    ),
}


def runs(facts: NodeFacts) -> bool:
    """Whether Corosync and Pacemaker run."""
    return {"corosync.service", "pacemaker.service"} <= facts.active


def describe(draft: Draft, nodes: Sequence[NodeFacts]) -> None:
    """Fill in everything; the cluster's configuration is the same on both, so the first one that tells it counts.

    Raises `ValueError` with a sentence where there is no service to describe.
    """
    told = next((each for each in nodes if each.said("cib").lstrip().startswith("<")), None)
    if told is None:
        draft.note(nodes[0].name, "cibadmin --query", "the cluster's configuration could not be read")
        return
    cib = Cib.parse(told.said("cib"))
    _membership(draft, nodes)
    subnet = nodes[0].subnet(draft.site["nodes"][0]["address"]) or draft.site["network"]["public"]["subnet"]
    members = members_of(cib, subnet)
    refuse_untied(cib, members)
    _address(draft, members.named.get("address"))
    _reachable(draft, cib.primitives().get(tree.REACHABILITY))
    _limits(draft, members)
    _options(draft, cib)
    pacemaker_mirror.describe(draft, nodes, told, members)
    fencing = pacemaker_fencing.describe(draft, told, cib)
    squid = members.named.get("squid")
    if squid is not None and members.own:
        url = _probe(squid)
        draft.site["squid"] = {"probe_url": url} if url else {}
        if squid.parameters.get("record_lost") == "fail":
            draft.site["log"] = {"on_lost": "fail"}
    if not members.own:
        _as_found(draft, cib, members)
    _unsaid(draft, told, members, fencing)


def _as_found(draft: Draft, cib: Cib, members: Members) -> None:
    """What somebody else has built stays."""
    adopted: dict[str, Any] = draft.site["pacemaker"].setdefault("adopted", {})
    found = as_found(cib, members)
    if "mirror" not in adopted:
        found["members"] = {name: each for name, each in found["members"].items() if name in ("squid", "address")}
    found["members"] |= adopted.pop("members", {})
    draft.site["pacemaker"]["adopted"] = {**found, **adopted}


def _unsaid(draft: Draft, told: NodeFacts, members: Members, fencing: set[str]) -> None:
    """What the cluster runs besides the service's members, and members that it lacks."""
    listed = {each.id for each in members.of_the_mirror} | fencing | {tree.REACHABILITY}
    for found, what in (
        (members.further, "is a further member of the service; it stays as it is"),
        (members.others, "is none of this program's, and is left alone"),
    ):
        for name, primitive in found.items():
            if name not in listed:
                draft.note(told.name, f"resource {name} ({primitive.agent})", what)
    for name in ("squid", "address"):
        if name not in members.named:
            draft.note(told.name, "the cluster", f"has no resource called `{OWN[name]}`, which this program would make")


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
        # Hosts' names may stand there as well.
        for link, setting in (("ring0_addr", "address"), ("ring1_addr", "replication_address")):
            if is_address(address := settings.get(f"{section}.{link}", "")):
                node[setting] = address


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
