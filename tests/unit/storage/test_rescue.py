"""Saving a half's logs: where a half is read, and the copying script run for real by sh."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from providers.connection.command import Command, Result
from providers.connection.errors import Refused
from providers.connection.fake import FakeNode
from providers.storage import rescue


def half(*, mounted: bool, answer: str = "", exit_code: int = 0) -> FakeNode:
    def says(command: Command) -> Result:
        if command.argv[0] == "mountpoint":
            return Result(command, 0 if mounted else 32, "", "")
        return Result(command, exit_code, "", answer)

    return FakeNode("qsp-a", says)


@pytest.mark.parametrize("mounted", [True, False])
async def test_only_a_half_that_is_not_mounted_is_read_in_a_mount_namespace_of_its_own(mounted):
    """A namespace keeps the volume mounted for as long as the copy takes: the service could not be moved away."""
    node = half(mounted=mounted)
    await rescue.save(node, "/mirror", "log", "/var/saved", "squid-ha")
    (copy,) = node.written
    assert ("unshare" in copy.argv) is not mounted


async def test_no_room_is_said_in_words():
    node = half(mounted=True, answer="9 KiB are needed and 3 free below /var", exit_code=28)
    with pytest.raises(Refused, match="9 KiB are needed"):
        await rescue.save(node, "/mirror", "log", "/var/saved", "squid-ha")


def copied(place: Path, *, mounted: bool, to: str = "now") -> subprocess.CompletedProcess[bytes]:
    tool = place / "bin/mountpoint"
    tool.parent.mkdir(exist_ok=True)
    tool.write_text(f"#!/bin/sh\nexit {0 if mounted else 32}\n")
    tool.chmod(0o755)
    words = ["sh", "-c", rescue._MOUNTED, "sh", str(place / "mirror"), "log", str(place / f"saved/{to}")]
    environment = {"PATH": f"{place}/bin:{os.environ['PATH']}"}
    return subprocess.run(words, capture_output=True, env=environment, check=False)


def test_the_copy_is_there_whole_or_not_at_all_and_is_made_once(tmp_path):
    (tmp_path / "mirror/log").mkdir(parents=True)
    (tmp_path / "mirror/log/access.log").write_text("one\n")
    (tmp_path / "saved/now.part").mkdir(parents=True)
    (tmp_path / "saved/now.part/left").write_text("of a copy that was cut off\n")
    assert copied(tmp_path, mounted=True).returncode == 0
    (tmp_path / "mirror/log/access.log").write_text("one\ntwo\n")
    assert copied(tmp_path, mounted=True).returncode == 0
    assert [each.name for each in (tmp_path / "saved").iterdir()] == ["now"]
    assert (tmp_path / "saved/now/access.log").read_text() == "one\n"
    assert not (tmp_path / "saved/now/left").exists()


def test_a_half_that_was_unmounted_meanwhile_is_not_taken_for_an_empty_one(tmp_path):
    (tmp_path / "mirror/log").mkdir(parents=True)
    done = copied(tmp_path, mounted=False)
    assert done.returncode == 1
    assert b"no longer mounted" in done.stderr
    assert not (tmp_path / "saved/now").exists()


def test_what_is_unchanged_since_the_last_copy_takes_no_room_again(tmp_path):
    log, saved = tmp_path / "mirror/log", tmp_path / "saved"
    (log / "old").mkdir(parents=True)
    (log / "access.log").write_text("one\n")
    (log / "access.log.1").write_text("before\n")
    (log / "old/access log").write_text("older\n")
    log.chmod(0o750)
    assert copied(tmp_path, mounted=True, to="1").returncode == 0
    kept = (log / "access.log").stat()
    (log / "access.log.1").rename(log / "access.log.2")
    (log / "access.log").write_text("one\ntwo\n")
    # What was written within the same tick of the clock is seen by its size.
    os.utime(log / "access.log", ns=(kept.st_atime_ns, kept.st_mtime_ns))
    assert copied(tmp_path, mounted=True, to="2").returncode == 0
    files = {
        name: {str(file.relative_to(saved / name)): file.read_text() for file in sorted((saved / name).rglob("*log*"))}
        for name in ("1", "2")
    }
    assert files["1"] == {"access.log": "one\n", "access.log.1": "before\n", "old/access log": "older\n"}
    assert files["2"] == {"access.log": "one\ntwo\n", "access.log.2": "before\n", "old/access log": "older\n"}
    assert (saved / "1/old/access log").stat().st_ino == (saved / "2/old/access log").stat().st_ino
    assert (saved / "2").stat().st_mode & 0o777 == 0o750
    assert [each.name for each in sorted(saved.iterdir())] == ["1", "2"]


def test_what_a_copy_that_was_cut_off_has_left_keeps_no_room(tmp_path):
    (tmp_path / "mirror/log").mkdir(parents=True)
    (tmp_path / "saved/before.part").mkdir(parents=True)
    assert copied(tmp_path, mounted=True).returncode == 0
    assert [each.name for each in (tmp_path / "saved").iterdir()] == ["now"]


def test_a_copy_for_which_there_is_no_room_leaves_nothing(tmp_path):
    (tmp_path / "mirror/log").mkdir(parents=True)
    (tmp_path / "mirror/log/access.log").write_text("one\n")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/df").write_text("#!/bin/sh\nprintf 'Filesystem 1024-blocks Used Available\\n/dev/x 9 9 0\\n'\n")
    (tmp_path / "bin/df").chmod(0o755)
    done = copied(tmp_path, mounted=True)
    assert done.returncode == 28
    assert b"KiB are needed and 0 free" in done.stderr
    assert list((tmp_path / "saved").iterdir()) == []
