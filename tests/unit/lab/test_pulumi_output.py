"""Lines as `pulumi up --non-interactive --color never` printed them."""

from __future__ import annotations

import pytest

from lab.pulumi_output import Reader, count, shown


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("@ updating......", None),
        ("", None),
        (" +  pulumi-python:dynamic/host:Node node-2 creating (0s) ", None),
        (" +  pulumi-python:dynamic/host:Node node-2 created (43s) ", " +  host:Node node-2 created (43s)"),
        (" ~  pulumi-python:dynamic/host:Time time updating (0s) [diff: ~nodes]", None),
        (" ~  pulumi-python:dynamic/host:Time time updated (3s) [diff: ~nodes]",
         " ~  host:Time time updated (3s) [diff: ~nodes]"),
        (" +  pulumi:pulumi:Stack squid-ha-lab creating (0s) ", None),
        (" +  pulumi:pulumi:Stack squid-ha-lab created (143s) ", None),
        ("    pulumi:pulumi:Stack squid-ha-lab running ", None),
        (" +  squid-ha:site:Hosts hosts created ", None),
        (" +  pulumi:pulumi:Stack squid-ha-lab creating (98s) packages: qsp-b: installing squid",
         "      packages: qsp-b: installing squid"),
        ("    pulumi:pulumi:Stack squid-ha-lab running (8s) mirror: 12 % in sync", "      mirror: 12 % in sync"),
        (" +  pulumi-python:dynamic/host:Node node-1 **creating failed** error: Traceback (most recent call last):",
         " +  host:Node node-1 **creating failed** error: Traceback (most recent call last):"),
        ("providers.connection.errors.HostKeyRefused: qsp-a: the SSH host key is not known",
         "providers.connection.errors.HostKeyRefused: qsp-a: the SSH host key is not known"),
        ("    pulumi:pulumi:Stack squid-ha-lab  1 message", None),
        ("Outputs:", "Outputs:"),
    ],
)  # fmt: skip
def test_lines_for_people(line: str, expected: str | None) -> None:
    assert shown(line) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("    + 26 created", ("created", 26)),
        ("    ~ 1 updated", ("updated", 1)),
        ("    25 unchanged", ("unchanged", 25)),
        ("    +-1 replaced", ("replaced", 1)),
        ("    3 errored", None),
        ("Resources:", None),
        ("    qsp-a: 26 created", None),
    ],
)
def test_the_summary_is_counted(line: str, expected: tuple[str, int] | None) -> None:
    assert count(line) == expected


def test_what_was_said_on_the_way_is_not_said_again() -> None:
    lines = [
        "    pulumi:pulumi:Stack squid-ha-lab running (8s) mirror: 12 % in sync",
        "Diagnostics:",
        "  pulumi:pulumi:Stack (squid-ha-lab):",
        "    mirror: 12 % in sync",
        "",
        "Outputs:",
        "    phase: 3",
    ]
    reader = Reader()
    said = [text for line in lines for text in reader.read(line)]
    assert said == ["      mirror: 12 % in sync", "Outputs:", "    phase: 3"]


def test_an_error_stands_under_its_headings() -> None:
    reader = Reader()
    lines = ["Diagnostics:", "  pulumi-python:dynamic/host:Time (time):", "    error: Traceback", "      File x"]
    assert [text for line in lines for text in reader.read(line)] == lines
