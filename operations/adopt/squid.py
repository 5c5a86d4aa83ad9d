"""squid.conf as settings of the declaration: the way back from `blueprint.render.squid_conf`."""

from __future__ import annotations

import re
from typing import Any

from blueprint import paths
from blueprint.platforms import Platform
from blueprint.squid_settings import DNS, FORWARDED_FOR, TIMEOUTS
from declaration.quantities import Duration
from operations.adopt import access, logs
from operations.adopt.directives import Reader, from_file
from operations.adopt.masking import shown
from operations.adopt.model import Draft
from providers.squid.conf import Directive, endpoint

_SECONDS = {
    "millisecond": 0.001, "second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800
}  # fmt: skip
_SIZES = {"KB": "k", "MB": "M", "GB": "G"}
# What every Squid's file has, and what has no effect of its own.
_USUAL = ("coredump_dir", "refresh_pattern", "prefer_direct", "nonhierarchical_direct")


def describe(
    draft: Draft, node: str, text: str, platform: Platform, *, mirror: str = "", mount: str = "", vip: str = ""
) -> None:
    """Fill in ``squid`` and ``log`` from a node's squid.conf.

    ``mount`` is the mirror's mount point and ``mirror`` the directory of Squid's logs there, '' without a mirror;
    ``vip`` the virtual IP.
    """
    path = platform.squid_configuration
    reader = Reader(text, path)
    squid: dict[str, Any] = _listening(reader, vip)
    allowed, lost = access.read(reader)
    squid |= allowed
    squid |= _plain(reader)
    squid |= _outgoing(reader, vip)
    squid |= _includes(reader)
    parents, unlike = _parents(reader)
    squid |= parents
    squid |= _auth(reader, platform)
    squid |= _cache(reader, platform, mount)
    found, unsaid = logs.read(reader, platform.squid_log_directory, mirror)
    draft.site["squid"] = squid
    draft.site["log"] = found
    for each, reason in [*lost, *unlike, *unsaid, *reader.lost]:
        draft.note(node, f"{path} line {each.line}", f"`{shown(each)}`: the site's file has no words for {reason}")
    reader.used(["link_local", "squid_ha_probe", "logged_in", "localhost", "manager", "to_localhost", "all"])
    reader.take("acl", lambda each: len(each.words) > 2 and each.words[1:3] == ("method", "CONNECT"))  # noqa: PLR2004
    reader.take("logformat", lambda each: bool(each.words) and each.words[0].startswith("squid_ha"))
    for each in reader.left():
        if each.name not in _USUAL:
            draft.note(node, f"{path} line {each.line}", f"`{shown(each)}`: the site's file has no words for it")


def _listening(reader: Reader, vip: str) -> dict[str, Any]:
    found = [endpoint(each.words[0]) for each in reader.take("http_port", lambda each: len(each.words) == 1)]
    ends = [each for each in found if each is not None]
    ports = list(dict.fromkeys(each.port for each in ends))
    made: dict[str, Any] = {"port": ports[0]} if ports else {}
    if len(ports) > 1:
        made["more_ports"] = ports[1:]
    if vip and {each.address for each in ends} == {vip, "127.0.0.1"}:
        made["listen"] = "virtual_ip"
    return made


def seconds(text: str) -> str | None:
    """A time of squid.conf as the declaration writes it; None for what is none."""
    found = re.fullmatch(r"([0-9]+) ?([a-z]+?)s?", text.strip())
    if found is None or found[2] not in _SECONDS:
        return None
    return str(Duration.of_milliseconds(round(int(found[1]) * _SECONDS[found[2]] * 1000)))


def size(text: str) -> str | None:
    """A size of squid.conf as the declaration writes it; None for what is none."""
    number, _, unit = text.partition(" ")
    return f"{number}{_SIZES[unit]}" if number.isdigit() and number != "0" and unit in _SIZES else None


def _plain(reader: Reader) -> dict[str, Any]:
    made: dict[str, Any] = {}
    grace = seconds(reader.last("shutdown_lifetime") or "30 seconds")
    if grace:
        made["shutdown_lifetime"] = grace
    name = reader.last("visible_hostname")
    if name:
        made["visible_hostname"] = name
    headers = {word: setting for setting, word in FORWARDED_FOR.items()}
    header = reader.last("forwarded_for")
    if header in headers:
        made["forwarded_for"] = headers[header]
    if reader.last("via") == "off":
        made["via"] = False
    dns: dict[str, Any] = _durations(reader, DNS)
    servers, domain = reader.last("dns_nameservers"), reader.last("append_domain")
    dns |= {"servers": servers.split()} if servers else {}
    dns |= {"append_domain": domain} if domain else {}
    limits = _durations(reader, TIMEOUTS)
    return made | ({"dns": dns} if dns else {}) | ({"timeouts": limits} if limits else {})


def _durations(reader: Reader, directives: dict[str, str]) -> dict[str, Any]:
    found = {name: seconds(reader.last(directive)) for name, directive in directives.items()}
    return {name: text for name, text in found.items() if text}


def _outgoing(reader: Reader, vip: str) -> dict[str, Any]:
    address = reader.last("tcp_outgoing_address")
    return {"outgoing": "virtual_ip" if address == vip else "node"} if address else {}


