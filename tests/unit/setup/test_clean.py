"""Cleaning up: what goes, what stays, and when it is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from setup import clean, places
from setup.steps import SetupError


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    for name in (".lab/run", ".lab/keep", ".state", ".venv/bin", ".tools", "lab/__pycache__"):
        (folder / name).mkdir(parents=True)
        (folder / name / "file").touch()
    for name, path in {"PROJECT": "", "VENV": ".venv", "TOOLS": ".tools", "STATE": ".state"}.items():
        monkeypatch.setattr(places, name, folder / path)
    monkeypatch.setattr(clean, "RUN", folder / ".lab" / "run")
    monkeypatch.setenv("SQUID_HA_CACHE", str(tmp_path / "cache"))
    return folder


def lab(project: Path, code: int) -> None:
    """Give the project a lab whose `down` ends with this code."""
    (project / "lab" / "__main__.py").touch()
    python = project / ".venv" / "bin" / "python"
    python.write_text(f"#!/bin/sh\nexit {code}\n")
    python.chmod(0o755)


def test_runs_go_and_the_rest_stays(project: Path) -> None:
    lab(project, 0)
    assert clean.main([]) == 0
    assert not (project / ".lab" / "run").exists()
    assert not (project / "lab" / "__pycache__").exists()
    assert (project / ".lab" / "keep" / "file").exists()
    assert (project / ".venv" / "bin" / "file").exists()
    assert clean.main([]) == 0, "again, with nothing left"


def test_files_of_a_lab_that_does_not_stop_are_left_alone(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lab(project, 1)
    assert clean.main(["--all"]) == 1
    assert (project / ".lab" / "run" / "file").exists()
    assert "could not be stopped" in capsys.readouterr().err


def test_all_takes_environment_and_cache_but_never_the_state(project: Path, tmp_path: Path) -> None:
    module = tmp_path / "cache" / "go" / "module"
    module.mkdir(parents=True)
    (module / "read-only").touch()
    module.chmod(0o500)
    assert clean.main(["--all"]) == 0
    assert [path.name for path in project.iterdir() if path.name.startswith(".")] == [".state"]
    assert (project / ".state" / "file").exists()
    assert not (tmp_path / "cache").exists()


def test_nothing_is_removed_through_a_mount(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clean, "mounts_below", lambda _folder: ["/somewhere"])
    with pytest.raises(SetupError, match="still mounted"):
        clean.remove(project / ".lab")
    assert (project / ".lab" / "keep" / "file").exists()
