"""`--json`: every command prints one document in each case, and the pages have every field that people build upon."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
from pydantic import BaseModel

from declaration.adopted import Adopted
from declaration.load import from_stack_file
from declaration.site import Site
from operations import site as sites
from operations.actions import Outcome, Resolved
from operations.adopt import Adoption
from operations.adopt.model import Note
from operations.alerts import Try
from operations.cli import _app
from operations.cli._exit import code_of
from operations.doctor import Report as Examined
from operations.drift import Report as Scan
from operations.drift.model import SiteReport
from operations.drill.model import DrillReport
from operations.overview import Reading
from operations.overview.model import Drill, Overview
from operations.project import project_root, stack_file
from operations.proof.model import Move
from operations.stacks import render
from operations.trouble import StackTrouble
from operations.verify.model import Report as Verified
from providers.connection.cluster import Cluster
from providers.connection.fake import FakeNode, fake_cluster
from providers.connection.loop import run_sync
from tests.support.commands import commands
from tests.support.terminal import squid_ha

PROJECT = project_root()
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


# In each case


@dataclass
class FakeHosts:
    stack: str
    site: Site
    owner: str = "squid-ha/lyon"

    def cluster(self, progress: object) -> Cluster:
        return fake_cluster(FakeNode("proxy-a"), FakeNode("proxy-b"))

    everybody = cluster
    run = staticmethod(run_sync)


@dataclass(frozen=True)
class Call:
    """A command as it is called, and what each function that would ask nodes answers."""

    words: str
    answers: Mapping[str, object]


OUTCOME = Outcome(action="x", stack="lyon", node=None, seconds=1.0, active="proxy-a", told=True, notices=[])
ACT = {"operations.actions.act": OUTCOME, "operations.actions.refuse_peer": None}
DRILLED = DrillReport(
    site="lyon", started="", ended="", verdict="green", engine="pacemaker", phase=3, clients="", machine="",
    scenarios=[], left_out={},
)  # fmt: skip
HEALTHY = Overview(stack="lyon", time="", healthy=True)
LOGS = {
    "operations.logs.follow.Source.find": "proxy-a",
    "operations.logs.follow.Follower._last": (None, [b"1 GET"]),
}
CALLS: Mapping[tuple[str, ...], Call] = {
    ("adopt",): Call("office --nodes proxy-a=192.0.2.11 --no-stack", {"operations.adopt.adopt": "adopted"}),
    ("alerts", "test"): Call("lyon", {"operations.alerts.test": [Try(node="proxy-a", channel="mail", delivered=True)]}),
    ("cleanup",): Call("lyon", ACT),
    ("doctor",): Call("lyon", {"operations.doctor.examine": Examined(stack="lyon", nodes=[], findings=[])}),
    ("drift",): Call("lyon", {"operations.drift.scan": Scan(started="", seconds=1, sites=[])}),
    ("drill",): Call("lyon", {"operations.drill.site.drill": DRILLED}),
    ("init",): Call("oslo --no-stack", {}),
    ("logs",): Call("lyon --local proxy-a", LOGS),
    ("maintenance", "off"): Call("lyon", ACT),
    ("maintenance", "on"): Call("lyon", ACT),
    ("node", "aside"): Call("lyon proxy-a", ACT),
    ("node", "back"): Call("lyon proxy-a", ACT),
    ("plan",): Call("lyon --commands", {}),
    ("resolve", "split-brain"): Call(
        "lyon --victim proxy-b --yes",
        {
            "operations.actions.hold": None,
            "operations.actions.save": [],
            "operations.actions.resolve": Resolved(
                stack="lyon", victim="proxy-b", survivor="proxy-a", saved=[], resolved=True
            ),
        },
    ),
    ("start",): Call("lyon proxy-a --alone --peer-is-off", ACT),
    ("status",): Call("lyon", {"operations.overview.read": Reading(HEALTHY)}),
    ("switchover",): Call(
        "lyon", {"operations.switchover.planned": Move(source="a", target="b", start=1, end=2, arrived="b")}
    ),
    ("validate",): Call("lyon", {}),
    ("verify",): Call("lyon", {"operations.verify.verify": Verified(stack="lyon", phase=3, checks=[])}),
}


@pytest.fixture
def project(empty_project: Path) -> Path:
    """A project with the stack `lyon`, whose nodes nobody has to reach."""
    stack_file("lyon").write_text(render("site.yaml.j2", phase=3, stack="lyon", engine="lifekeeper"))
    return empty_project


def answer(monkeypatch: pytest.MonkeyPatch, call: Call, site: Site) -> None:
    """Have the functions of a call answer without any node."""
    site = site.model_copy(update={"alerts": site.alerts or object()})
    monkeypatch.setattr(sites, "hosts_of", lambda stack: FakeHosts(stack, site))
    monkeypatch.setattr("operations.logs.place.local_log", lambda site: "/var/log/squid/access.log")
    for name, told in call.answers.items():
        found = Adoption("text\n", site, [Note("proxy-a", "x", "y")], []) if told == "adopted" else told

        async def answered(*_given: object, found: object = found, **_named: object) -> object:
            return found

        monkeypatch.setattr(name, answered)


def test_every_command_is_called_here() -> None:
    assert set(CALLS) == set(commands())


@pytest.mark.parametrize("words", list(CALLS), ids=" ".join)
def test_a_command_that_works_prints_one_document(
    project: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    answer(monkeypatch, CALLS[words], from_stack_file(stack_file("lyon")))
    done = squid_ha(*words, *CALLS[words].words.split(), "--json")
    assert done.exit_code in {0, 3}, done.output
    assert isinstance(json.loads(done.stdout), dict | list)


@pytest.mark.parametrize("unusable", ["broken", "invalid", "not there"])
@pytest.mark.parametrize("words", list(CALLS), ids=" ".join)
def test_a_program_gets_one_document_of_a_declaration_that_cannot_be_used(
    project: Path, words: tuple[str, ...], unusable: str
) -> None:
    made = {"broken": "config: [", "invalid": "config:\n  squid-ha:site: {}\n"}
    if unusable in made:
        for stack in ("lyon", "office", "oslo"):
            # `adopt` and `init` write over no file.
            stack_file(stack).write_text(made[unusable])
    else:
        stack_file("lyon").unlink()
    called = [*words, *CALLS[words].words.split()]
    if unusable == "not there" and words in {("adopt",), ("init",)}:
        called[len(words)] = "no/name"
    plain, done = squid_ha(*called), squid_ha(*called, "--json")
    document = json.loads(done.stdout)
    assert ended(done) == ended(plain) != 0
    assert ended(done) == (2 if unusable == "not there" else 1)
    if "error" in document:
        assert document == {"error": str(done.exception), "exit_code": ended(done)}
    else:
        assert list(document) in (["sites"], ["stacks"], ["started", "seconds", "sites", "outcome"])


def ended(done: Any) -> int:
    return done.exit_code if isinstance(done.exception, SystemExit | None) else code_of(done.exception)


@pytest.mark.parametrize("command", ["status", "doctor", "drift"])
def test_one_stack_that_cannot_be_used_has_its_place_in_the_document_as_one_of_several(
    project: Path, command: str
) -> None:
    for stack in ("lyon", "oslo"):
        stack_file(stack).write_text("config:\n  squid-ha:site: {}\n")
    one, two = (squid_ha(command, *stacks, "--json") for stacks in (["lyon"], ["lyon", "oslo"]))
    (alone,), (first, _) = (next(each for each in json.loads(done.stdout).values() if isinstance(each, list))
                            for done in (one, two))  # fmt: skip
    assert alone["stack"] == "lyon"
    assert {**alone, "time": ""} == {**first, "time": ""}
    assert one.exit_code == two.exit_code == 1


@pytest.mark.parametrize("command", ["status", "doctor"])
def test_the_reason_stands_on_standard_error_beside_the_document(project: Path, command: str) -> None:
    stack_file("lyon").write_text("config:\n  squid-ha:site: {}\n")
    assert "stacks/Pulumi.lyon.yaml" in squid_ha(command, "lyon", "--json").stderr.replace("\n", "")


def test_watching_a_stack_that_cannot_be_used_ends_with_one_document(project: Path) -> None:
    stack_file("lyon").write_text("config:\n  squid-ha:site: {}\n")
    done = squid_ha("status", "lyon", "--watch", "--json")
    (site,) = json.loads(done.stdout)["sites"]
    assert site["exit_code"] == ended(done) == 1


def test_an_error_after_the_document_is_no_second_one(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, CALLS[("drift",)], from_stack_file(stack_file("lyon")))
    done = squid_ha("drift", "lyon", "--json", "--junit", str(project))
    assert isinstance(done.exception, StackTrouble)
    assert json.loads(done.stdout)["outcome"] == "clean"


def test_an_error_is_a_document_on_standard_output_and_a_sentence_on_standard_error(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["squid-ha", "cleanup", "oslo", "--json"])
    with pytest.raises(SystemExit) as exit_:
        _app.main()
    shown = capsys.readouterr()
    assert exit_.value.code == json.loads(shown.out)["exit_code"] == 2
    assert "there is no stack `oslo`" in shown.err


# On the pages


def documented(page: str, title: str) -> Fields:
    """What the list below a heading has: a bullet per object, its fields set apart by semicolons."""
    text = (PROJECT / "docs" / page).read_text()
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


def test_the_page_of_adopt_has_every_field_of_its_document(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, CALLS[("adopt",)], from_stack_file(stack_file("lyon")))
    document = json.loads(squid_ha("adopt", *CALLS[("adopt",)].words.split(), "--json").stdout)
    assert documented("adopt.md", "The document of `--json`") == {
        "": set(document), "notes[]": set(document["notes"][0]),
    }  # fmt: skip


def test_the_page_of_adopt_has_every_thing_that_is_left_as_found() -> None:
    text = (PROJECT / "docs/adopt.md").read_text()
    (kind,) = get_args(Adopted.model_fields["things"].annotation)[:1]
    words = set(get_args(kind))
    assert "mount-point" in words
    assert {word for word in words if f"| `{word}` |" not in text} == set()
