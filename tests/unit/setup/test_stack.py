"""What Pulumi needs once: made once, and then left alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from setup import places, stack
from setup.steps import Step


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, path in {"PROJECT": "", "VENV": ".venv", "STATE": ".state"}.items():
        monkeypatch.setattr(places, name, tmp_path / path)
    (tmp_path / "stacks" / "templates").mkdir(parents=True)
    (tmp_path / "stacks" / "templates" / "lab.yaml.j2").touch()
    return tmp_path


def test_the_passphrase_is_private_and_made_once(project: Path) -> None:
    assert stack.write_passphrase()
    first = (project / ".state" / "passphrase").read_text()
    assert (project / ".state" / "passphrase").stat().st_mode & 0o777 == 0o600
    assert len(first) >= 32
    assert not stack.write_passphrase()
    assert (project / ".state" / "passphrase").read_text() == first


def test_a_passphrase_is_there_whole_or_not_at_all(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def cut_off(_descriptor: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", cut_off)
        with pytest.raises(KeyboardInterrupt):
            stack.write_passphrase()
    assert not (project / ".state" / "passphrase").exists()
    (project / ".state" / "passphrase.new").touch()
    assert stack.write_passphrase()
    assert [path.name for path in (project / ".state").iterdir()] == ["passphrase"]


@pytest.mark.parametrize("left", ["", "\n"])
def test_an_empty_passphrase_is_none(project: Path, left: str) -> None:
    (project / ".state").mkdir()
    (project / ".state" / "passphrase").write_text(left)
    (project / "stacks" / "Pulumi.lyon.yaml").write_text("config: {}\n")
    assert stack.write_passphrase()
    assert len((project / ".state" / "passphrase").read_text()) >= 32


@pytest.mark.parametrize(
    ("file", "text"),
    [(".state/.pulumi/stacks/squid-ha/lyon.json", "{}"), ("stacks/Pulumi.lyon.yaml", "encryptionsalt: v1:x\n")],
)
def test_an_empty_passphrase_that_something_is_encrypted_with_stays_and_is_told(
    project: Path, file: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / file).parent.mkdir(parents=True, exist_ok=True)
    (project / file).write_text(text)
    (project / ".state").mkdir(exist_ok=True)
    (project / ".state" / "passphrase").touch()
    assert not stack.write_passphrase()
    assert (project / ".state" / "passphrase").read_text() == ""
    stack.warn_of_empty(project / ".state" / "passphrase", Step("state"))
    assert "change-secrets-provider" in capsys.readouterr().out


def test_a_new_template_or_a_stack_that_pulumi_lost_is_seen(project: Path) -> None:
    file = project / "stacks" / "Pulumi.lab.yaml"
    known = project / ".state" / ".pulumi" / "stacks" / "squid-ha" / "lab.json"
    assert not stack.lab_is_ready(own_backend=False)
    file.touch()
    assert not stack.lab_is_ready(own_backend=False)
    assert stack.lab_is_ready(own_backend=True)
    known.parent.mkdir(parents=True)
    known.touch()
    assert stack.lab_is_ready(own_backend=False)
    os.utime(file, (1, 1))
    assert not stack.lab_is_ready(own_backend=False)


@pytest.mark.parametrize("lab", [True, False])
def test_without_the_lab_no_backend_is_asked_and_no_stack_made(
    project: Path, monkeypatch: pytest.MonkeyPatch, lab: bool
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(stack, "run", lambda argv, *, cwd, remedy: asked.append(argv[-1]) or "")
    (project / ".venv" / "bin").mkdir(parents=True)
    stack.provide(Step("state"), lab=lab)
    assert asked == (["lab"] if lab else [])
    assert (project / "stacks" / "Pulumi.lab.yaml").exists() is lab
    assert (project / ".venv" / "bin" / "pulumi").exists()
    assert (project / ".state" / "passphrase").exists()
