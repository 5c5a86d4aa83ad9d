"""Access logs and their conditions, out of Squid's language into the declaration's."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from blueprint.logs import CACHE_LOG
from declaration.log import Log
from declaration.logcondition import Condition
from declaration.logformat import BUILT_IN
from operations.adopt.directives import NotSaid, Reader, fits, from_file
from providers.squid.conf import PROBE_LIST, Directive

_KINDS = {"src": "networks", "dstdomain": "domains", "port": "ports", "method": "methods", "http_status": "status"}
_RECORD = "squid_ha_record"
_CUSTOMARY = Log.model_fields["local_file"].default
_OPTIONS = frozenset({"logformat", "on-error"})


@dataclass
class _Log:
    said: Directive
    place: str
    file: str
    settings: dict[str, Any] = field(default_factory=dict[str, Any])
    dropping: bool = False


def read(reader: Reader, local: str, mirror: str) -> tuple[dict[str, Any], list[tuple[Directive, str]]]:
    """Settings below ``log``, and logs that are left out with the reason.

    ``local`` and ``mirror`` are the directories of the logs, '' where there is no mirror.
    """
    formats = {each.words[0]: (reader.raw(each, 2), each) for each in reader.of("logformat") if len(each.words) > 1}
    logs: list[_Log] = []
    lost: list[tuple[Directive, str]] = []
    for each in reader.of("access_log"):
        try:
            logs.append(_log(reader, each, formats, {"local": local, "mirror": mirror}))
        except NotSaid as reason:
            lost.append((each, str(reason)))
        else:
            lost += [(each, reason) for reason in (*_other_module(each), *_other_options(each))]
    reader.done(*reader.of("access_log"))
    made, unfit = _grouped(logs)
    lost += unfit
    return made | _files(reader, local, mirror), lost


def _files(reader: Reader, local: str, mirror: str) -> dict[str, Any]:
    """What goes for Squid's files altogether."""
    places = {f"{local}/{CACHE_LOG}": "local", **({f"{mirror}/{CACHE_LOG}": "mirror"} if mirror else {})}
    made: dict[str, Any] = {}
    if reader.value("cache_log", places.get, "Squid's own messages elsewhere") == "mirror":
        made["cache"] = "mirror"
    mode = reader.value("umask", _mode, "a mode of the logs other than 0600, 0640 and 0644")
    made |= {"mirror_mode": mode} if mode else {}
    reader.take("logfile_rotate", lambda each: each.words == ("0",))
    return made


def _mode(umask: str) -> str | None:
    made = f"{0o666 & ~int(umask, 8):04o}" if re.fullmatch(r"0[0-7]{1,4}", umask) else ""
    return made if fits(Log, "mirror_mode", made) else None


def _log(reader: Reader, each: Directive, formats: dict[str, tuple[str, Directive]], places: dict[str, str]) -> _Log:
    if not each.words or each.words[0] == "none":
        raise NotSaid("requests without a record, by a rule of their own")
    module, _, path = each.words[0].rpartition(":")
    place = next((name for name, folder in places.items() if folder and path.startswith(f"{folder}/")), "")
    if module not in ("", "stdio", "daemon") or not place or "/" in path.removeprefix(f"{places[place]}/"):
        raise NotSaid(f"a log to {each.words[0]}")
    options = dict(word.split("=", 1) for word in each.words[1:] if "=" in word)
    lists = [word for word in each.words[1:] if "=" not in word]
    used = options.get("logformat", "")
    if not used and lists and (lists[0] in formats or lists[0] in BUILT_IN):
        used, lists = lists[0], lists[1:]
    log = _Log(each, place, path.rpartition("/")[2], dropping=options.get("on-error") == "drop")
    used = used or "squid"
    text = formats[used][0] if used in formats else used
    if not fits(Log, "format", text):
        raise NotSaid(f"a log in the format {used}")
    if text != "squid":
        log.settings["format"] = text
    asked: list[str] = []
    log.settings |= _conditions(reader, lists, asked)
    reader.used(asked)
    reader.done(*([formats[used][1]] if used in formats else []))
    return log


def _other_options(each: Directive) -> Iterator[str]:
    """What is said of a log that the declaration does not say: buffers, how many old files Squid keeps itself."""
    options = [word.partition("=")[0] for word in each.words[1:] if "=" in word]
    others = [f"`{name}=`" for name in options if name not in _OPTIONS]
    if others:
        yield f"the options {', '.join(others)}; the log is declared without them"


def _other_module(each: Directive) -> Iterator[str]:
    """A log is declared without its module: place and file are what everything else goes by."""
    module = each.words[0].rpartition(":")[0] or "daemon"
    if module != "stdio":
        yield f"Squid's module `{module}`, which may drop lines; the log is declared, and here it is by `stdio`"


