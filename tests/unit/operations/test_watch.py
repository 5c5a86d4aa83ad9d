"""`squid-ha status --watch` on a terminal, a real one: it draws in place, and Ctrl-C gives the screen back."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[3]
ENTERED, LEFT = "\x1b[?1049h", "\x1b[?1049l"
"""The terminal's second screen, which what was there before comes back from."""
HIDDEN, SHOWN = "\x1b[?25l", "\x1b[?25h"
"""The cursor."""
HOME = "\x1b[H"

# $1: how many readings end; of the next one only the first site is told. $2: seconds after which one is slow; then the
# sites. The terminal's Ctrl-C reaches whoever has it as its own.
WATCHING = """
import fcntl, sys, termios, time
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
from operations.cli import _app, _watch, status
from operations.overview import Overview

readings, most, sites = 0, int(sys.argv[1]), sys.argv[3:]
_watch.SLOW, _watch.TICK = float(sys.argv[2]), 0.2

def read(hosts, told, pauses, *, drift):
    global readings
    readings += 1
    found = [(None, Overview(stack=site, time=f"t{readings}", message=f"{site} {readings}.")) for site in sites]
    if readings > most:
        told(found[0])
        time.sleep(60)
    return found

status._read_again, status.pair_of = read, lambda stack: None
sys.argv = ["squid-ha", "status", *sites, "--watch", "--every", "1"]
_app.main()
"""


class Terminal:
    """What a program shows on a terminal of its own."""

    def __init__(self, *words: str) -> None:
        self._near, far = pty.openpty()
        environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "30"}
        self.process = subprocess.Popen(
            words, stdin=far, stdout=far, stderr=far, start_new_session=True, cwd=PROJECT, env=environment
        )
        os.close(far)
        self.shown = ""

    def until(self, text: str, limit: float = 60) -> None:
        deadline = time.monotonic() + limit
        while text not in self.shown:
            assert time.monotonic() < deadline, f"{text!r} did not come: {self.shown!r}"
            assert self._read(), f"it ended before {text!r}: {self.shown!r}"

    def _read(self) -> bool:
        if not select.select([self._near], [], [], 1)[0]:
            return True
        # A terminal whose last program is gone ends with an error.
        with contextlib.suppress(OSError):
            if data := os.read(self._near, 65536):
                self.shown += data.decode(errors="replace")
                return True
        return False

    def press(self, key: bytes) -> None:
        os.write(self._near, key)

    def ended(self, limit: float = 30) -> int:
        """Its exit code, with all that it has shown until then."""
        deadline = time.monotonic() + limit
        while self._read():
            assert time.monotonic() < deadline, f"it goes on: {self.shown!r}"
        return self.process.wait(limit)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._near)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("during", ["a pause", "a reading"])
def test_watching_on_a_terminal_draws_in_place_and_ctrl_c_gives_the_screen_back(during: str) -> None:
    terminal = Terminal(sys.executable, "-c", WATCHING, "2" if during == "a reading" else "99", "30", "lab")
    try:
        terminal.until("lab 2.")
        if during == "a reading":
            time.sleep(1.5)
        terminal.press(b"\x03")
        code = terminal.ended()
    finally:
        terminal.close()
    shown = terminal.shown
    assert code == 0, f"Ctrl-C is how watching ends: {shown!r}"
    assert shown.index(ENTERED) < shown.index("lab 1.") < shown.index("lab 2.") < shown.rindex(LEFT)
    between = shown[shown.index("lab 1.") : shown.index("lab 2.")]
    assert HOME in between, "the second reading stands below the first one"
    assert shown.count(ENTERED) == shown.count(LEFT) == 1
    assert shown.rindex(SHOWN) > shown.rindex(HIDDEN), "the cursor stays hidden"
    rest = re.sub(r"\x1b\[[?\d;]*[A-Za-z]|\^C|\s", "", shown[shown.rindex(LEFT) :])
    assert rest == "", "it says more than that it has ended"


@pytest.mark.timeout(120)
def test_a_site_that_is_slow_hides_no_other_and_how_long_it_is_read_shows_beside_the_time_of_the_last_reading() -> None:
    terminal = Terminal(sys.executable, "-c", WATCHING, "1", "1", "lab", "oslo")
    try:
        terminal.until("oslo 1.")
        terminal.until("lab 2.")
        terminal.until("Reading oslo (2 s)")
        terminal.until("oslo 1.")
        terminal.press(b"\x03")
        assert terminal.ended() == 0
    finally:
        terminal.close()
    # Before the key is pressed, the next reading may have begun.
    *_, last = [each for each in terminal.shown.split("Reading oslo") if "oslo 1." in each]
    words = re.sub(r"\x1b\[[?\d;]*[A-Za-z]", "", last[: last.index("oslo 1.")])
    assert "lab as of t2" in words
    assert "lab 2." in words
    assert "oslo as of t1" in words
