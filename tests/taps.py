"""What tests have a process do at its writing commands; ``SQUID_HA_TAP`` says which (`providers.connection.tap`).

``tests.taps:cut`` ends it at a chosen one. ``SQUID_HA_CUT=before:N`` ends it just before the N-th writing command of
this process (from 1) is sent, ``after:N`` once it took effect and before its answer is used. ``SQUID_HA_CUT_LOG=FILE``
gets a line ``N<tab>node<tab>command`` for every writing command, so that a first run without a cut lists the positions.

``tests.taps:hold`` has it wait before its first one, so that others are under way at once with it for certain. It makes
a file ``started-PID`` in the folder ``SQUID_HA_HOLD``, and goes on when a file ``go`` is there.
"""

import os
import time
from pathlib import Path

from providers.connection.command import Command

EXIT_CODE = 86
CUT_HERE = "cut off here:"
"""Begins the last line of the log of a process that was ended."""


class Cut:
    def __init__(self, where: str, log: str) -> None:
        self.moment, _, number = where.partition(":")
        self.number = int(number) if number else 0
        self.log = Path(log) if log else None
        self.count = 0
        self.numbers: dict[tuple[str, int], int] = {}

    def before(self, node: str, command: Command) -> None:
        self.count += 1
        self.numbers[node, id(command)] = self.count
        if self.log is not None:
            with self.log.open("a") as file:
                file.write(f"{self.count}\t{node}\t{' '.join(str(command).split())}\n")
        self._end("before", self.count)

    def after(self, node: str, command: Command) -> None:
        self._end("after", self.numbers.pop((node, id(command))))

    def _end(self, moment: str, number: int) -> None:
        if (moment, number) == (self.moment, self.number):
            if self.log is not None:
                with self.log.open("a") as file:
                    file.write(f"{CUT_HERE} {moment} {number}\n")
            # As SIGKILL does: no handler, no clean-up, no lock given back.
            os._exit(EXIT_CODE)


cut = Cut(os.environ.get("SQUID_HA_CUT", ""), os.environ.get("SQUID_HA_CUT_LOG", ""))


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
