"""Which logs a site's Squid writes, where, and how the mirror is mounted under them."""

from __future__ import annotations

from collections.abc import Iterator

from blueprint.platforms import PLATFORMS
from blueprint.render import squid_logs as render
from declaration.log import AdditionalLog, Log, Place
from declaration.logcondition import Condition
from declaration.logformat import BUILT_IN
from declaration.paths import MIRROR_ITSELF
from declaration.probed import looks_for_records
from declaration.site import Site

DECLARED_FORMAT = "squid_ha"
CACHE_LOG = "cache.log"
_OWN_MODE = "0640"
"""What Squid makes its logs with when its umask is left alone."""


def squid_logs(site: Site) -> render.Logs:
    """The local log before the mirror's: what the mirror lost when it was full, the local log has."""
    log = site.log
    formats = _formats(log)
    access = [
        *_written(site, "main", log, log.local_file, log.mirror_file, log.access, formats),
        *(
            each
            for number, more in enumerate(log.additional, 1)
            for each in _written(site, str(number), more, more.file, more.file, more.place, formats)
        ),
    ]
    return render.Logs(
        access=tuple(access),
        cache_log=cache_log(site),
        formats=tuple((name, text) for text, name in formats.items()),
        umask=None if log.mirror_mode == _OWN_MODE else f"{0o666 & ~int(log.mirror_mode, 8):04o}",
    )


def cache_log(site: Site) -> str:
    """Where Squid's own messages go."""
    if site.mirror is not None and site.log.cache == "mirror":
        return f"{mirror_folder(site)}/{CACHE_LOG}"
    return f"{PLATFORMS[site.platform].squid_log_directory}/{CACHE_LOG}"


def mirror_files(site: Site) -> tuple[str, ...]:
    """Names of the logs on the mirror, the main access log first."""
    if site.mirror is None:
        return ()
    log = site.log
    main = [log.mirror_file] if log.on_mirror else []
    cache = [CACHE_LOG] if log.cache == "mirror" else []
    return (*main, *(more.file for more in log.additional if more.place != "local"), *cache)


def records_looked_for(site: Site) -> str | None:
    """The log in which the probe must find its own record: only where Squid drops what it cannot write."""
    if site.mirror is None or site.log.on_full != "drop" or not site.log.on_mirror or not looks_for_records(site):
        return None
    return mirror_log(site)


def mirror_folder(site: Site) -> str:
    """The directory of Squid's logs on the mirror. Raises `ValueError` for a site without one."""
    if site.mirror is None:
        raise ValueError("a log on the mirror needs a mirror")
    below = site.log.mirror_directory
    return site.mirror.mount_point if below == MIRROR_ITSELF else f"{site.mirror.mount_point}/{below}"


def mirror_log(site: Site) -> str:
    """The main access log on the mirror. Raises `ValueError` for a site without one."""
    return f"{mirror_folder(site)}/{site.log.mirror_file}"


def _written(
    site: Site,
    name: str,
    log: Log | AdditionalLog,
    local: str,
    mirrored: str,
    place: Place,
    formats: dict[str, str],
) -> Iterator[render.AccessLog]:
    used = formats.get(log.format, log.format)
    only, unless = _condition(log.only), _condition(log.unless)
    if place != "mirror" or site.mirror is None:
        path = f"{PLATFORMS[site.platform].squid_log_directory}/{local}"
        yield render.AccessLog(path, "die", used, name, only, unless)
    if place != "local" and site.mirror is not None:
        path = f"{mirror_folder(site)}/{mirrored}"
        on_error = {"stop": "die", "drop": "drop"}[site.log.on_full]
        yield render.AccessLog(path, on_error, used, name, only, unless, recorded=path == records_looked_for(site))


def _formats(log: Log) -> dict[str, str]:
    """Declared format string → the name that squid.conf gives it."""
    declared = dict.fromkeys(each.format for each in (log, *log.additional) if each.format not in BUILT_IN)
    return {text: DECLARED_FORMAT + (f"_{number}" if number > 1 else "") for number, text in enumerate(declared, 1)}


def _condition(condition: Condition) -> render.Condition:
    lists = {
        "src": condition.networks,
        "dstdomain -n": condition.domains,
        "port": tuple(str(port) for port in condition.ports),
        "method": condition.methods,
        "http_status": condition.status,
    }
    return render.Condition(tuple((kind, values) for kind, values in lists.items() if values))
