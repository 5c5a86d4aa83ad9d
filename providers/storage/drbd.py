"""Commands of DRBD that the mirror and its filesystem are made with.

drbdadm repeats the command lines it runs in its errors, and those hold the shared secret: it is always run by a
script that masks them. ``drbdsetup events2`` would load the module; what only reads asks first whether it is loaded.
"""

from __future__ import annotations

from collections.abc import Iterable

from providers.connection.command import Command, script
from providers.storage.device import Signature

RESOURCE = "squid-ha"
"""What this program calls a site's one mirror; one that others have set up has another name."""

# Its standard output may hold the secret too, and nobody needs it. It quotes nothing, and the secret may have blanks:
# all is masked from there to the quote that ends the command line, behind which is said what became of it.
_MASKED = r"""
masked() {
    said=$(drbdadm "$@" 2>&1 >/dev/null </dev/null)
    rc=$?
    printf '%s\n' "$said" | sed "s/--shared-secret=.*\('[a-z0-9 ]*\)$/--shared-secret=***\1/; t
        s/--shared-secret=.*/--shared-secret=***/" >&2
    return $rc
}
"""
# "$@": words of drbdadm
_ADM = _MASKED + 'masked "$@"\n'
# $1 resource. Without its fencing policy a half that is consistent becomes up to date by being promoted, and keeps its
# history: `primary --force` begins one of its own, and the halves would refuse each other when the other one returns.
# Demoted again, for Pacemaker to promote it; what looks at new devices may hold it a moment.
_NEWEST = (
    _MASKED
    + r"""
minor=$(drbdadm sh-minor "$1" 2>/dev/null </dev/null) || { echo "drbdadm knows no $1" >&2; exit 1; }
# dash runs this at its own end only, and timeout(1) ends it by a signal.
trap 'ended=$?; masked adjust "$1" || ended=1; exit "$ended"' EXIT
trap 'exit 1' HUP INT TERM
drbdsetup disk-options "$minor" --fencing=dont-care || exit 1
masked primary "$1" || exit 1
tries=10
until masked secondary "$1"; do
    tries=$((tries - 1)); [ "$tries" -gt 0 ] || exit 1
    sleep 1
done
"""
)
# $1 resource. Prints the verbs that would make the running resource match its file: none if it does.
_PENDING = r"""
[ -d /sys/module/drbd ] || exit 0
drbdadm --dry-run adjust "$1" 2>/dev/null | awk '{print $2}'
"""
# $1 minor
_GENERATION = r"""
[ -d /sys/module/drbd ] || exit 0
drbdsetup get-gi "$1" 2>/dev/null
"""
# $1 resource
_STATUS = r"""
[ -d /sys/module/drbd ] || exit 0
command -v drbdsetup >/dev/null || exit 0
drbdsetup events2 --now --statistics "$1"
"""
# $1 resource, $2 device. Looks once more, next to the writing: between the first look and now time has passed.
_CREATE = r"""
blockdev --flushbufs "$2"
found=$(wipefs --no-act "$2") || exit 1
[ -z "$found" ] || { echo "$2 is not blank any more: $found" >&2; exit 1; }
drbdadm create-md --force "$1" </dev/null
"""
# $1 resource. 105: no such object (CRM_EX_NOSUCH).
_MANAGED = r"""
command -v cibadmin >/dev/null || { echo no; exit 0; }
case $(systemctl show --property ActiveState --value pacemaker.service) in inactive|failed) echo no; exit 0 ;; esac
cibadmin --query --xpath "//nvpair[@name='drbd_resource'][@value='$1']" >/dev/null 2>&1
case $? in 0) echo yes ;; 105) echo no ;; *) echo unknown ;; esac
"""
# $1 resource. The kernel calls it by its name, or the volume by its minor: other resources' lines are none of its.
_REASONS = r"""
minor=$(drbdadm sh-minor "$1" 2>/dev/null </dev/null)
dmesg | grep -E "drbd $1[ :/]|block drbd${minor:-[0-9]+}:" |
  grep -E 'Split-Brain detected|Unrelated data|Authentication of peer failed|incompatible|too small' |
  tail -n 1 | sed 's/^\[[^]]*\] *//'
"""
# $1 resource, $2 minor, $3 device, $4 what may be on it, a line `type,label` each. Looks once more, next to the
# erasing. The metadata goes last: as long as there is anything, it tells whose that is, also after a cut.
_WIPE = r"""
set -eu
drbdsetup down "$1"
blockdev --flushbufs "$3"
found=$(wipefs --no-act --noheadings --parsable --output TYPE,LABEL "$3")
others=$(printf '%s\n' "$found" | grep -vxF -e '' -e "$4") || :
[ -z "$others" ] || { echo "$3 carries what it did not a moment ago, and is not wiped: $others" >&2; exit 1; }
wipefs --all --quiet --types nodrbd "$3"
if wipefs --no-act "$3" | grep -q drbd; then drbdmeta --force "$2" v08 "$3" internal wipe-md; fi
wipefs --all --quiet "$3"
"""

