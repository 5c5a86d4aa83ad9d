"""Which Pulumi: versions, and what makes one suitable."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

CLI = "3.259.0"
"""The release that is downloaded or built. Its modules are the newest that the Go module proxies have."""

RELEASE_SHA256: Mapping[str, str] = {
    "linux-x64": "94ba357acac23d01474084c4b00098dc0f7bc70ce13f34c777459254a5f718e5",
    "linux-arm64": "edc8327463a72160bb36cf82cf5062da9c8a244290a706d9980988e7bf486853",
}
"""Platform → SHA-256 of the archive of release CLI.

Pulumi says them a second time, apart from its release server: in Formula/pulumi.rb of github.com/pulumi/homebrew-tap,
at the commit of that version.
"""

LANGUAGE_HOST = "3.79.0"
"""For the build only: the last release of the SDK's module that holds the Python language host's source.

It works with the CLI and with the Python SDK of requirements.txt; later hosts have no releases.
"""

MINIMUM = (3, 227, 0)
"""The oldest CLI accepted from PATH: the first with a documented exit code (7) for drift."""

LAUNCHER_MARK = "squid-ha launcher"
"""Stands in the first lines of our launcher, so that setup never takes one for a Pulumi."""

HEAD = 400
PYTHON_PARTS = ("pulumi-language-python", "pulumi-resource-pulumi-python")
"""What must lie beside a Pulumi that is to run this project."""


@dataclass(frozen=True)
class Pulumi:
    """A Pulumi that can run this project: the folder of its binaries, its version, and where it came from."""

    folder: Path
    version: str
    origin: str


def parse_version(text: str) -> tuple[int, int, int] | None:
    """The numbers of `v3.259.0` or `3.260.0-alpha.1`; None for anything else."""
    match = re.match(r"v?(\d+)\.(\d+)\.(\d+)", text.strip())
    return (int(match[1]), int(match[2]), int(match[3])) if match else None


def is_launcher(binary: Path) -> bool:
    """Whether this is our own launcher, of this checkout or of another."""
    with binary.open("rb") as file:
        return LAUNCHER_MARK.encode() in file.read(HEAD)


def inspect(binary: Path, origin: str) -> Pulumi | None:
    """The Pulumi of this binary; None if it is a launcher, does not run, is too old, or cannot run Python."""
    try:
        folder = binary.resolve(strict=True).parent
        if is_launcher(binary):
            return None
        said = subprocess.run([binary, "version"], capture_output=True, text=True, check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    version = parse_version(said.stdout)
    if said.returncode or version is None or version < MINIMUM:
        return None
    if not all((folder / name).exists() for name in PYTHON_PARTS):
        return None
    return Pulumi(folder, said.stdout.strip().removeprefix("v"), origin)
