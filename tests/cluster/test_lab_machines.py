"""The lab's own promises: what the machines have, that snapshots are whole, that power and cables can be cut."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab import control, lifecycle, load, snapshot, tree
from lab.errors import LabError
from lab.manifest import differences
from lab.summary import summarise

if TYPE_CHECKING:
    from tests.cluster.conftest import Machines


async def test_nodes_have_what_the_site_needs(bare: Machines) -> None:
    for name in bare.names:
        told = await bare.run(
            name,
            "hostname; stat -L -c %F /dev/disk/by-id/virtio-data /dev/disk/by-id/virtio-sbd /dev/watchdog;"
            " lsblk -bdno SIZE /dev/disk/by-id/virtio-data /dev/disk/by-id/virtio-sbd",
        )
        assert told.out.split("\n")[:4] == [
            name, "block special file", "block special file", "character special file"
        ]  # fmt: skip
        assert [int(size) for size in told.out.split("\n")[4:6]] == [2**30, 8 * 2**20]


async def test_the_sbd_disk_is_one_disk(bare: Machines) -> None:
    await bare.sudo(
        "qsp-a", "echo written-by-a | dd of=/dev/disk/by-id/virtio-sbd bs=512 conv=sync oflag=direct status=none"
    )
    read = await bare.sudo(
        "qsp-b", "dd if=/dev/disk/by-id/virtio-sbd bs=512 count=1 iflag=direct status=none | head -c 12"
    )
    assert read == "written-by-a"


@pytest.mark.spare
async def test_a_snapshot_brings_back_disks_memory_and_clock(bare: Machines) -> None:
    await bare.sudo(
        "qsp-a", "echo disk > /etc/kept; echo memory > /run/kept; echo data > /dev/disk/by-id/virtio-data; sync"
    )
    boot = await bare.run("qsp-a", "cat /proc/sys/kernel/random/boot_id")
    # The whole of it is compared: a snapshot of a restored pair once lacked what the first one had written.
    whole = await bare.manifest("qsp-a")
    await bare.keep("test-kept")
    await bare.sudo("qsp-a", "rm /etc/kept /run/kept; echo lost > /dev/disk/by-id/virtio-data")
    await bare.power_off("qsp-b")
    await bare.bring_back("test-kept")
    read = await bare.sudo("qsp-a", "cat /etc/kept /run/kept; head -c 4 /dev/disk/by-id/virtio-data")
    assert read == "disk\nmemory\ndata"
    assert differences(whole, await bare.manifest("qsp-a")) == []
    assert (await bare.run("qsp-a", "cat /proc/sys/kernel/random/boot_id")).out == boot.out
    for name in bare.names:
        before = time.time()
        told = float((await bare.run(name, "date +%s.%N")).out)
        assert before - 1 < told < time.time() + 1


async def test_clocks_run_at_the_right_speed(bare: Machines) -> None:
    # Calibrated on a busy machine, a guest's clock has run 2.8 times as fast as time does.
    async def ahead(name: str) -> float:
        told = float((await bare.run(name, "date +%s.%N")).out)
        return told - time.time()

    before = [await ahead(name) for name in bare.names]
    await asyncio.sleep(10)  # what is measured is how far they drift in that time
    drift = [abs(await ahead(name) - was) for name, was in zip(bare.names, before, strict=True)]
    assert max(drift) < 2


@pytest.mark.long
async def test_restoring_many_times_gives_the_same_node(bare: Machines) -> None:
    first = await bare.manifest("qsp-a")
    await bare.sudo("qsp-a", "echo changed >> /etc/motd; rm /etc/issue; mkdir /mnt/mirror; chmod 600 /etc/fstab")
    assert differences(first, await bare.manifest("qsp-a")) == [
        "file /etc/fstab: mode was 644, is 600",
        "file /etc/issue: gone",
        "file /etc/motd: content changed",
        "file /mnt/mirror: new",
    ]
    await bare.bring_back(snapshot.BARE)
    assert differences(first, await bare.manifest("qsp-a")) == []


@pytest.mark.long
async def test_a_cut_cable_is_silent_and_heals(bare: Machines) -> None:
    ping = "ping -c 1 -W 2 172.16.77.12 > /dev/null"
    assert (await bare.run("qsp-a", ping)).code == 0
    await bare.cut("qsp-b", "rep")
    assert (await bare.run("qsp-a", ping)).code != 0
    assert (await bare.run("qsp-b", "true")).code == 0
    await bare.heal("qsp-b")
    assert (await bare.run("qsp-a", ping)).code == 0


@pytest.mark.long
async def test_power_off_and_on_boots_with_the_disks_kept(bare: Machines) -> None:
    before = await bare.sudo("qsp-b", "echo kept > /etc/kept; sync; cat /proc/sys/kernel/random/boot_id")
    await bare.power_off("qsp-b")
    state = {host["name"]: host for host in control.call("status")["hosts"]}
    assert not state["qsp-b"]["running"]
    assert state["qsp-a"]["ssh"]
    await bare.power_on("qsp-b")
    await asyncio.to_thread(snapshot.wait_for_boot)
    after = await bare.sudo("qsp-b", "cat /etc/kept /proc/sys/kernel/random/boot_id")
    assert after.startswith("kept\n")
    assert after != f"kept\n{before}"


@pytest.mark.long
async def test_a_watchdog_that_nobody_feeds_resets_the_node(bare: Machines) -> None:
    boot = "cat /proc/sys/kernel/random/boot_id"
    before = (await bare.run("qsp-a", boot)).out
    # Opened, never fed again: the timer runs on. The default time is 30 s.
    await bare.sudo("qsp-a", "nohup sh -c 'exec 3> /dev/watchdog; exec sleep 600' > /dev/null 2>&1 &")
    # Its time and a boot take a minute, and several on a machine that does something else as well.
    deadline = time.monotonic() + 300
    while (after := await _boot_id(bare)) in ("", before):
        assert time.monotonic() < deadline, "the watchdog did not reset qsp-a within 300 s"
        await asyncio.sleep(1)
    assert after != before


async def _boot_id(machines: Machines) -> str:
    try:
        return (await machines.run("qsp-a", "cat /proc/sys/kernel/random/boot_id", timeout=15)).out
    except LabError:
        return ""


@pytest.mark.long
def test_the_lab_offers_packages_time_and_pages_and_nothing_else(bare: Machines) -> None:
    script = """