DISRUPTIVE = frozenset({"disconnect", "del-peer", "detach", "del-minor", "down"})
"""Verbs of a pending adjustment that interrupt replication."""


def status(resource: str) -> Command:
    """The resource's state for `providers.storage.status.parse`; nothing where the module is not loaded."""
    return script(_STATUS, resource, ok=None, reads=True, label=f"drbdsetup events2 --now {resource}", timeout=30)


def pending(resource: str) -> Command:
    """Verbs, one per line, that would make what runs match the file."""
    return script(_PENDING, resource, ok=None, reads=True, label=f"drbdadm --dry-run adjust {resource}")


def generation(volume: str) -> Command:
    """The data generation of an attached volume, as ``drbdsetup get-gi`` prints it."""
    return script(_GENERATION, minor(volume), ok=None, reads=True, label=f"drbdsetup get-gi {minor(volume)}")


def managed(resource: str) -> Command:
    """``yes``, ``no`` or ``unknown``: whether Pacemaker starts and stops the resource."""
    label = f"ask Pacemaker whether it manages {resource}"
    return script(_MANAGED, resource, reads=True, label=label)


def reasons(resource: str) -> Command:
    """What the kernel last said about why the two halves will not talk."""
    return script(_REASONS, resource, ok=None, reads=True, label="read the kernel's messages about DRBD")


def adm(*words: str, timeout: float = 60.0) -> Command:
    """``drbdadm`` with its errors masked."""
    return script(_ADM, *words, timeout=timeout, label=f"drbdadm {' '.join(words)}")


def newest(resource: str) -> Command:
    """Make an attached half that is only consistent up to date, because somebody says that it is the newest."""
    return script(_NEWEST, resource, label=f"take {resource} for the newest")


def create(resource: str, device: str) -> Command:
    """Make metadata on a disk that is blank at this very moment; fails on any other."""
    return script(_CREATE, resource, device, label=f"drbdadm create-md {resource}", timeout=120)


def wipe(resource: str, volume: str, device: str, seen: Iterable[Signature]) -> Command:
    """Take down the resource and remove every signature from its disk; fails where there are others than ``seen``."""
    lines = "\n".join(f"{each.type},{each.label}" for each in seen)
    return script(_WIPE, resource, minor(volume), device, lines, label=f"wipe {device}", timeout=120)


def minor(volume: str) -> str:
    """``0`` for ``/dev/drbd0``."""
    return volume.removeprefix("/dev/drbd")


def blank_generation(generation: str) -> bool:
    """The metadata was just created and never saw data: UUID_JUST_CREATED and no history (drbd.h)."""
    return generation.startswith("0000000000000004:0000000000000000:0000000000000000:0000000000000000:")


# $1 minor. The module is taken out only if no resource is left in it; drbdadm remembers the disk of each minor.
_UNLOAD = r"""
rm -f "/var/lib/drbd/drbd-minor-$1.lkbd"
[ -d /sys/module/drbd ] || exit 0
if [ "$(cat /sys/module/drbd/refcnt)" = 0 ]; then modprobe -r drbd; fi
"""


def unload(volume: str) -> Command:
    """Take out the module if nothing uses it, and what the tools remembered of the volume."""
    return script(_UNLOAD, minor(volume), label="modprobe -r drbd")


def flush(volume: str) -> Command:
    """Everything written to the volume is on both disks when this returns."""
    return script('sync "$1" && blockdev --flushbufs "$1"', volume, label=f"flush {volume}", timeout=120)
