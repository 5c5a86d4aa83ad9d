"""Which of the Pulumis on PATH is taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from setup import places, pulumi_cli, pulumi_versions, stack


def fake(folder: Path, version: str = "v3.300.0", *, parts: tuple[str, ...] = pulumi_versions.PYTHON_PARTS) -> Path:
    folder.mkdir(parents=True)
    for name in ("pulumi", *parts):
        (folder / name).write_text(f"#!/bin/sh\necho {version}\n")
        (folder / name).chmod(0o755)
    return folder / "pulumi"


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folders a to e as PATH, with an empty cache."""
    monkeypatch.setenv("PATH", ":".join(str(tmp_path / name) for name in "abcde"))
    monkeypatch.setenv("SQUID_HA_CACHE", str(tmp_path / "cache"))
    return tmp_path


def test_the_first_suitable_one_is_taken(folders: Path) -> None:
    fake(folders / "a", "v3.100.0")
    fake(folders / "b", parts=())
    fake(folders / "c", "no version")
    fake(folders / "d", "v3.301.0-alpha.7")
    fake(folders / "e")

    found = pulumi_cli.here_already()

    assert found == pulumi_versions.Pulumi(folders / "d", "3.301.0-alpha.7", "from PATH")


def test_our_own_launcher_is_never_taken(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "VENV", folders / "venv")
    (folders / "venv" / "bin").mkdir(parents=True)
    launcher = stack.write_launcher()
    fake(folders / "a").unlink()
    (folders / "a" / "pulumi").symlink_to(launcher)

    assert pulumi_cli.here_already() is None


def test_a_link_to_a_pulumi_counts_with_the_folder_it_leads_to(folders: Path) -> None:
    real = fake(folders / "opt")
    (folders / "a").mkdir()
    (folders / "a" / "pulumi").symlink_to(real)

    found = pulumi_cli.here_already()

    assert found is not None
    assert found.folder == folders / "opt"


@pytest.mark.parametrize(
    ("text", "version"),
    [("v3.259.0\n", (3, 259, 0)), ("3.260.0-alpha.1", (3, 260, 0)), ("", None), ("pulumi 3.1.0", None)],
)
def test_versions(text: str, version: tuple[int, int, int] | None) -> None:
    assert pulumi_versions.parse_version(text) == version