import socket, urllib.request
ask = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); ask.settimeout(2)
ask.sendto(bytes([0x23]) + bytes(47), ("192.0.2.1", 123)); print("stratum", ask.recv(100)[1])
print(urllib.request.urlopen("http://192.0.2.1:8080/Packages").status)
print(urllib.request.urlopen("http://192.0.2.1/r/x-1").read().decode().strip())
try: socket.create_connection(("198.51.100.1", 53), 2)
except OSError as error: print(error.strerror)
"""
    told = control.call("run", namespace="client", argv=["python3", "-c", script])
    assert told["out"].split("\n")[:4] == ["stratum 8", "200", "/r/x-1", "Network is unreachable"], told["err"]


@pytest.mark.long
def test_load_counts_what_a_client_sees(bare: Machines) -> None:
    # Straight at the origin: it answers as a proxy would.
    file = load.start("lab-test", rate=40, timeout=1, proxy="192.0.2.1:80")
    control_until(lambda: len(load.read(file)) > 20)
    records = load.stop(file)
    summary = summarise(records)
    assert summary.answered == summary.sent == len({record.id for record in records})
    assert summary.failed == 0
    file = load.start("lab-test", rate=40, timeout=1, proxy="192.0.2.99:3128")
    control_until(lambda: len(load.read(file)) > 20)
    summary = summarise(load.stop(file))
    assert summary.answered == 0
    assert summary.failed == summary.sent > 20


def control_until(condition: object, timeout: float = 20.0) -> None:
    deadline = time.monotonic() + timeout
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.long
def test_killing_the_tree_leaves_nothing(bare: Machines) -> None:
    def in_tree() -> list[str]:
        marker = str(Path(control.control_socket()).parent)
        found: list[str] = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if marker in command and ("qemu" in command or "lab.supervisor" in command):
                found.append(command)
        return found

    namespaces = {path.readlink() for path in Path("/proc").glob("[0-9]*/ns/net") if path.exists()}
    assert len(in_tree()) >= 4
    outermost = tree.outermost()
    assert outermost is not None
    inside = {
        Path(f"/proc/{child}/ns/net").readlink()
        for child in Path(f"/proc/{outermost}/task/{outermost}/children").read_text().split()
    }
    assert inside <= namespaces
    try:
        os.kill(outermost, signal.SIGKILL)
        control_until(tree.ended)
        assert in_tree() == []
        left = set[Path]()
        for path in Path("/proc").glob("[0-9]*/ns/net"):
            try:
                left.add(path.readlink())
            except OSError:
                continue
        assert not inside & left
        assert str(control.control_socket().parent) not in Path("/proc/self/mounts").read_text()
    finally:
        lifecycle.up(print)
