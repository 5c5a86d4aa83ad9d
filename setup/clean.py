"""`make clean` and `make distclean`: stop the lab, remove what was made; safe at any time, also after a crash.

Never removed: the Pulumi state and its passphrase, for what they describe may still run somewhere.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from setup import places
from setup.steps import SetupError, fail, trouble

RUN = places.PROJECT / ".lab" / "run"
CACHES = (".pytest_cache", ".ruff_cache", ".import_linter_cache", ".hypothesis", "build", "squid_ha.egg-info")
STOP_SECONDS = 120
MOUNTS = Path("/proc/self/mounts")
KEY = "[0-9a-f]{16}"
CACHED = {
    "pulumi": r"(release|build)-\d.*|(build|download)-\w+|go",
    "image": rf"(\.building-)?{KEY}|lock|failed\.log",
    "release": rf"(\.building-)?\S+-{KEY}|lock|failed\.log",
    "snapshots": rf"\S+-{KEY}(\.\d+)?|lock",
    "kvm": KEY,
    "tsc": KEY,
    "pacemaker-tools": r"[0-9a-f]{12}|tmp\w+",
    "postgresql": "etc|lib|usr|var",
}
"""The folders that setup, lab and tests make in the cache, and what alone they hold. Others may have folders of such
names too, in a place that somebody chose by SQUID_HA_CACHE."""


def stop_lab() -> None:
    """Stop the lab. Raises SetupError where that fails: its files must not go from under it."""
    python = places.VENV / "bin" / "python"
    if not RUN.exists() or not (places.PROJECT / "lab" / "__main__.py").exists():
        return
    if not python.exists():
        raise SetupError(f"{RUN} exists and the environment to stop the lab with does not: run `make setup` first.")
    try:
        done = subprocess.run([python, "-m", "lab", "down"], cwd=places.PROJECT, check=False, timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired:
        raise SetupError(f"the lab did not stop within {STOP_SECONDS} s: see `make lab-status`.") from None
    if done.returncode:
        raise SetupError("the lab could not be stopped, so its files were left alone: see `make lab-status`.")


def mounts_below(folder: Path) -> list[str]:
    """What is mounted in a folder; removing that would reach into something else."""
    try:
        table = MOUNTS.read_bytes()
    except OSError:
        return []
    points = (unescaped(line.split(b" ")[1]) for line in table.split(b"\n") if line)
    return [point for point in points if Path(point).is_relative_to(folder)]


def unescaped(field: bytes) -> str:
    """A path of the kernel's table: blanks and backslashes stand there in octal, all other bytes as they are."""
    return os.fsdecode(re.sub(rb"\\([0-3][0-7]{2})", lambda found: bytes([int(found[1], 8)]), field))


def remove(path: Path) -> None:
    """Remove a file or folder, if there; never through a mount."""
    mounted = mounts_below(path)
    if mounted:
        raise SetupError(f"{mounted[0]} is still mounted; unmount it (umount {shlex.quote(mounted[0])}) and try again.")
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, onerror=writable_then)
    else:
        path.unlink(missing_ok=True)


def writable_then(_function: object, name: str, _problem: object) -> None:
    """Second attempt at removing a file of a read-only folder, as Go's module cache has."""
    path = Path(name)
    path.parent.chmod(0o700)
    if path.is_dir() and not path.is_symlink():
        path.chmod(0o700)
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def clean() -> None:
    """Stop the lab and remove the files of runs."""
    stop_lab()
    remove(RUN)
    for name in CACHES:
        remove(places.PROJECT / name)
    for folder in places.PROJECT.glob("[a-z]*/**/__pycache__"):
        remove(folder)
    print("the lab is down, and what runs left behind is gone")


def distclean() -> None:
    """Remove environment, tools, lab and what is cached too."""
    for path in (places.VENV, places.TOOLS, places.PROJECT / ".lab"):
        remove(path)
    remove_cached()
    print(f"environment, tools and cache are gone; kept: {places.STATE}")


def remove_cached() -> None:
    """Remove the cache; of a folder that somebody chose for it only what this project made there."""
    cache = places.cache()
    if cache == places.usual_cache():
        remove(cache)
        return
    for name, ours in CACHED.items():
        folder = cache / name
        found = [path.name for path in folder.iterdir()] if folder.is_dir() else []
        others = sorted(each for each in found if not re.fullmatch(ours, each))
        if others:
            print(f"left alone: {folder}, for {others[0]} in it is not this project's")
        else:
            remove(folder)


def main(arguments: list[str]) -> int:
    """Clean; with --all, more."""
    try:
        clean()
        if arguments == ["--all"]:
            distclean()
    except SetupError as error:
        return fail(error)
    except OSError as error:
        return fail(trouble(error))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
