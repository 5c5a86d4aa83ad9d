"""Which part of Pulumi's state goes with a snapshot, and which is never touched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lab import pulumi_state

STACKS = ".state/.pulumi/stacks/squid-ha"


def checkpoint(*resources: str) -> str:
    latest = {"manifest": {"version": "v3"}, "secrets_providers": {"type": "passphrase"}, "resources": list(resources)}
    return json.dumps({"version": 3, "checkpoint": {"stack": "organization/squid-ha/lab", "latest": latest}})


@pytest.fixture
def project(tmp_path: Path) -> Path:
    files = {
        f"{STACKS}/lab.json": checkpoint("squid"),
        f"{STACKS}/lab.json.bak": checkpoint(),
        f"{STACKS}/lab2.json": checkpoint("theirs"),
        ".state/.pulumi/history/squid-ha/lab/1.checkpoint.json": "one",
        ".state/.pulumi/history/squid-ha/prod/1.checkpoint.json": "theirs",
        ".state/.pulumi/locks/organization/squid-ha/lab/x.json": "stale",
        ".state/.pulumi/locks/organization/squid-ha/prod/y.json": "theirs",
        ".state/passphrase": "secret",
        "stacks/Pulumi.lab.yaml": "config: {}",
        "stacks/Pulumi.prod.yaml": "theirs",
    }
    for name, content in files.items():
        path = tmp_path / "project" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return tmp_path / "project"


def everything(project: Path) -> dict[str, str]:
    return {str(path.relative_to(project)): path.read_text() for path in project.rglob("*") if path.is_file()}


def test_what_was_kept_comes_back_and_other_stacks_stay(project: Path, tmp_path: Path) -> None:
    before = everything(project)
    pulumi_state.keep(project, tmp_path / "kept")
    assert "secret" not in everything(tmp_path / "kept").values()
    (project / STACKS / "lab.json").write_text(checkpoint("squid", "mirror"))
    (project / STACKS / "lab2.json").write_text("changed since")
    (project / ".state/.pulumi/history/squid-ha/lab/2.checkpoint.json").write_text("two")
    (project / "stacks/Pulumi.lab.yaml").write_text("changed")
    pulumi_state.bring_back(project, tmp_path / "kept")
    lock = ".state/.pulumi/locks/organization/squid-ha/lab/x.json"
    assert everything(project) == {
        **{k: v for k, v in before.items() if k != lock},
        f"{STACKS}/lab2.json": "changed since",
    }


def test_forgetting_the_nodes_leaves_an_empty_stack(project: Path) -> None:
    before = everything(project)
    pulumi_state.forget_nodes(project)
    after = everything(project)
    latest = json.loads(after.pop(f"{STACKS}/lab.json"))["checkpoint"]["latest"]
    assert latest == {"manifest": {"version": "v3"}, "secrets_providers": {"type": "passphrase"}}
    del before[f"{STACKS}/lab.json"]
    del before[".state/.pulumi/locks/organization/squid-ha/lab/x.json"]
    assert after == before


def test_forgetting_where_there_is_no_state_does_nothing(tmp_path: Path) -> None:
    pulumi_state.forget_nodes(tmp_path)
    assert everything(tmp_path) == {}


def test_a_stack_just_initialised_has_nothing_to_forget(project: Path) -> None:
    fresh = json.dumps({"version": 3, "checkpoint": {"stack": "organization/squid-ha/lab", "latest": None}})
    (project / STACKS / "lab.json").write_text(fresh)
    pulumi_state.forget_nodes(project)
    assert (project / STACKS / "lab.json").read_text() == fresh


def test_the_passphrase_is_told_by_its_digest(project: Path) -> None:
    first = pulumi_state.passphrase_digest(project)
    (project / ".state/passphrase").write_text("other")
    assert first not in ("", pulumi_state.passphrase_digest(project))
    (project / ".state/passphrase").unlink()
    assert pulumi_state.passphrase_digest(project) == ""
