"""SBD on a shared disk: the device's header, the daemon's settings, the watchdog. Before the cluster starts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from providers.connection.cluster import Cluster, Node
from providers.connection.command import Command, command, script
from providers.connection.errors import NotVerified, Refused, Unknown
from providers.contract import Absent, Observed, Present, State
from providers.host.settings import NodeSettings, converge_settings, read_settings, remove_settings
from providers.pacemaker import journals, live, sbd_conf, stack
from providers.pacemaker.live import Live

AGENT = "stonith:external/sbd"
"""The fencing agent. Without the parameter ``sbd_device`` it takes the disk from the daemon's own file."""

_DAEMON = "sbd.service"
_DROP_INS = "/etc/systemd/"
_HEADER, _DISK, _UUID, _RESTART = "found header", "disk", "uuid", "pending-daemon"
_BLANK_ONE, _CREATING = "blank", "creating"
"""How the journal says that a disk was blank before its header was written here; and while one is, followed by the
timeouts that it is to have. With it stands the UUID of the header before that, or none."""
AREA = 1024 * 1024
"""Bytes at the device's beginning that must be zero before, and are zero again after. A header and 255 slots of two
sectors each (sbd(8)) fit in with sectors of up to 2 KiB."""

_WITH_THE_CLUSTER_STOPPED = (
    "stop the cluster on both nodes (pacemaker first, then corosync), and run this again, without `--refresh`; it does "
    "not start what is stopped on both: then `systemctl start corosync pacemaker` on both nodes at once"
)
"""A cluster that is stopped cannot be read; and where only the header changes, no thing has a reason to start it."""

_DUMP = r"""
[ -b "$1" ] || { echo missing; exit 0; }
dd if="$1" of=/dev/null bs=4096 count=1 status=none 2>/dev/null || { echo unreadable; exit 0; }
sbd -d "$1" dump 2>/dev/null || echo none
"""
_UNTOLD = {"missing": "there is no such block device", "unreadable": "it cannot be read"}
_BLANK = r"""
set -eu
real=$(readlink -f -- "$1")
if grep -q -- "^$real " /proc/mounts; then echo 'it is mounted'; fi
holders=$(ls "/sys/class/block/${real##*/}/holders" 2>/dev/null || :)
[ -z "$holders" ] || echo "it is held by $holders"
parts=$(lsblk -rno NAME -- "$real" | tail -n +2)
[ -z "$parts" ] || echo "it has partitions or volumes: $parts" | tr '\n' ' '
found=$(blkid -p -o value -s TYPE -- "$real" || :)
[ -z "$found" ] || echo "it bears a signature: $found"
size=$(blockdev --getsize64 "$real")
[ "$size" -ge "$2" ] || echo "it has only $size bytes"
cmp -s -n "$2" -- "$real" /dev/zero || echo 'its beginning is not empty'
"""
_ZERO = r"""
dd if=/dev/zero of="$1" bs=65536 count="$(($2 / 65536))" conv=fsync,notrunc status=none
"""


class Wanted(State):
    """Timeouts in whole seconds as text; ``device`` by-id; the device is written only when blank or ours (sbd(8)).

    Each node's settings have the file that SBD's unit reads, and perhaps a drop-in of that unit.
    """

    device: str
    watchdog_timeout: str | None
    message_timeout: str | None
    nodes: dict[str, NodeSettings]


@dataclass(frozen=True)
class Header:
    """What `sbd dump` says of a device; ``uuid`` tells whether two nodes mean the same disk."""

    uuid: str
    watchdog_timeout: str
    message_timeout: str


def query(device: str) -> Command:
    """The command whose output `parse` reads."""
    return script(_DUMP, device, reads=True, label=f"sbd -d {device} dump")


def parse(text: str) -> Header | None:
    """Read `sbd dump`; None where the device bears no header. Raises `ValueError` where it cannot be told."""
    if text.strip() in _UNTOLD:
        raise ValueError(_UNTOLD[text.strip()])
    values = dict(re.findall(r"^([^:\n=]+?)\s*: (.*)$", text, re.MULTILINE))
    if "UUID" not in values:
        return None
    return Header(values["UUID"], values.get("Timeout (watchdog)", ""), values.get("Timeout (msgwait)", ""))


async def _headers(cluster: Cluster, wanted: Wanted) -> dict[str, Header | None]:
    async def header(node: Node) -> Header | None:
        result = await node.run(query(wanted.device))
        try:
            return parse(result.stdout)
        except ValueError as error:
            raise Unknown(f"{wanted.device}: {error}", node=node.name, remedy="attach the shared disk") from error

    return await cluster.each(header, list(wanted.nodes))


