"""The wizards' screens beside what the commands take (`screens.yaml`): for pages that people compare by eye."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field

from providers.lifekeeper.grammar.models import Command
from providers.lifekeeper.grammar.plain.values import parts_of

_FILE = Path(__file__).with_name("screens.yaml")


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Screen(_Entry):
    """One question. ``name`` empty: no screen is known. ``option`` empty: no option is known, unless ``node`` says that
    the line is said on the node that is chosen there.

    ``settings``: paths in the stack file that decide it; ``otherwise``: what holds where the line does not say it;
    ``source`` empty: nobody published the screen.
    """

    name: str = ""
    option: str = ""
    node: bool = False
    settings: tuple[str, ...] = ()
    source: tuple[str, ...] = ()
    otherwise: str = ""


class Wizard(_Entry):
    """What asks for what one command says; ``wizard`` is the beginning of what the plan's lines are called."""

    wizard: str
    screens: tuple[Screen, ...] = ()


class Screens(_Entry):
    """The whole data file: its sources beside the grammar's, and wizards by the grammar's names of commands."""

    sources: dict[str, str]
    common: dict[str, Any] = Field(default_factory=dict[str, Any], exclude=True)
    commands: dict[str, Wizard]


@cache
def load() -> Screens:
    """The screens, typed and checked."""
    return Screens.model_validate(yaml.safe_load(_FILE.read_text(encoding="utf-8")))


def taken(command: Command) -> dict[str, tuple[str, str]]:
    """All that a command takes, by name: how a page shows it, and how certain it is."""
    options = {each.name: (f"`{each.spelled}`", each.certainty or command.certainty) for each in command.options}
    arguments = {each.name: ("the argument", each.certainty or command.certainty) for each in command.arguments}
    part: tuple[str, str] = ("in the program's path", command.certainty)
    return options | arguments | dict.fromkeys(parts_of(command.program), part)
