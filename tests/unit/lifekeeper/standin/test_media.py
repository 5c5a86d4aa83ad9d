"""What nodes install the stand-in from."""

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


def test_setup_is_a_shell_script(folder: Path):
    subprocess.run(["sh", "-n", folder / "setup"], check=True)
