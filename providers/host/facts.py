"""What tells whose a node is: platform, cluster, Squid's configuration. One command and one pure parser each."""

from __future__ import annotations

import ipaddress
import re
import shlex
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from providers.connection.answers import not_understood
from providers.connection.command import Command, command, script
from providers.connection.errors import Unknown
from providers.host.corosync import is_distribution_default

OS_RELEASE = command("cat", "/etc/os-release", reads=True)
"""os-release(5)."""

ADDRESSES = command("ip", "-json", "address", "show", reads=True)
"""ip-address(8)."""

HOSTNAME = command("uname", "-n", reads=True)
KERNEL = command("uname", "-r", reads=True)

COROSYNC = script(
    "systemctl is-active --quiet corosync.service && cat /etc/corosync/corosync.conf 2>/dev/null; exit 0",
    label="read the configuration of a running corosync",
    reads=True,
)
"""corosync.conf(5), printed only while corosync runs."""

_CONFFILE = r"""
dpkg-query --show --showformat '${Conffiles}\n' 'squid*' 2>/dev/null
echo
echo "found $(md5sum <"$1" 2>/dev/null)"
"""


def conffile(path: str) -> Command:
    """What dpkg knows of ``path`` as a file of some squid package, and what is there; for `is_distributed`."""
    return script(_CONFFILE, path, label=f"compare {path} with the distribution's", reads=True)


def parse_platform(text: str) -> str:
    """``debian-12``: ID and VERSION_ID of os-release(5); ``unknown`` where there is no ID, or none that can be read."""
    lines = [line.strip().partition("=") for line in text.splitlines()]
    values = {key: _unquoted(value) for key, equals, value in lines if equals}
    name, version = values.get("ID", ""), values.get("VERSION_ID", "")
    if not name:
        return "unknown"
    return f"{name}-{version}" if version else name


def _unquoted(value: str) -> str:
    """A value as a shell reads it, '' where a quote is not closed."""
    try:
        return "".join(shlex.split(value)[:1])
    except ValueError:
        return ""


@dataclass(frozen=True)
class Address:
    """One that an interface has; ``prefix`` is its length, ``scope`` as ip-address(8) names it."""

    interface: str
    text: str
    prefix: int
    scope: str


class _Address(BaseModel):
    local: str
    prefixlen: int | None = None
    scope: str = ""


class _LeftOut(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Link(BaseModel):
    """``ip`` prints an empty object for a link or an address that it was not asked for."""

    ifname: str | None = None
    addr_info: list[_Address | _LeftOut] = Field(default_factory=list[_Address | _LeftOut])


_LINKS = TypeAdapter(list[_Link])


def parse_addresses(text: str) -> dict[str, list[str]]:
    """Interface → its addresses, of `ip -json address show`. Raises `Unknown` for what ip does not print."""
    return {name: [_canonical(each) for each in there] for name, there in _links(text).items()}


def parse_prefixes(text: str) -> list[Address]:
    """The same with the length of each one's prefix and its scope. Raises `Unknown` where one has no length."""
    return [
        Address(name, _canonical(each), _length(each), each.scope)
        for name, there in _links(text).items()
        for each in there
    ]


def _links(text: str) -> dict[str, list[_Address]]:
    try:
        links = _LINKS.validate_json(text) if text.strip() else []
    except ValueError as error:
        raise _no_addresses() from error
    return {
        link.ifname: [each for each in link.addr_info if isinstance(each, _Address)]
        for link in links
        if link.ifname is not None
    }


def is_address(text: str) -> bool:
    """Whether a text is an address and nothing else: no name, and without the length of a prefix."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _canonical(address: _Address) -> str:
    try:
        return str(ipaddress.ip_address(address.local))
    except ValueError as error:
        raise _no_addresses() from error


def _length(address: _Address) -> int:
    if address.prefixlen is None:
        raise _no_addresses()
    return address.prefixlen


def _no_addresses() -> Unknown:
    return not_understood("what `ip` says of the addresses")


def parse_cluster_name(text: str) -> str | None:
    """``cluster_name`` of a corosync.conf; None if corosync does not run (empty text); '' if the file names none."""
    if not text.strip():
        return None
    found = re.search(r"^\s*cluster_name\s*:\s*(\S+)", text, re.MULTILINE)
    return found[1] if found else ""


def foreign_cluster(text: str, own: str) -> str | None:
    """Which other cluster than ``own`` corosync runs, in words, of what `COROSYNC` says; None for no other one's.

    What the package starts by itself is nobody's. A file that cannot be read, or names no cluster, is somebody's.
    """
    name = parse_cluster_name(text)
    if name in (None, own) or is_distribution_default(text):
        return None
    return name or "one without a name"


def is_distributed(text: str, path: str) -> bool:
    """Whether the file at ``path`` is as its package brought it, or is not there at all.

    A file that no package claims is somebody's own.
    """
    found = re.search(r"^found (\S+)", text, re.MULTILINE)
    if found is None:
        return True
    shipped = re.findall(rf"^ {re.escape(path)} ([0-9a-f]{{32}})", text, re.MULTILINE)
    return found[1] in shipped
