"""The wizards' screens in docs/lifekeeper-commands.md: none is missing, none is of an option that there is not."""

from __future__ import annotations

import asyncio
import re

import pytest

from operations.plan.commands import Row, rows
from providers import reconcile
from providers.connection.command import Command, Result, command
from providers.lifekeeper import grammar
from setup.docs import lifekeeper, screens
from setup.docs.asked import questions
from setup.docs.lifekeeper import Said, by_screen, spoken
from setup.docs.pages import pages
from setup.docs.screens import Screen
from setup.docs.settings import settings
from setup.docs.taken_back import removals
from tests.unit.lifekeeper.fake import Pair
from tests.unit.lifekeeper.sites import site
from tests.unit.lifekeeper.test_providers import down, fresh, members, up

OWNER = "squid-ha/reference"
LISTED = rows(lifekeeper.reference(), OWNER)
KNOWN = screens.load()
ASKED = [(name, screen) for name, wizard in KNOWN.commands.items() for screen in wizard.screens]
LINK = re.compile(r"\]\(settings/([a-z_]+\.md)#([a-z0-9_-]+)\)")


def said(name: str) -> Said:
    return next(each for each in spoken(LISTED) if each.command == name)


def table(name: str, listed: list[Row]) -> str:
    whole = by_screen(listed)
    return re.split(r"^### ", whole[whole.index(f"`{name}`\n") :], flags=re.MULTILINE)[0]


def row(name: str, beginning: str) -> list[str]:
    line = next(line for line in table(name, LISTED).splitlines() if line.startswith(f"| {beginning} |"))
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def test_every_option_that_the_plan_says_has_its_row():
    missing = [
        f"{each.command}: {name}"
        for each in spoken(LISTED)
        for _, values in each.lines
        for name in values
        if name not in {screen.option for screen in KNOWN.commands[each.command].screens}
    ]
    assert missing == []


def test_the_commands_are_those_of_the_plan():
    assert set(KNOWN.commands) == {each.command for each in spoken(LISTED)}


@pytest.mark.parametrize("name", KNOWN.commands)
def test_every_option_of_the_grammar_has_one_row_and_every_row_an_option_of_the_grammar(name: str):
    options = [screen.option for screen in KNOWN.commands[name].screens if screen.option]
    assert sorted(options) == sorted(screens.taken(grammar.load().command(name)))


@pytest.mark.parametrize("name", KNOWN.commands)
def test_a_wizard_is_called_as_the_plan_calls_it(name: str):
    assert {line.page.startswith(KNOWN.commands[name].wizard) for line, _ in said(name).lines} == {True}


def test_settings_and_sources_of_the_screens_exist():
    assert [(name, each) for name, screen in ASKED for each in screen.settings if each not in settings()] == []
    sources = grammar.load().sources | KNOWN.sources
    assert len(sources) == len(grammar.load().sources) + len(KNOWN.sources)
    assert [(name, each) for name, screen in ASKED for each in screen.source if each not in sources] == []


def test_links_lead_to_the_settings_pages():
    texts = pages()
    for page, anchor in LINK.findall(by_screen(LISTED)):
        headings = re.findall(r"^#+ (.*)$", texts[page], re.MULTILINE)
        assert anchor in [re.sub(r"[^a-z0-9_-]", "", each.lower()) for each in headings], f"{page}#{anchor}"


def test_a_row_says_what_holds_where_the_line_says_nothing():
    def answered(name: str, screen: Screen) -> bool:
        return screen.node or any(screen.option in values for _, values in said(name).lines)

    assert [(name, screen) for name, screen in ASKED if not answered(name, screen) and not screen.otherwise] == []
    assert [(name, screen) for name, screen in ASKED if not (screen.name or screen.option)] == []
    assert [(name, screen) for name, screen in ASKED if screen.source and not screen.name] == []


def test_a_choice_is_that_of_the_printed_line_with_the_option_and_its_certainty():
    name = "lkcli resource create dk"
    own = "[`nodes[].mirror_device`](settings/nodes.md#nodesmirror_device)"
    links = f"[`mirror.device`](settings/mirror.md#mirrordevice), {own}"
    assert row(name, "Source disk") == [
        "Source disk",
        "AWSQS",
        "`/dev/disk/by-id/scsi-0EXAMPLE_data`",
        "`--device`",
        links,
        "confirmed",
    ]
    bitmap = row(name, "Bitmap")
    assert bitmap[2].startswith("not said; the customary one")
    assert bitmap[-1] == "assumed", "the option's own certainty, where the command is confirmed"
    assert row(name, "Server")[2] == f"`{said(name).lines[0][0].node}`"


def test_choices_that_differ_have_the_numbers_of_their_lines():
    own = row("net_create", "Local address")[2]
    for line, values in said("net_create").lines:
        assert f"`{values['local']}` ({line.number})" in own


def test_what_nobody_published_is_called_unknown():
    assert row("lkcli resource create qsp", "Tag")[1] == "unknown"
    assert row("lkcli resource extend ip", "no screen known")[2:4] == ["`ip-192.0.2.10`", "`--tag`"]
    assert row("lkcli resource create qsp", "quickCheck, on or off; on which screen is unknown")[3] == "no option known"


def test_a_choice_that_nobody_has_seen_is_assumed():
    listed = rows(site(replication={"hierarchy": "existing"}), OWNER)
    line = next(each for each in table("lkcli resource create dk", listed).splitlines() if "Hierarchy type" in each)
    assert "`existing`" in line
    assert line.endswith("| assumed |")


class Asked(Pair):
    """Notes what of LifeKeeper's is said that only asks."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: set[tuple[str, str]] = set()

    def answer(self, name: str, command: Command) -> Result:
        if not command.writes and command.argv[0].startswith("/opt/LifeKeeper/"):
            self.asked.add((name, command.shell()))
        return super().answer(name, command)


def test_the_page_has_every_line_that_only_asks_and_no_other_but_the_doctors():
    pair = Asked()
    for thing in members():
        asyncio.run(reconcile.apply(thing.kind, pair.cluster(thing.name), thing.inputs))
    told = [each for each in questions(lifekeeper.reference()) if "doctor" not in each.why]
    assert {line for _, line in pair.asked} == {each.line for each in told}
    kits = [each for each in told if "canextend" in each.line]
    assert {(each.node, each.line) for each in kits} == {each for each in pair.asked if "canextend" in each[1]}
    assert [each.certainty for each in kits] == ["confirmed"] * 4
    page = lifekeeper.page()
    asked = page[page.index("## What is only asked") : page.index("## Screen by screen")]
    assert all(each.line.replace("|", "\\|") in asked for each in told)


def test_the_page_has_every_line_that_takes_the_site_back_with_its_certainty():
    pair, listed = fresh(), members()
    up(pair, listed)
    pair.said.clear()
    down(pair, listed)
    told = [(each.node, command(*each.words).shell()) for each in removals(lifekeeper.reference())]
    assert told == [each for each in pair.said if each[1].startswith("/opt/LifeKeeper/")]
    page = lifekeeper.page()
    back = page[page.index("## What is said to take it back") : page.index("## Screen by screen")]
    rows_ = [[cell.strip() for cell in line.split(" | ")] for line in back.splitlines() if "`/opt" in line]
    assert [(each[1], each[2].strip("`")) for each in rows_] == told
    assert {each[3] for each in rows_ if "resource delete" in each[2]} == {"assumed"}
    assert {each[3] for each in rows_ if "dep_remove" in each[2]} == {"documented"}
