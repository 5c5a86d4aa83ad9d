"""The DataKeeper kit: md raid1 of the own device and of the other node's, which comes as a network block device.

Needs mdadm, nbd-client, nbd-server and the kernel's md and nbd: virtual machines, not containers. The real product
brings a bitmap file; here the bitmap is md's own, inside. The peer's device is always the second one, write-mostly.
Writing on the source goes on when the target is gone; only changed blocks follow when it is back.

An asynchronous mirror waits for each write as a synchronous one does: md's write-behind is not used.
"""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from lab.lifekeeper.node.shell import Failed, must, run

FIRST_PORT = 10001
CONNECT = 20.0
HALVES = 2
REPAIRED = 1
ROOM = 4 * 1024 * 1024
NOT_FOUND = 127


def md(kit: dict[str, str]) -> str:
    """The mirror's own device, the one to mount."""
    return f"/dev/md{kit['number']}"


def nbd(kit: dict[str, str]) -> str:
    """The other node's device, as seen here."""
    return f"/dev/nbd{kit['number']}"


def port(kit: dict[str, str]) -> int:
    """10001 and the number of the mirror."""
    return FIRST_PORT + int(kit["number"])


async def ready() -> None:
    """The kernel and the programs are there. Raises `Failed`."""
    for program in ("mdadm", "nbd-client", "nbd-server"):
        if (await run(program, "--version")).code == NOT_FOUND:
            raise Failed(1, f"DataKeeper needs {program}, which is not installed")
    for module in ("raid1", "nbd"):
        await must("modprobe", module)


async def size(device: str) -> int:
    """Bytes of a block device. Raises `Failed`."""
    return int(await must("blockdev", "--getsize64", device))


async def create(kit: dict[str, str], fstype: str, kind: str) -> None:
    """A mirror that is still alone: ``new`` formats it, ``existing`` keeps the filesystem on the device.

    md's own data is at the end of the device, so that the filesystem begins where it would without a mirror. Raises
    `Failed`.
    """
    device = kit["device"]
    if kind == "existing":
        await _make_room(device, fstype)
    elif (await run("findmnt", "--source", device)).code == 0:
        raise Failed(5, f"{device} is mounted")
    await must(
        "mdadm", "--create", md(kit), "--run", "--force", "--level=1", "--raid-devices=2", "--bitmap=internal",
        "--bitmap-chunk=4M", "--metadata=1.0", device, "missing",
    )  # fmt: skip
    if kind == "new":
        quick = ["-q", "-F"] if fstype.startswith("ext") else ["-q", "-f"]
        await must(f"mkfs.{fstype}", *quick, md(kit), seconds=600)


async def _make_room(device: str, fstype: str) -> None:
    """Unmount a filesystem and have it end before md's own data."""
    if (await run("findmnt", "--source", device)).code == 0:
        await must("umount", device)
    if not fstype.startswith("ext"):
        raise Failed(5, f"the stand-in cannot make room on {device} for a mirror: {fstype} does not shrink")
    told = dict(line.split(":", 1) for line in (await must("dumpe2fs", "-h", device)).splitlines() if ":" in line)
    taken = int(told["Block count"]) * int(told["Block size"])
    room = await size(device) - ROOM
    if taken > room:
        checked = await run("e2fsck", "-fy", device, seconds=600)
        if checked.code > REPAIRED:
            raise Failed(1, f"{device} has errors: {checked.text.strip()}")
        await must("resize2fs", device, f"{room // 1024}K", seconds=600)


async def start(kit: dict[str, str]) -> None:
    """Assemble what is here: the own device alone. `attach` brings the other one in. Raises `Failed`."""
    if not Path(md(kit)).exists() or not await running(kit):
        await run("mdadm", "--stop", md(kit))
        await must("mdadm", "--assemble", "--run", "--force", md(kit), kit["device"])
    # It may still bear the mark of the time when it was the other node's.
    _mark(kit, Path(kit["device"]).resolve().name, "-writemostly")


async def stop(kit: dict[str, str]) -> None:
    """Take the mirror apart; not there is fine. Raises `Failed`."""
    if await running(kit):
        await must("mdadm", "--wait-clean", md(kit))
        await must("mdadm", "--stop", md(kit))
    await run("nbd-client", "-d", nbd(kit))


async def running(kit: dict[str, str]) -> bool:
    """Whether the mirror is assembled here."""
    return bool(re.search(rf"^md{kit['number']} : active", _mdstat(), re.MULTILINE))


