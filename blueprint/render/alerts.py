"""The texts of the alerts: their configuration, as assignments for a shell, and systemd's units."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, fields
from typing import cast


@dataclass(frozen=True)
class Configuration:
    """What ``alert.sh`` reads, by the names that it has there. Lists are words; '' is what there is not."""

    site: str
    stack: str
    channels: tuple[str, ...]
    events: tuple[str, ...]
    pause: int
    remind: int
    virtual_ip: str = ""
    mount_point: str = ""
    mirror_full: int = 80
    mirror_check: str = ""
    mirror_resource: str = ""
    engine_look: str = ""
    engine_words: tuple[str, ...] = ()
    max_offset: str = ""
    mail_to: tuple[str, ...] = ()
    mail_from: str = ""
    mail_url: str = ""
    mail_tls: str = "none"
    mail_user: str = ""
    mail_password_file: str = ""
    webhook_url: str = ""
    webhook_url_file: str = ""
    webhook_token_file: str = ""


def configuration(wanted: Configuration) -> str:
    """One assignment a line, everything quoted."""
    lines = [f"# Alerts of the site {wanted.site}. Managed by squid-ha."]
    for each in fields(wanted):
        value = getattr(wanted, each.name)
        text = " ".join(cast("tuple[str, ...]", value)) if isinstance(value, tuple) else str(value)
        lines.append(f"{each.name}={shlex.quote(text)}")
    return "\n".join(lines) + "\n"


def path_unit(directory: str) -> str:
    """Starts the sending as soon as there is something to send."""
    return f"""\
[Unit]
Description=Alerts that wait to be sent (squid-ha)

[Path]
DirectoryNotEmpty={directory}
TriggerLimitIntervalSec=0

[Install]
WantedBy=multi-user.target
"""


def send_service(program: str) -> str:
    """Sends what waits. However many events come, systemd does not give it up.

    ``KillMode``: exim and dma deliver in a process that goes on after sendmail, and after this unit.
    """
    return f"""\
[Unit]
Description=Sending of alerts (squid-ha)
StartLimitIntervalSec=0

[Service]
Type=oneshot
ExecStart={program} deliver
TimeoutStartSec=10min
KillMode=process
"""


def check_service(program: str) -> str:
    """Looks at mirror and clock, and at what the engine tells; sends what waits; see `send_service`."""
    return f"""\
[Unit]
Description=Look at the mirror and the clock, for alerts (squid-ha)

[Service]
Type=oneshot
ExecStart={program} check
TimeoutStartSec=10min
KillMode=process
Nice=10
"""


def check_timer(seconds: int) -> str:
    """Counts from the end of one look to the next, so that slow ones never pile up."""
    return f"""\
[Unit]
Description=Regular look at the mirror and the clock, for alerts (squid-ha)

[Timer]
OnActiveSec={seconds}
OnUnitInactiveSec={seconds}
AccuracySec=1

[Install]
WantedBy=timers.target
"""
