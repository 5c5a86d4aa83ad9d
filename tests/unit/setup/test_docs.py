"""What `make docs` generates is what lies there, and holds together."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from setup.docs.__main__ import files, stale, write
from setup.docs.pages import anchor_of, page_of, pages
from setup.docs.settings import settings, shown
from tests.support.editor import complaints

HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
EXAMPLE = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([a-z_]+\.md)?(?:#([a-z0-9_-]+))?\)")


def anchors(text: str) -> list[str]:
    return [re.sub(r"[^a-z0-9_ -]", "", heading.lower()).replace(" ", "-") for heading in HEADING.findall(text)]


def test_pages_and_schema_are_up_to_date() -> None:
    assert stale() == [], "run `make docs`"


@pytest.mark.thorough
def test_what_is_stale_is_seen_and_written(tmp_path: Path) -> None:
    assert set(write(tmp_path)) == set(files())
    assert stale(tmp_path) == []
    gone, changed = tmp_path / "docs/settings/gone.md", tmp_path / "stacks/schema.json"
    gone.write_text("of a part that is no longer there\n")
    changed.write_text("{}\n")
    assert stale(tmp_path) == [Path("docs/settings/gone.md"), Path("stacks/schema.json")]
    write(tmp_path)
    assert not gone.exists()
    assert stale(tmp_path) == []


def test_every_setting_has_its_entry_and_links_lead_somewhere() -> None:
    texts = pages()
    for path, setting in settings().items():
        assert f"# `{path}`\n" in texts[page_of(setting)] or f"# {path}\n" in texts[page_of(setting)], path
        assert texts["README.md"].count(f"[`{path}`]") == 1
        assert path in anchor_of(setting) or "." in path or "[" in path
    for name, text in texts.items():
        own = anchors(text)
        assert len(own) == len(set(own)), name
        for page, anchor in LINK.findall(text):
            assert (page or name) in texts, f"{name}: {page}"
            assert not anchor or anchor in anchors(texts[page or name]), f"{name}: {page}#{anchor}"


def test_what_is_written_is_found_and_told() -> None:
    """An example is a value of the template, and it is right."""
    found = shown(3)
    assert {"squid.port", "nodes[].name", "timeouts.squid.start", "pacemaker.fencing.none"} <= set(found)
    for name, line in found.items():
        if "." not in name and line.value:
            assert not [each for each in complaints({name: yaml.safe_load(line.value)}) if each.split(": ")[0] == name]


def test_every_example_can_be_taken_over_as_it_stands() -> None:
    """Also a section that stands behind `#` with remarks inside: without its `#` it has to be YAML still."""
    for name, text in pages().items():
        for example in EXAMPLE.findall(text):
            assert isinstance(yaml.safe_load(example), dict | list), f"{name}: {example}"


@pytest.mark.thorough
def test_phases_needs_and_units() -> None:
    text = pages()
    assert "- phase: phase 3; needed in 3" in text["mirror.md"]
    assert "- phase: from phase 2 on; needed in 2 and 3" in text["site.md"]
    assert "- unit: ms, s, m, h or d" in text["pacemaker.md"]
    assert "- unit: k, M or G" in text["rotation.md"]
    assert "- default: `unmanaged`" in text["firewall.md"]