def _shared(wanted: Wanted, headers: dict[str, Header | None]) -> Header | None:
    found = set(headers.values())
    if len(found) > 1:
        raise Unknown(
            f"{wanted.device} is not the same disk on all nodes: "
            + ", ".join(f"{name} sees {header.uuid if header else 'no header'}" for name, header in headers.items()),
            remedy="attach one disk to all nodes, without a cache in between",
        )
    return found.pop() if found else None


async def observe(cluster: Cluster, wanted: Wanted) -> Observed[Wanted]:
    """The header's timeouts, and files and units per node. Raises `Unknown` where the nodes see different disks."""
    header = _shared(wanted, await _headers(cluster, wanted))
    nodes = await cluster.each(lambda node: read_settings(node, wanted.nodes[node.name]), list(wanted.nodes))
    ours = any(nodes[name].files == wanted.nodes[name].files for name in nodes)
    if header is None and not ours:
        return Absent()
    return Present(
        Wanted(
            device=wanted.device,
            watchdog_timeout=header.watchdog_timeout if header else None,
            message_timeout=header.message_timeout if header else None,
            nodes=nodes,
        ),
        {"uuid": header.uuid} if header else {},
    )


async def converge(cluster: Cluster, wanted: Wanted, observed: Observed[Wanted]) -> None:  # noqa: ARG001
    """The header only on an empty or own device; then files and units; running daemons start anew where needed.

    That happens in maintenance mode: SBD starts and stops with Corosync alone.
    """
    await cluster.each(lambda node: _require_watchdog(node, wanted.nodes[node.name]), list(wanted.nodes))
    running = await _running_on(cluster)
    known = await journals.entries(cluster)
    before = await cluster.each(lambda node: read_settings(node, wanted.nodes[node.name]), list(wanted.nodes))
    # A node on which nothing runs yet, such as a new one in an old one's place, takes no part in what is running.
    stale = any(_followed(before[name]) != _followed(wanted.nodes[name]) for name in running)
    restart = _RESTART in known or stale or await stack.interrupted(cluster)
    if restart:
        await stack.refuse_alone(cluster)
    watched = any(_followed(before[name]).files == _followed(wanted.nodes[name]).files for name in running)
    await _converge_header(cluster, wanted, watched=watched)
    if restart:
        await cluster.each(lambda node: cluster.journal(node).put({_RESTART: "yes"}))
    await cluster.each(
        lambda node: converge_settings(cluster, node, wanted.nodes[node.name], before[node.name]), list(wanted.nodes)
    )
    if restart:
        await stack.restart(cluster, lambda: _follow(cluster, wanted.device))
    await cluster.each(lambda node: cluster.journal(node).drop([_RESTART]))


def _followed(settings: NodeSettings) -> NodeSettings:
    """What daemons that run go by, and are started anew for."""
    files = {
        path: file.model_copy(update={"content": sbd_conf.without_delay(file.content or "")})
        for path, file in settings.files.items()
        if not path.startswith(_DROP_INS)
    }
    return settings.model_copy(update={"files": files})


async def _follow(cluster: Cluster, device: str) -> None:
    """Have fencing write to the disk that the daemons watch now: to any other it succeeds, and stops nobody.

    The agent writes a message, waits, and does not look whether anybody has read it.
    """
    await live.change(cluster, lambda now: now.cib.with_parameter(AGENT, "sbd_device", device), verify=False)


async def _running(cluster: Cluster) -> bool:
    return bool(await _running_on(cluster))


async def _running_on(cluster: Cluster, unit: str = "corosync.service") -> list[str]:
    query = command("systemctl", "is-active", "--quiet", unit, ok=None, reads=True)
    found = await cluster.each(lambda node: node.run(query))
    return [name for name, result in found.items() if result.exit_code == 0]


async def _require_watchdog(node: Node, settings: NodeSettings) -> None:
    device = next(filter(None, (sbd_conf.watchdog(file.content or "") for file in settings.files.values())), "")
    result = await node.run(command("test", "-c", device, ok={0, 1}, reads=True))
    if result.exit_code != 0:
        raise Refused(
            f"there is no watchdog at {device}, without which SBD cannot stop a hung node",
            node=node.name,
            remedy="enable the hardware watchdog and load its driver (softdog only for tests)",
        )


