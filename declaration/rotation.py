"""Rotation of the mirror's log. The distribution's rotation of the local logs stays as it is."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from declaration.quantities import Size
from declaration.types import Settings, Told, refuse_control, wrong

_DATE_PART = re.compile(r"%([YmdHMSs])")
_DATE_FORMAT = re.compile(r"[-._](?:[-._A-Za-z0-9]|%[YmdHMSs])*")
_EXPECTED = (
    "`true`, `false` (rotated files are numbered), or a format of %Y %m %d %H %M %S %s that begins with `-`, `.` or"
    " `_`, such as `-%Y%m%d-%H%M%S`"
)
_ORDER = "YmdHMS"
_LONGEST_PATTERN = 127
_PATTERN_LENGTHS = {"Y": 20, "s": 50}
"""Characters that logrotate's own search pattern needs for a part of the date; 10 for every other part."""


def date_parts(date_format: str) -> str:
    """The letters of a date format's parts, in their order."""
    return "".join(_DATE_PART.findall(date_format))


def _date_suffix(value: object) -> bool | str:
    if isinstance(value, bool):
        return value
    if not isinstance(value, str):
        raise wrong(_EXPECTED)
    refuse_control(value)
    # As plain text where YAML 1.2 is read, a truth value where 1.1 is.
    if value in {"on", "off"}:
        return value == "on"
    parts = date_parts(value)
    if not _DATE_FORMAT.fullmatch(value) or not parts:
        raise wrong(_EXPECTED)
    calendar = parts.replace("s", "", 1)
    if not _ORDER.startswith(calendar):
        raise wrong(
            "a format whose files sort by age: %s, or the year first, each part once and none left out between"
            " (%Y %m %d %H %M %S)"
        )
    plain = len(_DATE_PART.sub("", value))
    if plain + sum(_PATTERN_LENGTHS.get(part, 10) for part in parts) > _LONGEST_PATTERN:
        raise wrong("a shorter format: logrotate takes at most 63 characters, and fewer where there are many parts")
    return value


DateSuffix = Annotated[bool | str, BeforeValidator(_date_suffix), Told(_EXPECTED)]


class Rotation(Settings):
    """When the log on the mirror is rotated and how much of it is kept. logrotate does it, looked at once an hour."""

    schedule: Literal["hourly", "daily", "weekly", "monthly"] = "daily"
    """How often. Not together with `size`."""

    keep: Annotated[int, Field(ge=1, le=10_000)] = 14
    """How many rotated files stay."""

    compress: bool = True
    """Compress rotated files, from the second rotation on."""

    date_suffix: DateSuffix = True
    """What a rotated file's name ends in: `true` for date and time, `false` for a number, or a date format."""

    size: Size | None = None
    """Rotate when the log has reached this size, and only then: instead of `schedule`."""

    max_size: Size | None = None
    """Rotate also when the log is larger than this, looked at every hour."""

    min_size: Size | None = None
    """Rotate by the schedule only if the log has reached this size."""
