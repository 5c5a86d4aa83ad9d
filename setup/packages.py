"""System packages: which are missing, and how they get installed.

Installing needs Debian and root or passwordless sudo; elsewhere the missing ones are named in one line.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from setup import places
from setup.steps import SetupError, Step, run

SEARCH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"])
"""An ordinary user's PATH on Debian lacks the sbin folders, where half of the tools are."""


@dataclass(frozen=True)
class Package:
    """A system package and the ``sign`` that it, or something as good, is there."""

    purpose: str
    name: str
    sign: str

    @property
    def present(self) -> bool:
        """Whether the command, file or Python module is there, wherever it came from."""
        if self.sign.startswith("import:"):
            return importlib.util.find_spec(self.sign.removeprefix("import:")) is not None
        if self.sign.startswith("/"):
            return Path(self.sign).exists()
        return shutil.which(self.sign, path=SEARCH) is not None


def read_list(path: Path = places.SETUP / "packages.list") -> list[Package]:
    """The packages of the list, in its order."""
    lines = (line.split("#")[0].split() for line in path.read_text().splitlines())
    return [Package(*fields) for fields in lines if fields]


def missing(packages: list[Package]) -> list[Package]:
    """Those of which there is no sign."""
    return [package for package in packages if not package.present]


def privilege() -> list[str] | None:
    """What to put before a command so that it runs as root: nothing, sudo, or None where there is no way."""
    if os.geteuid() == 0:
        return []
    sudo = shutil.which("sudo")
    if sudo and subprocess.run([sudo, "-n", "true"], capture_output=True, check=False).returncode == 0:
        return [sudo, "-n"]
    return None


def install(current: Step) -> None:
    """Install what is missing. Raises SetupError, naming the packages, where that cannot be done here."""
    wanted = missing(read_list())
    if not wanted:
        current.result = "all there"
        return
    names = [package.name for package in wanted]
    by_hand = f"apt-get install --no-install-recommends {' '.join(names)}"
    root = privilege()
    if not shutil.which("apt-get"):
        raise SetupError(f"This is no Debian; install what these Debian packages contain: {' '.join(names)}.")
    if root is None:
        raise SetupError(f"System packages are missing, and there is no root or passwordless sudo: sudo {by_hand}")
    current.say(f"installing {' '.join(names)}")
    apt_install(root, names)
    left = missing(wanted)
    if left:
        raise SetupError(f"Still missing after installation: {' '.join(p.name for p in left)}; try: {by_hand}")
    current.result = f"installed {len(names)}: {' '.join(names)}"


def apt_install(root: list[str], names: list[str]) -> None:
    """Install by apt; with package lists that are missing or old, fetch them first."""
    options = [
        "-y",
        "-qq",
        "--no-install-recommends",
        "-o",
        "Dpkg::Use-Pty=0",
        "-o",
        "DPkg::Lock::Timeout=120",
    ]
    command = [*root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", *options, *names]
    try:
        run(command)
    except SetupError:
        run([*root, "apt-get", "update", "-qq"], remedy="Check the machine's package sources.")
        run(command, remedy="Check the machine's package sources.")
