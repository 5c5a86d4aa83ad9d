"""What `init` and `validate` print for programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from declaration.load import from_stack_file, read
from declaration.types import Secret
from operations import adopt, stacks
from operations.adopt import Adoption, write
from operations.project import stack_file
from operations.stacks import render
from operations.trouble import Misused
from providers.connection import pool
from providers.connection.access import ConnectionSettings
from tests.support.terminal import squid_ha


@pytest.fixture
def project(empty_project: Path) -> Path:
    return empty_project


@pytest.mark.parametrize(
    ("words", "new", "initialised"), [(["--no-stack"], True, None), ([], True, True), ([], False, False)]
)
def test_init_as_json_is_one_document_with_the_file_and_whether_the_stack_is_new(
    project: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], new: bool, initialised: bool | None
) -> None:
    monkeypatch.setattr(stacks, "ensure_stack", lambda name: new)
    done = squid_ha("init", "lyon", "--phase", "2", "--json", *words)
    assert done.exit_code == 0, done.output
    path = project / "stacks" / "Pulumi.lyon.yaml"
    assert json.loads(done.stdout) == {"stack": "lyon", "phase": 2, "written": str(path), "initialised": initialised}
    assert "squid-ha validate lyon" in done.stderr
    assert ("`pulumi stack init lyon`, `pulumi preview -s lyon`" in done.stderr) == ("--no-stack" in words)
    assert path.exists()


def test_adopt_asks_for_sudos_password_and_the_file_names_it_as_a_secret(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[ConnectionSettings] = []
    monkeypatch.setattr(pool, "open_cluster", lambda settings, **_more: asked.extend(settings))

    async def adopted(_cluster: object, name: str, _ways: object, ssh: dict[str, Any], _engine: str) -> Adoption:
        site = yaml.safe_load(render("lab.yaml.j2", lab="/lab"))["config"]["squid-ha:site"] | {"ssh": ssh}
        return Adoption(write.text(name, site, []), read(site, "x"), [], [])

    monkeypatch.setattr(adopt, "adopt", adopted)
    words = ("adopt", "office", "--nodes", "qsp-a=ops@192.0.2.11,qsp-b=ops@192.0.2.12", "--no-stack")
    done = squid_ha(*words, "--ask-sudo-password", typed="geheim 1\n")
    assert done.exit_code == 0, done.output
    assert [each.sudo_password for each in asked] == ["geheim 1", "geheim 1"]
    assert "geheim" not in done.output + stack_file("office").read_text()
    assert "`pulumi stack init office`, then `pulumi config set --secret sudo-password -s office`, then" in done.stderr
    assert from_stack_file(stack_file("office")).ssh.sudo_password == Secret(secret="sudo-password")
    stack_file("office").unlink()
    asked.clear()
    done = squid_ha(*words)
    assert done.exit_code == 0
    assert "Next: `pulumi stack init office`, then `pulumi preview -s office`" in done.stderr
    assert [each.sudo_password for each in asked] == [None, None]
    root = squid_ha("adopt", "other", "--nodes", "qsp-a=192.0.2.11", "--ask-sudo-password", typed="x\n")
    assert isinstance(root.exception, Misused)
    assert "name another user: NODE=USER@HOST" in str(root.exception)


def test_plan_prints_every_command_line_in_order_with_node_and_certainty(project: Path) -> None:
    stack_file("oslo").write_text(render("site.yaml.j2", phase=3, stack="oslo", engine="lifekeeper"))
    done = squid_ha("plan", "oslo", "--commands")
    assert done.exit_code == 0, done.output
    lines = " ".join(done.stdout.split())
    told = ["sys_create -d proxy-a -s proxy-b", "lkcli resource create dk", "lkcli resource extend dk", "create qsp"]
    places = [lines.find(each) for each in told]
    assert -1 not in places
    assert places == sorted(places)
    as_json = squid_ha("plan", "oslo", "--commands", "--json")
    document = json.loads(as_json.stdout)
    assert document["stack"] == "oslo"
    assert [each["number"] for each in document["commands"]] == list(range(1, len(document["commands"]) + 1))
    assert {each["node"] for each in document["commands"]} == {"proxy-a", "proxy-b"}
    assert {each["certainty"] for each in document["commands"]} == {"confirmed", "documented", "assumed", "system"}


def test_the_page_shows_lines_of_a_plan_as_they_are_printed(project: Path) -> None:
    stack_file("oslo").write_text(render("site.yaml.j2", phase=3, stack="oslo", engine="lifekeeper"))
    printed = {line.rstrip() for line in squid_ha("plan", "oslo", "--commands").stdout.splitlines()}
    page = (Path(__file__).parents[3] / "docs/init.md").read_text()
    shown = page.partition("$ squid-ha plan oslo --commands\n")[2].partition("```")[0].splitlines()
    assert [line for line in shown if line not in {*printed, "..."}] == []


def test_validate_as_json_has_every_mistake_of_every_stack_with_place_found_and_expected(project: Path) -> None:
    stack_file("good").write_text(render("lab.yaml.j2", lab="/lab", engine="pacemaker"))
    stack_file("wrong").write_text(stack_file("good").read_text().replace("port: 3128", "port: 99999"))
    stack_file("broken").write_text("config: [")
    done = squid_ha("validate", "--json")
    assert done.exit_code == 1
    assert done.stderr == ""
    broken, good, wrong = json.loads(done.stdout)["stacks"]
    assert (good["stack"], good["valid"], good["mistakes"], good["message"]) == ("good", True, [], "")
    assert all(set(each) == {"path", "found", "advice"} for each in good["warnings"])
    assert (wrong["stack"], wrong["valid"], wrong["message"]) == ("wrong", False, "")
    (mistake,) = wrong["mistakes"]
    assert (mistake["path"], mistake["found"], mistake["line"] > 1) == ("squid.port", "99999", True)
    assert "65535" in mistake["expected"]
    assert (broken["valid"], broken["mistakes"]) == (False, [])
    assert broken["message"]
    assert squid_ha("validate", "good", "--json").exit_code == 0
