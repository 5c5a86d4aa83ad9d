"""The password of the state's database: in nothing that is printed or written, whatever Pulumi says of the address."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operations import stacks
from operations.credentials import MASK, without_passwords
from operations.drift import Case, Outcome, Report, SiteReport, github, junit, prometheus
from operations.stacks import StackTrouble

BACKEND = "PULUMI_BACKEND_URL"
REFUSED = "failed to ping PostgreSQL: dial tcp 127.0.0.1:1: connect: connection refused"


def quoted(address: str) -> str:
    """As Go writes a text in quotes."""
    return json.dumps(address, ensure_ascii=False)


def pulumi_that_says(folder: Path, said: str) -> Path:
    """A project whose Pulumi says this on standard error and fails."""
    launcher = folder / ".venv/bin/pulumi"
    launcher.parent.mkdir(parents=True)
    (folder / "said").write_text(said)
    launcher.write_text(f"#!/bin/sh\ncat '{folder}/said' >&2\nexit 1\n")
    launcher.chmod(0o755)
    return folder


def test_a_database_that_does_not_answer_is_told_without_its_password(tmp_path: Path) -> None:
    address = "postgres://pulumi:geheim@127.0.0.1:1/pulumi"
    root = pulumi_that_says(tmp_path, f"error: unable to open state database {quoted(address)}: {REFUSED}\n")
    with pytest.raises(StackTrouble) as raised:
        stacks.pulumi(["stack", "ls"], root)
    assert str(raised.value) == (
        "`pulumi stack ls` ended with exit code 1: error: unable to open state database "
        f'"postgres://pulumi:{MASK}@127.0.0.1:1/pulumi": {REFUSED}'
    )


PASSWORDS = ["geheim", "ge%40he%2Fim", "ge@he/im", "ge:heim", 'ge"heim', "ge\\heim", "ge heim", "ge%22heim", "gehü$im"]


@pytest.mark.parametrize("password", PASSWORDS)
@pytest.mark.parametrize("user", ["pulumi", "", "me@corp"])
@pytest.mark.parametrize("known", [True, False])
def test_no_output_of_a_scan_has_the_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, user: str, password: str, known: bool
) -> None:
    address = f"postgres://{user}:{password}@127.0.0.1:1/pulumi?sslmode=disable"
    monkeypatch.setenv(BACKEND, address if known else "")
    root = pulumi_that_says(tmp_path, f"error: unable to open state database {quoted(address)}: {REFUSED}\n")
    with pytest.raises(StackTrouble) as raised:
        stacks.pulumi(["config"], root)
    case = Case(thing="time", kind="host.time", node="qsp-a", outcome=Outcome.ERROR, message=str(raised.value))
    site = SiteReport(stack="lyon", cases=[case], failed=Outcome.ERROR, message=str(raised.value))
    report = Report(started="2026-11-22T21:00:00+00:00", seconds=1.5, sites=[site])
    written = [
        *github.marks(report), github.page(report), report.model_dump_json(), junit.render(report).decode(),
        prometheus.render(report),
    ]  # fmt: skip
    assert [each for each in written if "heim" in each or "im@" in each or unquote(password) in each] == []
    assert all("connection refused" in each for each in written[:-1])


@pytest.mark.parametrize(
    ("password", "said"),
    [
        ("ge/heim", 'parse "postgres://pulumi:ge/heim@db/pulumi/api/user": invalid port ":ge" after host'),
        ("ge#heim", 'parse "postgres://pulumi:ge": invalid port ":ge" after host'),
        ("ge?heim", 'parse "postgres://pulumi:ge?heim@db/pulumi/api/user": invalid port ":ge" after host'),
        ("x@ge/heim", 'unable to open "postgres://pulumi:x@ge/heim@db/pulumi": dial tcp: lookup ge on 192.0.2.53:53'),
    ],
)
def test_a_password_that_cuts_its_address_short_is_not_told_in_pieces_either(password: str, said: str) -> None:
    told = without_passwords(said, {BACKEND: f"postgres://pulumi:{password}@db/pulumi"})
    assert not {"ge", "heim", "x"} & set(told.replace('"', " ").replace(":", " ").replace("/", " ").split())
    assert "postgres://pulumi:[secret]" in told


@given(st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), min_size=1))
def test_no_password_is_told_as_it_is_written_or_meant(password: str) -> None:
    secret = f"{password}zq"
    for written in (secret, quote(secret, safe="")):
        address = f"postgres://pulumi:{written}@db.example.org/pulumi"
        for said in (quoted(address), address, f"no role for {written}"):
            told = without_passwords(f"error: {said}: refused", {BACKEND: address})
            assert secret not in told
            assert written not in told


@pytest.mark.parametrize(
    "text",
    [
        "error: no stack named 'lyon' found",
        'unable to open state database "postgres://127.0.0.1:5432/pulumi": refused',
        "unable to open bucket s3://bucket/squid-ha?region=eu-central-1 as ops@example.org",
        'unable to open state directory "file:///home/ops/x:y@z": no such file or directory',
        "see https://www.pulumi.com/docs/ and ssh://git@example.org:22/squid-ha",
        "",
    ],
)
def test_what_has_no_password_is_told_as_it_is(text: str) -> None:
    assert without_passwords(text, {}) == text
    assert without_passwords(text, {BACKEND: "s3://bucket/squid-ha?region=eu-central-1"}) == text


def test_a_password_among_an_addresss_settings_is_not_told() -> None:
    said = without_passwords('"postgres://db/pulumi?user=pulumi&password=geheim&sslpassword=ge%3Dheim"', {})
    assert said == f'"postgres://db/pulumi?user=pulumi&password={MASK}&sslpassword={MASK}"'
