"""Manifests are read and compared."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lab.manifest import (
    Entry,
    Manifest,
    differences,
    parse_digests,
    parse_files,
    parse_packages,
    parse_units,
)

FILE = Entry("f", "644", "root:root", "", "a" * 64)
FOLDER = Entry("d", "755", "root:root", "")
BEFORE = Manifest(
    host="qsp-a",
    files={
        "/etc": Entry("d", "755", "root:root", ""),
        "/etc/hosts": FILE,
        "/var/lib/squid-ha": Entry("d", "700", "root:root", ""),
    },
    packages={"cron": "ii  3.0"},
    enabled={"cron.service": "enabled"},
    active={"cron.service": "active"},
    boot_id="1",
)


def with_file(path: str, entry: Entry) -> Manifest:
    return replace(BEFORE, files={**BEFORE.files, path: entry})


def test_the_same_is_no_difference() -> None:
    assert differences(BEFORE, BEFORE) == []


@pytest.mark.parametrize(
    ("after", "line"),
    [
        (with_file("/etc/new", FILE), "file /etc/new: new"),
        (replace(BEFORE, files={k: v for k, v in BEFORE.files.items() if k != "/etc/hosts"}), "file /etc/hosts: gone"),
        (
            replace(BEFORE, files={**BEFORE.files, "/etc/hosts": replace(FILE, mode="600")}),
            "file /etc/hosts: mode was 644, is 600",
        ),
        (
            replace(BEFORE, files={**BEFORE.files, "/etc/hosts": replace(FILE, digest="b")}),
            "file /etc/hosts: content changed",
        ),
        (
            with_file("/etc/hosts", Entry("l", "777", "root:root", "/x")),
            "file /etc/hosts: kind was f, is l; mode was 644, is 777; target was none, is /x; content changed",
        ),
        (replace(BEFORE, packages={"cron": "rc  3.0"}), "package cron: was ii  3.0, is rc  3.0"),
        (replace(BEFORE, enabled={"cron.service": "masked"}), "unit file cron.service: was enabled, is masked"),
        (replace(BEFORE, active={}), "unit cron.service: gone"),
        (replace(BEFORE, boot_id="2"), "qsp-a has booted in between"),
    ],
)
def test_each_kind_of_difference_is_told(after: Manifest, line: str) -> None:
    assert differences(BEFORE, after) == [line]


def test_kept_paths_are_left_out_with_all_below_but_not_their_namesakes() -> None:
    changed = {**BEFORE.files, "/var/lib/squid-ha/x": FILE, "/var/lib/squid-ha2": FILE}
    after = replace(BEFORE, files={path: entry for path, entry in changed.items() if path != "/var/lib/squid-ha"})
    assert differences(BEFORE, after, kept=["/var/lib/squid-ha"]) == ["file /var/lib/squid-ha2: new"]


def test_two_hosts_may_have_booted_at_different_times() -> None:
    assert differences(BEFORE, replace(BEFORE, host="qsp-b", boot_id="2")) == []


def test_names_with_tabs_and_newlines_are_read_whole() -> None:
    assert parse_files("f\t644\troot:root\t\t/a\tb\nc\0l\t777\tops:ops\t/x\t/y\0") == {
        "/a\tb\nc": Entry("f", "644", "root:root", ""),
        "/y": Entry("l", "777", "ops:ops", "/x"),
    }
    digest = "0" * 64
    assert parse_digests(f"{digest}  /a\tb\nc\0") == {"/a\tb\nc": digest}


def test_units_that_come_and_go_are_left_out() -> None:
    listing = "cron.service loaded active running Regular jobs\nuser@1000.service loaded active running User\n\n"
    assert parse_units(listing, column=2) == {"cron.service": "active"}


def test_packages_are_read_with_state_and_version() -> None:
    assert parse_packages("cron\tii  3.0pl1\nsquid\trc  5.7\n") == {"cron": "ii  3.0pl1", "squid": "rc  5.7"}
