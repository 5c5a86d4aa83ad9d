"""The text of a DRBD resource file, for the module in Debian's kernel (8.4) and for DRBD 9.

The two differ in where fencing is said and which handlers take it back: 8.4 refuses ``fencing`` in ``net``.
Facts: drbd.conf-8.4(5), drbd.conf-9.0(5), drbd-utils ``documentation/fencing-by-constraints.txt``.
"""

from __future__ import annotations

import re
from typing import Literal

from providers.contract import State

SECRET = "@secret@"  # noqa: S105 - what stands in the place of the secret, which never leaves the nodes
"""Stands for the shared secret wherever this program holds or shows the file; only the nodes know the secret."""

_PLAIN = re.compile(r"[A-Za-z0-9/._-]{1,128}")
_QUOTED = re.compile(r'[^"\\\x00-\x1f\x7f-\x9f\u2028\u2029]+')
_ADDRESS = re.compile(r"[0-9A-Fa-f.:]{2,45}")


class ResourceHost(State):
    """One side: ``name`` as ``uname -n`` says it, and its address on the replication network.

    ``device``: its backing disk, None for that of the file.
    """

    name: str
    address: str
    device: str | None = None


class ResourceFile(State):
    """A two-node resource with one volume, synchronous (protocol C), authenticated, nothing resolved by a guess.

    ``volume`` is the block device (``/dev/drbd0``), ``device`` the backing disk. Units are DRBD's: ``timeout`` and
    ``ping_timeout`` in tenths of a second, ``connect_int`` and ``ping_int`` in seconds. ``timeout`` must be shorter
    than the two intervals. ``al_extents`` are the pieces of 4 MB that may be written to at a time: after the crash of
    the node that wrote, all of them are copied anew. 67 is the least that DRBD takes, and plenty for logs, which are
    written in few places; its own 1237 would copy all of a 5 GB disk.

    ``ko_count`` timeouts may one write on the other node take. ``disk_timeout``, in tenths of a second: a disk that
    does not answer for so long has failed; None: it is waited for. ``split_brain`` is what is run where one is found.
    """

    resource: str
    volume: str
    device: str
    hosts: list[ResourceHost]
    port: str = "7789"
    fencing: bool
    version: Literal["8.4", "9"] = "8.4"
    digest: str = "sha256"
    timeout: str = "60"
    connect_int: str = "10"
    ping_int: str = "10"
    ping_timeout: str = "20"
    ko_count: str = "7"
    on_io_error: Literal["detach", "pass_on"] = "detach"
    disk_timeout: str | None = None
    al_extents: str = "67"
    split_brain: str | None = None


def render(file: ResourceFile) -> str:
    """The file's text with `SECRET` in the place of the secret. Raises `ValueError` for what would break out of it."""
    _require_words(file)
    lines = [f"resource {file.resource} {{", f"    device {file.volume};"]
    lines += [] if _differ(file) else [f"    disk {_word(file.device)};"]
    lines += ["    meta-disk internal;", ""]
    lines += _section("net", _net(file))
    lines += _section("disk", _disk(file))
    if handlers := _handlers(file):
        lines += _section("handlers", handlers)
    for number, host in enumerate(file.hosts):
        lines += _host(host, file, number)
    return "\n".join(lines) + "\n}\n"


def _require_words(file: ResourceFile) -> None:
    """Whatever stands without quotes is one word of drbdadm's."""
    numbers = (file.port, file.timeout, file.connect_int, file.ping_int, file.ping_timeout, file.ko_count)
    names = (file.resource, file.volume, file.digest, *(host.name for host in file.hosts))
    words = [*numbers, *names, file.al_extents, *([] if file.disk_timeout is None else [file.disk_timeout])]
    unfit = [text for text in words if not _PLAIN.fullmatch(text)]
    unfit += [host.address for host in file.hosts if not _ADDRESS.fullmatch(host.address)]
    if unfit:
        raise _unfit(unfit[0])


def _unfit(text: str) -> ValueError:
    return ValueError(f"{text!r} cannot stand in a resource file of DRBD")


def _differ(file: ResourceFile) -> bool:
    """Whether each side says its disk itself."""
    return any(host.device not in (None, file.device) for host in file.hosts)


def of_connection(text: str) -> list[str]:
    """The lines of a file that no connection takes over: who it is to, and how the halves prove who they are."""
    lines = (line.strip() for line in text.splitlines())
    return sorted(line for line in lines if line.startswith(("address ", "cram-hmac-alg ")))


def _word(text: str) -> str:
    """As drbdadm takes it: without quotes a path ends at its first colon, which all of /dev/disk/by-path have."""
    return text if _PLAIN.fullmatch(text) else _quoted(text)


def _quoted(text: str) -> str:
    if not _QUOTED.fullmatch(text) or SECRET in text:
        raise _unfit(text)
    return f'"{text}"'


def _net(file: ResourceFile) -> list[str]:
    settings = [
        "protocol C",
        f"cram-hmac-alg {file.digest}",
        f'shared-secret "{SECRET}"',
        f"verify-alg {file.digest}",
        "after-sb-0pri disconnect",
        "after-sb-1pri disconnect",
        "after-sb-2pri disconnect",
        f"timeout {file.timeout}",
        f"connect-int {file.connect_int}",
        f"ping-int {file.ping_int}",
        f"ping-timeout {file.ping_timeout}",
        f"ko-count {file.ko_count}",
    ]
    return [*settings, "fencing resource-and-stonith"] if file.fencing and file.version == "9" else settings


def _disk(file: ResourceFile) -> list[str]:
    settings = [f"on-io-error {file.on_io_error}", f"al-extents {file.al_extents}"]
    if file.disk_timeout is not None:
        settings.append(f"disk-timeout {file.disk_timeout}")
    return [*settings, "fencing resource-and-stonith"] if file.fencing and file.version == "8.4" else settings


def _handlers(file: ResourceFile) -> list[str]:
    told = [] if file.split_brain is None else [f"split-brain {_quoted(file.split_brain)}"]
    if not file.fencing:
        return told
    if file.version == "9":
        return [
            'fence-peer "/usr/lib/drbd/crm-fence-peer.9.sh"',
            'unfence-peer "/usr/lib/drbd/crm-unfence-peer.9.sh"',
            *told,
        ]
    return [
        'fence-peer "/usr/lib/drbd/crm-fence-peer.sh"',
        'after-resync-target "/usr/lib/drbd/crm-unfence-peer.sh"',
        *told,
    ]


def _host(host: ResourceHost, file: ResourceFile, number: int) -> list[str]:
    identity = [f"node-id {number}"] if file.version == "9" else []
    disk = [f"disk {_word(host.device or file.device)}"] if _differ(file) else []
    return _section(f"on {host.name}", [f"address {_socket(host.address, file.port)}", *disk, *identity])


def _socket(address: str, port: str) -> str:
    return f"ipv6 [{address}]:{port}" if ":" in address else f"ipv4 {address}:{port}"


def _section(name: str, settings: list[str]) -> list[str]:
    return [f"    {name} {{", *(f"        {setting};" for setting in settings), "    }"]