async def offer(kit: dict[str, str]) -> None:
    """Export the own device to the source, on the replication address. Raises `Failed`."""
    if await running(kit):
        raise Failed(1, f"{md(kit)} is in use on this system: two sources")
    await withdraw(kit)
    file = Path(f"/run/lifekeeper-nbd{kit['number']}.conf")
    file.write_text(served(kit))
    # While a source is connected it minds no SIGTERM, and what it has not answered counts for nobody as written.
    await must(
        "systemd-run", "--collect", "--property=TimeoutStopSec=2", f"--unit={_unit(kit)}",
        "nbd-server", "-d", "-C", str(file), "-p", f"{file}.pid",
    )  # fmt: skip


def served(kit: dict[str, str]) -> str:
    """nbd-server(5). Without flush and fua what the source has asked to be on the disk is in this system's memory."""
    where = f"port = {port(kit)}\nlistenaddr = {kit['local']}"
    return f"[generic]\n{where}\n[mirror]\nexportname = {kit['device']}\nflush = true\nfua = true\n"


async def withdraw(kit: dict[str, str]) -> None:
    """Export it no more."""
    await run("systemctl", "stop", _unit(kit))


def _unit(kit: dict[str, str]) -> str:
    return f"lifekeeper-nbd{kit['number']}.service"


async def attach(kit: dict[str, str], *, whole: bool = False) -> None:
    """Bring the other node's device in; changed blocks follow, or all when it was never part or ``whole``.

    Raises `Failed`.
    """
    if attached(kit):
        return
    # A boot has forgotten the kernel's modules.
    await ready()
    await run("mdadm", md(kit), "--fail", nbd(kit))
    await run("mdadm", md(kit), "--remove", nbd(kit))
    await run("nbd-client", "-d", nbd(kit))
    await _connect(kit)
    if whole or (await run("mdadm", md(kit), "--re-add", nbd(kit))).code != 0:
        await run("mdadm", "--zero-superblock", nbd(kit))
        await must("mdadm", md(kit), "--add", nbd(kit))
    # Only now: mdadm 4.2 and Linux 6.1 add with --write-mostly a half that is faulty from the start, without a word.
    _mark(kit, Path(nbd(kit)).name, "writemostly")
    if not attached(kit):
        raise Failed(1, f"{md(kit)} has not taken {nbd(kit)} in")


def _mark(kit: dict[str, str], member: str, word: str) -> None:
    state = Path(f"/sys/block/md{kit['number']}/md/dev-{member}/state")
    if state.exists():
        state.write_text(word)


async def _connect(kit: dict[str, str]) -> None:
    deadline = asyncio.get_running_loop().time() + CONNECT
    while True:
        done = await run("nbd-client", "-N", "mirror", kit["remote"], str(port(kit)), nbd(kit), "-timeout", "10")
        if done.code == 0:
            return
        if asyncio.get_running_loop().time() > deadline:
            raise Failed(1, f"{kit['remote']} port {port(kit)} does not offer its device: {done.text.strip()}")
        await asyncio.sleep(0.3)


def attached(kit: dict[str, str], text: str | None = None) -> bool:
    """Whether the other node's device is in, in step or on its way to it; ``text`` instead of /proc/mdstat."""
    found = re.search(rf"^md{kit['number']} :.*\bnbd{kit['number']}\[\d+\](\S*)", text or _mdstat(), re.MULTILINE)
    return found is not None and "(F)" not in found[1]


async def detach(kit: dict[str, str]) -> None:
    """Go on without the other node's device, as when it is gone or paused."""
    await run("mdadm", md(kit), "--fail", nbd(kit))
    await run("mdadm", md(kit), "--remove", nbd(kit))
    await run("nbd-client", "-d", nbd(kit))


async def forget(kit: dict[str, str]) -> None:
    """The mirror is gone for good; the filesystem on the device stays, and can be mounted without a mirror."""
    await withdraw(kit)
    await stop(kit)
    await run("mdadm", "--zero-superblock", kit["device"])


def synchronised(kit: dict[str, str], text: str | None = None) -> bool:
    """Whether both devices are in and equal; ``text`` instead of /proc/mdstat."""
    return _members(kit, text) == HALVES


def _members(kit: dict[str, str], text: str | None = None) -> int:
    found = re.search(rf"^md{kit['number']} : active.*\n.*\[2/(\d)\]", text or _mdstat(), re.MULTILINE)
    return int(found[1]) if found else 0


def _mdstat() -> str:
    try:
        return Path("/proc/mdstat").read_text()
    except OSError:
        return ""
