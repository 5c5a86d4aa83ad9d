"""The scripts that handle the secret, run for real by sh; drbdadm is a stand-in that accepts or refuses the file."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from providers.connection.command import Command
from providers.storage import configuration, drbd
from tests.unit.storage.model import TEXT


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "bin").mkdir()
    stand_in(tmp_path, "exit 0")
    return tmp_path


def stand_in(place: Path, body: str) -> None:
    tool = place / "bin/drbdadm"
    tool.write_text(f"#!/bin/sh\n{body}\n")
    tool.chmod(0o755)


def run(place: Path, command: Command) -> subprocess.CompletedProcess[bytes]:
    environment = {"PATH": f"{place}/bin:{os.environ['PATH']}"}
    return subprocess.run(command.argv, input=command.stdin or b"", capture_output=True, env=environment, check=False)


def write(place: Path, stdin: str) -> subprocess.CompletedProcess[bytes]:
    owner = f"{os.getuid()}:{os.getgid()}"
    arguments = (str(place / "r.res"), str(TEXT.count("\n")), "0600", owner)
    return run(place, configuration.script(configuration._WRITE, *arguments, stdin=stdin))


def read(place: Path) -> configuration.Configuration:
    return configuration.parse(run(place, configuration.read(str(place / "r.res"))).stdout.decode())


def test_a_secret_is_made_and_masked_when_read(place):
    assert write(place, f"\n{TEXT}").returncode == 0
    written = (place / "r.res").read_text()
    secret = written.split('shared-secret "')[1].split('"')[0]
    assert len(secret) == 48
    assert (place / "r.res").stat().st_mode & 0o777 == 0o600
    found = read(place)
    assert (found.file.content, found.file.mode) == (TEXT, "0600")
    assert len(found.secret) == 64
    assert secret not in repr(found)
    assert run(place, configuration.script(configuration._TELL, str(place / "r.res"))).stdout.decode().strip() == secret


def test_a_given_secret_is_taken(place):
    write(place, f"given\n{TEXT}")
    assert 'shared-secret "given";' in (place / "r.res").read_text()


@pytest.mark.parametrize("stdin", ["", "giv", "given\n", f"given\n{TEXT[:200]}"])
def test_input_that_ends_early_writes_nothing(place, stdin):
    (place / "r.res").write_text("old")
    assert write(place, stdin).returncode != 0
    assert (place / "r.res").read_text() == "old"


def test_a_file_that_drbdadm_refuses_is_not_put_in_place(place):
    stand_in(place, "echo 'r.res:3: Parse error' >&2; exit 10")
    result = write(place, f"given\n{TEXT}")
    assert (result.returncode, result.stderr) == (10, b"r.res:3: Parse error\n")
    assert [path.name for path in place.iterdir()] == ["bin"]


def test_the_secret_of_somebody_elses_file_is_masked_too(place):
    (place / "r.res").write_text("resource r { net { shared-secret theirs; } }\n")
    found = read(place)
    assert found.file.content == "resource r { net { shared-secret @secret@\n"
    assert found.secret == hashlib.sha256(b"theirs").hexdigest()


def test_whatever_else_is_said_is_shown(place: Path) -> None:
    (place / "r.res").write_text('# the shared-secret\ncram-hmac-alg sha1;\nshared-secret #\n\n"x";\nping-int 9;\n')
    shown = "# the shared-secret @secret@\ncram-hmac-alg sha1;\nshared-secret @secret@\nping-int 9;\n"
    assert read(place).file.content == shown


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ('shared-secret "ab;cdMARKER";', "ab;cdMARKER"),
        ('shared-secret "ab;cd#MARKER" ; # was "MARKER";', "ab;cd#MARKER"),
        (r'shared-secret  "a b\"MARKER\\";', r"a b\"MARKER\\"),
        ('shared-secret "two MARKERs"; verify-alg md5;', "two MARKERs"),
        ("shared-secret\tMARKER ;", "MARKER"),
        ('# shared-secret MARKER\nshared-secret "theirs";', "theirs"),
        ('# shared-secret "MARKER";\nshared-secret "theirs";', "theirs"),
        ('#shared-secret "MARKER"\n#shared-secret "old;MARKER', ""),
        ('shared-secret\n\n  "MARKER";', ""),
        ('shared-secret # "MARKER"\n  "MARKER";', ""),
        ('shared-secret "MARKER', ""),
    ],
)
def test_whatever_form_it_has_and_is_taken_over_as_drbd_reads_it(place: Path, text: str, secret: str) -> None:
    (place / "r.res").write_text(f"resource r {{\n{text}\n}}\n")
    found = read(place)
    assert "MARKER" not in (found.file.content or "")
    assert "resource r {" in (found.file.content or "")
    assert found.secret == (hashlib.sha256(secret.encode()).hexdigest() if secret else "")
    told = run(place, configuration.script(configuration._TELL, str(place / "r.res"))).stdout.decode()
    assert told == (f"{secret}\n" if secret else "")
    write(place, (told or "MARKER\n") + TEXT)
    taken = read(place)
    assert (taken.file.content, taken.secret) == (TEXT, found.secret or taken.secret)


def test_no_file(place):
    assert read(place).file.content is None


def test_errors_of_drbdadm_do_not_tell_the_secret(place):
    stand_in(place, "echo \"Command 'drbdsetup-84 connect r --shared-secret=marker --timeout=60' failed\" >&2; exit 20")
    result = run(place, drbd.adm("adjust", "r"))
    assert result.returncode == 20
    assert b"marker" not in result.stderr
    assert b"'drbdsetup-84 connect r --shared-secret=***' failed" in result.stderr


def test_nor_do_they_a_part_of_one_with_blanks(place: Path) -> None:
    said = "drbdsetup connect r --shared-secret=a marker --b'marker marker --timeout=60"
    stand_in(place, f"cat <<'END' >&2\nCommand '{said}' terminated with exit code 10\n{said}\nEND\nexit 20")
    result = run(place, drbd.adm("adjust", "r"))
    assert b"marker" not in result.stderr
    assert b"--shared-secret=***' terminated with exit code 10\n" in result.stderr


def test_restore(place):
    path = place / "r.res"
    path.write_text("theirs")
    run(place, configuration.script(configuration._SAVE, str(path), configuration.BACKUP))
    path.write_text("ours")
    for _ in range(2):
        # The second time after a run that was cut off behind the first.
        run(place, configuration.script(configuration._RESTORE, str(path), configuration.BACKUP, "saved"))
        assert path.read_text() == "theirs"
    for _ in range(2):
        run(place, configuration.script(configuration._RESTORE, str(path), configuration.BACKUP, "absent"))
        assert not path.exists()


@pytest.mark.parametrize("failing", ["", "primary", "secondary", "adjust"])
def test_a_half_taken_for_the_newest_is_fenced_as_before_and_no_secret_is_said(place: Path, failing: str) -> None:
    told = place / "told"
    speaks = f'echo "drbdsetup net-options --shared-secret=hidden" >&2; [ "$1" != \'{failing}\' ]'
    stand_in(place, f'[ "$1" != sh-minor ] || {{ echo 0; exit 0; }}\necho "$1" >>{told}\n{speaks}')
    for name, body in (("drbdsetup", f'echo "$*" >>{told}'), ("sleep", ":")):
        (place / "bin" / name).write_text(f"#!/bin/sh\n{body}\n")
        (place / "bin" / name).chmod(0o755)
    done = run(place, drbd.newest("squid-ha"))
    assert (done.returncode == 0) == (failing == "")
    assert b"hidden" not in done.stderr + done.stdout
    steps = told.read_text().split("\n")[:-1]
    assert (steps[0], steps[-1]) == ("disk-options 0 --fencing=dont-care", "adjust")
    assert failing or steps[1:-1] == ["primary", "secondary"]
