"""Durations and sizes: text with a unit."""

from __future__ import annotations

import re
from typing import Annotated, Any, Self

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from declaration.types import Told, matching, refuse_control, unit_hint, written, wrong

_UNITS_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_DURATION = re.compile(r"(0|[1-9][0-9]{0,14})(ms|s|m|h|d)")
_EXPECTED = "a time with its unit, such as `6s`, `500ms` or `2m`"


class Duration(str):
    """A length of time as it was written (``6s``), with its value. Units: ms, s, m, h, d.

    Raises `ValueError` for any other text. Equality is that of the text: ``60s`` is not ``1m``.
    """

    __slots__ = ("milliseconds",)

    milliseconds: int

    def __new__(cls, text: str) -> Self:  # noqa: D102 the class says it
        match = _DURATION.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is not {_EXPECTED}")
        self = super().__new__(cls, text)
        self.milliseconds = int(match[1]) * _UNITS_MS[match[2]]
        return self

    @classmethod
    def of_milliseconds(cls, milliseconds: int) -> Duration:
        """The shortest text for a length of time, in the largest unit that holds it exactly."""
        for unit, size in sorted(_UNITS_MS.items(), key=lambda item: -item[1]):
            if milliseconds and milliseconds % size == 0:
                return cls(f"{milliseconds // size}{unit}")
        return cls(f"{milliseconds}s")

    @property
    def seconds(self) -> float:
        """The value in seconds."""
        return self.milliseconds / 1000

    @property
    def whole_seconds(self) -> int:
        """The value in seconds, rounded up: what is given to tools that know only whole seconds."""
        return -(-self.milliseconds // 1000)

    @property
    def is_whole(self) -> bool:
        """Whether it is a whole number of seconds."""
        return self.milliseconds % 1000 == 0

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls._validate,
            serialization=core_schema.to_string_ser_schema(),
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: Any) -> dict[str, object]:  # noqa: ANN401 pydantic's own signature
        told = Told(_EXPECTED, f"^{_DURATION.pattern}$", "ms, s, m, h or d")
        return {"type": "string", **told.keywords()}

    @classmethod
    def _validate(cls, value: object) -> Duration:
        if not isinstance(value, str):
            raise wrong(_EXPECTED + unit_hint(value))
        refuse_control(value)
        if not _DURATION.fullmatch(value):
            raise wrong(_EXPECTED)
        return cls(value)


Size = Annotated[
    str,
    written(
        "a size in whole units, such as `500M` or `2G` (k, M, G)",
        matching(r"[1-9][0-9]{0,8}[kMG]"),
        unit="k, M or G: powers of 1024 bytes",
    ),
]


def in_bytes(size: str) -> int:
    """The number of bytes that a `Size` names; k, M and G are powers of 1024."""
    return int(size[:-1]) * 1024 ** ("kMG".index(size[-1]) + 1)
