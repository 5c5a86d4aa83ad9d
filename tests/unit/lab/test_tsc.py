"""The frequency told to emulated guests."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from lab import tsc
from lab.vm import Machine

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="only x86-64 has this counter")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SQUID_HA_CACHE", str(tmp_path))


def test_two_measurements_agree() -> None:
    first, second = tsc.measure_khz(), tsc.measure_khz()
    assert 100_000 < first < 10_000_000
    assert abs(first - second) < first * 0.01


@pytest.mark.parametrize(("second", "told"), [(2_600_100, 2_600_000), (2_500_000, 2_500_000)])
def test_the_first_result_is_kept_as_long_as_it_fits(monkeypatch: pytest.MonkeyPatch, second: int, told: int) -> None:
    monkeypatch.setattr(tsc, "measure_khz", lambda: 2_600_000)
    assert tsc.frequency_khz() == 2_600_000
    monkeypatch.setattr(tsc, "measure_khz", lambda: second)
    assert tsc.frequency_khz() == told


@pytest.mark.parametrize(
    ("accelerator", "khz", "word"),
    [("tcg,thread=multi", 2_600_000, "tsc_early_khz=2600000"), ("tcg,thread=multi", None, "clocksource=acpi_pm")],
)
def test_an_emulated_guest_need_not_measure(accelerator: str, khz: int | None, word: str) -> None:
    line = Machine(Path(), Path(), Path(), accelerator, khz).command_line("qsp-a").split()
    assert line[-1] == word
    assert "systemd.hostname=qsp-a" in line


def test_a_guest_under_kvm_is_left_to_ask_it() -> None:
    assert "tsc_early" not in Machine(Path(), Path(), Path(), "kvm", 2_600_000).command_line("qsp-a")
