"""Snapshots of the running pair: disks, memory, Pulumi state and known_hosts together.

    snapshot.save("deployed", key)      # keep the pair as it is now; it runs on
    snapshot.restore("deployed", key)   # a few seconds later both nodes answer, with their clocks right

A snapshot is found again by its name and by what it was made from: the image, the machines' definition, and a `key` of
the caller's, which holds whatever else went into it (for a deployed pair a digest of the program and its stack file).
One that was made from something else is simply not there. Snapshots are kept in the cache and are never changed.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from lab import control, pulumi_state
from lab.addresses import NODES
from lab.errors import LabError
from lab.paths import PROJECT, PROJECT_RUN, cache_directory, run_directory
from lab.shell import Shell, shell

BARE = "bare"
"""The pair just after its first boot, nothing installed. Made by the first `up`; it holds no Pulumi state."""

KEPT = 3
"""Snapshots of one name that stay in the cache, the last used ones: of several branches or checkouts."""

MAX_CLOCK_ERROR = 1.0
"""Seconds that a restored node's clock may be off before anything in it corrects it further."""


def exists(name: str, key: str = "") -> bool:
    """Whether a snapshot can be restored. Raises LabIsDown when no lab runs: its image is part of the key."""
    return place(name, key).is_dir()


def save(name: str, key: str = "") -> None:
    """Keep the pair as it is now, replacing a snapshot of the same name and key. Takes 3-6 s, in which it stands still.

    Raises LabError when a node is off or does not answer.
    """
    target = place(name, key)
    new = target.with_name(f".{target.name}.{os.getpid()}")
    shutil.rmtree(new, ignore_errors=True)
    try:
        new.mkdir()
        asyncio.run(_on_each_node(_settle))
        control.call("save", directory=str(new / "machines"))
        shutil.copy2(run_directory() / "known_hosts", new / "known_hosts")
        if name != BARE and _has_stack():
            pulumi_state.keep(PROJECT, new / "pulumi")
        with _store(fcntl.LOCK_EX):
            shutil.rmtree(target, ignore_errors=True)
            new.rename(target)
            _forget_old(name)
    finally:
        shutil.rmtree(new, ignore_errors=True)
    asyncio.run(_on_each_node(_set_clock))


def restore(name: str, key: str = "") -> None:
    """Bring the pair to what was saved: powered on, every cable in place, both nodes answering, clocks right.

    Restoring `bare` empties the Pulumi stack of the lab, because nothing that it made is there any more. A lab that
    is not in the project's own run directory has no stack, and none is touched.
    Raises LabError when there is no such snapshot.
    """
    source = place(name, key)
    if not source.is_dir():
        raise LabError(f"there is no snapshot {name!r} made from what is there now; make it anew")
    with _store(fcntl.LOCK_SH):
        os.utime(source)
        control.call("restore", directory=str(source / "machines"))
        shutil.copy2(source / "known_hosts", run_directory() / "known_hosts")
        if _has_stack():
            _restore_stack(source / "pulumi")
    asyncio.run(_on_each_node(_set_clock))


def _restore_stack(kept: Path) -> None:
    if kept.is_dir():
        pulumi_state.bring_back(PROJECT, kept)
    else:
        pulumi_state.forget_nodes(PROJECT)


def _has_stack() -> bool:
    """Whether the stack of the lab tells of this lab: its file names the run directory of the project."""
    return run_directory() == PROJECT_RUN


@contextmanager
def _store(mode: int) -> Generator[None]:
    """Hold the store of snapshots, which other labs of this user share, so that none goes while it is read."""
    with (cache_directory("snapshots") / "lock").open("w") as lock:
        fcntl.flock(lock, mode)
        yield


def _forget_old(name: str) -> None:
    """Remove snapshots of a name that were made from what is no longer there; each takes some 400 MB."""
    same = [path for path in cache_directory("snapshots").glob(f"{name}-*") if len(path.name) == len(name) + 17]
    for path in sorted(same, key=lambda each: each.stat().st_mtime, reverse=True)[KEPT:]:
        shutil.rmtree(path)


def place(name: str, key: str = "") -> Path:
    """The folder of a snapshot, whether or not it is there."""
    lab = control.call("ping")
    made_from = {"key": key, "lab": lab, "machines": _definition()}
    if name != BARE:
        # Pulumi's state can be read only with its passphrase, and it names files of this run directory.
        made_from |= {
            "project": str(PROJECT),
            "directory": str(run_directory()),
            "passphrase": pulumi_state.passphrase_digest(PROJECT),
        }
    digest = hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()[:16]
    return cache_directory("snapshots") / f"{name}-{digest}"


def wait_for_boot(timeout: float = 240.0) -> None:
    """Wait until both nodes answer and have started everything. Raises LabError after `timeout` seconds."""
    asyncio.run(_on_each_node(_booted, timeout=timeout))


@cache
def _definition() -> str:
    """What the machines are made by: a saved state fits only the same QEMU, the same devices, the same way in."""
    version = subprocess.run(["qemu-system-x86_64", "--version"], capture_output=True, check=True).stdout
    names = ("vm.py", "freeze.py", "addresses.py", "access.py")
    sources = [Path(__file__).with_name(name).read_bytes() for name in names]
    return hashlib.sha256(b"\0".join([version, *sources])).hexdigest()


async def _on_each_node(step: Callable[[Shell], Awaitable[None]], timeout: float = 90.0) -> None:
    async def one(name: str) -> None:
        async with shell(name, timeout=timeout) as connection:
            await step(connection)

    await asyncio.gather(*(one(name) for name in NODES))


async def _booted(node: Shell) -> None:
    state = (await node.run("systemctl is-system-running --wait", timeout=180)).out.strip()
    if state != "running":
        failed = (await node.run("systemctl --failed --no-legend --plain")).out
        raise LabError(f"{node.host} started with failures ({state}): {failed}")


async def _settle(node: Shell) -> None:
    """Write everything out, and give back memory that only caches files."""
    await node.sudo("sync; echo 3 > /proc/sys/vm/drop_caches")


# chronyd sees the leap at its next poll, a minute later, and has no source then for some more: let it look at once. A
# clock that is right and that chronyd is not sure of yet is no reason to refuse a snapshot.
_FOLLOW = """
systemctl is-active --quiet chrony || exit 0
chronyc burst 4/4 >/dev/null || exit 0
timeout 40 chronyc waitsync 0 0.5 0 1 >/dev/null || true
"""


async def _set_clock(node: Shell, timeout: float = 30.0) -> None:
    """A restored guest's clock stands where it was saved, while its hardware clock follows this machine's.

    A time sent along with a command would be too old by what the command takes to start: seconds on a busy machine.
    """
    deadline = time.monotonic() + timeout
    while True:
        await node.sudo("hwclock --hctosys --utc")
        before = time.time()
        told = float((await node.run("date +%s.%N")).out)
        after = time.time()
        if before - MAX_CLOCK_ERROR <= told <= after + MAX_CLOCK_ERROR:
            break
        if time.monotonic() > deadline:
            raise LabError(
                f"the clock of {node.host} is {told - after:+.1f} s off after it was set; is this machine busy?"
            )
    await node.sudo(_FOLLOW, timeout=120)
