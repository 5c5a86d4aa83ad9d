"""Logging in at the proxy, out of Squid's language into the declaration's.

Without passwords and names: those are in files, and become secrets only by the site's own people.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from blueprint.platforms import Platform
from declaration.squid_auth import Auth, Kerberos, Ldap
from operations.adopt.directives import Reader, fits
from operations.adopt.quantities import WHOLE_SECONDS, some_seconds
from providers.squid.conf import Directive

_SCHEMES = {"ldap": "basic", "kerberos": "negotiate"}
_STARTED = frozenset({"startup=1", "idle=1"})
"""Helpers that this program has Squid start beforehand."""
_DEFAULTS = frozenset({("negotiate", "keep_alive", "on"), ("basic", "casesensitive", "off")})
_NO_NAME = "GSS_C_NO_NAME"


@dataclass(frozen=True)
class Way:
    """A program that checks who somebody is, as the declaration says it; ``unlike`` are options without words."""

    said: Directive
    settings: dict[str, Any]
    unlike: tuple[str, ...]


def ways(reader: Reader, platform: Platform) -> dict[str, Way]:
    """The ways to log in that the declaration has words for, by its names. Nothing is taken yet."""
    helpers, made = platform.squid_helpers, dict[str, Way]()
    for each in reader.of("auth_param"):
        words = _words(reader.raw(each, 3))
        kind = (*each.words[:2], *words[:1])
        if kind == ("negotiate", "program", f"{helpers}/negotiate_kerberos_auth"):
            made |= _kerberos(each, words[1:])
        elif kind == ("basic", "program", f"{helpers}/basic_ldap_auth") and not _binds(words):
            made |= _ldap(each, words[1:])
    return made


def read(reader: Reader, found: Mapping[str, Way], *, asked: bool) -> dict[str, Any]:
    """``auth`` below ``squid``. ``asked``: whether any rule that is declared asks for a login."""
    if not found:
        return {}
    if not asked:
        for each in reader.of("auth_param"):
            reader.unsaid(each, "a login that none of its rules asks for")
        return {}
    made: dict[str, Any] = {}
    for name, way in found.items():
        made[name] = way.settings
        reader.done(way.said)
        if way.unlike:
            reader.unsaid(way.said, f"{', '.join(way.unlike)}, without which this login is declared")
    schemes = {_SCHEMES[name] for name in found}
    made |= _helpers(reader, schemes)
    if "basic" in schemes:
        made |= _basic(reader)
    reader.take("auth_param", lambda each: each.words in _DEFAULTS and each.words[0] in schemes)
    return {"auth": made}


def _basic(reader: Reader) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for each in _of(reader, "basic", "realm"):
        text = reader.raw(each, 3)
        made |= _or_lost(reader, each, "realm", text if fits(Auth, "realm", text) else None, "this text")
    for each in _of(reader, "basic", "credentialsttl"):
        made |= _or_lost(reader, each, "ttl", some_seconds(" ".join(each.words[2:])), WHOLE_SECONDS)
    return made


def _helpers(reader: Reader, schemes: set[str]) -> dict[str, Any]:
    """One number for all ways: the first."""
    made: dict[str, Any] = {}
    for scheme in sorted(schemes):
        for each in _of(reader, scheme, "children"):
            number, started = each.words[2] if len(each.words) > 2 else "", each.words[3:]  # noqa: PLR2004
            many = int(number) if number.isdecimal() else 0
            known = many if fits(Auth, "helpers", many) and made.get("helpers", many) == many else None
            made |= _or_lost(reader, each, "helpers", known, "this number of helpers beside another one, or at all")
            if known and not set(started) <= _STARTED:
                reader.unsaid(each, f"`{' '.join(started)}`; the number of helpers is declared")
    return made


def _of(reader: Reader, scheme: str, what: str) -> list[Directive]:
    """The last directive of that kind, as a list; those before it are lost."""
    found = [each for each in reader.of("auth_param") if each.words[:2] == (scheme, what)]
    reader.overridden(found)
    return found[-1:]


def _or_lost(reader: Reader, each: Directive, name: str, value: object, why: str) -> dict[str, Any]:
    if value is None:
        reader.unsaid(each, why)
        return {}
    reader.done(each)
    return {name: value}


def _words(line: str) -> list[str]:
    """A program and its arguments as Squid reads them."""
    found = re.findall(r'"((?:[^"\\]|\\.)*)"|(\S+)', line)
    return [re.sub(r"\\(.)", r"\1", quoted) if quoted or not plain else plain for quoted, plain in found]


def _binds(words: list[str]) -> bool:
    """Whether an LDAP helper logs in itself, by a password (``-w``, ``-W`` from a file): a secret of the site's."""
    return any(word.lower().startswith("-w") for word in words)


def _options(words: list[str], flags: Mapping[str, str]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Settings out of arguments, and the options that are none; their values are not named, which may be passwords."""
    made: dict[str, Any] = {}
    unlike: list[str] = []
    before = ""
    for word in words:
        if before in flags:
            made[flags[before]] = word
        elif word.startswith("-") and word not in flags:
            unlike.append(f"`{word[:2]}`")
        elif word not in flags and not before.startswith("-"):
            unlike.append("a word without an option")
        before = "" if before in flags else word
    return made, tuple(unlike)


def _kerberos(each: Directive, words: list[str]) -> dict[str, Way]:
    made, unlike = _options(words, {"-k": "keytab", "-s": "principal"})
    made = {name: text for name, text in made.items() if text != _NO_NAME}
    right = "keytab" in made and all(fits(Kerberos, name, value) for name, value in made.items())
    return {"kerberos": Way(each, made, unlike)} if right else {}


def _ldap(each: Directive, words: list[str]) -> dict[str, Way]:
    encrypted = "-Z" in words
    made, unlike = _options([word for word in words if word != "-Z"], {"-H": "uri", "-b": "base", "-f": "filter"})
    made |= {"start_tls": True} if encrypted else {}
    right = {"uri", "base"} <= set(made) and all(fits(Ldap, name, value) for name, value in made.items())
    return {"ldap": Way(each, made, unlike)} if right else {}
