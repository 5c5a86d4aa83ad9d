"""What a node is made of, to compare it with itself later, or with a node that nobody touched.

before = await take(node)
...
for line in differences(before, await take(node), kept=("/var/lib/squid-ha",)):
    print(line)
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from fnmatch import fnmatch
from typing import TypeVar

from lab.shell import Shell

VOLATILE = (
    "/proc", "/sys", "/dev", "/run", "/tmp", "/var/tmp",  # noqa: S108  on the node
    "/var/log", "/var/cache", "/var/backups",
    # What the package manager and its helpers note down about packages that came and went.
    "/var/lib/apt", "/var/lib/dpkg", "/var/lib/ucf", "/var/lib/systemd/deb-systemd-*", "/etc/ld.so.cache",
    # Copies that adduser and groupadd leave of the files before the last change.
    "/etc/passwd-", "/etc/group-", "/etc/shadow-", "/etc/gshadow-", "/etc/subuid-", "/etc/subgid-", "/etc/.pwd.lock",
    # Clocks and seeds.
    "/var/lib/systemd/timers", "/var/lib/systemd/timesync", "/var/lib/private/systemd", "/var/lib/systemd/random-seed",
    "/var/lib/systemd/catalog", "/var/lib/logrotate",
)  # fmt: skip
"""Paths (find -path patterns) that change while a host just runs, or that only record that packages came and went."""

VOLATILE_UNITS = (
    "user@*", "user-runtime-dir@*", "run-user-*", "session-*", "systemd-timedated.service", "systemd-hostnamed.service",
    "systemd-localed.service", "apt-daily*", "logrotate.service", "systemd-tmpfiles-clean.service", "*.scope",
    "proc-sys-fs-binfmt_misc.*",
    # Waits once until the network is up, when the first unit that needs that is started.
    "network-online.target", "*-wait-online.service",
)  # fmt: skip
"""Units that come and go with logins and timers."""


T = TypeVar("T")


@dataclass(frozen=True)
class Entry:
    """One file, folder, link or device."""

    kind: str
    """As `find -printf %y` tells: f, d, l, p, s, b or c."""
    mode: str
    """Octal digits."""
    owner: str
    """user:group."""
    target: str
    """Where a link points; else empty."""
    digest: str = ""
    """SHA-256 of a file's content; else empty."""


@dataclass(frozen=True)
class Manifest:
    """One moment of one host."""

    host: str
    files: Mapping[str, Entry]
    packages: Mapping[str, str]
    """State and version by package, those with only configuration left included (`rc`)."""
    enabled: Mapping[str, str]
    """Enablement (`enabled`, `masked`, ...) by unit file."""
    active: Mapping[str, str]
    """`active` or `failed` by unit; others are not listed."""
    boot_id: str


async def take(node: Shell, timeout: float = 300.0) -> Manifest:
    """Read a host's manifest; nothing on it changes. Raises LabError when it takes over `timeout` seconds."""

    async def read(script: str) -> str:
        return await node.sudo(script, timeout=timeout)

    files = parse_files(await read(_find("-printf '%y\\t%m\\t%u:%g\\t%l\\t%p\\0'")))
    digests = parse_digests(await read(_find("-type f -print0") + " | xargs -0 -r sha256sum --zero --"))
    return Manifest(
        host=node.host,
        files={path: replace(entry, digest=digests.get(path, "")) for path, entry in files.items()},
        packages=parse_packages(await read("dpkg-query -W -f '${binary:Package}\\t${db:Status-Abbrev} ${Version}\\n'")),
        enabled=parse_units(await read("systemctl list-unit-files --no-legend --plain --no-pager"), column=1),
        active=parse_units(
            await read(
                "systemctl list-units --no-legend --plain --no-pager --state=active,failed"
                " --type=service,socket,timer,path,mount,swap"
            ),
            column=2,
        ),
        boot_id=(await read("cat /proc/sys/kernel/random/boot_id")).strip(),
    )


def _find(action: str) -> str:
    pruned = " -o ".join(f"-path {shlex.quote(path)}" for path in VOLATILE)
    return f"find / -xdev \\( {pruned} \\) -prune -o {action}"


def parse_files(text: str) -> dict[str, Entry]:
    """Read what `find` printed: kind, mode, owner, target and path, ended by NUL."""
    entries: dict[str, Entry] = {}
    for record in filter(None, text.split("\0")):
        kind, mode, owner, target, path = record.split("\t", 4)
        entries[path] = Entry(kind, mode, owner, target)
    return entries


def parse_digests(text: str) -> dict[str, str]:
    """Read what `sha256sum --zero` printed."""
    return {record[66:]: record[:64] for record in filter(None, text.split("\0"))}


def parse_packages(text: str) -> dict[str, str]:
    """Read what `dpkg-query` printed: package, tab, state and version."""
    return dict(line.split("\t", 1) for line in text.splitlines())


def parse_units(text: str, column: int) -> dict[str, str]:
    """Read one column of a listing of systemctl, without the units that come and go."""
    rows = (line.split() for line in text.splitlines() if line.strip())
    return {row[0]: row[column] for row in rows if not any(fnmatch(row[0], each) for each in VOLATILE_UNITS)}


def differences(before: Manifest, after: Manifest, kept: Iterable[str] = ()) -> list[str]:
    """What differs, a line for each thing, in words; nothing when the two are the same.

    Paths in and below `kept` are left out; so is the boot id where two different hosts are compared.
    """
    kept = tuple(kept)
    lines = _changes("file", _without(before.files, kept), _without(after.files, kept), _entry_change)
    lines += _changes("package", before.packages, after.packages, _word_change)
    lines += _changes("unit file", before.enabled, after.enabled, _word_change)
    lines += _changes("unit", before.active, after.active, _word_change)
    if before.host == after.host and before.boot_id != after.boot_id:
        lines.append(f"{after.host} has booted in between")
    return lines


def _without(files: Mapping[str, Entry], kept: tuple[str, ...]) -> dict[str, Entry]:
    return {
        path: entry
        for path, entry in files.items()
        if not any(path == each or path.startswith(f"{each}/") for each in kept)
    }


def _changes(what: str, before: Mapping[str, T], after: Mapping[str, T], change: Callable[[T, T], str]) -> list[str]:
    lines: list[str] = []
    for name in sorted(before.keys() | after.keys()):
        if name not in after:
            lines.append(f"{what} {name}: gone")
        elif name not in before:
            lines.append(f"{what} {name}: new")
        elif before[name] != after[name]:
            lines.append(f"{what} {name}: {change(before[name], after[name])}")
    return lines


def _word_change(before: str, after: str) -> str:
    return f"was {before}, is {after}"


def _entry_change(before: Entry, after: Entry) -> str:
    old, new = asdict(before), asdict(after)
    return "; ".join(
        "content changed" if name == "digest" else f"{name} was {old[name] or 'none'}, is {new[name] or 'none'}"
        for name in old
        if old[name] != new[name]
    )