async def _converge_header(cluster: Cluster, wanted: Wanted, *, watched: bool) -> None:
    """``watched``: daemons run that have this very disk in their file."""
    headers = await _headers(cluster, wanted)
    header = _shared(wanted, headers)
    noted = await _noted(cluster)
    begun = _begun(noted, wanted.device, header)
    judged = await _judged(cluster, wanted, header, begun) if header and begun else None
    found = judged or _found(noted, wanted.device, header)
    if header and _timeouts(header) == _timeouts(wanted):
        if any(_stale(each, wanted.device, header) for each in noted):
            await _note(cluster, found or "there", wanted.device, header.uuid)
        return
    if header and not judged and _replaced(noted, wanted.device, header):
        raise Refused(
            f"somebody has made another SBD header on {wanted.device} (UUID {header.uuid}), with timeouts that are not "
            "those declared, so it is not written over",
            remedy=f"see who uses that disk; where it is this cluster's, declare `watchdog_timeout: "
            f"{header.watchdog_timeout}s` and `message_timeout: {header.message_timeout}s`, or {_by_hand(wanted)}; "
            "else declare another disk",
        )
    first = next(iter(cluster.nodes.values()))
    if header is None and watched:
        raise Refused(
            f"{wanted.device} bears no SBD header any more, and the cluster fences with it",
            remedy=f"see what became of the disk; {_WITH_THE_CLUSTER_STOPPED}",
        )
    # Without a header it may be another disk under the same path, or somebody has made something else of it.
    if header is None or found != _BLANK_ONE:
        otherwise = f"where that header is this cluster's, {_by_hand(wanted)}" if header else ""
        await _require_blank(first, wanted.device, otherwise)
    elif await _running(cluster):
        raise Refused(
            f"the timeouts in the header of {wanted.device} cannot be changed while SBD runs on it",
            remedy=_WITH_THE_CLUSTER_STOPPED,
        )
    # Each header has a UUID of its own, which is not known before it is written: where this is cut off in between, the
    # path and the timeouts tell it. A journal is written in this order; with the state first, the UUID of another disk
    # would be taken for that of a header which is written over.
    writing = {_DISK: wanted.device, _UUID: header.uuid if header else "", _HEADER: f"{_CREATING} {_timeouts(wanted)}"}
    await cluster.each(lambda node: cluster.journal(node).put(writing))
    watchdog, message = wanted.watchdog_timeout or "", wanted.message_timeout or ""
    await first.run(command("sbd", "-d", wanted.device, "-1", watchdog, "-4", message, "create"))
    await _note(cluster, _BLANK_ONE, wanted.device, (await _written(cluster, wanted)).uuid)


async def _noted(cluster: Cluster) -> list[Mapping[str, str]]:
    """What each node's journal has."""
    return list((await cluster.each(lambda node: cluster.journal(node).entries())).values())


def _timeouts(of: Wanted | Header) -> str:
    return f"{of.watchdog_timeout} {of.message_timeout}"


def _stale(entries: Mapping[str, str], device: str, header: Header) -> bool:
    """Whether a node's journal says something else of the disk than that it bears this header."""
    told = (entries.get(_DISK), entries.get(_UUID))
    return told != (device, header.uuid) or entries.get(_HEADER, "").startswith(_CREATING)


def _begun(noted: Sequence[Mapping[str, str]], device: str, header: Header | None) -> list[str]:
    """The timeouts with which a header was being written to this disk when a run was cut off.

    None where the header on it is one that is known.
    """
    if header and any(each.get(_UUID) == header.uuid for each in noted):
        return []
    told = [each.get(_HEADER, "") for each in noted if each.get(_DISK) == device]
    return [each.removeprefix(f"{_CREATING} ") for each in told if each.startswith(_CREATING)]


async def _judged(cluster: Cluster, wanted: Wanted, header: Header, begun: Sequence[str]) -> str:
    """How this disk was found whose header may be that of a run that was cut off. Raises `Refused` for another's."""
    others = await _others(cluster, wanted.device)
    if not others and _timeouts(header) in begun:
        return _BLANK_ONE
    if not others and _timeouts(header) == _timeouts(wanted):
        return "there"
    why = f"it lists {', '.join(others)}" if others else "its timeouts are not those that were asked for"
    raise Refused(
        f"{wanted.device} bears an SBD header (UUID {header.uuid}) that is not the one which a run was about to write "
        f"when it was cut off: {why}; it is not written over",
        remedy=f"see who uses that disk (`sbd -d {wanted.device} list`); where nobody else does, {_by_hand(wanted)}; "
        "else declare another disk",
    )


async def _others(cluster: Cluster, device: str) -> list[str]:
    """The nodes that have a slot on the disk and are none of this cluster's."""
    first = next(iter(cluster.nodes.values()))
    said = (await first.run(command("sbd", "-d", device, "list", reads=True))).stdout
    rows = [line.split("\t") for line in said.splitlines()]
    ours = {name.lower() for name in cluster.nodes}
    return [row[1] for row in rows if len(row) > 1 and row[1].lower() not in ours]


async def _made_here(cluster: Cluster, device: str, noted: Sequence[Mapping[str, str]], header: Header) -> bool:
    """Whether the header was written here, on a disk that was blank; in doubt it was not."""
    if begun := _begun(noted, device, header):
        return _timeouts(header) in begun and not await _others(cluster, device)
    return _found(noted, device, header) == _BLANK_ONE


