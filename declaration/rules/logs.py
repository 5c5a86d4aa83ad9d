"""The logs: each in a file of its own, none on a mirror that is not there, nothing that Squid would trip over."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, cast

from declaration.errors import Mistake
from declaration.logcondition import Condition
from declaration.logformat import shows_address
from declaration.paths import MIRROR_ITSELF
from declaration.probed import adopted_of, is_probed, looks_for_records
from declaration.rules.registry import rule
from declaration.rules.repeats import inner_domains, repeated

if TYPE_CHECKING:
    from declaration.log import Log
    from declaration.site import Site

_CACHE_LOG = "cache.log"
_SQUIDS_OWN = (_CACHE_LOG, "netdb.state", "squid.out")


def _conditions(log: Log) -> Iterator[tuple[str, Condition]]:
    yield from (("log.only", log.only), ("log.unless", log.unless))
    for index, more in enumerate(log.additional):
        yield from ((f"log.additional[{index}].only", more.only), (f"log.additional[{index}].unless", more.unless))


@rule("log")
def logs_have_own_files(site: Site) -> Iterator[Mistake]:
    """Two logs in one file, or a local one that nobody rotates."""
    log = site.log
    local, mirrored = {log.local_file: "log.local_file"}, {log.mirror_file: "log.mirror_file"}
    if log.mirror_file in _SQUIDS_OWN:
        yield Mistake("log.mirror_file", log.mirror_file, f"another name: `{log.mirror_file}` is Squid's own")
    for index, more in enumerate(log.additional):
        path = f"log.additional[{index}].file"
        if more.file in _SQUIDS_OWN:
            yield Mistake(path, more.file, f"another name: `{more.file}` is Squid's own")
        if more.place != "mirror" and not more.file.endswith(".log"):
            yield Mistake(path, more.file, "a name that ends in `.log`, which the distribution's rotation covers")
        for there in (
            (mirrored,) if more.place == "mirror" else (local,) if more.place == "local" else (local, mirrored)
        ):
            # What was rotated out of a log begins with the log's name, and is searched for by that.
            taken = next((name for name in there if more.file.startswith(name) or name.startswith(more.file)), None)
            if taken is not None:
                yield Mistake(path, more.file, f"a name that does not begin like that of {there[taken]}, `{taken}`")
                break
            there[more.file] = path


@rule("log", "mirror")
def logs_have_their_place(site: Site) -> Iterator[Mistake]:
    """What is to be on the mirror needs one, and a mirror has something to hold."""
    log = site.log
    if site.mirror is not None:
        if not log.on_mirror and log.cache == "local" and all(more.place == "local" for more in log.additional):
            yield Mistake("log.access", log.access, "`both` or `mirror`: nothing else is written on the mirror")
        return
    places = {"log.access": site.log.access, "log.cache": site.log.cache}
    places |= {f"log.additional[{index}].place": more.place for index, more in enumerate(site.log.additional)}
    for path, place in places.items():
        if place == "mirror":
            yield Mistake(path, place, "`local`, because there is no mirror")


@rule("engine", "log", "mirror", "pacemaker")
def own_mirrors_have_a_directory(site: Site) -> Iterator[Mistake]:
    """The mount point itself belongs to root on a filesystem that this program makes."""
    adopted = adopted_of(site)
    if site.log.mirror_directory == MIRROR_ITSELF and (adopted is None or adopted.mirror is None):
        yield Mistake("log.mirror_directory", MIRROR_ITSELF, "a directory, such as `squid`: `.` is for adopted mirrors")


_TAKEN = ("rotation", "cache", "lost+found")
"""What else lies on a mirror: logrotate's state, Squid's cache, the filesystem's own."""


@rule("log")
def the_mirrors_directory_is_its_own(site: Site) -> Iterator[Mistake]:
    """Each directory has one owner and mode."""
    given = site.log.mirror_directory
    if given.split("/")[0] in _TAKEN:
        yield Mistake("log.mirror_directory", given, f"another directory: not {', '.join(_TAKEN)}, nor below these")


@rule("adopted", "engine", "mirror", "pacemaker")
def adopted_mirrors_have_no_state_of_a_rotation(site: Site) -> Iterator[Mistake]:
    """Logrotate's state lies in a directory that only a filesystem of this program's has."""
    adopted = adopted_of(site)
    if site.engine != "pacemaker" or adopted is None or adopted.mirror is None:
        return
    if site.adopted is None or "rotation" not in site.adopted.things:
        yield Mistake("adopted.things", "no `rotation`", "`rotation` too: of an adopted mirror others rotate the logs")


@rule("log")
def conditions_are_clear(site: Site) -> Iterator[Mistake]:
    """What stands twice is a slip; a domain below another one of the list ends Squid's start."""
    for path, condition in _conditions(site.log):
        for name in type(condition).model_fields:
            yield from repeated(f"{path}.{name}", cast("Sequence[object]", getattr(condition, name)))
        yield from inner_domains(f"{path}.domains", condition.domains)


@rule("engine", "log", "mirror", "pacemaker", "lifekeeper")
def losses_are_noticed(site: Site) -> Iterator[Mistake]:
    """With `drop`, only a record of the probe's own on the mirror shows that records still arrive there.

    Nothing is asked for the probe's sake where the engine has none; what is to be said there its own rules say.
    """
    log = site.log
    if not is_probed(site):
        return
    if log.on_full != "drop":
        if "on_lost" in log.model_fields_set:
            yield Mistake("log.on_lost", log.on_lost, "no such setting without `on_full: drop`: nothing is lost then")
        return
    if site.mirror is None or not looks_for_records(site):
        return
    if not log.on_mirror:
        yield Mistake(
            "log.on_full",
            log.on_full,
            "`stop`, or the access log on the mirror (`access: both`): the probe looks there for its own record",
        )
    elif not shows_address(log.format):
        yield Mistake(
            "log.format",
            log.format,
            "a format with the address that was asked for (`%ru`), because `on_full: drop` has the probe look for it",
        )
