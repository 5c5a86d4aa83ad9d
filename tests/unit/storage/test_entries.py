"""Directories and files on the volume, made by root where Squid's own user may have put something in the way."""

from __future__ import annotations

import grp
import os
import pwd
import stat
import subprocess
from pathlib import Path

import pytest

from providers.storage import volume

ME = f"{pwd.getpwuid(os.getuid()).pw_name}:{grp.getgrgid(os.getgid()).gr_name}"


def make(place: Path, *words: str) -> str:
    """What the program says that makes them, '' if it made all."""
    command = ["perl", "-e", volume._MAKE, "--", *words]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) == (not done.stderr)
    return done.stderr


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_they_are_made_with_mode_and_owner_and_again_changes_nothing(tmp_path: Path) -> None:
    words = ("directory", "squid", "0750", ME, "file", "squid/access.log", "0640", ME, "directory", "a/b", "0700", ME)
    assert make(tmp_path, *words) == ""
    (tmp_path / "squid/access.log").write_text("a record")
    (tmp_path / "squid/access.log").chmod(0o600)
    assert make(tmp_path, *words) == ""
    assert (tmp_path / "squid/access.log").read_text() == "a record"
    assert [mode(tmp_path / each) for each in ("squid", "squid/access.log", "a", "a/b")] == [0o750, 0o640, 0o755, 0o700]


@pytest.mark.parametrize("kind", ["file", "directory"])
@pytest.mark.parametrize("path", ["squid/log", "squid/log/deeper"])
def test_a_link_is_not_followed(tmp_path: Path, kind: str, path: str) -> None:
    place, shadow = tmp_path / "volume", tmp_path / "shadow"
    (place / "squid").mkdir(parents=True)
    shadow.mkdir(mode=0o700) if kind == "directory" or "deeper" in path else shadow.touch(0o600)
    before = mode(shadow)
    (place / "squid/log").symlink_to(shadow)
    assert "log is a symbolic link" in make(place, kind, path, "0644", ME)
    assert mode(shadow) == before
    assert not list(shadow.iterdir()) if shadow.is_dir() else True


def test_a_link_that_leads_nowhere_makes_nothing(tmp_path: Path) -> None:
    (tmp_path / "log").symlink_to(tmp_path / "made")
    assert "symbolic link" in make(tmp_path, "file", "log", "0644", ME)
    assert not (tmp_path / "made").exists()


def test_a_file_of_two_names_and_what_is_no_file_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "one").touch(0o600)
    (tmp_path / "log").hardlink_to(tmp_path / "one")
    os.mkfifo(tmp_path / "pipe", 0o600)
    for name in ("log", "pipe"):
        assert "is not a file, or has other names too" in make(tmp_path, "file", name, "0644", ME)
        assert mode(tmp_path / name) == 0o600


def test_an_owner_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert "there is no nobody-here:root" in make(tmp_path, "file", "log", "0644", "nobody-here:root")
