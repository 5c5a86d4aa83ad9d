"""Doctor's verdict and its forecast."""

from __future__ import annotations

from pathlib import Path

import pytest

from setup import doctor, places
from setup.probes import Finding, Verdict

FINE = Finding("disk", Verdict.OK, "72 GiB")
LACKING = Finding("memory", Verdict.MISSING, "1.0 GiB", "buy some")
BUILD = Finding("Pulumi", Verdict.NOTE, "no official release in reach")


@pytest.fixture(autouse=True)
def fresh_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SQUID_HA_CACHE", str(tmp_path))
    monkeypatch.setattr(places, "VENV", tmp_path / "venv")


@pytest.mark.parametrize(("findings", "code"), [([FINE, BUILD], 0), ([FINE, LACKING], 1)])
def test_exit_code(findings: list[Finding], code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "examine", lambda: findings)
    assert doctor.main() == code


def test_what_is_missing_comes_with_its_remedy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "examine", lambda: [FINE, LACKING])
    doctor.main()
    assert capsys.readouterr().out.endswith("missing: memory: 1.0 GiB. Remedy: buy some\n")


def test_the_forecast_counts_only_what_is_still_to_be_done(tmp_path: Path) -> None:
    assert "setup, Pulumi built from source" in doctor.expected([FINE, BUILD])
    assert "setup, Pulumi built from source" not in doctor.expected([FINE])
    (tmp_path / "venv").mkdir()
    (tmp_path / "venv" / ".squid-ha").touch()
    (tmp_path / "image").mkdir()
    assert not [step for step in doctor.expected([FINE, BUILD]) if step.startswith(("setup", "lab image"))]
