"""What a rotation did to the files, and what real logrotate said of it."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blueprint.rotation import rendered
from declaration.site import Site
from operations.verify.rotation import (
    LogFile,
    changes,
    dry_check,
    errors,
    forced_check,
    logrotate,
    parse_files,
    reopened,
)
from providers.connection.command import Result, command

RECORDED = Path(__file__).parents[2] / "recorded"
LOG = "/mnt/mirror/squid/access.log"


def said(name: str, code: int = 0) -> Result:
    return Result(command("logrotate", reads=True), code, "", (RECORDED / f"{name}.txt").read_text())


BEFORE = {LOG: LogFile(10, 500), f"{LOG}-1": LogFile(9, 400), f"{LOG}-0.gz": LogFile(8, 40)}
AFTER = {
    LOG: LogFile(11, 0),
    f"{LOG}-2": LogFile(10, 530),
    f"{LOG}-1.gz": LogFile(12, 44),
    f"{LOG}-0.gz": LogFile(8, 40),
}


def test_files_are_followed_by_their_inode() -> None:
    became = {change.file: (change.before, change.after, change.became) for change in changes("a", BEFORE, AFTER)}
    assert became == {
        LOG: (500, 0, "new, opened by Squid"),
        f"{LOG}-2": (None, 530, "was access.log"),
        f"{LOG}-1.gz": (None, 44, "access.log-1, compressed"),
        f"{LOG}-0.gz": (40, 40, "as before"),
    }


def test_what_is_more_than_is_kept_is_gone() -> None:
    after = {name: file for name, file in AFTER.items() if not name.endswith("-0.gz")}
    assert [each.became for each in changes("a", BEFORE, after) if each.file == f"{LOG}-0.gz"] == [
        "removed, more than are kept"
    ]


def test_numbered_files_move_up_one_by_one() -> None:
    before = {LOG: LogFile(10, 5), f"{LOG}.1": LogFile(9, 4), f"{LOG}.2": LogFile(8, 3)}
    after = {LOG: LogFile(11, 0), f"{LOG}.1": LogFile(10, 5), f"{LOG}.2": LogFile(9, 4)}
    became = {change.file: change.became for change in changes("a", before, after)}
    assert became == {LOG: "new, opened by Squid", f"{LOG}.1": "was access.log", f"{LOG}.2": "was access.log.1"}


def test_a_rotation_that_worked(site: Site) -> None:
    wanted = rendered(site, "squid-ha/lab")
    check = forced_check("qsp-a", wanted, said("logrotate-force/mirror"), BEFORE, AFTER)
    assert check.passed
    assert check.seen == "access.log → access.log-2"
    assert reopened(wanted, BEFORE, AFTER)
    assert not reopened(wanted, BEFORE, {**BEFORE})


@pytest.mark.parametrize(
    ("after", "seen"),
    [
        ({**BEFORE}, "access.log was not rotated"),
        ({LOG: LogFile(11, 0)}, "access.log is gone"),
        ({LOG: LogFile(11, 0), f"{LOG}-2": LogFile(10, 300)}, "access.log-2 is shorter than access.log was"),
        ({f"{LOG}-2": LogFile(10, 500)}, "Squid has not opened a new access.log within 30 s"),
    ],
)
def test_a_rotation_that_did_not_work(site: Site, after: dict[str, LogFile], seen: str) -> None:
    check = forced_check("qsp-a", rendered(site, "x"), said("logrotate-force/mirror"), BEFORE, after)
    assert not check.passed
    assert seen in check.seen


def test_a_log_that_was_not_there_proves_nothing(site: Site) -> None:
    check = forced_check("qsp-a", rendered(site, "x"), said("logrotate-force/mirror"), {}, {})
    assert (check.passed, check.seen) == (False, "there was no record to rotate")


def test_an_empty_log_is_left_where_it_is(site: Site) -> None:
    more = f"{LOG.removesuffix('access.log')}denied.log"
    wanted = dataclasses.replace(rendered(site, "x"), logs=(LOG, more))
    before, after = {**BEFORE, more: LogFile(20, 0)}, {**AFTER, more: LogFile(20, 0)}
    assert reopened(wanted, before, after)
    check = forced_check("qsp-a", wanted, said("logrotate-force/mirror"), before, after)
    assert (check.passed, check.seen) == (True, "access.log → access.log-2")


@pytest.mark.parametrize(
    ("name", "text"),
    [("insecure-directory", "insecure permissions"), ("name-taken", "already exists, skipping rotation")],
)
def test_what_logrotate_complains_of_fails_the_check(site: Site, name: str, text: str) -> None:
    result = said(f"logrotate-force/{name}", 1)
    assert text in errors(result)[0]
    check = forced_check("qsp-a", rendered(site, "x"), result, BEFORE, AFTER)
    assert not check.passed
    assert text in check.seen


@pytest.mark.parametrize(
    ("name", "seen"), [("mirror-not-due", "log does not need rotating (log has"), ("mirror-due", "log needs rotating")]
)
def test_a_dry_run_tells_whether_it_is_due(name: str, seen: str) -> None:
    check = dry_check("qsp-a", said(f"logrotate-debug/{name}"), changed=False)
    assert check.passed
    assert seen in check.seen


def test_a_dry_run_that_fails_is_silent_or_moves_files_fails() -> None:
    assert not dry_check("qsp-a", said("logrotate-debug/mirror-due"), changed=True).passed
    silent = Result(command("logrotate", reads=True), 0, "", "")
    assert not dry_check("qsp-a", silent, changed=False).passed
    failed = Result(command("logrotate", reads=True), 3, "", "state file locked\n")
    assert "exit code 3: state file locked" in dry_check("qsp-a", failed, changed=False).seen


def test_only_the_dry_run_promises_to_change_nothing(site: Site) -> None:
    wanted = rendered(site, "x")
    assert not logrotate(wanted, "--debug").writes
    forced = logrotate(wanted, "--force")
    assert forced.writes
    state = ("--state", "/mnt/mirror/rotation/logrotate.state", "/etc/squid-ha/mirror.logrotate")
    assert forced.argv[-3:] == state


NAMES = st.text(st.characters(blacklist_characters="\n", blacklist_categories=["Cs"]), min_size=1)


@given(st.dictionaries(NAMES, st.tuples(st.integers(min_value=1), st.integers(min_value=0))))
def test_names_with_anything_in_them_are_read(files: dict[str, tuple[int, int]]) -> None:
    files = {name: file for name, file in files.items() if name.splitlines() == [name]}
    output = "".join(f"{inode} {size} {name}\n" for name, (inode, size) in files.items())
    assert parse_files(output) == {name: LogFile(*file) for name, file in files.items()}


FILES = st.dictionaries(
    st.sampled_from([LOG, *(f"{LOG}-{n}" for n in range(4)), *(f"{LOG}-{n}.gz" for n in range(4))]),
    st.builds(LogFile, st.integers(min_value=1, max_value=9), st.integers(min_value=0, max_value=99)),
)


@given(FILES, FILES)
def test_every_file_that_is_there_afterwards_is_shown(before: dict[str, LogFile], after: dict[str, LogFile]) -> None:
    shown = {change.file: change for change in changes("a", copy.copy(before), copy.copy(after))}
    assert set(after) <= set(shown)
    assert all(shown[name].after == file.size for name, file in after.items())
