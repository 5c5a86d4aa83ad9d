"""What every Squid's file has: what Squid ships or has by itself, and what this program writes unasked."""

from __future__ import annotations

from blueprint.render.squid_conf import PROBE_DOMAIN, REFRESH_PATTERNS
from operations.adopt.directives import Reader
from providers.squid.conf import PROBE_LIST, Directive

_PATTERNS = (*REFRESH_PATTERNS, "^gopher: 1440 0% 1440")
_LINK_LOCAL = ("dst", "169.254.0.0/16 fe80::/10")
_LISTS = {
    "all": ("src", "all 0.0.0.0/0 ::/0 0.0.0.0/0.0.0.0"),
    "connect": ("method", "CONNECT"),
    "localhost": ("src", "127.0.0.1 127.0.0.1/32 127.0.0.1/255.255.255.255 ::1 ::1/128"),
    "to_localhost": ("dst", "127.0.0.0/8 0.0.0.0/32 ::1 ::1/128 ::/128"),
    "link_local": _LINK_LOCAL,
    "to_linklocal": _LINK_LOCAL,
    PROBE_LIST: ("dstdomain", PROBE_DOMAIN),
}
"""Squid's own lists, which may be said again, and this program's: kind and values, of which there may be fewer."""
_MANAGERS = (("proto", "cache_object"), ("url_regex", "^cache_object:// +i ^https?://[^/]+/squid-internal-mgr/"))


def is_usual(reader: Reader, name: str) -> bool:
    """Whether an access list of this name is what it is everywhere: not defined in the file, or defined as usual."""
    if name not in reader.lists:
        return True
    kind, values = reader.lists[name]
    known = _MANAGERS if name == "manager" else tuple(found for key, found in _LISTS.items() if key == name)
    return any(kind == usual and set(values) <= set(allowed.split()) for usual, allowed in known)


def take(reader: Reader, spool: str) -> None:
    """Take what needs no words; ``spool`` is where Squid is at home."""
    reader.used(name for name in (*_LISTS, "manager") if is_usual(reader, name))
    reader.take("refresh_pattern", lambda each: " ".join(each.words) in _PATTERNS)
    reader.take("coredump_dir", lambda each: each.words == (spool,))
    reader.take("prefer_direct", _is_off)
    for each in reader.left():
        if each.name == "refresh_pattern":
            reader.unsaid(each, "how long what is kept counts as fresh, otherwise than Squid ships it")


def _is_off(each: Directive) -> bool:
    return each.words == ("off",)
