"""The lab as one process tree in namespaces of its own.

``unshare --fork --pid --net --mount --kill-child`` (as root, by ``sudo -n`` for others) starts
``python -m lab.supervisor``, and everything the lab runs is its child: QEMU, containers, web origin, time source. The
network namespace has no way out, so nothing in it can send to any other address. Process 1 of the tree ends when the
supervisor ends, however that happens, and the kernel then ends the rest: no process, namespace or mount stays behind.

In the tree (seen only from inside):

- bridges ``pub`` (192.0.2.0/24; the supervisor itself is 192.0.2.254) and ``rep`` (172.16.77.0/24);
- network namespaces ``origin`` (192.0.2.1) and ``client`` (192.0.2.100), and one per container;
- ``/run/netns`` and ``<run directory>/memory`` are tmpfs mounts of the tree's own mount namespace.

Outside, the run directory (``.lab/run``) is all there is of it: ``control`` (JSON lines, see ``lab.control``),
``<host>.ssh`` (forwarded to port 22 of that host), ``lock`` (held by the supervisor while it lives), logs, consoles.

Containers are made by ``lab.container``: the request ``add`` with ``kind: container`` calls
``lab.container.make(name, number, image, tree)`` in the supervisor, where ``tree`` is a ``lab.network.Tree``
(helpers: ``run(*argv)``, ``add_namespace(name)``, ``add_cable(namespace, interface, network, address, mac)``) and
``number`` a small integer from which it takes its addresses: 192.0.2.(128+number) and 172.16.77.(128+number).
It returns a ``lab.host.Host`` that is not yet started.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from lab import configuration, containers, control
from lab.errors import LabError
from lab.image import Image
from lab.paths import LOCK_FILE, PROJECT, run_directory

LONGEST_SOCKET_PATH = 107
"""Characters; the kernel's limit for the name of a unix socket."""

_started: list[subprocess.Popen[bytes]] = []
"""Outermost processes that this process started. They outlive it, unless it ends them itself."""


def start(image: Image, timeout: float = 60.0) -> None:
    """Start the tree: networks, services, and the pair of machines switched off. Returns when it takes requests.

    Raises LabError when it cannot be started, with the supervisor's reason.
    """
    directory = run_directory()
    directory.mkdir(parents=True, exist_ok=True)
    longest = directory / "control.new"
    if len(str(longest)) > LONGEST_SOCKET_PATH:
        raise LabError(f"the path {longest} is too long for a socket; set SQUID_HA_LAB_RUN to a shorter directory")
    (directory / "failed").unlink(missing_ok=True)
    told = configuration.for_this_user(image.kernel, image.initrd, image.disk, image.tree, image.packages,
                                       image.identity, dict(image.host_keys), image.key)  # fmt: skip
    told.write(directory)
    argv = [*as_root(), sys.executable, "-m", "lab.supervisor", str(directory)]
    (directory / "memory").mkdir(exist_ok=True)
    with (directory / "supervisor.log").open("wb") as log:
        process = subprocess.Popen(
            argv, cwd=PROJECT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    _started.append(process)
    _wait_until_ready(directory, process, timeout)


def _wait_until_ready(directory: Path, process: subprocess.Popen[bytes], timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while not control.is_up():
        if process.poll() is not None:
            log = (directory / "supervisor.log").read_text(errors="replace").strip().splitlines()
            failed = directory / "failed"
            raise LabError(f"the lab did not start: {failed.read_text() if failed.exists() else ' / '.join(log[-3:])}")
        if time.monotonic() > deadline:
            kill()
            raise LabError(f"the lab was not ready within {timeout:g} s; see {directory}/supervisor.log")
        time.sleep(0.02)


def as_root() -> list[str]:
    """What to put before a command that needs root. Raises LabError when there is no way to become root."""
    if os.geteuid() == 0:
        return []
    if (
        shutil.which("sudo")
        and subprocess.run(["sudo", "-n", "true"], check=False, capture_output=True).returncode == 0
    ):
        return ["sudo", "-n"]
    raise LabError("the lab needs root for its namespaces: run it as root, or allow this user sudo without a password")


def stop(timeout: float = 20.0) -> bool:
    """End the tree and wait until no process of it is left. Returns whether there was one.

    A supervisor that does not answer is killed. Raises LabError when something of the tree outlives `timeout` seconds.
    """
    if ended():
        _clean_up()
        return False
    with contextlib.suppress(LabError):
        control.call("down", timeout=timeout / 2)
    deadline = time.monotonic() + timeout / 2
    while not ended():
        if time.monotonic() > deadline:
            kill()
            deadline = float("inf")
        time.sleep(0.02)
    _clean_up()
    return True


def _clean_up() -> None:
    """Put back what containers changed outside the tree, and collect the outermost process if it was ours."""
    while _started:
        _started.pop().wait()
    if os.geteuid() == 0:
        containers.clean_up(run_directory())
    else:
        argv = [*as_root(), sys.executable, "-m", "lab.supervisor", "--clean-up", str(run_directory())]
        subprocess.run(argv, cwd=PROJECT, check=False)


def kill(timeout: float = 10.0) -> None:
    """End the tree at once by killing its outermost process; waits until nothing of it is left."""
    pid = outermost()
    if pid is not None:
        if os.geteuid() == 0:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        else:
            subprocess.run([*as_root(), "kill", "-KILL", str(pid)], check=False)
    deadline = time.monotonic() + timeout
    while not ended():
        if time.monotonic() > deadline:
            raise LabError(f"processes of the lab are left after process {pid} was killed")
        time.sleep(0.02)


def ended() -> bool:
    """Whether no process of a tree is left in this run directory: every one of them would hold the lock."""
    try:
        with (run_directory() / LOCK_FILE).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return True
    except BlockingIOError:
        return False
    return True


def outermost() -> int | None:
    """The process whose end is the tree's end; None when there is no tree."""
    if ended():
        return None
    return int((run_directory() / LOCK_FILE).read_text())
