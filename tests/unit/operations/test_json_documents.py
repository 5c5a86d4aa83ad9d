"""`--json`: every command has it, and the pages have every field of the documents that people build upon."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args, get_origin

import pytest
from pydantic import BaseModel

from operations.actions import Outcome, Resolved
from operations.drift import Report as Scan
from operations.drift.model import SiteReport
from operations.drill.model import DrillReport
from operations.overview.model import Drill, Overview
from operations.proof.model import Move
from operations.stacks import project_root
from operations.verify.model import Report as Verified
from tests.support.commands import commands

WITHOUT: Mapping[tuple[str, ...], str] = {}
"""Commands without `--json`, and why: none so far."""

Fields = Mapping[str, set[str]]
"""The fields of each object of a document, by its path; '' is the document itself."""


def test_every_command_prints_json_for_programs() -> None:
    assert len(commands()) > 15
    lacking = [
        words for words, command in commands().items() if not any("--json" in each.opts for each in command.params)
    ]
    assert lacking == list(WITHOUT)


def documented(page: str, title: str) -> Fields:
    """What the list below a heading has: a bullet per object, its fields set apart by semicolons."""
    text = (project_root() / "docs" / page).read_text()
    (below,) = re.findall(rf"^##+ {re.escape(title)}\n(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL)
    found: dict[str, set[str]] = {}
    for bullet in re.findall(r"^- (.+\n(?:  .+\n)*)", below, re.MULTILINE):
        of, _, told = " ".join(bullet.split()).partition(": ")
        path = "" if of == "at the top" else re.findall(r"`(.+?)`", of)[0]
        found[path] = {name for part in told.split("; ") for name in _names(part)}
    return found


def _names(part: str) -> list[str]:
    begin = re.match(r"(?:`\w+`(?:, )?)+", part)
    return re.findall(r"\w+", begin[0]) if begin else []


def fields(model: type[BaseModel], path: str = "", apart: Sequence[type] = ()) -> Fields:
    """What a model's document has, with the models within it: each once, at its first place; none ``apart``."""
    found: dict[str, set[str]] = {}
    seen, left = set(apart), [(path, model)]
    while left:
        where, each = left.pop(0)
        if each not in seen:
            seen.add(each)
            shown = {name: field.annotation for name, field in each.model_fields.items() if not field.exclude}
            computed = {name: field.return_type for name, field in each.model_computed_fields.items()}
            found[where] = {*shown, *computed}
            left += [
                (f"{where}.{name}".lstrip(".") + suffix, below)
                for name, annotation in shown.items()
                for suffix, below in _within(annotation)
            ]
    return found


def _within(annotation: Any) -> Iterator[tuple[str, type[BaseModel]]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield "", annotation
    suffix = "[]" if get_origin(annotation) in (Sequence, list) else ""
    for each in get_args(annotation):
        yield from ((suffix + more, model) for more, model in _within(each))


ACTIONS = {
    **fields(Outcome, "node aside"),
    **fields(Move, "switchover"),
    **{path.partition(".")[2] or path: names for path, names in fields(Resolved, "resolve split-brain").items()},
}


@pytest.mark.parametrize(
    ("page", "title", "expected"),
    [
        ("status.md", "The document of `--json`", fields(Overview, "sites[]", [SiteReport, Drill])),
        ("drift.md", "The document of `--json`", fields(Scan)),
        ("drill.md", "The document of `--json`", fields(DrillReport)),
        ("verify.md", "The document of `--json`", fields(Verified)),
        ("operations.md", "The documents of `--json`", ACTIONS),
    ],
)
def test_a_page_has_every_field_of_a_document_and_no_other(page: str, title: str, expected: Fields) -> None:
    assert documented(page, title) == expected
