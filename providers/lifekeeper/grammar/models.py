"""The grammar's data file as typed models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self, cast

from pydantic import BaseModel, ConfigDict, Field, model_validator

from providers.lifekeeper.grammar.plain import Data

Certainty = Literal["confirmed", "documented", "assumed"]
"""Seen in scripts that SIOS published, or people who run it; in SIOS's documentation; nowhere: a candidate."""
LEAST_FIRST: tuple[Certainty, ...] = ("assumed", "documented", "confirmed")
Kind = Literal[
    "none", "any", "text", "tag", "node", "address", "path", "integer", "alphanumeric", "character", "choice"
]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Product(_Entry):
    """Which versions the grammar is about."""

    name: str
    versions: str
    root: str
    corrected_on: str


class Item(_Entry):
    """What an option and an argument have in common. ``certainty`` empty: that of the command."""

    name: str = ""
    value: Kind
    choices: tuple[str, ...] = ()
    minimum: int | None = None
    maximum: int | None = None
    required: bool = False
    repeated: bool = False
    default: str = ""
    means: str
    certainty: Certainty | Literal[""] = ""


class Option(Item):
    """An option, ``spelled`` with its dashes; ``attached``: the value follows without a blank."""

    spelled: str = Field("", alias="as")
    attached: bool = False


class Argument(Item):
    """What stands without an option; ``after`` a word (``--``) or nothing."""

    after: str = ""


class Command(_Entry):
    """One command. ``program`` is below the product's root, or a path with {parts} that are values too.

    ``output`` and ``before``, what it prints and what has to hold, always say something: what is not known is
    ``unknown``, an ``output`` may go on with what is assumed. ``before`` empty: it is known to need nothing.
    """

    name: str
    program: str
    words: tuple[str, ...] = ()
    options: tuple[Option, ...] = ()
    arguments: tuple[Argument, ...] = ()
    exclusive: tuple[tuple[str, ...], ...] = ()
    assumed_choices: dict[str, tuple[str, ...]] = Field(default_factory=dict[str, tuple[str, ...]])
    help: bool = False
    output: str = Field(min_length=1)
    records: str = ""
    codes: str
    before: Literal["unknown"] | tuple[str, ...]
    effect: str
    note: str = ""
    certainty: Certainty
    source: tuple[str, ...]

    @model_validator(mode="before")
    @classmethod
    def _options_by_name(cls, raw: Any) -> Any:  # noqa: ANN401 - pydantic hands over what it was given
        values = cast("dict[str, Any]", raw)
        options = values.get("options", {})
        if isinstance(options, dict):
            named = cast("dict[str, dict[str, Any]]", options)
            return {
                **values,
                "options": [{"as": f"--{name}", **option, "name": name} for name, option in named.items()],
            }
        return values

    def certainty_of(self, used: Mapping[str, object]) -> Certainty:
        """How well a line with these values is known: as the least certain of what it has."""
        if any(used.get(name) in choices for name, choices in self.assumed_choices.items()):
            return "assumed"
        options = [option.certainty for option in self.options if used.get(option.name) not in (None, False)]
        return min((self.certainty, *filter(None, options)), key=LEAST_FIRST.index)


class Code(_Entry):
    """What an exit code means, and what to do."""

    means: str
    do: str = ""
    certainty: Certainty


class KnownError(_Entry):
    """A failure with a number of the product's own; ``text`` is what it says, with {parts}."""

    number: str = Field(pattern=r"^\d+$")
    text: str
    means: str
    do: str
    certainty: Certainty
    source: tuple[str, ...]

    @model_validator(mode="after")
    def _numbered(self) -> Self:
        if self.number not in self.text:
            raise ValueError(f"the text of error {self.number} has another number")
        return self


class RecordField(_Entry):
    """A field of a record, at its place."""

    name: str
    certainty: Certainty
    source: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()


class Record(_Entry):
    """The lines of a list; ``later`` says what is known of further fields."""

    separator: str
    fields: tuple[RecordField, ...]
    later: str


class ResourceKind(_Entry):
    """What a kind of resource is called in the database."""

    app: str
    type: str
    id: str
    default_tag: str
    info: str
    certainty: Certainty
    source: tuple[str, ...]


class Flag(_Entry):
    """A flag's name, with {parts}."""

    pattern: str
    means: str
    certainty: Certainty
    source: tuple[str, ...]


class KnownFile(_Entry):
    """A file of the product."""

    path: str
    means: str
    certainty: Certainty
    source: tuple[str, ...]


class Setting(_Entry):
    """A key of /etc/default/LifeKeeper; ``both``: equal on all nodes, changed while LifeKeeper is down on all."""

    key: str
    default: str
    minimum: int | None = None
    both: bool = False
    means: str
    certainty: Certainty
    source: tuple[str, ...]


class Unit(_Entry):
    """The systemd unit that starts the product at boot."""

    name: str
    means: str
    certainty: Certainty
    source: tuple[str, ...]


class SystemLine(_Entry):
    """A program of the operating system, as it is called, by which the product is told something."""

    name: str
    argv: tuple[str, ...] = Field(min_length=1)
    means: str
    certainty: Certainty
    source: tuple[str, ...]


class Unknown(_Entry):
    """What the product can do while nobody has seen how."""

    what: str
    known: str


class Grammar(_Entry):
    """The whole data file."""

    product: Product
    sources: dict[str, str]
    codes: dict[str, dict[str, Code]]
    errors: tuple[KnownError, ...]
    records: dict[str, Record]
    resources: dict[str, ResourceKind]
    common: dict[str, Any] = Field(default_factory=dict[str, Any], exclude=True)
    commands: tuple[Command, ...]
    flags: tuple[Flag, ...]
    files: tuple[KnownFile, ...]
    settings: tuple[Setting, ...]
    unit: Unit
    system: tuple[SystemLine, ...]
    unknown: tuple[Unknown, ...]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        names = [command.name for command in self.commands]
        if len(set(names)) != len(names):
            raise ValueError("two commands of one name")
        for command in self.commands:
            if command.codes not in self.codes or (command.records and command.records not in self.records):
                raise ValueError(f"{command.name} refers to codes or records that are not there")
            self._refuse_unknown(command.name, command.source)
        for each in (*self.errors, *self.flags, *self.files, *self.settings, *self.system, self.unit):
            self._refuse_unknown(each.means, each.source)
        return self

    def _refuse_unknown(self, name: str, sources: tuple[str, ...]) -> None:
        if missing := [source for source in sources if source not in self.sources]:
            raise ValueError(f"{name} names sources that are not there: {', '.join(missing)}")

    def command(self, name: str) -> Command:
        """The command of that name. Raises `KeyError`."""
        return next(iter(command for command in self.commands if command.name == name), None) or self._no(name)

    def _no(self, name: str) -> Command:
        raise KeyError(name)

    def setting(self, key: str) -> Setting:
        """The setting of that key. Raises `KeyError`."""
        return {each.key: each for each in self.settings}[key]

    def system_line(self, name: str) -> SystemLine:
        """The line of that name. Raises `KeyError`."""
        return {each.name: each for each in self.system}[name]

    def plain(self) -> Data:
        """As plain data, for `plain` and for JSON."""
        return cast("Data", self.model_dump(mode="json"))
