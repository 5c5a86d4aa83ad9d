"""Saving and restoring the running pair of virtual machines, inside the tree.

The guests' memory is a shared file, so QEMU's own stream (`state`) holds only devices: with the capability
x-ignore-shared it is under 1 MB, and a restore is a copy of files plus a moment. Both guests are stopped before either
is saved, and continued together, so that the cluster in them sees no peer missing.
"""

from __future__ import annotations

import asyncio
import shlex
import shutil
from collections.abc import Awaitable, Iterable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from lab.qmp import Monitor, monitor
from lab.vm import SBD_DISK_BYTES, VirtualMachine

CAPABILITIES = [{"capability": "x-ignore-shared", "state": True}]


async def save(machines: Sequence[VirtualMachine], directory: Path) -> None:
    """Write the pair into `directory` and let it run on. Raises LabError when a machine is off or refuses."""
    for machine in machines:
        (directory / machine.name).mkdir(parents=True)
    async with AsyncExitStack() as stack:
        monitors = [await stack.enter_async_context(monitor(m.name, m.qmp_socket)) for m in machines]
        await _each(qemu.execute("stop") for qemu in monitors)
        try:
            await _each(
                _save_devices(qemu, directory / m.name / "state") for qemu, m in zip(monitors, machines, strict=True)
            )
            await _each(_save_files(m, directory / m.name) for m in machines)
            shutil.copyfile(machines[0].sbd_disk, directory / "sbd.raw")
        finally:
            await _each(qemu.execute("cont") for qemu in monitors)


async def _save_devices(qemu: Monitor, file: Path) -> None:
    await qemu.execute("migrate-set-capabilities", capabilities=CAPABILITIES)
    await qemu.execute("migrate", uri=f"exec:cat > {shlex.quote(str(file))}")
    await qemu.migrated()


async def _save_files(machine: VirtualMachine, directory: Path) -> None:
    # A stopped and saved QEMU has written its disks out and holds them no longer.
    for file, name in _files(machine):
        await machine.tree.run("cp", "--sparse=always", "--reflink=auto", str(file), str(directory / name))


def _files(machine: VirtualMachine) -> tuple[tuple[Path, str], ...]:
    """What a machine has in files, and the name of each in a snapshot.

    Copied both ways, never used as the backing of an overlay: each disk has just the image behind it, so that a
    snapshot of a restored pair is whole by itself.
    """
    return (machine.root_disk, "root.qcow2"), (machine.data_disk, "data.qcow2"), (machine.memory_file, "memory")


async def restore(machines: Sequence[VirtualMachine], directory: Path) -> None:
    """Bring the pair to what `save` wrote, cutting the power of what runs; the snapshot itself is never written to."""
    await _each(machine.kill() for machine in machines)
    shutil.copyfile(directory / "sbd.raw", machines[0].sbd_disk)
    await _each(_restore_files(m, directory / m.name) for m in machines)
    await _each(machine.launch(incoming=True) for machine in machines)
    async with AsyncExitStack() as stack:
        monitors = [await stack.enter_async_context(monitor(m.name, m.qmp_socket)) for m in machines]
        await _each(
            _load_devices(qemu, directory / m.name / "state") for qemu, m in zip(monitors, machines, strict=True)
        )
        await _each(qemu.execute("cont") for qemu in monitors)


async def _restore_files(machine: VirtualMachine, directory: Path) -> None:
    for file, name in _files(machine):
        await machine.tree.run("cp", "--sparse=always", "--reflink=auto", str(directory / name), str(file))


async def _load_devices(qemu: Monitor, file: Path) -> None:
    await qemu.execute("migrate-set-capabilities", capabilities=CAPABILITIES)
    await qemu.execute("migrate-incoming", uri=f"exec:cat {shlex.quote(str(file))}")
    await qemu.migrated()


async def boot(machines: Sequence[VirtualMachine]) -> None:
    """Start the pair on blank disks, cutting the power of what runs."""
    await _each(machine.kill() for machine in machines)
    with machines[0].sbd_disk.open("wb") as disk:
        disk.truncate(SBD_DISK_BYTES)
    await _each(machine.make_blank() for machine in machines)
    await _each(machine.start() for machine in machines)


async def _each(steps: Iterable[Awaitable[object]]) -> None:
    """Do all at once, and let all of them end before the first error is raised."""
    results = await asyncio.gather(*steps, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
