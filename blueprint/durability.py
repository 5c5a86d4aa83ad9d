"""How much of the log a crash of the active node may cost: mount options of the mirror, and the bound they give.

Squid hands each line to the kernel and never syncs; the mirror carries over what the filesystem writes, when it writes
it. So the bound is the filesystem's, however synchronous the mirror is. The bounds were seen on the block device below
a filesystem, copied in the middle of writing 2 to 700 lines a second, on one machine and without replication; two of
them were held against the lab's pair, by power cuts under load (`tests/cluster/test_durability.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

from blueprint.logs import mirror_files
from blueprint.traits import traits
from declaration.mirror import Mirror
from declaration.probed import looks_for_records
from declaration.site import Site

SINGLE = "seen on a single machine's block device, NOT measured on a pair"
PAIR = "so in power cuts of the lab's pair under load"
INSTANT = 0.2
"""Seconds before a crash whose answers may have no line yet under any setting: Squid writes it after the answer."""

_REMOUNTED = {"relaxed": "", "1s": "commit=1", "sync": "sync"}


@dataclass(frozen=True)
class Bound:
    """``seconds`` of log lines that may be missing at most, what was ``seen`` of that, and ``where``."""

    seconds: int
    seen: str
    where: str = SINGLE

    @property
    def text(self) -> str:
        """The bound as operators read it."""
        most = f"lines of at most the last {self.seconds} s" if self.seconds else "no line that was written"
        return f"{most} ({self.seen}; {self.where})"


def options(mirror: Mirror) -> str:
    """Options that are set and taken back while the mirror is mounted, as `mount_options.shown` writes them."""
    return _REMOUNTED[mirror.durability]


def fixed_options(mirror: Mirror) -> str:
    """Options that count only from the next mount on; '' for none.

    The interval of the journal bounds nothing unless the journal holds the data too: otherwise what is added to a block
    that has its place already is written when the kernel pleases (seen: gaps of lines from 26 s ago with ``commit=1``).
    """
    return "data=journal" if _journals_data(mirror) else ""


def bound(mirror: Mirror) -> Bound:
    """What a crash of the active node may cost where the other node has all that the filesystem has written."""
    if mirror.durability == "sync":
        return Bound(0, f"0 lost with sync; answers of the last {INSTANT} s may have no line yet", _where(mirror))
    if mirror.durability == "1s":
        return Bound(2, "up to 1.5 s lost with data=journal,commit=1", _where(mirror))
    if _journals_data(mirror):
        return Bound(6, "up to 4.5 s lost with data=journal and the journal's usual 5 s")
    return Bound(35, _RELAXED[mirror.filesystem])


def _where(mirror: Mirror) -> str:
    return PAIR if mirror.filesystem == "ext3" and not mirror.data_journal else SINGLE


def outputs(site: Site) -> dict[str, str]:
    """What the stack says of the logs' durability; nothing for a site without a log on a mirror."""
    if site.mirror is None or not mirror_files(site):
        return {}
    crash, switchover = bound(site.mirror).text, "no line: the filesystem is unmounted, which writes all of it"
    if lags := traits(site).why_peer_may_lag(site):
        crash = f"no bound for an unplanned failover: {lags}"
        switchover = "the filesystem is unmounted, which writes all of it; that the other node has it was not measured"
    return {
        "setting": site.mirror.durability,
        "crash of the active node": crash,
        "switchover": switchover,
        "full mirror": _full(site),
    }


def _full(site: Site) -> str:
    log = site.log
    places = {log.mirror_file: log.access} | {more.file: more.place for more in log.additional}
    if all(place == "local" for place in places.values()):
        return "no record is missing: only Squid's own messages are written there"
    alone = ", ".join(file for file, place in places.items() if place == "mirror")
    kept = f"those of {alone} are lost, because no local log has them" if alone else "the local log has them"
    if log.on_full == "stop":
        return f"Squid stops; records of its last answers are not on the mirror: {kept}"
    noticed = "the probe notices" if looks_for_records(site) else "only the alert `mirror_full` announces"
    return f"Squid serves on and drops records, which {noticed}: {kept}"


def _journals_data(mirror: Mirror) -> bool:
    return mirror.data_journal or mirror.durability == "1s"


_RELAXED = {
    "ext3": "single lines from 14 s ago lost; the kernel writes what is 30 s old, and looks every 5 s",
    "ext4": "the last 20 s lost; the kernel writes what is 30 s old, and looks every 5 s",
    "xfs": "the last 20 s lost; the kernel writes what is 30 s old, and looks every 5 s",
}
