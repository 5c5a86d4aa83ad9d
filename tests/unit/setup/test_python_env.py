"""What uv is told, and when the environment counts as up to date."""

from __future__ import annotations

from pathlib import Path

import pytest

from setup import places, python_env
from setup.steps import Step

INDEX = "https://index.example/simple"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("PIP_INDEX_URL", "PIP_CONFIG_FILE", "UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_SYSTEM_CERTS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_the_index_of_pip_is_used(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / ".config" / "pip").mkdir(parents=True)
    (home / ".config" / "pip" / "pip.conf").write_text(f"[global]\nindex-url = {INDEX}/%7Eteam\n")
    assert python_env.uv_environment()["UV_DEFAULT_INDEX"] == f"{INDEX}/%7Eteam"
    monkeypatch.setenv("PIP_INDEX_URL", INDEX)
    assert python_env.uv_environment()["UV_DEFAULT_INDEX"] == INDEX


@pytest.mark.parametrize("name", ["UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_SYSTEM_CERTS"])
def test_uvs_own_settings_win(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", INDEX)
    monkeypatch.setenv(name, "mine")
    added = python_env.uv_environment()
    assert name not in added
    if "INDEX" in name:
        assert "UV_DEFAULT_INDEX" not in added


def test_a_configuration_of_pip_that_cannot_be_read_changes_nothing(home: Path) -> None:
    (home / ".pip").mkdir()
    (home / ".pip" / "pip.conf").write_text("no section\n")
    assert "UV_DEFAULT_INDEX" not in python_env.uv_environment()


def test_a_changed_lock_file_brings_the_environment_up_to_date(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = python_env.fingerprint()
    changed = tmp_path / "requirements.txt"
    changed.write_text(python_env.REQUIREMENTS.read_text() + "# changed\n")
    monkeypatch.setattr(python_env, "REQUIREMENTS", changed)
    assert python_env.fingerprint() != before


def test_a_uv_that_does_not_run_is_no_uv(tmp_path: Path) -> None:
    (tmp_path / "uv").write_text("#!/bin/sh\necho 'uv: version not set' >&2\nexit 127\n")
    (tmp_path / "uv").chmod(0o755)
    assert python_env.version_of(tmp_path / "uv") == ()
    assert python_env.version_of(tmp_path / "none") == ()


def test_a_uv_of_its_own_that_is_half_installed_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "TOOLS", tmp_path / "tools")
    monkeypatch.setenv("PATH", "/no/such")
    own = python_env.own_uv()
    own.parent.mkdir(parents=True)
    own.write_bytes(b"\x7fELF")
    own.chmod(0o755)
    made: list[str] = []

    def run(argv: list[object], **_options: object) -> str:
        made.append(str(argv[1]))
        return ""

    monkeypatch.setattr(python_env, "run", run)
    python_env.provide_uv(Step("uv"))
    assert made == ["-m", "install"]
    own.parent.mkdir(parents=True)
    own.write_text("#!/bin/sh\necho uv 0.13.9\n")
    own.chmod(0o755)
    assert python_env.find_uv() == own
