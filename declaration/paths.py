"""Paths: files, block devices, and the mount point of the mirror."""

from __future__ import annotations

import re
from typing import Annotated

from declaration.types import written, wrong

_PATH = re.compile(r"(/[A-Za-z0-9._+@:=,-]+)+")
_FILE = re.compile(r"(~/|/)[A-Za-z0-9._+@:=,/ -]+")
_GLOB = re.compile(r"(/[A-Za-z0-9._+@:=,*?-]+)+")

_NEVER_BELOW = (
    *("/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/lost+found", "/proc"),
    *("/root", "/run", "/sbin", "/sys", "/tmp", "/usr"),  # noqa: S108 named to be refused
    *(f"/var/{name}" for name in ("backups", "cache", "lib", "lock", "log", "mail", "run", "spool", "tmp")),
)
_NOT_ITSELF = ("/", "/home", "/media", "/mnt", "/opt", "/srv", "/var")

_NOT_DISKS = re.compile(
    r"/dev/(null|zero|full|random|urandom|mem|kmsg|console|tty.*|pts.*|shm.*|watchdog.*|sr[0-9]+|cdrom|fd.*|std.*|loop.*)"
)

# Names that installers give to the system's own volumes and partitions; what is on a disk is looked at on the node.
_SYSTEM = re.compile(r"/dev/(.*[/.-])?(root|rootfs|boot|swap|efi|esp|home|usr|var)([._-]?[0-9]+)?", re.IGNORECASE)


def _plain(text: str, pattern: re.Pattern[str]) -> str:
    if not pattern.fullmatch(text) or any(part in {".", ".."} for part in text.split("/")):
        raise ValueError(text)
    return text


def _mount_point(text: str) -> str:
    if text in _NOT_ITSELF:
        raise wrong(f"a directory of its own, such as `/mnt/mirror`: `{text}` holds others")
    _plain(text, _PATH)
    for parent in _NEVER_BELOW:
        if text == parent or text.startswith(parent + "/"):
            raise wrong(f"a directory outside of `{parent}`, which is the system's, such as `/mnt/mirror`")
    return text


def _mirror_folder(text: str) -> str:
    if text != MIRROR_ITSELF:
        _plain(f"/{text}", _PATH)
    return text


def _device(text: str) -> str:
    if not text.startswith("/dev/"):
        raise ValueError(text)
    if text.startswith("/dev/drbd"):
        raise wrong("the disk below the mirror, such as `/dev/disk/by-id/virtio-data`, not the mirror")
    if _NOT_DISKS.fullmatch(text):
        raise wrong(f"a disk, such as `/dev/disk/by-id/virtio-data`: `{text}` is none")
    if _SYSTEM.fullmatch(text):
        raise wrong(f"a disk of its own, such as `/dev/disk/by-id/virtio-data`: `{text}` is the system's by its name")
    return _plain(text, _PATH)


def _watchdog(text: str) -> str:
    if not re.fullmatch(r"/dev/watchdog[0-9]*", text):
        raise ValueError(text)
    return text


MIRROR_ITSELF = "."
"""The mirror's mount point, as a directory below it is named."""

MirrorFolder = Annotated[
    str,
    written(
        "a directory below the mirror's mount point without `..`, such as `proxy-logs`, or `.` for the mount point "
        "itself",
        _mirror_folder,
    ),
]
MountPoint = Annotated[
    str,
    written("an absolute path without `..`, blanks or a slash at the end, such as `/mnt/mirror`", _mount_point),
]
BlockDevicePath = Annotated[
    str,
    written("a disk's path below /dev, best by its identity, such as `/dev/disk/by-id/virtio-data`", _device),
]
WatchdogPath = Annotated[str, written("a watchdog's path, such as `/dev/watchdog`", _watchdog)]
LocalFile = Annotated[
    str,
    written(
        "the path of a file on this machine, absolute or from `~/`, such as `~/.ssh/id_ed25519`",
        lambda text: _plain(text, _FILE),
    ),
]
NodeFile = Annotated[
    str,
    written(
        "the absolute path of a file on the nodes (`*` and `?` allowed), such as `/etc/squid/conf.d/*.conf`",
        lambda text: _plain(text, _GLOB),
    ),
]
NodeFolder = Annotated[
    str,
    written("the absolute path of a folder on the nodes, such as `/mnt/sps`", lambda text: _plain(text, _PATH)),
]
PlainFile = Annotated[
    str,
    written(
        "the absolute path of a file on the nodes, such as `/etc/squid/proxy.keytab`",
        lambda text: _plain(text, _PATH),
    ),
]
