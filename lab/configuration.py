"""What the supervisor is told when it starts, in a file of the run directory."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from lab.paths import cache_directory

FILE = "configuration.json"


@dataclass(frozen=True)
class Configuration:
    """The image, and for whom the lab is run."""

    kernel: str
    initrd: str
    disk: str
    tree: str
    packages: str
    identity: str
    host_keys: dict[str, str]
    key: str
    """The image's key."""
    uid: int
    gid: int
    """The user who ran `up`: owns every socket and file."""
    cache: str
    """The cache's folder for this user; under sudo the environment would name root's."""

    def write(self, directory: Path) -> None:
        """Leave it where the supervisor of this run directory looks."""
        (directory / FILE).write_text(json.dumps(asdict(self), indent=1))


def read(directory: Path) -> Configuration:
    """What the last `up` in this run directory said."""
    return Configuration(**json.loads((directory / FILE).read_text()))


def _user() -> tuple[int, int]:
    """User and group. What sudo says counts only for root: a user whom root has become by it is not root."""
    own = os.getuid(), os.getgid()
    said = os.environ.get("SUDO_UID"), os.environ.get("SUDO_GID")
    return (int(said[0]), int(said[1])) if os.geteuid() == 0 and said[0] and said[1] else own


def for_this_user(
    kernel: Path,
    initrd: Path,
    disk: Path,
    tree: Path,
    packages: Path,
    identity: Path,
    host_keys: dict[str, Path],
    key: str,
) -> Configuration:
    """The configuration of a lab that belongs to whoever runs this process, behind sudo or not."""
    return Configuration(
        str(kernel), str(initrd), str(disk), str(tree), str(packages), str(identity),
        {name: str(path) for name, path in host_keys.items()}, key,
        *_user(),
        str(cache_directory("snapshots").parent),
    )  # fmt: skip
