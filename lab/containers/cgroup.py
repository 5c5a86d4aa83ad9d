"""A control group of its own for each container.

systemd-nspawn puts what it runs into `payload` below its own group. Two containers started from one group
would share it, and stopping a unit in one would stop it in the other.
"""

import contextlib
import fcntl
import os
from collections.abc import Generator
from pathlib import Path

from lab.errors import LabError

_ROOT = Path("/sys/fs/cgroup")
_PREFIX = "squid-ha-lab."


def groups(name: str) -> list[Path]:
    """The groups of container `name` in this tree, one per hierarchy that systemd uses, made when missing.

    There are two where the machine has the hybrid layout and one where it has only version 2. To be called, and the
    container put into them, within `starting`.

    Raises LabError when this machine lets nobody make groups.
    """
    found = [here / _tree_name() / name for here in _own()]
    if not found:
        raise LabError(f"containers need systemd's control groups, and {_ROOT} has none; mount cgroup2 there")
    for group in found:
        try:
            group.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LabError(f"the control group {group} cannot be made: {error.strerror}") from error
    return found


def remove(group: Path) -> None:
    """Remove a group with all below it, as far as nothing runs there."""
    for folder, _, _ in os.walk(group, topdown=False):
        with contextlib.suppress(OSError):
            Path(folder).rmdir()
    with contextlib.suppress(OSError):
        group.parent.rmdir()


@contextlib.contextmanager
def starting() -> Generator[None]:
    """Hold this while a container gets its groups and goes into them: until it is in, they look like a dead tree's.

    Many may, of one tree or several; only `remove_dead` stays out meanwhile.
    """
    with _locked(fcntl.LOCK_SH):
        yield


def remove_dead() -> None:
    """Remove the groups that trees which have ended left behind, because no one else can.

    Those of living ones stay; while a container of any tree is starting, all do.
    """
    with contextlib.suppress(BlockingIOError), _locked(fcntl.LOCK_EX | fcntl.LOCK_NB):
        _remove_dead()


def _remove_dead() -> None:
    for parent in _own():
        for group in parent.glob(f"{_PREFIX}*"):
            if group.name != _tree_name() and not _is_alive(group):
                with contextlib.suppress(FileNotFoundError):
                    for child in [each for each in group.iterdir() if each.is_dir()]:
                        remove(child)


@contextlib.contextmanager
def _locked(how: int) -> Generator[None]:
    # The group that all trees started from here have in common.
    with contextlib.ExitStack() as stack:
        for parent in _own()[:1]:
            folder = os.open(parent, os.O_RDONLY | os.O_DIRECTORY)
            stack.callback(os.close, folder)
            fcntl.flock(folder, how)
        yield


def _own() -> list[Path]:
    """The groups this process is in."""
    lines = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()]
    mounts = [(_mount(controllers), path) for _, controllers, path in lines]
    return [mount / path.lstrip("/") for mount, path in mounts if mount is not None]


def _mount(controllers: str) -> Path | None:
    """Where the hierarchy of a line of /proc/self/cgroup is mounted, if systemd tracks units in it."""
    if controllers == "name=systemd":
        return _ROOT / "systemd"
    if controllers == "":
        unified = _ROOT / "unified"
        mount = unified if unified.is_dir() else _ROOT
        return mount if (mount / "cgroup.procs").exists() else None
    return None


def _tree_name() -> str:
    """The tree is told apart by its process namespace."""
    return _PREFIX + str(Path("/proc/self/ns/pid").readlink()).strip("pid:[]")


def _is_alive(group: Path) -> bool:
    """Whether anything runs in it or below. A living tree's come and go meanwhile, which os.walk does not mind."""
    return any(_occupied(Path(folder) / "cgroup.procs") for folder, _, _ in os.walk(group))


def _occupied(procs: Path) -> bool:
    # Processes of another namespace are listed as 0, so any line counts.
    try:
        return bool(procs.read_bytes())
    except OSError:
        return False
