"""The search that runs on a node, run here on real files."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from declaration.site import Site
from operations.proof import read_logs
from operations.proof.count import ids_of
from operations.proof.read import parse, search
from providers.connection.command import Command, Result
from providers.connection.errors import CommandFailed, Refused, Unknown
from providers.connection.fake import FakeNode, fake_cluster
from tests.unit.proof.records import line

LINES = [line(n).text for n in range(1, 8)]


def run(command: Command) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command.argv, capture_output=True, text=True, check=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "access.log").write_text("\n".join([*LINES[4:], line("t2-9").text]) + "\n")
    (tmp_path / "access.log-20260102-1").write_text("\n".join(LINES[2:4]) + "\n")
    with gzip.open(tmp_path / "access.log-20260101-1.gz", "wt") as file:
        file.write("\n".join(LINES[:2]) + "\n")
    (tmp_path / "other.log").write_text(line(77).text + "\n")
    return tmp_path


def test_finds_a_run_in_rotated_and_compressed_files(folder: Path) -> None:
    done = run(search(f"{folder}/access.log", "t1"))
    assert done.returncode == 0, done.stderr
    found = parse(done.stdout)
    assert sorted(ids_of("t1", found)) == [f"t1-{n}" for n in range(1, 8)]
    assert {Path(each.file).name for each in found} == {
        "access.log", "access.log-20260102-1", "access.log-20260101-1.gz"
    }  # fmt: skip
    assert [each.text for each in found if each.file.endswith("log")] == LINES[4:]


def test_no_log_and_no_line_are_no_error(folder: Path) -> None:
    for log, of in ((folder / "none.log", "t1"), (folder / "access.log", "t3")):
        done = run(search(str(log), of))
        assert (done.returncode, done.stdout) == (0, "")


def test_a_log_with_zeros_in_it_is_read_as_text(folder: Path) -> None:
    with (folder / "access.log").open("a") as file:
        file.write("\0" * 50 + "\n" + line(8).text + "\n")
    assert "t1-8" in ids_of("t1", parse(run(search(f"{folder}/access.log", "t1")).stdout))


def test_a_damaged_file_fails_the_reading(folder: Path) -> None:
    (folder / "access.log-20260103-1.gz").write_bytes(b"\x1f\x8b damaged")
    assert run(search(f"{folder}/access.log", "t1")).returncode not in (0, 32)


def test_of_archives_those_of_this_day_are_unpacked_once_each_and_no_others(folder: Path) -> None:
    """A year's archives of a busy proxy would take longer to search than the reading may take."""
    old = folder / "access.log-20250101-1.gz"
    old.write_bytes(b"\x1f\x8b damaged")
    now = time.time()
    os.utime(old, (now, now - 25 * 3600))
    recent = folder / "access.log-20260101-1.gz"
    os.utime(recent, (now, now - 23 * 3600))
    (folder / "gzip").write_text(f'#!/bin/sh\necho "$*" >>{folder}/unpacked\nexec {shutil.which("gzip")} "$@"\n')
    (folder / "gzip").chmod(0o755)
    command = search(f"{folder}/access.log", "t1")
    path = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
    done = subprocess.run(command.argv, capture_output=True, text=True, check=False, env=path)
    assert done.returncode == 0, done.stderr
    assert sorted(ids_of("t1", parse(done.stdout))) == [f"t1-{n}" for n in range(1, 8)]
    assert (folder / "unpacked").read_text() == f"-dc -- {recent}\n"


def test_a_mirror_that_is_not_mounted_is_not_read(folder: Path) -> None:
    done = run(search(f"{folder}/access.log", "t1", mounted=str(folder)))
    assert (done.returncode, done.stdout) == (32, "")


def node(name: str, mirror: int = 0) -> FakeNode:
    def answer(command: Command) -> Result:
        local = "/var/log/squid" in str(command.label)
        file, numbers = ("/var/log/squid/access.log", [1]) if local else ("/mnt/mirror/squid/access.log", [1, 2])
        text = "".join(f"{file}\0{line(number).text}\n" for number in numbers)
        return Result(command, 0, text, "") if local or not mirror else Result(command, mirror, "", "")

    return FakeNode(name, answer)


async def test_the_mirror_is_read_on_the_active_node_only(site: Site) -> None:
    a, b = node("qsp-a"), node("qsp-b")
    logs = await read_logs(fake_cluster(a, b), site, "qsp-b", "t1")
    assert (len(a.commands), len(b.commands)) == (1, 2)
    assert not a.written
    assert ids_of("t1", logs.mirror) == ["t1-1", "t1-2"]
    assert list(logs.local) == ["qsp-a", "qsp-b"]


async def test_unmounted_is_unknown_and_never_empty(site: Site) -> None:
    with pytest.raises(Unknown, match="not mounted"):
        await read_logs(fake_cluster(node("qsp-a"), node("qsp-b", 32)), site, "qsp-b", "t1")
    with pytest.raises(CommandFailed):
        await read_logs(fake_cluster(node("qsp-a"), node("qsp-b", 2)), site, "qsp-b", "t1")


async def test_a_site_without_mirror_is_refused(site: Site) -> None:
    without = site.model_copy(update={"mirror": None})
    with pytest.raises(Refused, match="no mirror"):
        await read_logs(fake_cluster(node("qsp-a")), without, "qsp-a", "t1")
