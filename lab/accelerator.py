"""Whether this machine's KVM really runs a guest.

A /dev/kvm says little: in nested set-ups it can be there, take a guest, and hang it in its first second. So the lab's
own kernel is started under it once, with a time limit, and the outcome is remembered for this boot of the machine.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from pathlib import Path

from lab.errors import LabError
from lab.paths import cache_directory

EMULATION = "tcg,thread=multi,tb-size=256"
"""tb-size is MiB of translated code; left alone it grows to 1 GiB beside each guest's memory."""
PROBE_SECONDS = 12.0


async def choose(kernel: Path, initrd: Path) -> str:
    """The value for QEMU's -accel: `kvm` where a guest reaches its initrd under it, else emulation.

    SQUID_HA_ACCEL=kvm or =tcg decides without asking. Raises LabError for any other value.
    """
    wanted = os.environ.get("SQUID_HA_ACCEL", "")
    if wanted not in ("", "kvm", "tcg"):
        raise LabError(f"SQUID_HA_ACCEL is {wanted!r}; it can be kvm or tcg")
    if wanted:
        return "kvm" if wanted == "kvm" else EMULATION
    if not Path("/dev/kvm").exists():
        return EMULATION
    remembered = cache_directory("kvm") / _this_boot(kernel)
    if not remembered.exists():
        works = await probe(kernel, initrd)
        remembered.write_text("works\n" if works else "does not\n")
    return "kvm" if remembered.read_text() == "works\n" else EMULATION


def _this_boot(kernel: Path) -> str:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text()
    return hashlib.sha256(f"{boot} {os.uname().release} {kernel}".encode()).hexdigest()[:16]


async def probe(kernel: Path, initrd: Path) -> bool:
    """Start the kernel under KVM and see whether the first process of its initrd says something in time."""
    process = await asyncio.create_subprocess_exec(
        "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-accel", "kvm", "-cpu", "host",
        "-machine", "pc,usb=off", "-m", "512", "-no-reboot", "-kernel", str(kernel), "-initrd", str(initrd),
        "-append", "console=ttyS0 panic=-1 net.ifnames=0", "-serial", "stdio",
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            return await _reaches_initrd(process)
    except TimeoutError:
        return False
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _reaches_initrd(process: asyncio.subprocess.Process) -> bool:
    while process.stdout is not None and (line := await process.stdout.readline()):
        # The first line of Debian's initrd: user space runs.
        if b"Loading, please wait" in line:
            return True
    return False
