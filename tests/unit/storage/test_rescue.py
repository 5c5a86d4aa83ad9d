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
    await rescue.save(node, "/mirror", "log", "/var/saved")
    (copy,) = node.written
    assert ("unshare" in copy.argv) is not mounted


async def test_no_room_is_said_in_words():
    node = half(mounted=True, answer="9 KiB are needed and 3 free below /var", exit_code=28)
    with pytest.raises(Refused, match="9 KiB are needed"):
        await rescue.save(node, "/mirror", "log", "/var/saved")


def copied(place: Path, *, mounted: bool) -> subprocess.CompletedProcess[bytes]:
    tool = place / "bin/mountpoint"
    tool.parent.mkdir(exist_ok=True)
    tool.write_text(f"#!/bin/sh\nexit {0 if mounted else 32}\n")
    tool.chmod(0o755)
    words = ["sh", "-c", rescue._MOUNTED, "sh", str(place / "mirror"), "log", str(place / "saved/now")]
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
