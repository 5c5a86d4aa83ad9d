"""A command's line on its way to the daemon and back, by both front ends."""

import socket
import subprocess
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.lifekeeper.node import ROOT, SOCKET, daemon, front, lines, mirror
from lab.lifekeeper.node.lines import Answer, asked, heard
from lab.lifekeeper.node.system import System
from providers.lifekeeper import grammar

FRONT = Path(lines.__file__).parents[1] / "front.pl"
ARGV = [f"{ROOT}/bin/lkcli", "resource", "create", "--tag", "", "a b\n'\"\\", "é"]
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@given(st.integers(1, 99999), st.lists(TEXT))
def test_words_arrive_as_they_were(pid, argv):
    assert heard(asked(pid, argv)) == (pid, argv)


@given(st.integers(-64, 255), TEXT, TEXT)
def test_answers_arrive_as_they_were(code, out, err):
    assert Answer.read(Answer(code, out, err).line()) == Answer(code, out, err)


def served(place: Path, answer: str) -> list[str]:
    """A daemon that takes one line; the list has it then."""
    taken: list[str] = []
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(place))
    listening.listen()

    def serve() -> None:
        connection, _ = listening.accept()
        with listening, connection, connection.makefile("rw") as stream:
            taken.append(stream.readline())
            stream.write(answer)

    threading.Thread(target=serve, daemon=True).start()
    return taken


def perl(tmp_path: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    """The front end of every command, with its places in a folder of the test's."""
    text = FRONT.read_text()
    assert f'"{SOCKET}"' in text
    assert f'"{ROOT}"' in text
    (tmp_path / "config").mkdir(exist_ok=True)
    (tmp_path / "config/LK_INITDONE").touch()
    (tmp_path / "front.pl").write_text(
        text.replace(SOCKET, str(tmp_path / "socket")).replace(f'"{ROOT}"', f'"{tmp_path}"')
    )
    program = tmp_path / "program"
    program.write_text(f'our $PROGRAM = "{argv[0]}";\nrequire "{tmp_path}/front.pl";\n')
    return subprocess.run(["perl", program, *argv[1:]], capture_output=True, text=True, check=False)


def test_the_daemon_is_asked_and_its_answer_told(tmp_path):
    taken = served(tmp_path / "socket", Answer(7, "out é\n", "err\n").line())
    done = perl(tmp_path, *ARGV)
    assert heard(taken[0])[1] == ARGV
    assert (done.returncode, done.stdout, done.stderr) == (7, "out é\n", "err\n")


def test_a_daemon_that_dies_and_a_command_that_dies(tmp_path):
    served(tmp_path / "socket", "")
    done = perl(tmp_path, *ARGV)
    assert (done.returncode, done.stderr) == (1, "LifeKeeper ended while it answered\n")
    (tmp_path / "socket").unlink()
    served(tmp_path / "socket", Answer(-9).line())
    assert perl(tmp_path, *ARGV).returncode == -9


def test_without_a_daemon_python_answers(tmp_path):
    done = perl(tmp_path, *ARGV)
    assert "No module named 'lab'" in done.stderr, "Python was not asked"


@pytest.fixture
def carried(tmp_path, monkeypatch):
    """The grammar as it is on a node."""
    file = tmp_path / "grammar.json"
    file.write_text(grammar.exported())
    monkeypatch.setattr(lines, "GRAMMAR", file)
    lines._grammar.cache_clear()
    yield
    lines._grammar.cache_clear()


@pytest.mark.usefixtures("carried")
def test_help_and_what_is_no_line_need_no_daemon(capsys):
    assert front.main([f"{ROOT}/bin/lkcli", "resource", "create", "ip", "--help"]) == 0
    assert "--ipaddr" in capsys.readouterr().out
    assert front.main([f"{ROOT}/bin/lkcli", "resource", "conjure"]) == 2
    assert "unknown subcommand" in capsys.readouterr().err


NO_ID = 'ERROR 104052: Cannot get the hardware ID of the device "/dev/sdb"'


@pytest.mark.usefixtures("carried")
@pytest.mark.parametrize(
    ("failure", "text"),
    [
        ({"code": 1, "error": "104052", "parts": {"device": "/dev/sdb"}}, NO_ID),
        ({"code": 1, "text": "of one's own"}, "of one's own"),
    ],
)
async def test_a_switch_has_a_command_fail_with_a_text_of_its_own_or_of_the_grammar(
    failure, text, tmp_path, monkeypatch
):
    name = "lkcli resource create dk"
    monkeypatch.setattr(daemon, "switches", lambda: {"errors": {name: failure}})
    answer = await daemon.execute(System("qsp-a", tmp_path / "lcd.json"), name, {}, 1)
    assert (answer.code, answer.err) == (1, f"{text}\n")


@pytest.mark.usefixtures("carried")
async def test_a_device_that_is_not_there_fails_as_documented(tmp_path, monkeypatch):
    async def nothing() -> None:
        """As on a machine that can have mirrors."""

    monkeypatch.setattr(mirror, "ready", nothing)
    device = str(tmp_path / "none")
    values = {"tag": "datarep-m", "mode": "synchronous", "device": device, "hierarchy": "none"}
    answer = await daemon.execute(System("qsp-a", tmp_path / "lcd.json"), "lkcli resource create dk", values, 1)
    assert (answer.code, answer.err) == (1, NO_ID.replace("/dev/sdb", device) + "\n")


@pytest.mark.parametrize("word", ["start", "stop", "-version", "--version"])
def test_what_starts_or_ends_the_daemon_is_pythons(tmp_path, word):
    served(tmp_path / "socket", Answer(0, "the daemon's\n").line())
    assert "the daemon's" not in perl(tmp_path, f"{tmp_path}/bin/lkcli", word).stdout
