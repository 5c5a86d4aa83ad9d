"""`make setup` where the system refuses something: a sentence, and what to do."""

from __future__ import annotations

import errno
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from setup import __main__ as program
from setup import places
from setup.steps import Step, trouble

MAKEFILE = Path(__file__).parents[3] / "Makefile"


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


@pytest.mark.parametrize(("arguments", "lab"), [([], True), (["--lab", "yes"], True), (["--lab", "no"], False)])
def test_without_the_lab_neither_its_packages_nor_its_stack_are_made(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: list[str], lab: bool
) -> None:
    told: dict[str, bool] = {}

    def remember(what: str) -> Callable[..., None]:
        def provide(current: Step, *, lab: bool) -> None:
            told[what] = lab

        return provide

    monkeypatch.setattr(program, "alone", lambda: None)
    monkeypatch.setattr(program.packages, "install", remember("packages"))
    monkeypatch.setattr(program.stack, "provide", remember("stack"))
    monkeypatch.setattr(program.python_env, "provide_uv", lambda current: tmp_path)
    monkeypatch.setattr(program.python_env, "provide_environment", lambda uv, current: None)
    monkeypatch.setattr(program.pulumi_cli, "provide", lambda uv, current: None)
    assert program.main(arguments) == 0
    assert told == {"packages": lab, "stack": lab}


def test_anything_else_than_yes_or_no_is_refused_before_anything_is_made(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(program, "setup", lambda *, lab: pytest.fail("it has begun"))
    with pytest.raises(SystemExit):
        program.main(["--lab", "No"])
    assert "--lab: invalid choice: 'No'" in capsys.readouterr().err


@pytest.mark.skipif(not shutil.which("make"), reason="needs make")
@pytest.mark.parametrize(
    ("words", "command"),
    [
        ((), "sh setup/python.sh --install -m setup"),
        (("LAB=no",), "sh setup/python.sh --install -m setup --lab 'no'"),
    ],
)
def test_make_says_whether_the_lab_is_to_run(words: tuple[str, ...], command: str) -> None:
    said = subprocess.run(
        ["make", "--file", MAKEFILE, "--dry-run", "setup", *words],
        capture_output=True, text=True, check=True, env={"PATH": "/usr/bin:/bin"},
    ).stdout  # fmt: skip
    assert said.strip() == command
