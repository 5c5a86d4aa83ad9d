"""What nodes install the stand-in from."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lab.lifekeeper import media
from lab.lifekeeper.node import daemon
from lab.lifekeeper.node.context import COMMANDS
from lab.lifekeeper.node.settings import other_version
from lab.lifekeeper.node.system import System
from providers.lifekeeper import grammar
from providers.lifekeeper.grammar import plain

FRONT = ("lkkeyins", "lkcli", "setup")
"""What needs no daemon."""
UNKNOWN = {"lcdrcp", "mirror_resize", "lk_confirmso", "lkpolicy", "lklicmgr", "lkbackup"} | {
    *("app_create", "app_remove", "app_list", "typ_create", "typ_remove", "typ_list"),
    *("lkGUIserver", "lkGUIapp", "lkpasswd"),
}
"""What the stand-in takes and does not do: nothing here needs it."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("media") / "sps"
    media.make(folder)
    return folder


def test_every_command_of_the_grammar_is_known_to_the_stand_in():
    assert len(daemon.MODULES) > 1
    names = {command.name for command in grammar.load().commands} - set(FRONT)
    assert names - set(COMMANDS) == UNKNOWN
    assert set(COMMANDS) <= names


@pytest.mark.parametrize("name", sorted(UNKNOWN))
async def test_what_the_stand_in_does_not_do_fails_and_says_so(name: str, tmp_path: Path):
    answer = await daemon.execute(System("qsp-a", tmp_path / "lcd.json"), name, {}, 1)
    assert (answer.code, answer.out, answer.err) == (3, "", f"{name}: the stand-in does not do that\n")


def test_it_says_that_it_is_a_stand_in(folder: Path):
    assert "not SIOS LifeKeeper" in (folder / "VERSION").read_text()
    assert "none for SIOS LifeKeeper" in (folder / "evaluation.lic").read_text()


def test_every_program_is_installed(folder: Path):
    programs = (folder / "programs").read_text().splitlines()
    assert "bin/lkcli" in programs
    assert "lkadm/subsys/scsi/netraid/bin/canextend" in programs
    assert not any("{" in program or program.startswith("/") for program in programs)


def test_its_modules_need_nothing_but_python(folder: Path):
    """As on a node: isolated, without what is installed for the project."""
    code = "import sys; sys.path.insert(0, sys.argv[1]); import lab.lifekeeper.node.daemon, lab.lifekeeper.node.front"
    subprocess.run([sys.executable, "-ISc", code, str(folder / "files")], check=True, cwd="/")


def test_another_version_spells_an_option_differently():
    name = "lkcli resource create ip"
    changed = other_version(grammar.load().plain(), {name: {"--ipaddr": "--ip"}})
    line = ["lkcli", "resource", "create", "ip", "--tag", "vip", "--ip", "192.0.2.10"]
    assert plain.parse(changed, line).values["ipaddr"] == "192.0.2.10"
    assert "--ipaddr" not in plain.help_text(changed, name)
    (difference,) = grammar.differences(name, plain.help_text(changed, name))
    assert difference.expected == "--ipaddr <ipaddr>"


class Host:
    """What `setup` sees, in a folder: a host of the lab or none, with a product or none. Nobody is root there."""

    def __init__(self, folder: Path, place: Path) -> None:
        self.lab, self.product, self._programs = place / "lab", place / "LifeKeeper", place / "bin"
        self._programs.mkdir()
        (self._programs / "id").write_text("#!/bin/sh\necho 1000\n")
        (self._programs / "id").chmod(0o755)
        text = (folder / "setup").read_text()
        for real, own in (("/opt/LifeKeeper", self.product), ("/usr/lib/lab/hosts", self.lab)):
            assert text.count(f"={real}\n") == 1
            text = text.replace(f"={real}\n", f"={own}\n")
        self._setup = place / "setup"
        self._setup.write_text(text)
        (place / "VERSION").write_text("a stand-in\n")

    def refusal(self) -> str:
        path = f"{self._programs}:{os.environ['PATH']}"
        done = subprocess.run(
            ["sh", self._setup], capture_output=True, text=True, check=False, env={**os.environ, "PATH": path}
        )
        assert done.returncode == 1
        return done.stderr


@pytest.fixture
def host(folder: Path, tmp_path: Path) -> Host:
    return Host(folder, tmp_path)


def test_setup_refuses_a_host_that_is_none_of_the_labs(host: Host):
    assert "no host of the squid-ha lab" in host.refusal()
    assert not host.product.exists()
    host.lab.mkdir()
    assert "run it as root" in host.refusal(), "and nothing else is in the way"


def test_setup_replaces_no_program_of_a_real_lifekeeper(host: Host):
    host.lab.mkdir()
    program = host.product / "bin/lkcli"
    program.parent.mkdir(parents=True)
    program.write_text("SIOS's own\n")
    assert "perhaps SIOS LifeKeeper's own; nothing was changed" in host.refusal()
    assert [each.read_text() for each in host.product.rglob("*") if each.is_file()] == ["SIOS's own\n"]


@pytest.mark.parametrize("left", ["stand-in", "stand-in.new"])
def test_setup_goes_on_where_an_earlier_one_was_cut_off(host: Host, left: str):
    host.lab.mkdir()
    (host.product / "lib" / left).mkdir(parents=True)
    assert "run it as root" in host.refusal()


def test_setup_is_a_shell_script(folder: Path):
    subprocess.run(["sh", "-n", folder / "setup"], check=True)