def _includes(reader: Reader) -> dict[str, Any]:
    patterns = [word for each in reader.take("include") for word in each.words]
    return {"include": patterns} if patterns else {}


def _cache(reader: Reader, platform: Platform, mount: str) -> dict[str, Any]:
    memory, small = size(reader.last("cache_mem")), size(reader.last("maximum_object_size_in_memory"))
    large = size(reader.last("maximum_object_size"))
    made: dict[str, Any] = {}
    made |= {"memory": memory} if memory else {}
    made |= {"max_object_in_memory": small} if small else {}
    places = {platform.squid_spool: "local", **({f"{mount}/{paths.CACHE_DIRECTORY}": "mirror"} if mount else {})}
    for each in reader.take("cache_dir", lambda each: each.words[0] == "aufs" and each.words[1] in places):
        disk: dict[str, Any] = {"size": f"{each.words[2]}M", "where": places[each.words[1]]}
        made["disk"] = disk | ({"max_object": large} if large else {})
    return {"cache": made} if made else {}


def _parents(reader: Reader) -> tuple[dict[str, Any], list[tuple[Directive, str]]]:
    """Settings below ``squid``, and parents with what is left out of them."""
    turns: set[str] = set()
    found = reader.take("cache_peer", lambda each: len(each.words) > 3 and each.words[1] == "parent")  # noqa: PLR2004
    proxies = [_parent(reader, each, turns) for each in found]
    if not proxies:
        return {}, []
    choose = "in_turn" if "round-robin" in turns else "by_client" if "sourcehash" in turns else "first"
    never = bool(reader.take("never_direct", lambda each: each.words == ("allow", "all")))
    made = {"parents": {"proxies": proxies, "choose": choose, "direct": "never" if never else "as_last_resort"}}
    own = [each for each in found for word in each.words if word.startswith("login=") and word != "login=PASSTHRU"]
    return made, [(each, "its login, without which this parent is declared") for each in own]


def _parent(reader: Reader, each: Directive, turns: set[str]) -> dict[str, Any]:
    host, _, port, _, *options = each.words
    said = dict(word.split("=", 1) for word in options if "=" in word)
    turns.update(set(options) & {"round-robin", "sourcehash"})
    made: dict[str, Any] = {"host": host, "port": int(port)}
    made |= {"tls": True} if {"tls", "ssl"} & set(options) else {}
    made |= {"weight": int(said["weight"])} if "weight" in said else {}
    made |= {"login": "pass"} if said.get("login") == "PASSTHRU" else {}
    name = said.get("name", host)
    for rule in reader.take("cache_peer_access", lambda rule: rule.words[0] == name):
        for word in rule.words[2:]:
            kind, values = reader.lists.get(word.lower(), ("", ()))
            if rule.words[1] == "allow" and kind == "dstdomain" and not from_file(values):
                reader.used([word])
                made["domains"] = list(values)
    return made


def _words(line: str) -> list[str]:
    """A program and its arguments as Squid reads them."""
    found = re.findall(r'"((?:[^"\\]|\\.)*)"|(\S+)', line)
    return [re.sub(r"\\(.)", r"\1", quoted) if quoted or not plain else plain for quoted, plain in found]


def _auth(reader: Reader, platform: Platform) -> dict[str, Any]:
    """Without passwords and names: those are in files, and become secrets only by the site's own people."""
    made: dict[str, Any] = {}
    mine = platform.squid_helpers
    for each in reader.of("auth_param"):
        kind = each.words[:2]
        words = _words(reader.raw(each, 3))
        if kind == ("negotiate", "program") and words[:1] == [f"{mine}/negotiate_kerberos_auth"]:
            made["kerberos"] = _kerberos(words[1:])
        elif kind == ("basic", "program") and words[:1] == [f"{mine}/basic_ldap_auth"] and not _binds(words):
            made["ldap"] = _ldap(words[1:])
        elif kind == ("basic", "realm"):
            made["realm"] = reader.raw(each, 3)
        elif kind == ("basic", "credentialsttl"):
            made["ttl"] = seconds(reader.raw(each, 3)) or "2h"
        elif kind[1:] == ("children",):
            made["helpers"] = int(each.words[2])
        elif kind != ("negotiate", "keep_alive"):
            continue
        reader.done(each)
    return {"auth": made} if {"kerberos", "ldap"} & set(made) else {}


def _binds(words: list[str]) -> bool:
    """Whether an LDAP helper logs in itself, by a password (``-w``, ``-W`` from a file): a secret of the site's."""
    return any(word.lower().startswith("-w") for word in words)


def _options(words: list[str], flags: dict[str, str]) -> dict[str, Any]:
    return {flags[word]: words[number + 1] for number, word in enumerate(words[:-1]) if word in flags}


def _kerberos(words: list[str]) -> dict[str, Any]:
    made = _options(words, {"-k": "keytab", "-s": "principal"})
    return {name: text for name, text in made.items() if text != "GSS_C_NO_NAME"}


def _ldap(words: list[str]) -> dict[str, Any]:
    made = _options(words, {"-H": "uri", "-b": "base", "-f": "filter", "-D": "bind_dn"})
    return made | ({"start_tls": True} if "-Z" in words else {})
