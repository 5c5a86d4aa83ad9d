"""squid.conf as settings of the declaration: the way back from `blueprint.render.squid_conf`."""

from __future__ import annotations

from typing import Any

from blueprint.platforms import Platform
from blueprint.squid_settings import DNS, FORWARDED_FOR, TIMEOUTS
from declaration.squid import Squid
from declaration.squid_network import Dns
from operations.adopt import access, cache, customary, login, logs, parents
from operations.adopt.directives import Reader, fits
from operations.adopt.model import Draft
from operations.adopt.quantities import WHOLE_SECONDS, seconds, some_seconds
from providers.squid.conf import Directive, Endpoint, endpoint
from providers.squid.masking import shown, without_passwords

_LOOPBACK = "127.0.0.1"


def describe(
    draft: Draft, node: str, text: str, platform: Platform, *, mirror: str = "", mount: str = "", vip: str = ""
) -> None:
    """Fill in ``squid`` and ``log`` from a node's squid.conf.

    ``mount`` is the mirror's mount point and ``mirror`` the directory of Squid's logs there, '' without a mirror;
    ``vip`` the virtual IP. The draft knows the node's own address already.
    """
    path = platform.squid_configuration
    own = next((each["address"] for each in draft.site["nodes"] if each["name"] == node), "")
    reader = Reader(text, path)
    squid: dict[str, Any] = _listening(reader, vip)
    ways = login.ways(reader, platform)
    allowed, lost = access.read(reader, logins=bool(ways))
    squid |= allowed
    squid |= _plain(reader)
    squid |= _outgoing(reader, vip, own)
    squid |= _includes(reader)
    squid |= parents.read(reader)
    squid |= login.read(reader, ways, asked=access.asks_for_login(allowed))
    squid |= cache.read(reader, platform, mount)
    found, unsaid = logs.read(reader, platform.squid_log_directory, mirror)
    draft.site["squid"] = squid
    draft.site["log"] = found
    customary.take(reader, platform.squid_spool)
    for each, reason in [*lost, *unsaid, *reader.lost, *((each, "it") for each in reader.left())]:
        why = f"the site's file has no words for {without_passwords(reason)}"
        draft.note(node, f"{path} line {each.line}", f"`{shown(each)}`: {why}")


def _listening(reader: Reader, vip: str) -> dict[str, Any]:
    found = [(each, end) for each in reader.of("http_port") if (end := _plain_port(each)) is not None]
    reader.done(*(each for each, _ in found))
    ends = {(end.address, end.port) for _, end in found}
    ports = list(dict.fromkeys(end.port for _, end in found))
    made: dict[str, Any] = {"port": ports[0]} if ports else {}
    if len(ports) > 1:
        made["more_ports"] = ports[1:]
    if vip and ends == {(address, port) for address in (vip, _LOOPBACK) for port in ports}:
        return made | {"listen": "virtual_ip"}
    for each, end in found:
        if end.address and ("", end.port) not in ends:
            reader.unsaid(each, f"an address of its own, {end.address}; the port is declared, on all of them")
        elif end.address:
            reader.unsaid(each, "an address of a port that is open on all of them")
    return made


def _plain_port(each: Directive) -> Endpoint | None:
    found = endpoint(each.words[0]) if len(each.words) == 1 else None
    return found if found is not None and fits(Squid, "port", found.port) else None


def _plain(reader: Reader) -> dict[str, Any]:
    made: dict[str, Any] = {}
    # Unless it is said, Squid takes half a minute.
    grace = reader.value("shutdown_lifetime", seconds, WHOLE_SECONDS) if reader.of("shutdown_lifetime") else "30s"
    made |= {"shutdown_lifetime": grace} if grace else {}
    name = reader.value("visible_hostname", _host_name, "a name that is none of a host")
    made |= {"visible_hostname": name} if name else {}
    headers = {"on": "add", **{word: setting for setting, word in FORWARDED_FOR.items()}}
    header = reader.value("forwarded_for", headers.get, "it")
    made |= {"forwarded_for": header} if header not in (None, "add") else {}
    if reader.value("via", {"on": True, "off": False}.get, "it") is False:
        made["via"] = False
    dns = _dns(reader)
    limits = _durations(reader, TIMEOUTS)
    return made | ({"dns": dns} if dns else {}) | ({"timeouts": limits} if limits else {})


def _host_name(text: str) -> str | None:
    return text if fits(Squid, "visible_hostname", text) else None


def _dns(reader: Reader) -> dict[str, Any]:
    # Of several lines Squid asks the servers of all.
    lines = reader.take("dns_nameservers", lambda each: fits(Dns, "servers", each.words))
    servers = list(dict.fromkeys(word for each in lines for word in each.words))
    domain = reader.value("append_domain", lambda text: text if fits(Dns, "append_domain", text) else None, "it")
    made: dict[str, Any] = {"servers": servers} if servers else {}
    return made | _durations(reader, DNS) | ({"append_domain": domain} if domain else {})


def _durations(reader: Reader, directives: dict[str, str]) -> dict[str, Any]:
    found = {name: reader.value(each, some_seconds, WHOLE_SECONDS) for name, each in directives.items()}
    return {name: text for name, text in found.items() if text}


def _outgoing(reader: Reader, vip: str, own: str) -> dict[str, Any]:
    """Of several lines Squid takes the first that fits the request: one without access lists counts for the rest."""
    known = {address: word for address, word in ((own, "node"), (vip, "virtual_ip")) if address}
    said = ""
    for each in reader.of("tcp_outgoing_address"):
        if len(each.words) != 1:
            reader.unsaid(each, "an address for some of the requests")
        elif said:
            reader.unsaid(each, "another address behind one for all requests")
        elif each.words[0] not in known:
            reader.unsaid(each, "an address that is neither the node's in the clients' network nor the virtual IP")
        else:
            said = known[each.words[0]]
            reader.done(each)
    return {"outgoing": said} if said else {}


def _includes(reader: Reader) -> dict[str, Any]:
    found = reader.take("include", lambda each: bool(each.words) and fits(Squid, "include", each.words))
    return {"include": list(dict.fromkeys(word for each in found for word in each.words))} if found else {}
