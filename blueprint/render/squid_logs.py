"""Squid's logs in squid.conf: formats, access logs with their conditions, the cache log.

The modules are ``stdio:``, because the daemon drops lines on a slow disk. The probe of the engine is in no log, but for
the records that it looks for: a request of the probe's domain below `RECORD_PATH`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

PROBE = "squid_ha_probe"
"""The access list of the probe's requests, defined with the rules of access."""
RECORD_PATH = "/record-"
_RECORD = "squid_ha_record"


@dataclass(frozen=True)
class Condition:
    """What a request is like: kind of access list (``src``, ``dstdomain -n``) → its values; all kinds must hold."""

    lists: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True)
class AccessLog:
    """One access log: the file, and whether Squid goes on (``drop``) or stops (``die``) when it cannot write.

    ``name`` is that of its access lists; logs of one name have the same conditions. ``recorded``: the records that the
    probe looks for are written here too.
    """

    path: str
    on_error: str
    format: str = "squid"
    name: str = "main"
    only: Condition = Condition()
    unless: Condition = Condition()
    recorded: bool = False


@dataclass(frozen=True)
class Logs:
    """``access`` in the order in which Squid writes them; ``formats`` are declared ones, name → format string.

    ``umask`` is what Squid's files may not have; without it Squid's own, 027.
    """

    access: tuple[AccessLog, ...]
    cache_log: str
    formats: tuple[tuple[str, str], ...] = ()
    umask: str | None = None


def lines(logs: Logs) -> list[str]:
    """The lines of squid.conf."""
    made: dict[str, list[str]] = {log.name: _lists(log) for log in logs.access}
    recorded = [log for log in logs.access if log.recorded]
    return [
        *(f"logformat {name} {text}" for name, text in logs.formats),
        *(line for defined in made.values() for line in defined),
        *(_record_lists() if recorded else []),
        *(line for log in recorded for line in _recorded_lists(log)),
        *(
            f"access_log stdio:{log.path} logformat={log.format} on-error={log.on_error} {' '.join(_asked(log))}"
            for log in logs.access
        ),
        f"cache_log {logs.cache_log}",
        *([f"umask {logs.umask}"] if logs.umask else []),
        "logfile_rotate 0",
    ]


def _asked(log: AccessLog) -> Sequence[str]:
    """The access lists on a log's line: all of them must match."""
    return [f"log_{log.name}_or_record"] if log.recorded else _wanted(log)


def _wanted(log: AccessLog) -> list[str]:
    only = [_list(log, "only", kind) for kind, _ in log.only.lists]
    unless = [_list(log, "unless", kind) for kind, _ in log.unless.lists]
    without = [f"!log_{log.name}_unless"] if len(unless) > 1 else [f"!{name}" for name in unless]
    return [f"!{PROBE}", *only, *without]


def _lists(log: AccessLog) -> list[str]:
    """Definitions of a log's access lists. Several lists on a line must all match, and so must those of all-of."""
    unless = [_list(log, "unless", kind) for kind, _ in log.unless.lists]
    return [
        *(f"acl {_list(log, 'only', kind)} {kind} {' '.join(values)}" for kind, values in log.only.lists),
        *(f"acl {_list(log, 'unless', kind)} {kind} {' '.join(values)}" for kind, values in log.unless.lists),
        *([f"acl log_{log.name}_unless all-of {' '.join(unless)}"] if len(unless) > 1 else []),
    ]


def _list(log: AccessLog, when: str, kind: str) -> str:
    return f"log_{log.name}_{when}_{kind.partition(' ')[0]}"


def _record_lists() -> list[str]:
    return [f"acl {_RECORD}_path urlpath_regex ^{RECORD_PATH}", f"acl {_RECORD} all-of {PROBE} {_RECORD}_path"]


def _recorded_lists(log: AccessLog) -> list[str]:
    return [
        f"acl log_{log.name}_wanted all-of {' '.join(_wanted(log))}",
        f"acl log_{log.name}_or_record any-of log_{log.name}_wanted {_RECORD}",
    ]
