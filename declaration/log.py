"""Squid's logs."""

from __future__ import annotations

from typing import Literal

from declaration.logcondition import Condition
from declaration.logformat import LogFormat
from declaration.paths import MirrorFolder
from declaration.types import FileName, Many, Settings

Place = Literal["local", "mirror", "both"]


class AdditionalLog(Settings):
    """One more access log beside the main one, for some of the requests or in another format."""

    file: FileName
    """File below /var/log/squid, on the mirror, or both; locally the distribution's rotation covers what ends in
    `.log`."""

    place: Place = "both"
    """Where it is written: `local`, on the `mirror`, or `both`. Without a mirror `both` is local."""

    format: LogFormat = "squid"
    """One of Squid's own formats by name, or a format string of Squid's codes."""

    only: Condition = Condition()
    """Only requests that are like this."""

    unless: Condition = Condition()
    """No requests that are like this."""


class Log(Settings):
    """The access log, written locally by each node and on the mirror if there is one; and Squid's own messages."""

    format: LogFormat = "squid"
    """One of Squid's own formats by name, or a format string of Squid's codes."""

    access: Place = "both"
    """Where the access log is written: `local`, on the `mirror`, or `both`. Without a mirror `both` is local."""

    cache: Literal["local", "mirror"] = "local"
    """Where Squid's own messages go (cache.log): `local`, or on the `mirror`. Squid writes them to one file only."""

    on_full: Literal["stop", "drop"] = "stop"
    """When the mirror is full: `stop` the proxy rather than serve without records, or `drop` records."""

    on_lost: Literal["degrade", "fail"] = "degrade"
    """With `on_full: drop`, when the probe does not find its own record on the mirror: show the proxy as `degrade`d
    and serve on, or `fail`, so that the engine restarts it and in the end moves the service."""

    local_file: FileName = "access.log"
    """File below /var/log/squid; the distribution's rotation covers what ends in `.log`."""

    mirror_directory: MirrorFolder = "squid"
    """Directory of Squid's logs below the mirror's mount point. `.`, the mount point itself, is for a mirror that is
    adopted."""

    mirror_file: FileName = "access.log"
    """File on the mirror, in `mirror_directory`."""

    mirror_mode: Literal["0600", "0640", "0644"] = "0640"
    """Mode of the logs on the mirror, which belong to Squid's user. `0644` counts for all files that Squid makes."""

    only: Condition = Condition()
    """Only requests that are like this; the others leave no record."""

    unless: Condition = Condition()
    """No requests that are like this, such as those of a monitoring system."""

    additional: Many[AdditionalLog] = ()
    """Further access logs."""

    @property
    def on_mirror(self) -> bool:
        """Whether the main access log is written on the mirror, if there is one."""
        return self.access != "local"
