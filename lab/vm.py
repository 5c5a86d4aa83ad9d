"""A node as a virtual machine: QEMU with its disks, its watchdog and its two network cards."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lab import addresses
from lab.errors import LabError
from lab.host import HostStatus, Kind, Network
from lab.network import Tree, cable_name
from lab.qmp import monitor

MEMORY_MB = 768
DATA_DISK = "1G"
SBD_DISK_BYTES = 8 * 1024 * 1024

# What makes an emulated guest boot in 23 s instead of 60: no mitigations, no page table isolation, no timer check.
# Without randomised addresses a library stands at one address in every process, and what QEMU has translated of it for
# one serves all: a short command takes a third to a sixth of its time. (QEMU 7.2 finds translated code by its virtual
# address among others: `tb_lookup_cmp` in accel/tcg/cpu-exec.c.)
KERNEL_COMMAND_LINE = (
    "root=/dev/vda rw console=ttyS0 quiet loglevel=4 systemd.show_status=0 mitigations=off nopti nokaslr norandmaps"
    " audit=0 no_timer_check tsc=reliable net.ifnames=0 random.trust_cpu=on systemd.hostname={name}"
)


@dataclass(frozen=True)
class Machine:
    """What all nodes have in common."""

    kernel: Path
    initrd: Path
    disk: Path
    accelerator: str
    """The value of QEMU's -accel."""
    tsc_khz: int | None
    """How fast this machine's time stamp counter runs; see `lab.tsc`."""

    @property
    def cpu(self) -> str:
        """The processor model that goes with the accelerator."""
        return "host" if self.accelerator == "kvm" else "Nehalem"

    def command_line(self, name: str) -> str:
        """The kernel's command line for a node."""
        common = KERNEL_COMMAND_LINE.format(name=name)
        if self.accelerator == "kvm":
            return common  # the guest asks KVM what time it is
        return f"{common} " + (f"tsc_early_khz={self.tsc_khz}" if self.tsc_khz else "clocksource=acpi_pm")