def _conditions(reader: Reader, lists: list[str], asked: list[str]) -> dict[str, Any]:
    """``asked`` is told which access lists are expressed by this. Raises `NotSaid`."""
    only: dict[str, Any] = {}
    unless: dict[str, Any] = {}
    for word in _spread(reader, lists, asked):
        name, negative = word.lower().removeprefix("!"), word.startswith("!")
        asked += [name]
        if name in (PROBE_LIST, _RECORD):
            asked += [f"{_RECORD}_path"]
            continue
        if word.lower() == "all":
            continue
        kind, values = reader.lists.get(name, ("", ()))
        members = values if kind == "all-of" and negative else (name,)
        asked += members
        if negative:
            unless = _either(unless, _all(reader, members))
        else:
            only = _both(only, _condition(reader, name))
    return {name: found for name, found in (("only", only), ("unless", unless)) if found}


def _all(reader: Reader, members: Iterable[str]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for member in members:
        made = _both(made, _condition(reader, member))
    return made


def _both(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """What must hold together. Raises `NotSaid`: of one kind there is one list."""
    if one.keys() & other.keys():
        raise NotSaid(f"a log with two conditions of one kind ({', '.join(one.keys() & other.keys())})")
    return one | other


def _either(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Of what one is enough. Raises `NotSaid`: only values of one kind stand for each other."""
    if not one:
        return other
    if len(one) > 1 or one.keys() != other.keys():
        raise NotSaid("a log without requests of one kind, and without those of another")
    return {name: list(dict.fromkeys([*values, *other[name]])) for name, values in one.items()}


def _spread(reader: Reader, lists: list[str], asked: list[str]) -> list[str]:
    """A log that also takes the probe's records asks for either of two lists: the first of them is what counts."""
    made: list[str] = []
    for word in lists:
        kind, values = reader.lists.get(word.lower(), ("", ()))
        if kind == "any-of" and len(values) == 2 and values[1] == _RECORD:  # noqa: PLR2004
            asked += [word, values[0], _RECORD, f"{_RECORD}_path"]
            made += reader.lists.get(values[0].lower(), ("", ()))[1]
        else:
            made.append(word)
    return made


def _condition(reader: Reader, name: str) -> dict[str, Any]:
    kind, values = reader.lists.get(name.lower(), ("", ()))
    if kind not in _KINDS or from_file(values):
        raise NotSaid(f"a log with the access list {name}")
    try:
        made = {_KINDS[kind]: [_value(kind, each) for each in values]}
    except ValueError:
        raise NotSaid(f"a log with the access list {name}") from None
    if not fits(Condition, _KINDS[kind], made[_KINDS[kind]]):
        raise NotSaid(f"a log with the access list {name}")
    return made


def _value(kind: str, word: str) -> str | int:
    if kind == "src":
        return str(ipaddress.ip_network(word))
    return int(word) if kind == "port" else word


def _grouped(logs: list[_Log]) -> tuple[dict[str, Any], list[tuple[Directive, str]]]:
    """The first is the main one; one on the mirror right behind its like is the same log at both places.

    Returned besides are logs that the declaration does not take, with the reason.
    """
    if not logs:
        return {}, []
    unfit: list[tuple[Directive, str]] = []
    main, *rest = logs
    made: dict[str, Any] = dict(main.settings)
    made |= {"local_file": main.file} if main.place == "local" else {"mirror_file": main.file, "access": "mirror"}
    if main.place == "local":
        if rest and rest[0].place == "mirror" and rest[0].settings == main.settings:
            made |= {"mirror_file": rest.pop(0).file, "access": "both"}
        else:
            made["access"] = "local"
    taken = {place: [made.get(f"{place}_file", _CUSTOMARY)] for place in _at("both")}
    additional: list[dict[str, Any]] = []
    while rest:
        log = rest.pop(0)
        both = rest and log.place == "local" and (rest[0].place, rest[0].file) == ("mirror", log.file)
        twin = bool(both) and rest[0].settings == log.settings
        place = "both" if twin else log.place
        lines = [log.said, *([rest.pop(0).said] if twin else [])]
        if reason := _unfit(log, taken, place):
            unfit += [(line, reason) for line in lines]
            continue
        for each in _at(place):
            taken[each].append(log.file)
        additional.append({"file": log.file, "place": place, **log.settings})
    if additional:
        made["additional"] = additional
    dropping = any(log.dropping for log in logs if log.place == "mirror")
    made |= {"on_full": "drop"} if dropping else {}
    unfit += [(log.said, reason) for log in logs if (reason := _unlike_on_full(log, dropping=dropping))]
    return made, unfit


def _unlike_on_full(log: _Log, *, dropping: bool) -> str:
    """What a log does that cannot be written, where the declaration says it otherwise; '' where it says the same."""
    if log.place == "local" and log.dropping:
        return "`on-error=drop` of a local log: with the declared one Squid stops when it cannot be written"
    if log.place == "mirror" and dropping and not log.dropping:
        return "a log on the mirror that Squid stops for, beside one that may be dropped: `on_full: drop` goes for all"
    return ""


def _at(place: str) -> tuple[str, ...]:
    return ("local", "mirror") if place == "both" else (place,)


def _unfit(log: _Log, taken: dict[str, list[str]], place: str) -> str:
    """Why a further log is none that can be declared, '' where it is one."""
    if place != "mirror" and not log.file.endswith(".log"):
        return "a further log whose name does not end in `.log`"
    near = (name for at in _at(place) for name in taken[at] if name.startswith(log.file) or log.file.startswith(name))
    return next((f"a further log whose name begins like `{name}`" for name in near), "")
