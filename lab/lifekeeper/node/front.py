"""The front end of a command where the daemon does not run, or is started or ended by it; else see `front.pl`."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from lab.lifekeeper.node import CONFIG, ROOT, SOCKET, VERSION
from lab.lifekeeper.node.lines import Answer, asked, understood
from lab.lifekeeper.node.settings import switches
from providers.lifekeeper.grammar.plain import SYNTAX, Call, Refusal

LICENCE = Path(CONFIG) / "licence"
READY = Path(CONFIG) / "LK_INITDONE"
LONGEST_START = 200.0
UNIT = "lifekeeper.service"


def main(argv: Sequence[str]) -> int:
    """Answer a line; the exit code."""
    if argv[0] == f"{ROOT}/bin/lkcli" and list(argv[1:]) in (["--version"], ["-version"]):
        print(f"lkcli {VERSION}")
        return 0
    try:
        call = understood(argv)
    except Refusal as refusal:
        print(refusal, file=sys.stderr)
        return SYNTAX
    return tell(call) if isinstance(call, Answer) else _answer(call, argv)


def tell(answer: Answer) -> int:
    """Print an answer; its exit code, unless it is a signal to die by."""
    sys.stdout.write(answer.out)
    sys.stderr.write(answer.err)
    sys.stdout.flush()
    if answer.code < 0:
        os.kill(os.getpid(), -answer.code)
    return answer.code


def _answer(call: Call, argv: Sequence[str]) -> int:
    match call.command:
        case "lkkeyins":
            return install_licence(Path(call.values["file"]))
        case "lkstart" | "lkcli start":
            return start(call.values.get("wait", LONGEST_START))
        case "lkstop" | "lkcli stop":
            code = ask(argv) if running() else 0
            return code or systemctl("stop", UNIT)
        case "lktest" if not running():
            return 1
        case _ if not running():
            print("LifeKeeper is not running on this system", file=sys.stderr)
            return 1
        case _:
            return ask(argv)


def running() -> bool:
    """Whether the daemon is up, and done with its start."""
    return READY.exists() and _connect() is not None


def _connect() -> socket.socket | None:
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(SOCKET)
    except OSError:
        connection.close()
        return None
    return connection


def ask(argv: Sequence[str]) -> int:
    """Have the daemon run a command."""
    connection = _connect()
    if connection is None:
        print("LifeKeeper is not running on this system", file=sys.stderr)
        return 1
    with connection, connection.makefile("rw", encoding="utf-8") as stream:
        stream.write(asked(os.getpid(), argv))
        stream.flush()
        line = stream.readline()
    if not line:
        print("LifeKeeper ended while it answered", file=sys.stderr)
        return 1
    return tell(Answer.read(line))


def licensed() -> bool:
    """Whether a licence of LifeKeeper is installed."""
    return switches().get("licence") != "none" and LICENCE.exists() and "FEATURE lklc" in LICENCE.read_text()


def install_licence(file: Path) -> int:
    """lkkeyins: 7 when there is no such file, 5 when it is no licence of LifeKeeper."""
    if not file.is_file():
        print(f"{file}: no such file", file=sys.stderr)
        return 7
    if not any(line.startswith("FEATURE lklc") for line in file.read_text(errors="replace").splitlines()):
        print(f"{file} holds no license for LifeKeeper (a line `FEATURE lklc ...`)", file=sys.stderr)
        return 5
    LICENCE.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, LICENCE)
    return 0


def start(seconds: float) -> int:
    """Start the daemon and wait until it is up. Exit code and text without a licence are unknown."""
    if not licensed():
        print("LifeKeeper cannot start: no valid license is installed (lkkeyins)", file=sys.stderr)
        return 1
    if code := systemctl("start", UNIT):
        return code
    deadline = time.monotonic() + seconds
    while not running():
        if time.monotonic() > deadline:
            print(f"LifeKeeper is not up after {seconds:g} s; see /var/log/lifekeeper.log", file=sys.stderr)
            return 1
        time.sleep(0.1)
    print("LifeKeeper is running")
    return 0


def systemctl(*words: str) -> int:
    """1 when it fails, with what it said."""
    done = subprocess.run(["systemctl", *words], check=False)
    return 1 if done.returncode else 0


if __name__ == "__main__":
    # The daemon's unit asks before it starts.
    sys.exit(0 if licensed() else 1)