class VirtualMachine:
    """One node. Its disks are overlays in the run directory, its memory a file on the tree's tmpfs."""

    kind = Kind.VM

    def __init__(self, name: str, machine: Machine, tree: Tree) -> None:
        self.name = name
        self.machine = machine
        self.tree = tree
        self.number = addresses.node_number(name)
        self.address = addresses.address(Network.PUBLIC, self.number)
        self.links: Mapping[Network, str] = {network: cable_name(name, network) for network in Network}
        self._process: asyncio.subprocess.Process | None = None

    @property
    def memory_file(self) -> Path:
        """The guest's memory, shared with QEMU, so that a snapshot copies a file."""
        return self.tree.memory / self.name

    @property
    def root_disk(self) -> Path:
        """What this node wrote over the image."""
        return self.tree.directory / f"{self.name}.root.qcow2"

    @property
    def data_disk(self) -> Path:
        """The node's disk for the mirror."""
        return self.tree.directory / f"{self.name}.data.qcow2"

    @property
    def sbd_disk(self) -> Path:
        """The disk both nodes share for fencing."""
        return self.tree.directory / "sbd.raw"

    @property
    def qmp_socket(self) -> Path:
        """QEMU's monitor."""
        return self.tree.directory / f"{self.name}.qmp"

    async def make_blank(self) -> None:
        """Fresh disks: the image as it was built, and an empty data disk."""
        await self.tree.run("qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", str(self.machine.disk),
                            str(self.root_disk))  # fmt: skip
        await self.tree.run("qemu-img", "create", "-q", "-f", "qcow2", str(self.data_disk), DATA_DISK)

    async def connect(self) -> None:
        """Make the taps of its two cards."""
        for network in Network:
            await self.tree.add_tap(self.name, network)

    async def start(self) -> None:
        """Power it on; see `lab.host.Host`."""
        if self.status().running:
            return
        self.memory_file.unlink(missing_ok=True)
        await self.launch()

    async def launch(self, incoming: bool = False) -> None:
        """Start QEMU, booting, or waiting for a saved state to come in. Raises LabError when it ends at once."""
        self.qmp_socket.unlink(missing_ok=True)
        with (self.tree.directory / f"{self.name}.qemu.log").open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self.arguments(incoming), stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
                pass_fds=(self.tree.lock,),
            )  # fmt: skip
        ended = asyncio.ensure_future(self._process.wait())
        answering = asyncio.ensure_future(self._answers())
        await asyncio.wait((ended, answering), return_when=asyncio.FIRST_COMPLETED)
        if ended.done():
            answering.cancel()
            last = Path(log.name).read_text(errors="replace").strip().splitlines()[-3:]
            raise LabError(f"QEMU of {self.name} ended at once with {ended.result()}: {' / '.join(last)}")
        ended.cancel()
        answering.result()

    async def _answers(self) -> None:
        async with monitor(self.name, self.qmp_socket):
            pass

    async def stop(self, timeout: float = 60.0) -> None:
        """Shut it down in order by its power button; see `lab.host.Host`."""
        if self._process is None or not self.status().running:
            return
        async with monitor(self.name, self.qmp_socket) as qemu:
            await qemu.execute("system_powerdown")
        try:
            async with asyncio.timeout(timeout):
                await self._process.wait()
        except TimeoutError:
            await self.kill()
            raise LabError(f"{self.name} did not shut down within {timeout:g} s; its power was cut") from None

    async def kill(self) -> None:
        """Cut its power; see `lab.host.Host`."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGKILL)
            await self._process.wait()

    async def stall(self, disk: str, *, rate: int) -> None:
        """Let a disk write ``rate`` bytes a second, of which 1 is next to nothing, and 0 all that it can again."""
        async with monitor(self.name, self.qmp_socket) as qemu:
            limits = dict.fromkeys(("bps", "bps_rd", "iops", "iops_rd", "iops_wr"), 0)
            await qemu.execute("block_set_io_throttle", device=disk, bps_wr=rate, **limits)

    async def fail(self, disk: str, *, failing: bool) -> None:
        """Let a disk answer every write with an input/output error, or carry them out again."""
        image, failure = f"{disk}-image", f"{disk}-failure"
        error = {"event": "none", "iotype": "write", "errno": errno.EIO}
        async with monitor(self.name, self.qmp_socket) as qemu:
            if failing:
                wrapped = {"driver": "blkdebug", "node-name": failure, "image": image, "inject-error": [error]}
                await qemu.execute("blockdev-add", **wrapped)
            device = f"/machine/peripheral/{disk}-disk"
            await qemu.execute("qom-set", path=device, property="drive", value=failure if failing else image)
            if not failing:
                await qemu.execute("blockdev-del", **{"node-name": failure})

    async def remove(self) -> None:
        """Cut its power and give back its disks, memory and taps."""
        await self.kill()
        for path in (self.memory_file, self.root_disk, self.data_disk):
            path.unlink(missing_ok=True)
        for link in self.links.values():
            await self.tree.run("ip", "link", "delete", link)

    def status(self) -> HostStatus:
        """See `lab.host.Host`."""
        if self._process is None or self._process.returncode is not None:
            return HostStatus(running=False, pid=None, memory=0)
        return HostStatus(running=True, pid=self._process.pid, memory=resident_bytes(self._process.pid))

    def arguments(self, incoming: bool) -> list[str]:
        """The command line of QEMU."""
        directory = self.tree.directory
        arguments = [
            "qemu-system-x86_64", "-name", self.name, "-nodefaults", "-no-user-config", "-display", "none",
            "-accel", self.machine.accelerator, "-cpu", self.machine.cpu, "-smp", "1", "-m", str(MEMORY_MB),
            "-machine", "pc,usb=off,hpet=off,memory-backend=ram",
            "-object", f"memory-backend-file,id=ram,size={MEMORY_MB}M,mem-path={self.memory_file},share=on",
            "-rtc", "base=utc,clock=host",
            "-kernel", str(self.machine.kernel), "-initrd", str(self.machine.initrd),
            "-append", self.machine.command_line(self.name),
            "-serial", f"file:{directory / self.name}.console",
            "-qmp", f"unix:{self.qmp_socket},server=on,wait=off",
            *_disk("root", self.root_disk, "format=qcow2,discard=unmap"),
            # A mirror copies its blank blocks too: they stay holes, so that snapshots stay small.
            *_disk("data", self.data_disk, "format=qcow2,discard=unmap,detect-zeroes=unmap"),
            # One disk in two guests: both QEMUs see one page cache, and must not lock the file.
            *_disk("sbd", self.sbd_disk, "format=raw,file.locking=off", "share-rw=on"),
            "-object", "rng-random,id=rng,filename=/dev/urandom", "-device", "virtio-rng-pci,rng=rng",
            "-device", "i6300esb", "-action", "watchdog=reset",
        ]  # fmt: skip
        for network, link in self.links.items():
            arguments += ["-netdev", f"tap,id={network.value},ifname={link},script=no,downscript=no"]
            arguments += ["-device", f"virtio-net-pci,netdev={network.value},mac={addresses.mac(network, self.number)}"]
        return arguments + (["-incoming", "defer"] if incoming else [])


def _disk(name: str, file: Path, image: str, device: str = "share-rw=off") -> list[str]:
    """A disk as a guest sees it; image and device have names of their own, so that `fail` can come between them."""
    return [
        "-drive", f"file={file},if=none,id={name},node-name={name}-image,cache=unsafe,{image}",
        "-device", f"virtio-blk-pci,id={name}-disk,drive={name},serial={name},{device}",
    ]  # fmt: skip


def resident_bytes(pid: int) -> int:
    """Memory of a process that is resident on this machine; 0 when it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0
