"""`make setup` where the system refuses something: a sentence, and what to do."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from setup import __main__ as program
from setup import places
from setup.steps import trouble


@pytest.fixture(autouse=True)
def somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "PROJECT", tmp_path / "my project")
    monkeypatch.setenv("SQUID_HA_CACHE", str(tmp_path / "cache"))


def test_a_lock_of_root_is_told_with_its_remedy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lock = places.PROJECT / ".tools" / "lock"

    def refused() -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(lock))

    monkeypatch.setattr(program, "alone", refused)
    assert program.setup() == 1
    said = capsys.readouterr().err
    assert f"stopped: {lock}: Permission denied. " in said
    assert said.endswith(f"sudo chown -R \"$(id -u)\" '{places.PROJECT}'\n")


def test_only_what_the_project_made_in_a_cache_changes_hands(tmp_path: Path) -> None:
    refused = PermissionError(errno.EPERM, "Operation not permitted", tmp_path / "cache" / "image" / "tree" / "etc")
    assert str(trouble(refused)).endswith(f" {tmp_path}/cache/image")


def test_a_full_disk_is_told_even_where_no_file_is_named() -> None:
    said = str(trouble(OSError(errno.ENOSPC, "No space left on device")))
    assert said.startswith("a file: No space left on device. Make room")


def test_other_troubles_name_the_file() -> None:
    assert str(trouble(OSError(errno.EROFS, "Read-only file system", "/x"))) == "/x: Read-only file system."
