"""System packages: what counts as there, and what is said where they cannot be installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from setup import packages
from setup.packages import Package
from setup.steps import SetupError, Step


def test_the_list_can_be_read_and_names_no_package_twice() -> None:
    listed = packages.read_list()
    assert {package.purpose for package in listed} == {"setup", "lab"}
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


@pytest.fixture
def something_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    listed = [Package("lab", "foo", "no-such-command"), Package("lab", "sh", "sh")]
    monkeypatch.setattr(packages, "read_list", lambda: listed)
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
    with pytest.raises(SetupError, match=r"no Debian.*: foo\.$"):
        packages.install(Step("packages"))


@pytest.mark.usefixtures("something_missing")
def test_an_installation_that_changes_nothing_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    monkeypatch.setattr(packages, "privilege", list[str])
    monkeypatch.setattr(packages, "apt_install", lambda _root, names: asked.append(names))
    with pytest.raises(SetupError, match="Still missing after installation: foo"):
        packages.install(Step("packages"))
    assert asked == [["foo"]]
