"""What tests have a process do at its writing commands; ``SQUID_HA_TAP`` says which (`providers.connection.tap`).

``tests.taps:cut`` ends it at a chosen one. ``SQUID_HA_CUT=before:N`` ends it just before the N-th writing command of
this process (from 1) is sent, ``after:N`` once it took effect and before its answer is used. ``SQUID_HA_CUT_LOG=FILE``
gets a line ``N<tab>node<tab>command`` for every writing command, so that a first run without a cut lists the positions.
With ``before:new`` or ``after:new`` the command is the first one at which no process was ended before, by the file
``SQUID_HA_CUT_KNOWN``: one that goes on where another was ended repeats some of its commands, and would otherwise get
no further than those.

``tests.taps:interrupt`` has it interrupted there, as by Ctrl-C: ``SQUID_HA_CUT`` says where, with a number.

``tests.taps:hold`` has it wait before its first one, so that others are under way at once with it for certain. It makes
a file ``started-PID`` in the folder ``SQUID_HA_HOLD``, and goes on when a file ``go`` is there.
"""

import os
import re
import signal
import time
from pathlib import Path

from providers.connection.command import Command

EXIT_CODE = 86
CUT_HERE = "cut off here:"
"""Begins the last line of the log of a process that was ended."""


class Cut:
    def __init__(self, where: str, log: str, known: str = "") -> None:
        self.moment, _, self.position = where.partition(":")
        self.log = Path(log) if log else None
        self.known = Known(Path(known)) if known else None
        self.count = 0
        self.numbers: dict[tuple[str, int], int] = {}
        self.fresh = 0
        """The number of the first command that is new."""

    def before(self, node: str, command: Command) -> None:
        self.count += 1
        self.numbers[node, id(command)] = self.count
        if self.log is not None:
            with self.log.open("a") as file:
                file.write(f"{self.count}\t{node}\t{' '.join(str(command).split())}\n")
        if self.known is not None and self.known.is_new(node, str(command)) and not self.fresh:
            self.fresh = self.count
            if self.moment == "after":
                self.known.keep()
        self._end("before", self.count)

    def after(self, node: str, command: Command) -> None:
        self._end("after", self.numbers.pop((node, id(command))))

    def _end(self, moment: str, number: int) -> None:
        wanted = self.fresh if self.position == "new" else int(self.position or 0)
        if (moment, number) == (self.moment, wanted):
            if self.log is not None:
                with self.log.open("a") as file:
                    file.write(f"{CUT_HERE} {moment} {number}\n")
            # As SIGKILL does: no handler, no clean-up, no lock given back.
            os._exit(EXIT_CODE)


class Known:
    """Commands at which processes were ended, each with its node, the journal that was written before it, and how often
    it was said since: the same line is said of one thing and of another, and of one thing more than once."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.lines = set(file.read_text().splitlines()) if file.exists() else set[str]()
        self.before: dict[str, list[str]] = {}
        self.last = ""

    def is_new(self, node: str, command: str) -> bool:
        # Pulumi keeps no order of a map, so the words of one line come in another order in the next run.
        text = " ".join(sorted(command.split()))
        said = self.before.setdefault(node, [])
        if re.match(r"(record|put) in the journal of ", command):
            said.clear()
        # How often it was said, and not all that was: what a run need not say again would make every line a new one.
        self.last = f"{node}\t{said[0] if said else ''}\t{said.count(text)}\t{text}"
        said.append(text)
        return self.last not in self.lines

    def keep(self) -> None:
        with self.file.open("a") as file:
            file.write(f"{self.last}\n")


cut = Cut(
    os.environ.get("SQUID_HA_CUT", ""),
    os.environ.get("SQUID_HA_CUT_LOG", ""),
    os.environ.get("SQUID_HA_CUT_KNOWN", ""),
)


class Interrupt:
    """Ctrl-C at the N-th command: while it is under way (``before``), or when it took effect (``after``)."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.count = 0
        self.numbers: dict[tuple[str, int], int] = {}

    def before(self, node: str, command: Command) -> None:
        self.count += 1
        self.numbers[node, id(command)] = self.count
        self._press(f"before:{self.count}")

    def after(self, node: str, command: Command) -> None:
        self._press(f"after:{self.numbers.pop((node, id(command)))}")

    def _press(self, here: str) -> None:
        if here == self.where:
            os.kill(os.getpid(), signal.SIGINT)


interrupt = Interrupt(os.environ.get("SQUID_HA_CUT", ""))


class Hold:
    """Raises TimeoutError after ``limit`` seconds, so that a process which went on was let go.

    All connections of the process stand still meanwhile, heartbeats of the cluster's lock too: held for more than a
    minute, it has to take that anew.
    """

    def __init__(self, limit: float = 600.0) -> None:
        self.limit = limit

    def before(self, _node: str, _command: Command) -> None:
        folder = Path(os.environ["SQUID_HA_HOLD"])
        (folder / f"started-{os.getpid()}").touch()
        deadline = time.monotonic() + self.limit
        while not (folder / "go").exists():
            if time.monotonic() >= deadline:
                raise TimeoutError(f"nobody made {folder}/go within {self.limit:g} s")
            time.sleep(0.05)

    def after(self, _node: str, _command: Command) -> None:
        """Nothing."""


hold = Hold()
