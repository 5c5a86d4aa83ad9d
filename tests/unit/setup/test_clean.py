"""Cleaning up: what goes, what stays, and when it is refused."""

from __future__ import annotations

import re
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
    module = tmp_path / "cache" / "pulumi" / "go" / "module"
    module.mkdir(parents=True)
    (module / "read-only").touch()
    module.chmod(0o500)
    assert clean.main(["--all"]) == 0
    assert [path.name for path in project.iterdir() if path.name.startswith(".")] == [".state"]
    assert (project / ".state" / "file").exists()
    assert not (tmp_path / "cache" / "pulumi").exists()


KEY = "0123456789abcdef"
MADE = [
    "pulumi/release-3.259.0-x86_64",
    "pulumi/build-3.259.0-" + KEY,
    "pulumi/download-a_b1c2d3",
    "pulumi/go",
    "image/" + KEY,
    "image/.building-" + KEY,
    "image/lock",
    "image/failed.log",
    "release/debian-13-" + KEY,
    "snapshots/bare-" + KEY,
    f"snapshots/.deployed-{KEY}.4711",
    "snapshots/lock",
    "kvm/" + KEY,
    "tsc/" + KEY,
    "pacemaker-tools/0123456789ab",
    "postgresql/usr",
]


def test_of_a_folder_that_somebody_chose_only_what_was_made_there_goes(project: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    for name in MADE:
        (cache / name).mkdir(parents=True)
    (cache / "thesis.tex").touch()
    assert clean.main(["--all"]) == 0
    assert [path.name for path in cache.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("theirs", ["pulumi/README.md", "image/cat.png", "release/1.0", "postgresql/15"])
def test_a_folder_of_somebody_elses_by_the_same_name_stays(
    project: Path, tmp_path: Path, theirs: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cache" / theirs).mkdir(parents=True)
    assert clean.main(["--all"]) == 0
    assert (tmp_path / "cache" / theirs).exists()
    assert f"left alone: {(tmp_path / 'cache' / theirs).parent}" in capsys.readouterr().out


def test_the_usual_cache_goes_whole(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SQUID_HA_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".cache" / "squid-ha" / "of-another-version").mkdir(parents=True)
    assert clean.main(["--all"]) == 0
    assert not (tmp_path / ".cache" / "squid-ha").exists()


def test_what_the_lab_keeps_in_the_cache_is_known() -> None:
    sources = [path.read_text() for path in (Path(__file__).parents[3] / "lab").rglob("*.py")]
    kept = {name for text in sources for name in re.findall(r'cache_directory\("(.+?)"\)', text)}
    assert "snapshots" in kept
    assert kept <= set(clean.CACHED)


def test_nothing_is_removed_through_a_mount(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clean, "mounts_below", lambda _folder: ["/somewhere"])
    with pytest.raises(SetupError, match="still mounted"):
        clean.remove(project / ".lab")
    assert (project / ".lab" / "keep" / "file").exists()


def test_mounts_are_found_whatever_their_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = tmp_path / "mounts"
    table.write_bytes("proc /proc proc rw 0 0\ntmpfs /srv/café\\040x/a\\134b tmpfs rw 0 0\n".encode())
    monkeypatch.setattr(clean, "MOUNTS", table)
    assert clean.mounts_below(Path("/srv/café x")) == ["/srv/café x/a\\b"]
