"""Rotation of the mirror's logs: a logrotate file (logrotate(8)), a service and a timer (systemd.timer(5)).

The distribution's own stanza for the local logs is not touched. The state file lies on the mirror, so that a
switchover rotates neither twice nor never: the timer asks every hour on every node, the state on the volume answers.
"""

from __future__ import annotations

from dataclasses import dataclass

DATE_FORMAT = "-%Y%m%d-%s"
"""Names that sort by age and are never taken, however often a log is rotated."""


@dataclass(frozen=True)
class Rotation:
    """``schedule`` is logrotate's word (hourly, daily, weekly, monthly); ``keep`` the number of old files.

    ``size`` takes the place of the schedule. ``date_format`` None numbers the rotated files.
    """

    site: str
    mount_point: str
    logs: tuple[str, ...]
    state: str
    configuration: str
    unit: str
    schedule: str
    keep: int
    compress: bool
    date_format: str | None = DATE_FORMAT
    size: str | None = None
    max_size: str | None = None
    min_size: str | None = None


def logrotate(rotation: Rotation) -> str:
    """Rename and `squid -k rotate`; never copytruncate, which loses records.

    No ``su``: the script after the rotation has to signal Squid's master, which runs as root. Of several logs the
    script is shared, so that Squid is told once. A Squid that runs and was not told would write on into the renamed
    file, so that fails the service; one that is stopped opens its logs when it starts.
    """
    suffix = ["    dateext", f"    dateformat {rotation.date_format}"] if rotation.date_format else ["    nodateext"]
    compression = ["    compress", "    delaycompress"] if rotation.compress else ["    nocompress"]
    lines = [
        f"# The mirror's log of the site {rotation.site}. Managed by squid-ha.",
        f"{' '.join(rotation.logs)} {{",
        f"    size {rotation.size}" if rotation.size else f"    {rotation.schedule}",
        f"    rotate {rotation.keep}",
        *suffix,
        "    missingok",
        "    notifempty",
        "    nocreate",
        *([f"    maxsize {rotation.max_size}"] if rotation.max_size else []),
        *([f"    minsize {rotation.min_size}"] if rotation.min_size else []),
        *compression,
        *(["    sharedscripts"] if len(rotation.logs) > 1 else []),
        "    postrotate",
        f"        if systemctl --quiet is-active {rotation.unit}; then squid -k rotate; fi",
        "    endscript",
        "}",
        "",
    ]
    return "\n".join(lines)


def service(rotation: Rotation) -> str:
    """Skips itself, with a line in the journal that says so, where the mirror is not mounted."""
    return f"""\
[Unit]
Description=Rotation of the mirror's access log (squid-ha)
Documentation=man:logrotate(8)
ConditionPathIsMountPoint={rotation.mount_point}

[Service]
Type=oneshot
ExecStart=/usr/sbin/logrotate --state {rotation.state} {rotation.configuration}
Nice=19
IOSchedulingClass=idle
"""


def timer() -> str:
    """Every hour, on every node; whether anything is due is the state file's to say."""
    return """\
[Unit]
Description=Hourly look whether the mirror's access log is due for rotation (squid-ha)

[Timer]
OnCalendar=hourly
RandomizedDelaySec=60
AccuracySec=60

[Install]
WantedBy=timers.target
"""
