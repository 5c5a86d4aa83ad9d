"""What a declared rotation becomes: one stanza, as logrotate reads it, and nothing else."""

import copy
import dataclasses
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blueprint.render import rotation as rendering
from blueprint.rotation import mirror_logs, rendered, thing
from declaration.errors import DeclarationError
from declaration.load import read
from tests.unit.declaration.conftest import SITES

DEFAULT = """\
# The mirror's log of the site squid-ha/x. Managed by squid-ha.
/mnt/mirror/squid/access.log {
    daily
    rotate 14
    dateext
    dateformat -%Y%m%d-%s
    missingok
    notifempty
    nocreate
    compress
    delaycompress
    postrotate
        if systemctl --quiet is-active squid.service; then squid -k rotate; fi
    endscript
}
"""
WORDS = {
    "hourly", "daily", "weekly", "monthly", "size", "rotate", "dateext", "nodateext", "dateformat", "missingok",
    "notifempty", "nocreate", "maxsize", "minsize", "compress", "nocompress", "delaycompress", "postrotate",
    "if", "endscript",
}  # fmt: skip


def text(**settings: object) -> str:
    site = copy.deepcopy(SITES[3])
    site["rotation"] = settings
    return rendering.logrotate(rendered(read(site, "x"), "squid-ha/x"))


def stanza(**settings: object) -> list[str]:
    return [line.strip() for line in text(**settings).splitlines()]


def test_the_default_is_what_deployed_sites_have():
    """A byte of difference would be a change to every site at its next `pulumi up`."""
    assert text() == text(schedule="daily", keep=14) == DEFAULT


@pytest.mark.parametrize(
    ("settings", "there", "not_there"),
    [
        ({"size": "500M"}, {"size 500M"}, {"daily"}),
        ({"max_size": "1G", "min_size": "1k"}, {"daily", "maxsize 1G", "minsize 1k"}, set[str]()),
        ({"date_suffix": False}, {"nodateext"}, {"dateext", "dateformat -%Y%m%d-%s"}),
        ({"date_suffix": "off"}, {"nodateext"}, {"dateext"}),
        ({"date_suffix": "on"}, {"dateext", "dateformat -%Y%m%d-%s"}, {"nodateext"}),
        ({"date_suffix": ".%Y%m%d"}, {"dateext", "dateformat .%Y%m%d"}, {"dateformat -%Y%m%d-%s"}),
        ({"schedule": "hourly", "date_suffix": "-%Y%m%d%H"}, {"hourly", "dateformat -%Y%m%d%H"}, {"daily"}),
        ({"compress": False}, {"nocompress"}, {"compress", "delaycompress"}),
        ({"keep": 3, "schedule": "weekly"}, {"rotate 3", "weekly"}, {"daily"}),
    ],
)
def test_settings_take_effect(settings, there, not_there):
    lines = set(stanza(**settings))
    assert there <= lines
    assert not not_there & lines


def test_of_several_logs_squid_is_told_once():
    site = read(copy.deepcopy(SITES[3]), "x")
    wanted = rendered(site, "squid-ha/x")
    both = dataclasses.replace(wanted, logs=("/mnt/mirror/squid/a.log", "/mnt/mirror/squid/b.log"))
    lines = rendering.logrotate(both).splitlines()
    assert lines[1] == "/mnt/mirror/squid/a.log /mnt/mirror/squid/b.log {"
    assert lines.count("    sharedscripts") == lines.count("    postrotate") == 1


@pytest.mark.parametrize(
    ("active", "rotated", "ends"),
    [(True, True, 0), (True, False, 1), (False, False, 0)],
    ids=["Squid is told", "Squid cannot be told", "Squid is stopped"],
)
def test_a_rotation_that_squid_was_not_told_of_fails(tmp_path: Path, active: bool, rotated: bool, ends: int):
    for name, works in {"systemctl": active, "squid": rotated}.items():
        program = tmp_path / name
        program.write_text(f'#!/bin/sh\necho {name} "$@" >>{tmp_path}/asked\nexit {0 if works else 1}\n')
        program.chmod(0o755)
    script = text().partition("postrotate\n")[2].partition("endscript")[0]
    done = subprocess.run(["/bin/sh", "-c", script], env={"PATH": str(tmp_path)}, check=False)
    assert done.returncode == ends
    asked = (tmp_path / "asked").read_text().splitlines()
    assert asked == ["systemctl --quiet is-active squid.service", *(["squid -k rotate"] if active else [])]


def test_only_what_lies_on_the_mirror_is_rotated_by_us():
    assert mirror_logs(read(copy.deepcopy(SITES[3]), "x")) == ("/mnt/mirror/squid/access.log",)
    assert mirror_logs(read(copy.deepcopy(SITES[2]), "x")) == ()
    with pytest.raises(ValueError, match="needs a mirror"):
        thing(read(copy.deepcopy(SITES[2]), "x"), "squid-ha/x")


SIZES = st.one_of(st.none(), st.from_regex(r"[1-9][0-9]{0,3}[kMG]", fullmatch=True), st.text(max_size=8))


@given(
    st.sampled_from(["hourly", "daily", "weekly", "monthly"]),
    st.integers(min_value=1, max_value=10_000),
    st.one_of(st.booleans(), st.text(), st.text(alphabet="%YmdHMSs-._{}\n #;$`x", max_size=30)),
    SIZES,
    SIZES,
    SIZES,
)
def test_whatever_is_accepted_is_one_stanza_of_known_words(schedule, keep, suffix, size, max_size, min_size):
    settings = {"keep": keep, "date_suffix": suffix, "size": size, "max_size": max_size, "min_size": min_size}
    if size is None:
        settings["schedule"] = schedule
    try:
        lines = stanza(**{name: value for name, value in settings.items() if value is not None})
    except DeclarationError:
        return
    assert lines[1].endswith("{")
    assert lines[-1] == "}"
    assert {line.split()[0] for line in lines[2:-1]} <= WORDS
    assert all(len(line.split()) <= 2 for line in lines[2:-1] if not line.startswith("if "))


@given(st.from_regex(r"[-._]([-._A-Za-z0-9]|%[YmdHMSs])*", fullmatch=True))
def test_accepted_date_formats_fit_into_logrotate(suffix):
    try:
        text(date_suffix=suffix)
    except DeclarationError:
        return
    # logrotate 3.21, logrotate.c: DATEEXT_LEN 64 for the name, twice that for the pattern that finds old files.
    written = suffix.replace("%Y", "2026").replace("%s", "1" * 10)
    for part in "mdHMS":
        written = written.replace(f"%{part}", "00")
    assert len(written) < 64
