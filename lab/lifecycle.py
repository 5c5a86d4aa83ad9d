"""Bringing the lab up and down."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager

from lab import control, snapshot, tree
from lab.errors import LabError
from lab.image import Image, ImageError, ensure
from lab.paths import PROJECT, cache_directory, run_directory

Report = Callable[[str], None]


def up(report: Report) -> bool:
    """Make sure that the lab runs; returns whether it had to be started. A running lab is left just as it is.

    The first time, the pair is booted and the snapshot `bare` is made; from then on, that is restored in seconds.
    Raises LabError or ImageError with what is missing.
    """
    if control.is_up():
        return False
    with _only_one(report):
        if control.is_up():
            return False
        built = find_image(report)
        report("lab: starting networks, origin and time source")
        tree.start(built)
        try:
            _start_pair(report)
        except BaseException:
            tree.stop()
            raise
    return True


def find_image(report: Report) -> Image:
    """The image; built by root when it is missing, for only root can unpack a Debian. Raises ImageError."""
    try:
        return ensure(report)
    except ImageError:
        if os.geteuid() == 0:
            raise
    cache = cache_directory("image").parent
    argv = [*tree.as_root(), "env", f"SQUID_HA_CACHE={cache}", sys.executable, "-m", "lab.image"]
    if subprocess.run(argv, cwd=PROJECT, check=False).returncode != 0:
        raise ImageError("the lab's image could not be built; what went wrong stands above")
    return ensure(report)


def _start_pair(report: Report) -> None:
    if snapshot.exists(snapshot.BARE):
        report("lab: restoring qsp-a and qsp-b as they were after their first boot")
        try:
            snapshot.restore(snapshot.BARE)
        except LabError as error:
            report(f"lab: that did not work ({error})")
        else:
            return
    report("lab: booting qsp-a and qsp-b (about half a minute; only this once)")
    control.call("boot")
    snapshot.wait_for_boot()
    report("lab: keeping a snapshot of both, to be restored from now on")
    snapshot.save(snapshot.BARE)


def down() -> bool:
    """End the lab; returns whether there was one. Raises LabError when some of it cannot be ended."""
    return tree.stop()


@contextmanager
def _only_one(report: Report) -> Generator[None]:
    directory = run_directory()
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "up.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report("lab: somebody else is starting it, waiting for that")
            fcntl.flock(lock, fcntl.LOCK_EX)
        if not control.is_up() and not tree.ended():
            raise LabError("a lab is running that does not answer; end it with `make lab-down`")
        yield
