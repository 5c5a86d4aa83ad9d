"""What a node's own fstab(5) mounts at boot of a disk, or at a mount point, that somebody else is to mount."""

from __future__ import annotations

from dataclasses import dataclass

from providers.connection.command import Command, script

PATH = "/etc/fstab"

# $1 fstab, $2 device, $3 mount point. Prints source, target and options of each line that is of either; findmnt knows
# the device by its other paths, its UUID and its label, too. Where there is no such line it ends with 1.
_LINES = r"""
[ -e "$1" ] || exit 0
for what in "--source=$2" "--mountpoint=$3"; do
    findmnt --tab-file "$1" --raw --noheadings --output SOURCE,TARGET,OPTIONS "$what"
    code=$?
    [ "$code" -le 1 ] || exit "$code"
done
"""


@dataclass(frozen=True)
class Line:
    """One line of it; blanks in what it names are written ``\\x20``."""

    source: str
    target: str
    options: frozenset[str]

    @property
    def at_boot(self) -> bool:
        """Whether systemd mounts it by itself, at boot or as soon as somebody looks (systemd.mount(5))."""
        return "noauto" not in self.options or "x-systemd.automount" in self.options


def read(device: str, mount_point: str, path: str = PATH) -> Command:
    """For `parse`. Fails where nobody can tell."""
    return script(_LINES, path, device, mount_point, reads=True, label=f"look for {device} and {mount_point} in {path}")


def parse(printed: str) -> list[Line]:
    """Each line once, in the order of what `read` printed."""
    fields = [each.split(" ") for each in dict.fromkeys(printed.splitlines()) if each]
    return [Line(source, target, frozenset("".join(rest).split(","))) for source, target, *rest in fields]
