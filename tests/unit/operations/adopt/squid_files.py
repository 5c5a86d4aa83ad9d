"""squid.conf as a person writes it, on a node of the example with a mirror, and what becomes of it."""

from __future__ import annotations

from blueprint.platforms import PLATFORMS
from declaration.load import read
from declaration.site import Site
from operations.adopt import squid
from operations.adopt.model import Draft
from tests.support.phases import example

VIP, OWN = "192.0.2.10", "192.0.2.11"
MIRROR = "/mnt/mirror/squid"
EXAMPLE = example(3)


def described(text: str) -> Draft:
    """What a node of the example with a mirror says of itself, with this squid.conf."""
    draft = Draft({"nodes": EXAMPLE["nodes"]})
    platform = PLATFORMS["debian-12"]
    squid.describe(draft, "qsp-a", text, platform, mirror=MIRROR, mount="/mnt/mirror", vip=VIP)
    return draft


def site_of(draft: Draft) -> Site:
    return read(EXAMPLE | {name: draft.site[name] for name in ("squid", "log")}, "what was found")


def told(draft: Draft) -> dict[int, list[str]]:
    """Line → what is said of it."""
    made: dict[int, list[str]] = {}
    for note in draft.notes:
        made.setdefault(int(note.place.rpartition(" ")[2]), []).append(note.what)
    return made


BASE = """\
http_port 3128
acl SSL_ports port 443
acl Safe_ports port 80
acl Safe_ports port 443 1025-65535
acl office src 192.0.2.0/24
acl news dstdomain .news.example
acl ads url_regex -i ads
acl asked proxy_auth REQUIRED
acl sending method POST PUT
acl monitor src 192.0.2.250/32
http_access deny !Safe_ports
http_access deny CONNECT !SSL_ports
http_access allow localhost manager
http_access deny manager
{rules}
http_access allow office
http_access deny all
access_log stdio:/var/log/squid/access.log squid
access_log stdio:/mnt/mirror/squid/access.log squid
"""
COMMON = BASE.format(rules="").replace("\n\n", "\n")
BEFORE = COMMON.count("\n")


def with_lines(text: str) -> tuple[Draft, dict[int, list[str]]]:
    """The draft of a usual file with these lines behind it, and what is said of them, from 1 on."""
    draft = described(COMMON + text + "\n")
    return draft, {line - BEFORE: notes for line, notes in told(draft).items() if line > BEFORE}


def is_listed(text: str, why: str) -> None:
    """Fails unless the lines, behind a usual file, are listed with this reason."""
    _, notes = with_lines(text)
    assert any(why in each for found in notes.values() for each in found), notes
