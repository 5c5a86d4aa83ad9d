"""Who may use the proxy for what: rules in Squid's own order of evaluation, the first that fits decides."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import BeforeValidator, ConfigDict

from declaration.addresses import Subnet
from declaration.types import Port, Settings, Some, Told, is_host_name, matching, refuse_control, written, wrong

_LAST_PORT = 65535
_PORTS = "a port or a range of ports, such as `443` or `1025-65535`"
_HOURS = "days and hours, such as `mon-fri 08:00-17:00`, `sat,sun` or `18:00-24:00`"
_CLOCK = re.compile(r"([01][0-9]|2[0-4]):([0-5][0-9])-([01][0-9]|2[0-4]):([0-5][0-9])")
DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_DAY_MINUTES = 24 * 60


def _domain(text: str) -> str:
    if text.startswith("*."):
        raise wrong(f"a domain with a dot in front of it, which covers all hosts in it: `{text[1:]}`")
    if not text.isascii():
        raise wrong("a domain in ASCII, as a browser asks for it, such as `.xn--bcher-kva.example`")
    if not is_host_name(text.removeprefix(".")):
        raise ValueError(text)
    return text.lower()


def _ports(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise wrong(_PORTS)
    text = str(value)
    refuse_control(text)
    if not re.fullmatch(r"[1-9][0-9]{0,4}(-[1-9][0-9]{0,4})?", text):
        raise wrong(_PORTS)
    first, last = ports_of(text)
    if last > _LAST_PORT or first > last:
        raise wrong(f"{_PORTS}: from the smaller to the larger, at most {_LAST_PORT}")
    return text


def _hours(text: str) -> str:
    days, _, hours = text.rpartition(" ")
    if not days and ":" not in hours:
        days, hours = hours, ""
    if days:
        _check_days(days)
    if hours:
        clock = _CLOCK.fullmatch(hours)
        if clock is None:
            raise ValueError(text)
        first, last = _minutes(hours)
        if last > _DAY_MINUTES or first >= last:
            raise wrong(f"{_HOURS}; from the earlier to the later of one day, in two entries across midnight")
    return text


def _check_days(days: str) -> None:
    for part in days.split(","):
        if not 1 <= len(part.split("-")) <= 2 or any(day not in DAYS for day in part.split("-")):  # noqa: PLR2004
            raise ValueError(days)


Domain = Annotated[
    str, written("a domain such as `www.example.org`, or `.example.org` for it and all hosts in it", _domain)
]
Method = Annotated[
    str,
    written("a method of HTTP in capital letters, such as `GET` or `CONNECT`", matching(r"[A-Z][A-Z-]{0,30}")),
]
Ports = Annotated[str, BeforeValidator(_ports, json_schema_input_type=Port | str), Told(_PORTS)]
Hours = Annotated[str, written(_HOURS, _hours)]


def _user(text: str) -> str:
    if text.upper() == "REQUIRED":
        raise wrong("a user's name; for every user who can log in: `authenticated: true`")
    return matching(r"[A-Za-z0-9][A-Za-z0-9._@+/-]{0,127}")(text)


User = Annotated[str, written("a user's name as given at login, such as `anna` or `anna@EXAMPLE.ORG`", _user)]


class AccessRule(Settings):
    """One rule: what is done with a request that meets all of its conditions. Without conditions it fits every one."""

    # A list that is there and empty is a slip, and would fit everybody; what is not there is no condition.
    model_config = ConfigDict(validate_default=False)

    action: Literal["allow", "deny"]
    """What is done with a request that fits."""

    networks: Some[Subnet] = ()
    """Networks that the client is in one of."""

    domains: Some[Domain] = ()
    """Domains that the client asks for one of; with a dot in front also all hosts in it. Requests for bare addresses
    fit none."""

    methods: Some[Method] = ()
    """Methods that the client uses one of."""

    ports: Some[Ports] = ()
    """Ports that the client asks for one of."""

    times: Some[Hours] = ()
    """Days and hours by the node's clock and time zone."""

    authenticated: bool = False
    """Whether the client must have logged in, as whoever it is."""

    users: Some[User] = ()
    """Users that the client must have logged in as one of, in capital or small letters alike: `anna` is `Anna` too."""

    @property
    def asks_for_login(self) -> bool:
        """Whether a request has to carry credentials to fit."""
        return self.authenticated or bool(self.users)


def ports_of(text: str) -> tuple[int, int]:
    """First and last port that a `Ports` names."""
    first, _, last = text.partition("-")
    return int(first), int(last or first)


def days_of(hours: str) -> tuple[int, ...]:
    """The days that an `Hours` names, Sunday is 0; all of them if it names none."""
    days = hours.split(" ", maxsplit=1)[0]
    if ":" in days:
        return tuple(range(7))
    return tuple(sorted({day for part in days.split(",") for day in _span(part)}))


def _span(part: str) -> Iterator[int]:
    first, _, last = part.partition("-")
    day, end = DAYS.index(first), DAYS.index(last or first)
    yield day
    while day != end:
        day = (day + 1) % 7
        yield day


def minutes_of(hours: str) -> tuple[int, int]:
    """First and last minute of the day that an `Hours` names, from 0 to 1440."""
    clock = hours.rsplit(" ", maxsplit=1)[-1]
    return _minutes(clock) if ":" in clock else (0, _DAY_MINUTES)


def _minutes(clock: str) -> tuple[int, int]:
    found = _CLOCK.fullmatch(clock)
    if found is None:
        raise ValueError(clock)
    first_hour, first_minute, last_hour, last_minute = (int(each) for each in found.groups())
    return first_hour * 60 + first_minute, last_hour * 60 + last_minute
