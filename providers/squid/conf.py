"""Reading Squid's configuration language, as far as what must not be in it goes.

Facts: squid.conf.documented of Squid 5.7; ``src/cache_cf.cc`` (``parseOneConfigFile``): a line whose last character is
a backslash goes on in the next, where blank lines and those of a comment are left out in between too; a line ends at
its first carriage return; ``#`` begins a comment at the start of a word; names of access lists do not tell capital
letters apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from providers.host.facts import is_address


@dataclass(frozen=True)
class Directive:
    """One directive: its name in small letters, the words behind it, and where it stands."""

    name: str
    words: tuple[str, ...]
    file: str = ""
    line: int = 0

    @property
    def place(self) -> str:
        """File and line, for people."""
        return f"{self.file} line {self.line}"

    def __str__(self) -> str:
        return " ".join((self.name, *self.words))


def directives(text: str, file: str = "") -> list[Directive]:
    """All directives of a file, in order; those in ``if`` and ``else`` too, whichever of them Squid would take."""
    made: list[Directive] = []
    held, first = "", 0
    for number, whole in enumerate(text.split("\n"), 1):
        line = whole.partition("\r")[0].lstrip()
        # A comment does not go on in the next line, whatever it ends with.
        if not line or line.startswith("#"):
            continue
        first = first or number
        held += line
        if held.endswith("\\"):
            held = held[:-1]
            continue
        words = _words(held)
        if words:
            made.append(Directive(words[0].lower(), tuple(words[1:]), file, first))
        held, first = "", 0
    words = _words(held)
    return [*made, Directive(words[0].lower(), tuple(words[1:]), file, first)] if words else made


def _words(line: str) -> list[str]:
    made: list[str] = []
    for word in line.split():
        if word.startswith("#"):
            break
        made.append(word)
    return made


RESTARTS = ("cache_dir",)
"""What a running Squid does not take over: it goes on without making a new directory's structure (measured)."""


def needs_restart(old: str, new: str) -> bool:
    """Whether Squid has to start anew for the difference to take effect."""
    return restarting(directives(old)) != restarting(directives(new))


def restarting(found: Sequence[Directive]) -> tuple[str, ...]:
    """Those of the directives that a running Squid does not take over."""
    return tuple(str(each) for each in found if each.name in RESTARTS)


def unconditional(found: Sequence[Directive]) -> list[Directive]:
    """Those that stand in no ``if`` or ``else``: Squid takes them for certain."""
    made: list[Directive] = []
    depth = 0
    for each in found:
        depth += {"if": 1, "endif": -1}.get(each.name, 0)
        if depth <= 0 and each.name != "endif":
            made.append(each)
    return made


def includes(text: str) -> list[str]:
    """Patterns of files that this one includes, in order."""
    return [pattern for each in directives(text) if each.name == "include" for pattern in each.words]


@dataclass(frozen=True)
class Endpoint:
    """Where Squid listens; ``address`` '' for all addresses."""

    address: str
    port: int

    def __str__(self) -> str:
        if not self.address:
            return f"port {self.port}"
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


def endpoint(word: str) -> Endpoint | None:
    """The first word of an ``http_port``: ``3128``, ``192.0.2.10:3128``, ``[2001:db8::1]:3128``; None for others."""
    address, _, port = word.rpartition(":")
    return Endpoint(address.strip("[]"), int(port)) if port.isascii() and port.isdigit() else None


LISTENS = ("http_port", "https_port", "ftp_port")
"""Ports for clients."""


def endpoints(found: Sequence[Directive]) -> list[Endpoint]:
    """Where a Squid with these directives listens for clients for certain; not at addresses that are given by name."""
    words = [each.words[0] for each in unconditional(found) if each.name in LISTENS and each.words]
    made = [each for word in words if (each := endpoint(word)) is not None]
    return [each for each in made if each.port > 0 and (not each.address or is_address(each.address))]


PROBE_LIST = "squid_ha_probe"
_URL_CODES = ("%ru", "%>ru", "%<ru")
_WITH_URL = ("squid", "common", "combined")


@dataclass(frozen=True)
class RequestLog:
    """A log of every request; ``has_url`` tells whether its records hold the address that was asked for."""

    path: str
    has_url: bool


def request_logs(text: str) -> list[RequestLog]:
    """Logs in files that get a record of every request, or Squid stops. Others may rightly be without one."""
    found = directives(text)
    formats = {each.words[0]: " ".join(each.words[1:]) for each in found if each.name == "logformat" and each.words}
    logs: list[RequestLog] = []
    for each in found:
        if each.name != "access_log" or not each.words or not each.words[0].startswith("stdio:"):
            continue
        options = dict(word.split("=", 1) for word in each.words[1:] if "=" in word)
        lists = [word for word in each.words[1:] if "=" not in word]
        if lists in ([], [f"!{PROBE_LIST}"]) and options.get("on-error") != "drop":
            used = options.get("logformat", "squid")
            has_url = used in _WITH_URL or any(code in formats.get(used, "") for code in _URL_CODES)
            logs.append(RequestLog(each.words[0].removeprefix("stdio:"), has_url))
    return logs
