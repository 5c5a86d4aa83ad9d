"""What a deployed snapshot is keyed by."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab import deployed
from lab.deployed import key
from lab.errors import LabError
from operations.credentials import MASK
from tests.unit.operations.test_credentials import pulumi_that_says


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in ("providers/a.py", "blueprint/b.py", "stacks/Pulumi.lab.yaml", "requirements.txt", "operations/c.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("text\n")
    return tmp_path


@pytest.mark.parametrize("name", ["providers/a.py", "blueprint/b.py", "stacks/Pulumi.lab.yaml", "requirements.txt"])
def test_whatever_is_deployed_changes_the_key(project: Path, name: str) -> None:
    before = key(project)
    (project / name).write_text("other\n")
    assert key(project) != before


def test_what_is_not_deployed_changes_nothing(project: Path) -> None:
    before = key(project)
    (project / "operations/c.py").write_text("other\n")
    (project / "providers/__pycache__").mkdir()
    (project / "providers/__pycache__/a.pyc").write_bytes(b"\xff")
    (project / "stacks/Pulumi.lab.yaml").write_text("encryptionsalt: v1:abc\ntext\n")
    assert key(project) == before


def test_a_file_that_moved_is_another_program(project: Path) -> None:
    before = key(project)
    (project / "providers/a.py").rename(project / "providers/z.py")
    assert key(project) != before


def test_what_pulumi_says_is_quoted_without_the_backends_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = 'error: unable to open state database "postgres://pulumi:geheim@127.0.0.1:1/pulumi": refused'
    monkeypatch.setattr(deployed, "PROJECT", pulumi_that_says(tmp_path, said))
    with pytest.raises(LabError) as raised:
        deployed.deploy()
    assert "geheim" not in str(raised.value)
    assert f"postgres://pulumi:{MASK}@127.0.0.1:1" in str(raised.value)
