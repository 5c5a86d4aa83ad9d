"""Pacemaker's offline tools for tests, from wherever this machine can give them without installing anything."""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

RECORDED = Path(__file__).parents[2] / "recorded/pacemaker"
CACHE = Path(os.environ.get("SQUID_HA_CACHE", "~/.cache/squid-ha")).expanduser()
NEEDED = "crm_simulate"
PACKAGES = (
    *("pacemaker-cli-utils_", "pacemaker-common_", "libcib", "libcrm", "liblrmd", "libpacemaker", "libpe-"),
    *(
        "libstonithd",
        "libqb",
        "libcpg",
        "libcfg",
        "libcmap",
        "libquorum",
        "libcorosync",
        "libxslt",
        "libglib2",
        "libpils",
        "libplumb",
        "libltdl",
    ),
)
"""Beginnings of the names of the packages that hold the tools and the libraries that only they need."""


def recorded(name: str) -> str:
    """What a real cluster said."""
    return (RECORDED / name).read_text()


@dataclass(frozen=True)
class Tools:
    """Where the tools are, unpacked (None: installed), and where they may keep shadow copies."""

    root: Path | None
    shadow: Path

    def settings(self) -> dict[str, str]:
        """Environment variables that the tools need."""
        needed = {"CIB_shadow_dir": str(self.shadow)}
        if self.root:
            folders = [self.root / "usr/lib", *(self.root / "usr/lib").glob("*-linux-gnu")]
            needed["LD_LIBRARY_PATH"] = ":".join(map(str, folders))
            needed["PCMK_schema_directory"] = f"{self.root}/usr/share/pacemaker"
        return needed

    def program(self, name: str) -> str:
        return f"{self.root}/usr/sbin/{name}" if self.root else name

    def wrapper(self, name: str, env: dict[str, str]) -> str:
        """A script that runs the tool with these settings, to stand on a node's PATH."""
        lines = [f"export {key}={shlex.quote(value)}" for key, value in {**self.settings(), **env}.items()]
        found = shutil.which(self.program(name))
        return "\n".join(["#!/bin/sh", *lines, f'exec {found} "$@"', ""])

    def run(
        self, name: str, *argv: str, env: dict[str, str] | None = None, ok: tuple[int, ...] = (0,), errors: bool = False
    ) -> str:
        settings = {**os.environ, **self.settings(), **(env or {})}
        command = [self.program(name), *argv]
        ran = subprocess.run(command, capture_output=True, text=True, check=False, env=settings, timeout=60)
        assert ran.returncode in ok, f"{command} ended with {ran.returncode}: {ran.stderr}{ran.stdout}"
        return ran.stdout + (ran.stderr if errors else "")


def found(shadow: Path) -> Tools:
    """Pacemaker's tools, installed or unpacked; a machine that can offer neither fails the test."""
    if shutil.which(NEEDED):
        return Tools(None, shadow)
    root = CACHE / "pacemaker-tools" / hashlib.sha256(" ".join(PACKAGES).encode()).hexdigest()[:12]
    if not (root / "usr/sbin" / NEEDED).exists():
        _unpack(root)
    unpacked = Tools(root, shadow)
    unpacked.run(NEEDED, "--version")
    return unpacked


def _unpack(root: Path) -> None:
    root.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root.parent) as scratch:
        folder = Path(scratch)
        (folder / "archives/partial").mkdir(parents=True)
        (folder / "root").mkdir()
        packages = _of_the_lab() or _downloaded(folder)
        for package in packages:
            if package.name.startswith(PACKAGES):
                subprocess.run(["dpkg-deb", "-x", package, folder / "root"], check=True)
        if not root.exists():
            (folder / "root").rename(root)


def _of_the_lab() -> list[Path]:
    """The package source that the lab has built, if it has."""
    for folder in sorted(CACHE.glob("image/*/packages")):
        packages = sorted(folder.glob("*.deb"))
        if any(package.name.startswith("pacemaker-cli-utils_") for package in packages):
            return packages
    return []


def _downloaded(folder: Path) -> list[Path]:
    """From where this machine's own apt gets packages; nothing is installed and no root is needed."""
    command = [
        *("apt-get", "install", "--download-only", "--yes", "--no-install-recommends", "-o", "Debug::NoLocking=1"),
        *("-o", f"Dir::Cache::archives={folder}/archives", "pacemaker-cli-utils"),
    ]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, f"install pacemaker-cli-utils, or let apt fetch it: {ran.stderr}"
    return sorted((folder / "archives").glob("*.deb"))