def _found(noted: Sequence[Mapping[str, str]], device: str, header: Header | None) -> str | None:
    """How this very disk was found, "blank" or "there"; None for one that is not known yet, or bears another header.

    A header is only begun on a disk that was blank, or in the place of one that was written to such a disk.

    The header's UUID tells the disk, which may have several paths; the path does where no UUID was noted. What a
    release before wrote names neither: it is taken for this one's where that bears a header.
    """
    if header and _replaced(noted, device, header):
        return None
    # A node that was away meanwhile has what was so before.
    own = [each for each in noted if header and each.get(_UUID) == header.uuid]
    known = {name: value for each in own or noted for name, value in each.items()}
    told = _BLANK_ONE if known.get(_HEADER, "").startswith(_CREATING) else known.get(_HEADER)
    if own:
        return told
    if _DISK not in known:
        return told if header else None
    return told if known[_DISK] == device else None


def _replaced(noted: Sequence[Mapping[str, str]], device: str, header: Header) -> bool:
    """Whether somebody else has made this header since. A journal without a UUID does not tell."""
    told = any(each.get(_DISK) == device and each.get(_UUID) for each in noted)
    return told and all(each.get(_UUID) != header.uuid for each in noted)


async def _note(cluster: Cluster, found: str, device: str, uuid: str) -> None:
    told = {_HEADER: found, _DISK: device, _UUID: uuid}
    await cluster.each(lambda node: cluster.journal(node).put(told))


async def _written(cluster: Cluster, wanted: Wanted) -> Header:
    header = _shared(wanted, await _headers(cluster, wanted))
    if header is None:
        raise NotVerified(f"{wanted.device} bears no SBD header after it was written", remedy="check the disk")
    return header


def _by_hand(wanted: Wanted) -> str:
    """How a header that was not written here gets the timeouts that are declared: it is used as found then."""
    return (
        "stop the cluster on both nodes (pacemaker first, then corosync), type on one of them "
        f"`sbd -d {wanted.device} -1 {wanted.watchdog_timeout} -4 {wanted.message_timeout} create`, "
        "`systemctl start corosync pacemaker` on both at once, and run this again"
    )


async def _require_blank(node: Node, device: str, otherwise: str = "") -> None:
    """``otherwise``: the way where the disk is not to be emptied."""
    look = script(_BLANK, device, str(AREA), reads=True, label=f"see whether {device} is blank")
    found = (await node.run(look)).stdout.strip()
    if found:
        raise Refused(
            f"{device} is not blank, so no SBD header is written to it: {'; '.join(found.splitlines())}",
            node=node.name,
            remedy="declare the right device, or empty it by hand if nothing on it is needed (wipefs -a, dd)"
            + (f"; {otherwise}" if otherwise else ""),
        )


async def remove(cluster: Cluster, wanted: Wanted) -> None:
    """Files and units as they were; the header that we wrote on an empty device goes, any other stays.

    A cluster that goes on without this fencing starts anew without SBD, in maintenance mode, before the header goes.
    Raises `Refused` while it still fences with it.
    """
    noted = await _noted(cluster)
    ours = any(each.get(_HEADER, "").startswith((_BLANK_ONE, _CREATING)) for each in noted)
    header = _shared(wanted, await _headers(cluster, wanted)) if ours else None
    watching = await _running_on(cluster, _DAEMON)
    if restart := bool(watching) or await stack.interrupted(cluster):
        await stack.refuse_alone(cluster)
        _refuse_fencing(await live.read(cluster))
    if restart:
        # It starts and stops with Corosync alone: systemd refuses to stop it by itself.
        await cluster.each(lambda node: node.run(command("systemctl", "disable", _DAEMON)), list(wanted.nodes))
        await stack.restart(cluster)
        if left := await _running_on(cluster, _DAEMON):
            raise NotVerified("SBD still runs although it was switched off", node=left[0], remedy=f"see {_DAEMON}")
    await cluster.each(lambda node: remove_settings(cluster, node, wanted.nodes[node.name]), list(wanted.nodes))
    if header and await _made_here(cluster, wanted.device, noted, header):
        zero = script(_ZERO, wanted.device, str(AREA), label=f"empty the beginning of {wanted.device}")
        await next(iter(cluster.nodes.values())).run(zero)
    await journals.forget(cluster)


def _refuse_fencing(current: Live) -> None:
    fencing = sorted(name for name, each in current.cib.primitives().items() if each.agent == AGENT)
    if fencing:
        raise Refused(
            f"the cluster fences by SBD with {', '.join(fencing)}",
            remedy="take that out first; with `pacemaker.fencing` declared otherwise, `pulumi up` does both in order",
        )
