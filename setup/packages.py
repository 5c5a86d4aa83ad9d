"""System packages: which are missing, and how they get installed.

Installing needs Debian and root or passwordless sudo; elsewhere the missing ones are named in one line, and only those
that setup itself needs stop it. `python -m setup.packages` says what the lab lacks.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from setup import places
from setup.steps import SetupError, Step, fail, run

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


def install(current: Step, *, lab: bool = True) -> None:
    """Install what is missing, without ``lab`` but the lab's.

    Raises SetupError where it cannot be installed here and setup needs it.
    """
    wanted = missing([package for package in read_list() if lab or package.purpose != "lab"])
    if not wanted:
        current.result = "all there"
        return
    root = privilege() if shutil.which("apt-get") else None
    if root is None:
        go_without(wanted, current)
        return
    names = names_of(wanted)
    current.say(f"installing {names}")
    apt_install(root, names.split())
    left = missing(wanted)
    if left:
        raise SetupError(f"Still missing after installation: {names_of(left)}; try: {by_hand(wanted)}")
    current.result = f"installed {len(wanted)}: {names}"


def go_without(lacking: list[Package], current: Step) -> None:
    """Name what is missing and cannot be installed here. Raises SetupError for what setup itself needs."""
    needed = needed_by_setup(lacking)
    rest = [package for package in lacking if package not in needed]
    if rest:
        current.say(f"missing, and needed only for the lab and the tests: {names_of(rest)}")
        current.say(f"to have these too: {by_hand(rest)}")
    if needed:
        why = "there is no root or passwordless sudo" if shutil.which("apt-get") else "this is no Debian"
        raise SetupError(f"Setup needs system packages that it cannot install, for {why}: {by_hand(needed)}")
    current.result = "all that deploying needs"


def needed_by_setup(packages: list[Package]) -> list[Package]:
    """Those without which nothing goes, the rest being for the lab and the tests."""
    return [package for package in packages if package.purpose == "setup"]


def names_of(packages: list[Package]) -> str:
    """Their names, for a command line."""
    return " ".join(package.name for package in packages)


def by_hand(packages: list[Package]) -> str:
    """How a person gets them."""
    if shutil.which("apt-get"):
        return f"sudo apt-get install --no-install-recommends {names_of(packages)}"
    return f"install what these Debian packages contain: {names_of(packages)}"


def require_lab() -> None:
    """Raise SetupError where packages of the lab are missing."""
    lacking = missing([package for package in read_list() if package.purpose == "lab"])
    if lacking:
        raise SetupError(f"The lab needs system packages that are not there: {by_hand(lacking)}")


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


def main() -> int:
    """Say what the lab lacks. Returns 1 if it lacks something."""
    try:
        require_lab()
    except SetupError as error:
        return fail(error)
    return 0


if __name__ == "__main__":
    sys.exit(main())
