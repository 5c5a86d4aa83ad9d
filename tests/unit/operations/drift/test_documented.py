"""What docs/drift.md shows of the files for machines is what a scan writes, and its lists are whole."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from blueprint.thing import Thing
from declaration.site import Site
from operations.drift import Report, Subject, github, junit, scan
from operations.drift.model import ORIGINS
from operations.project import project_root
from providers.connection.loop import run_sync
from providers.contract import State
from tests.unit.operations.drift.conftest import NODES, OfCluster, World

PAGE = (project_root() / "docs" / "drift.md").read_text()


class Conf(State):
    nodes: dict[str, dict[str, dict[str, dict[str, str]]]]


def conf(**changed: str) -> Conf:
    texts = {node: changed.get(node.replace("-", "_"), "http_port 3128\nvia on\n") for node in NODES}
    return Conf(nodes={node: {"files": {"/etc/squid/squid.conf": {"content": text}}} for node, text in texts.items()})


@pytest.fixture
def report(world: World, site: Site) -> Report:
    """Of one site a file was changed by hand, and an edit is not deployed yet; no node of the other one answers."""
    world.things = [
        Thing("squid-config", "squid.config", conf(), "hosts"),
        Thing("options", "pacemaker.options", OfCluster(options={"stickiness": "100"}), "engine"),
    ]
    world.deploy()
    world.things[1] = replace(world.things[1], inputs=OfCluster(options={"stickiness": "200"}))
    world.live = {
        "squid.config": lambda _wanted: conf(qsp_b="http_port 3128\nvia off\n"),
        "pacemaker.options": lambda _wanted: OfCluster(options={"stickiness": "100"}),
    }
    silent = World(things=world.things, silent=NODES)
    subjects = [Subject("lyon", "squid-ha/lyon", site, world.cluster), Subject("oslo", "", site, silent.cluster)]
    found = run_sync(scan(subjects))
    sites = [
        each.model_copy(update={"seconds": seconds}) for each, seconds in zip(found.sites, (1.2, 3.1), strict=True)
    ]
    return found.model_copy(update={"started": "2026-11-22T21:00:00+00:00", "seconds": 3.2, "sites": sites})


@pytest.mark.parametrize(
    ("language", "written"),
    [
        ("xml", lambda report: junit.render(report).decode()),
        ("annotations", lambda report: "".join(f"{line}\n" for line in github.marks(report))),
        ("markdown", github.page),
    ],
)
def test_the_page_shows_what_is_written(report: Report, language: str, written: Callable[[Report], str]) -> None:
    (shown,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert shown == written(report)


def test_the_page_has_every_origin_in_words_and_as_the_metrics_have_it() -> None:
    table = PAGE[PAGE.index("## Who made") : PAGE.index("## Outcomes")]
    words = re.findall(r"^\| ([^|]+?) \| [^|]+ \| [^|]+ \|$", table, re.MULTILINE)
    assert words[2:] == list(ORIGINS.values())
    ((first, others),) = re.findall(r'origin="(\w+)"\} \d+ +# and (.+)$', PAGE, re.MULTILINE)
    assert [first, *others.split(", ")] == list(ORIGINS)


def test_a_summary_says_each_reason_once(report: Report) -> None:
    """The cluster as a whole cannot be looked at for the same reason as its nodes."""
    said = [line for line in github.page(report).splitlines() if "no SSH connection" in line]
    assert said == ["- qsp-a: no SSH connection", "- qsp-b: no SSH connection"]
