"""What fences the nodes of a cluster, as settings of the declaration: only SBD on one disk has words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from blueprint.platforms import PLATFORMS
from operations.adopt.model import Draft, NodeFacts
from providers.host.digest import AS_FOUND
from providers.pacemaker import definition, sbd, sbd_conf
from providers.pacemaker.cib import PROPERTIES, Cib
from providers.pacemaker.model import Primitive

OWN = "fencing"
"""What this program calls its device."""
_STONITH = "stonith:"
_SBD: Mapping[str, str] = {sbd.AGENT: "sbd_device", "stonith:fence_sbd": "devices"}
"""Agent of SBD's → its parameter for the disks. The second is what pcs knows."""
_OFF = {"false", "off", "no", "n", "0"}
_UNFENCED = "found without fencing by squid-ha adopt; say here why that is accepted"


def describe(draft: Draft, told: NodeFacts, cib: Cib) -> set[str]:
    """Fill in ``pacemaker.fencing``; returns the ids of the devices that have been spoken of.

    SBD's device under another name or agent than this program's is kept as found.
    """
    devices = [each for each in cib.primitives().values() if each.agent.startswith(_STONITH)]
    disks = {each.id: _disks(told, each) for each in devices if each.agent in _SBD}
    device = next((each for each in devices if len(disks.get(each.id, ())) == 1), None)
    if device is None:
        return _without_words(draft, told, cib, devices, disks)
    draft.site["pacemaker"]["fencing"] = {"sbd": _sbd(told, *disks[device.id])}
    if (device.id, device.agent) != (OWN, sbd.AGENT):
        digest = (definition.digest(cib, device.id) or "").removeprefix(AS_FOUND)
        adopted = draft.site["pacemaker"].setdefault("adopted", {})
        adopted.setdefault("members", {})["fencing"] = {"id": device.id, "sha256": digest}
    if _is_off(cib):
        what = "fences nobody as long as the cluster has `stonith-enabled: false`, which stays as it is"
        draft.note(told.name, _place(device), what)
    return {device.id}


def _disks(told: NodeFacts, device: Primitive) -> Sequence[str]:
    """Those that the daemon watches or, where its file names none, those of the resource."""
    settings = _settings(told)
    return re.findall(r"[^\s;,\"']+", settings.get("SBD_DEVICE", "")) or re.findall(
        r"[^\s;,]+", device.parameters.get(_SBD[device.agent]) or ""
    )


def _settings(told: NodeFacts) -> dict[str, str]:
    return dict(re.findall(r"^([A-Z_]+)=(.*)$", _defaults(told), re.MULTILINE))


def _defaults(told: NodeFacts) -> str:
    """The file that SBD's unit reads there, '' if there is none."""
    return told.files.get(PLATFORMS[told.platform].sbd_defaults, "")


def _sbd(told: NodeFacts, disk: str) -> dict[str, Any]:
    header = dict(re.findall(r"^Timeout \((\w+)\)\s*:\s*(\d+)", told.said("sbd"), re.MULTILINE))
    made: dict[str, Any] = {"device": disk}
    watchdog = sbd_conf.watchdog(_defaults(told))
    made |= {"watchdog": watchdog} if watchdog else {}
    made |= {"watchdog_timeout": f"{header['watchdog']}s"} if "watchdog" in header else {}
    made |= {"message_timeout": f"{header['msgwait']}s"} if "msgwait" in header else {}
    return made


def _without_words(
    draft: Draft, told: NodeFacts, cib: Cib, devices: Sequence[Primitive], disks: Mapping[str, Sequence[str]]
) -> set[str]:
    """A reason why the file says ``none``: it is a different one where something fences after all."""
    fenced = bool(devices) and not _is_off(cib)
    by = " and ".join(f"{each.id} ({each.agent})" for each in devices)
    reason = f"fenced by {by}, which squid-ha adopt left as it was found" if fenced else _UNFENCED
    draft.site["pacemaker"]["fencing"] = {"none": reason}
    for each in devices:
        of = f" by SBD on several disks ({', '.join(disks[each.id])})" if len(disks.get(each.id, ())) > 1 else ""
        does = "fences" if fenced else "would fence, but for the cluster's `stonith-enabled: false`,"
        what = f"{does}{of}: the file has no words for it, so `pacemaker.fencing` says `none`; it stays as it is"
        draft.note(told.name, _place(each), what)
    if not devices:
        draft.note(told.name, "fencing", "no fencing was found: `pacemaker.fencing.none` must say why")
    return {each.id for each in devices}


def _place(device: Primitive) -> str:
    return f"resource {device.id} ({device.agent})"


def _is_off(cib: Cib) -> bool:
    return cib.options("crm_config", PROPERTIES).get("stonith-enabled", "true").lower() in _OFF
