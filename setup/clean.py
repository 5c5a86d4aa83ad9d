"""`make clean` and `make distclean`: stop the lab, remove what was made; safe at any time, also after a crash.

Never removed: the Pulumi state and its passphrase, for what they describe may still run somewhere.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from setup import places
from setup.steps import SetupError, fail

RUN = places.PROJECT / ".lab" / "run"
CACHES = (".pytest_cache", ".ruff_cache", ".import_linter_cache", ".hypothesis", "build", "squid_ha.egg-info")
STOP_SECONDS = 120


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
        lines = Path("/proc/self/mounts").read_text().splitlines()
    except OSError:
        return []
    points = (line.split()[1].encode().decode("unicode_escape") for line in lines)
    return [point for point in points if Path(point).is_relative_to(folder)]


def remove(path: Path) -> None:
    """Remove a file or folder, if there; never through a mount."""
    mounted = mounts_below(path)
    if mounted:
        raise SetupError(f"{mounted[0]} is still mounted; unmount it (umount {mounted[0]}) and try again.")
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
    """Remove environment, tools, lab and cache too."""
    for path in (places.VENV, places.TOOLS, places.PROJECT / ".lab", places.cache()):
        remove(path)
    print(f"environment, tools and cache are gone; kept: {places.STATE}")


def main(arguments: list[str]) -> int:
    """Clean; with --all, more."""
    try:
        clean()
        if arguments == ["--all"]:
            distclean()
    except SetupError as error:
        return fail(error)
    except OSError as error:
        return fail(SetupError(f"{error.filename}: {error.strerror}."))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
