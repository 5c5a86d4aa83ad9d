"""What is on the volume: where it is mounted, its filesystem, its directories and files; read without promoting it.

Where it is mounted it is read there. Where it is not, the backing disk of an up-to-date half is read: a secondary's
``/dev/drbd0`` cannot be opened, and mounting would be a change. Filesystems start where the disk starts (DRBD's
metadata is at its end), and debugfs and xfs_db read them without writing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pydantic import BaseModel, ValidationError

from providers.connection.answers import not_understood
from providers.connection.command import Command, command, script

# $1 type, $2 resource, then paths below the root of the volume. Prints `mode owner:group path`.
_AT_REST = r"""
type=$1 resource=$2; shift 2
disk=$(drbdadm sh-ll-dev "$resource") || exit 1
blockdev --flushbufs "$disk"
for path in "$@"; do
  case $type in
    xfs)
      said=$(xfs_db -r -c "path /$path" -c 'print core.mode core.uid core.gid' "$disk" 2>/dev/null) || continue
      mode=$(printf '%s\n' "$said" | sed -n 's/^core.mode = 0\(4\|10\)\([0-7]\{4\}\)$/\2/p')
      ids=$(printf '%s\n' "$said" | sed -n 's/^core.[ug]id = //p' | tr '\n' ' ') ;;
    *)
      said=$(debugfs -R "stat \"/$path\"" "$disk" 2>/dev/null)
      mode=$(printf '%s\n' "$said" | sed -n 's/.*Type: \(directory\|regular\) *Mode: *\([0-7]*\).*/\2/p')
      ids=$(printf '%s\n' "$said" | sed -n 's/^User: *\([0-9]*\) *Group: *\([0-9]*\).*/\1 \2/p') ;;
  esac
  [ -n "$mode" ] || continue
  user=${ids%% *} group=${ids#* } group=${group%% *}
  user=$(getent passwd "$user" || echo "$user:"); group=$(getent group "$group" || echo "$group:")
  printf '%s %s:%s %s\n' "$mode" "${user%%:*}" "${group%%:*}" "$path"
done
"""
# $1 mount point, then paths below it
_MOUNTED = r"""
cd "$1" || exit 1; shift
for path in "$@"; do
  if [ -L "$path" ]; then echo "a symbolic-link $path"
  elif [ -d "$path" ] || [ -f "$path" ]; then stat -c "%04a %U:%G $path" "$path"
  fi
done
"""
# $1 resource
_DISK_SIGNATURES = r"""
disk=$(drbdadm sh-ll-dev "$1") || exit 1
blockdev --flushbufs "$disk"
wipefs --no-act --json "$disk"
"""
# Fours: directory or file, path, mode, owner. Directories on the volume may be Squid's own, so whoever gets hold of
# Squid may put a link where root is to change owner and mode: nothing is followed, and what was opened is what changes.
_MAKE = r"""
use strict; use Errno; use Fcntl;
sub fail { die "$_[0] on the volume: $_[1]\n" }
sub opened {
    my ($path, $name, $flags) = @_;
    fail($path, "$name is a symbolic link; look who made it, and remove it") if -l $name;
    sysopen(my $it, $name, $flags | O_NOFOLLOW, 0600) or fail($path, "$name: $!");
    return $it;
}
sub directory {
    my ($path, $name, $mode) = @_;
    mkdir $name, $mode or $!{EEXIST} or fail($path, "$name: $!");
    return opened($path, $name, O_RDONLY | O_DIRECTORY);
}
sysopen(my $root, ".", O_RDONLY | O_DIRECTORY) or die "$!\n";
while (@ARGV) {
    my ($kind, $path, $mode, $owner) = splice @ARGV, 0, 4;
    chdir $root or die "$!\n";
    my @above = split m{/}, $path;
    my $name = pop @above;
    for my $part (@above) { chdir directory($path, $part, 0755) or fail($path, "$part: $!") }
    my $it = $kind eq "directory" ? directory($path, $name, 0700)
        : opened($path, $name, O_RDONLY | O_CREAT | O_NONBLOCK);
    if ($kind eq "file") {
        my @found = stat $it;
        fail($path, "$name is not a file, or has other names too") unless -f _ and $found[3] == 1;
    }
    my ($user, $group) = split /:/, $owner;
    my ($uid, $gid) = (getpwnam($user) // $user, getgrnam($group) // $group);
    fail($path, "there is no $owner") if "$uid$gid" =~ /\D/;
    chown $uid, $gid, $it or fail($path, "chown: $!");
    chmod oct $mode, $it or fail($path, "chmod: $!");
}
"""
# $1 volume, $2 type, $3 mount point, $4 the program that makes them, and its words
_ENTRIES = r"""
set -e
volume=$1 type=$2 place=$3 make=$4; shift 4
[ "$type" = '' ] || mount -t "$type" "$volume" "$place"
cd "$place"
perl -e "$make" -- "$@"
sync -f .
cd /
[ "$type" = '' ] || umount "$place"
"""

# Groups of a directory service may have blanks in their names, and these paths have none.
_ENTRY = re.compile(r"(?P<state>\S+ .+) (?P<path>\S+)")


@dataclass(frozen=True)
class Mount:
    """One line of the table of mounts."""

    target: str
    source: str
    type: str
    options: str = ""


class _Mount(BaseModel):
    """findmnt prints null for what a mount has not."""

    target: str | None
    source: str | None
    fstype: str | None
    options: str | None = None


class _Mounts(BaseModel):
    """What findmnt prints as JSON."""

    filesystems: list[_Mount]


def mounts() -> Command:
    """The table of mounts for `parse_mounts`."""
    return command("findmnt", "--json", "--list", "--output", "TARGET,SOURCE,FSTYPE,OPTIONS", reads=True)


def parse_mounts(output: str) -> tuple[Mount, ...]:
    """All mounts of a node. Raises `Unknown` for what findmnt does not print: that is no node without any."""
    try:
        rows = _Mounts.model_validate_json(output).filesystems
    except ValidationError as error:
        raise not_understood("what findmnt says of the mounts") from error
    return tuple(Mount(row.target or "", row.source or "", row.fstype or "", row.options or "") for row in rows)


def disk_signatures(resource: str) -> Command:
    """Signatures on the backing disk of a half, for `device.parse_signatures`."""
    return script(_DISK_SIGNATURES, resource, reads=True, label=f"wipefs --no-act on the disk of {resource}")


def entries_at_rest(kind: str, resource: str, paths: Iterable[str]) -> Command:
    """Directories and files of a filesystem that is not mounted, from the backing disk; for `parse_entries`."""
    label = f"read directories on the disk of {resource}"
    return script(_AT_REST, kind, resource, *paths, reads=True, label=label, ok=None)


def entries_mounted(mount_point: str, paths: Iterable[str]) -> Command:
    """Directories and files of a filesystem where it is mounted; for `parse_entries`."""
    return script(_MOUNTED, mount_point, *paths, reads=True, label=f"stat directories in {mount_point}")


def parse_entries(output: str, paths: Iterable[str]) -> dict[str, str | None]:
    """Path → ``mode owner:group``, None where there is nothing of that name.

    Raises `Unknown` for another answer: what is there would be taken for missing.
    """
    rows = [_ENTRY.fullmatch(line) for line in output.splitlines()]
    found = {row["path"]: row["state"] for row in rows if row}
    if not all(rows):
        raise not_understood("what is said of the directories on the volume")
    return {path: found.get(path) for path in paths}


def make_entries(
    volume: str, kind: str, place: str, directories: Mapping[str, str | None], files: Mapping[str, str | None]
) -> Command:
    """Make directories and empty files on the mounted volume (``kind`` empty), or mount it for that out of sight.

    The mount is in a namespace of its own, so that it ends with the command however that ends.
    """
    words: list[str] = []
    for sort, wanted in (("directory", directories), ("file", files)):
        for path, state in wanted.items():
            mode, owner = (state or "0755 root:root").split(" ", 1)
            words += [sort, path, mode, owner]
    wrapped = ("unshare", "--mount", "sh", "-c", _ENTRIES, "sh", volume, kind, place, _MAKE, *words)
    return command(*wrapped, label=f"make directories on {volume}", timeout=120)
