"""System packages: what counts as there, and what is said where they cannot be installed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from setup import packages, places, probes
from setup.packages import Package
from setup.steps import SetupError, Step


def test_the_list_can_be_read_and_names_no_package_twice() -> None:
    listed = packages.read_list()
    assert {package.purpose for package in listed} == {"setup", "check", "lab"}
    assert len({package.name for package in listed}) == len(listed)


@pytest.mark.parametrize(
    ("sign", "present"),
    [
        ("sh", True),
        ("no-such-command", False),
        ("/etc", True),
        ("/no/such", False),
        ("import:json", True),
        ("import:nix", False),
    ],
)
def test_signs(sign: str, present: bool) -> None:
    assert Package("lab", "x", sign).present is present


def missing(monkeypatch: pytest.MonkeyPatch, **names: list[str]) -> None:
    """Let packages be missing, by what they are for."""
    listed = [Package(purpose, name, "no-such-command") for purpose in names for name in names[purpose]]
    monkeypatch.setattr(packages, "read_list", lambda: [*listed, Package("lab", "sh", "/bin/sh")])


@pytest.fixture
def something_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    missing(monkeypatch, setup=["foo"])
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "apt-get").write_text("#!/bin/sh\n")
    (tmp_path / "apt-get").chmod(0o755)


@pytest.mark.usefixtures("something_missing")
def test_without_root_the_command_to_type_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "privilege", lambda: None)
    with pytest.raises(SetupError, match=r"sudo apt-get install --no-install-recommends foo$"):
        packages.install(Step("packages"))


@pytest.mark.usefixtures("something_missing")
def test_off_debian_the_packages_are_named(tmp_path: Path) -> None:
    (tmp_path / "apt-get").unlink()
    with pytest.raises(SetupError, match=r"no Debian.*: foo$"):
        packages.install(Step("packages"))


@pytest.mark.usefixtures("something_missing")
def test_an_installation_that_changes_nothing_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    monkeypatch.setattr(packages, "privilege", list[str])
    monkeypatch.setattr(packages, "apt_install", lambda _root, names: asked.append(names))
    with pytest.raises(SetupError, match="Still missing after installation: foo"):
        packages.install(Step("packages"))
    assert asked == [["foo"]]


@pytest.mark.usefixtures("something_missing")
def test_without_root_setup_goes_on_without_what_only_lab_and_tests_need(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    missing(monkeypatch, lab=["qemu", "socat"], check=["git"])
    monkeypatch.setattr(packages, "privilege", lambda: None)
    packages.install(Step("packages"))
    said = capsys.readouterr().out
    assert "only for the lab and the tests: qemu socat git\n" in said
    assert "sudo apt-get install --no-install-recommends qemu socat git\n" in said
    assert probes.system_packages().found == "qemu socat git (for the lab and the tests only)"


@pytest.mark.usefixtures("something_missing")
@pytest.mark.parametrize(("lab", "installed"), [(True, ["foo", "qemu", "git"]), (False, ["foo", "git"])])
def test_with_root_those_are_installed_too_the_labs_unless_there_is_none(
    monkeypatch: pytest.MonkeyPatch, lab: bool, installed: list[str]
) -> None:
    missing(monkeypatch, setup=["foo"], lab=["qemu"], check=["git"])
    asked: list[str] = []

    def install(_root: list[str], names: list[str]) -> None:
        asked.extend(names)
        missing(monkeypatch)
        monkeypatch.setattr(Package, "present", True)

    monkeypatch.setattr(packages, "privilege", list[str])
    monkeypatch.setattr(packages, "apt_install", install)
    packages.install(Step("packages"), lab=lab)
    assert asked == installed


@pytest.mark.usefixtures("something_missing")
def test_the_lab_says_what_it_lacks(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    missing(monkeypatch, lab=["qemu"], check=["git"])
    assert packages.main() == 1
    assert "apt-get install --no-install-recommends qemu\n" in capsys.readouterr().err
    missing(monkeypatch, check=["git"])
    assert packages.main() == 0


def test_whatever_starts_the_lab_asks_first() -> None:
    makefile = (places.PROJECT / "Makefile").read_text()
    starts = re.findall(r"^\t.*-m (?:lab\.demo|lab up|pytest tests/hooks).*", makefile, re.MULTILINE)
    assert len(starts) == 3
    assert all("-m setup.packages &&" in line for line in starts)
