"""Access logs and their conditions, out of Squid's language into the declaration's."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from declaration.log import Log
from declaration.logformat import BUILT_IN
from operations.adopt.directives import Reader, from_file
from providers.squid.conf import PROBE_LIST, Directive

_KINDS = {"src": "networks", "dstdomain": "domains", "port": "ports", "method": "methods", "http_status": "status"}
_RECORD = "squid_ha_record"
_CUSTOMARY = Log.model_fields["local_file"].default


class NotSaid(Exception):
    """The declaration has no words for this; the text says for what."""


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
    for each in reader.take("access_log"):
        try:
            logs.append(_log(reader, each, formats, {"local": local, "mirror": mirror}))
        except NotSaid as reason:
            lost.append((each, str(reason)))
        else:
            lost += [(each, reason) for reason in _other_module(each)]
    made, unfit = _grouped(logs)
    lost += unfit
    cache = reader.last("cache_log")
    if mirror and cache == f"{mirror}/cache.log":
        made["cache"] = "mirror"
    umask = reader.last("umask")
    if umask:
        made["mirror_mode"] = f"{0o666 & ~int(umask, 8):04o}"
    reader.take("logfile_rotate", lambda each: each.words == ("0",))
    return made, lost


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
    if used in formats:
        reader.done(formats[used][1])
        log.settings["format"] = formats[used][0]
    elif used != "squid":
        log.settings["format"] = used
    log.settings |= _conditions(reader, lists)
    return log


def _other_module(each: Directive) -> Iterator[str]:
    """A log is declared without its module: place and file are what everything else goes by."""
    module = each.words[0].rpartition(":")[0] or "daemon"
    if module != "stdio":
        yield f"Squid's module `{module}`, which may drop lines; the log is declared, and here it is by `stdio`"


def _conditions(reader: Reader, lists: list[str]) -> dict[str, Any]:
    only: dict[str, Any] = {}
    unless: dict[str, Any] = {}
    for word in _spread(reader, lists):
        name, negative = word.lower().removeprefix("!"), word.startswith("!")
        if name in (PROBE_LIST, _RECORD):
            reader.used([name, f"{_RECORD}_path"])
            continue
        kind, values = reader.lists.get(name, ("", ()))
        reader.used([name])
        members = values if kind == "all-of" and negative else (name,)
        for member in members:
            (unless if negative else only).update(_condition(reader, member))
            reader.used([member])
    return {name: found for name, found in (("only", only), ("unless", unless)) if found}


def _spread(reader: Reader, lists: list[str]) -> list[str]:
    """A log that also takes the probe's records asks for either of two lists: the first of them is what counts."""
    made: list[str] = []
    for word in lists:
        kind, values = reader.lists.get(word.lower(), ("", ()))
        if kind == "any-of" and len(values) == 2 and values[1] == _RECORD:  # noqa: PLR2004
            reader.used([word, values[0], _RECORD, f"{_RECORD}_path"])
            made += reader.lists.get(values[0].lower(), ("", ()))[1]
        else:
            made.append(word)
    return made


def _condition(reader: Reader, name: str) -> dict[str, Any]:
    kind, values = reader.lists.get(name.lower(), ("", ()))
    if kind not in _KINDS or from_file(values):
        raise NotSaid(f"a log with the access list {name}")
    try:
        return {_KINDS[kind]: [_value(kind, each) for each in values]}
    except ValueError:
        raise NotSaid(f"a log with the access list {name}") from None


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
        if twin:
            rest.pop(0)
        if reason := _unfit(log, taken, place):
            unfit.append((log.said, reason))
            continue
        for each in _at(place):
            taken[each].append(log.file)
        additional.append({"file": log.file, "place": place, **log.settings})
    if additional:
        made["additional"] = additional
    if any(log.dropping for log in logs if log.place == "mirror"):
        made["on_full"] = "drop"
    return made, unfit


def _at(place: str) -> tuple[str, ...]:
    return ("local", "mirror") if place == "both" else (place,)


def _unfit(log: _Log, taken: dict[str, list[str]], place: str) -> str:
    """Why a further log is none that can be declared, '' where it is one."""
    if place != "mirror" and not log.file.endswith(".log"):
        return "a further log whose name does not end in `.log`"
    near = (name for at in _at(place) for name in taken[at] if name.startswith(log.file) or log.file.startswith(name))
    return next((f"a further log whose name begins like `{name}`" for name in near), "")
