"""Building blocks of the models: strict settings, and text types whose refusal says what was expected."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError

T = TypeVar("T")


class Settings(BaseModel):
    """Base of every part of a declaration: strict, frozen, no unknown keys, described by its docstrings."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        validate_default=True,
        use_attribute_docstrings=True,
    )


def wrong(expected: str) -> PydanticCustomError:
    """The error that a validator raises; ``expected`` is shown to people as it is."""
    return PydanticCustomError("wrong", "{expected}", {"expected": expected})


def section(expected: str) -> BeforeValidator:
    """Names of the site's own and their values; anything else is refused by ``expected``."""

    def as_section(value: object) -> object:
        if not isinstance(value, Mapping):
            raise wrong(expected)
        return dict(cast("Mapping[object, object]", value))

    return BeforeValidator(as_section)


_HIDDEN = {"Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp", "Zs"}
_BLANK = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")
"""Letters and marks that Unicode wants drawn as nothing (Default_Ignorable_Code_Point)."""


def refuse_control(text: str) -> str:
    """``text``, unless it holds something that ends a line or hides what is written where it is rendered."""
    if text.isascii() and text.isprintable():
        return text
    for character in text:
        if character != " " and (unicodedata.category(character) in _HIDDEN or _BLANK.match(character)):
            raise wrong(f"text without line breaks, control or invisible characters ({character!a})")
    return text


@dataclass(frozen=True)
class Told:
    """What the schema and the pages of the settings tell of a type whose validator they cannot look into.

    ``expected`` is the sentence of its refusal, ``pattern`` a regular expression that all of its texts match,
    ``unit`` what stands behind its numbers, ``default`` how no setting at all is written, where there is a word for it.
    """

    expected: str
    pattern: str = ""
    unit: str = ""
    default: str = ""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(schema), **self.keywords()}

    def keywords(self) -> dict[str, str]:
        """These as keywords of JSON Schema; what it has no word for begins with ``x-``."""
        told = {"x-expected": self.expected, "pattern": self.pattern, "x-unit": self.unit, "x-default": self.default}
        return {name: text for name, text in told.items() if text}


@dataclass(frozen=True, slots=True)
class Written(BeforeValidator):
    """A validator that tells what it expects."""

    told: Told = Told("text")

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(schema), **self.told.keywords()}


def written(expected: str, parse: Callable[[str], str], *, unit: str = "") -> Written:
    """A text type: ``parse`` returns the value to keep; a ``ValueError`` becomes "``expected``".

    What is not text at all is refused with the hint to quote it, because YAML reads ``1.10``, ``010`` and
    ``true`` as something else than what stands there.
    """

    def validate(value: object) -> str:
        if not isinstance(value, str):
            raise wrong(f"{expected}{unit_hint(value) if unit else quoting_hint(value)}")
        refuse_control(value)
        try:
            return parse(value)
        except ValueError as error:
            # pydantic's own errors are ValueErrors too and carry a better sentence
            raise error if isinstance(error, PydanticCustomError) else wrong(expected) from None

    return Written(validate, told=Told(expected, parse.whole if isinstance(parse, Matching) else "", unit))


def quoting_hint(value: object) -> str:
    """What to say when YAML made ``value`` of what was meant as text; empty for lists and sections."""
    kinds: dict[type, str] = {bool: "a truth value", int: "a number", float: "a number"}
    if value is None:
        return "; nothing is written after the colon"
    return f"; YAML reads this as {kinds[type(value)]}: put it in quotes" if type(value) in kinds else ""


def unit_hint(value: object) -> str:
    """What to say where a number and its unit belong and ``value`` is no text."""
    return "; a number alone has no unit" if type(value) in {int, float} else quoting_hint(value)


class Matching:
    """A parser that keeps text which matches a pattern from its first to its last character."""

    def __init__(self, pattern: str) -> None:
        self._compiled = re.compile(pattern)

    def __call__(self, text: str) -> str:
        """``text``; raises `ValueError` for any other."""
        if not self._compiled.fullmatch(text):
            raise ValueError(text)
        return text

    @property
    def whole(self) -> str:
        """The pattern as JSON Schema has it, or '' where another language would read it otherwise."""
        # \w, \d and \s are any script's in Python and ASCII elsewhere
        return "" if re.search(r"\\[a-zA-Z]|\(\?", self._compiled.pattern) else f"^(?:{self._compiled.pattern})$"


def matching(pattern: str) -> Matching:
    """A parser that keeps text which matches ``pattern``."""
    return Matching(pattern)


def _as_tuple(value: object) -> object:
    return tuple(cast("list[object]", value)) if isinstance(value, list) else value


Many = Annotated[tuple[T, ...], BeforeValidator(_as_tuple)]
"""A YAML list, kept unchangeable."""

Some = Annotated[Many[T], Field(min_length=1)]
"""A YAML list with something in it."""


def _text(value: str) -> str:
    if not value.strip():
        raise ValueError(value)
    return value


Text = Annotated[str, written("text on a single line", _text)]

Port = Annotated[int, Field(ge=1, le=65535)]

PORT_IN_TEXT = "([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
"""A `Port` within a text, from 1 to 65535, as a regular expression."""

RESERVED_NAMES = ("all", "active", "standby", "local", "localhost", "none")
"""Words that commands take in the place of a node's name."""

_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_HOST_NAME_LENGTH = 253


def is_host_name(text: str) -> bool:
    """Whether ``text`` is a host name after RFC 1123; what looks like an address or a number is none."""
    last = text.rsplit(".", 1)[-1]
    return bool(_HOST_NAME.fullmatch(text)) and len(text) <= _HOST_NAME_LENGTH and not last.isdigit()


def _host_name(text: str) -> str:
    if not is_host_name(text):
        raise ValueError(text)
    return text


HostName = Annotated[
    str,
    written("a host name of letters, digits, hyphens and dots, such as `proxy.example.org`", _host_name),
]


def _node_name(text: str) -> str:
    if text.lower() in RESERVED_NAMES:
        raise wrong(f"another name: `{text}` means something else to the commands (a name such as `qsp-a`)")
    return _host_name(text)


NodeName = Annotated[
    str,
    written("the node's host name as `uname -n` prints it there, such as `qsp-a`", _node_name),
]

UserName = Annotated[
    str,
    written("a login name such as `ops` (small letters, digits, `_` and `-`)", matching(r"[a-z_][a-z0-9_-]{0,31}")),
]

Octal = Annotated[str, written("a file mode as four octal digits in quotes, such as '0640'", matching(r"0[0-7]{3}"))]

FileName = Annotated[
    str,
    written("a file name without directories, such as `access.log`", matching(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")),
]

SecretName = Annotated[
    str,
    written(
        "the name of a configuration key set by `pulumi config set --secret`, such as `ops-sudo`",
        matching(r"[A-Za-z][A-Za-z0-9_-]{0,63}"),
    ),
]


class Secret(Settings):
    """A secret by name: its value is set by ``pulumi config set --secret NAME``, never in the site."""

    secret: SecretName
    """Name of the configuration key that holds the value, without the project's prefix."""
