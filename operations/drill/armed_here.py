"""An undo that is armed on the machine that the drill runs on, for what no node can undo: a node without power.

It is a process of its own that waits for the drill to end. The drill says to it that the undo is not needed any more; a
drill that is gone without having said so, killed or by a fault, has it undo. It outlives the drill's terminal, but not
this machine, nor somebody who ends all that the drill has started, such as a container's end.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from providers.connection.errors import Refused

TRIES = 5
AGAIN = 10.0
"""Seconds between two tries."""
_NOT_NEEDED = b"not needed\n"
_GONE_WITHIN = 10.0

# $1 tries, $2 seconds between them, $3 what is undone, then the undo's words. `read` ends when nobody has the other end
# any more. Nobody may read what is said, either: that ends nothing. The words are not said, for they may hold a secret.
_WATCH = r"""
trap '' HUP INT TERM PIPE
read -r word && [ "$word" = 'not needed' ] && exit 0
tries=$1 again=$2 what=$3
shift 3
echo "the drill has gone without an end; undoing: $what" >&2
while [ "$tries" -gt 0 ]; do
    (trap - HUP INT TERM; exec "$@") </dev/null >&2 && exit 0
    tries=$((tries - 1))
    sleep "$again"
done
echo "NOT undone: $what" >&2
exit 1
"""


@dataclass(frozen=True)
class ArmedHere:
    """An undo that is armed. ``held``: the pipe's end that keeps it waiting; a child that is passed it does so too."""

    process: subprocess.Popen[bytes]
    held: int

    async def disarm(self) -> None:
        """Have it end without doing anything."""
        with contextlib.suppress(OSError):
            os.write(self.held, _NOT_NEEDED)
        os.close(self.held)
        with contextlib.suppress(subprocess.TimeoutExpired):
            await asyncio.to_thread(self.process.wait, _GONE_WITHIN)


def arm(undo: Sequence[str], what: str, *, tries: int = TRIES, again: float = AGAIN) -> ArmedHere:
    """Arm ``undo``, the words of a command on this machine that undoes ``what``. Raises `Refused` if it cannot be."""
    awaited, held = os.pipe()
    try:
        process = subprocess.Popen(
            ["/bin/sh", "-c", _WATCH, "sh", str(tries), f"{again:g}", what, *undo],
            stdin=awaited,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        os.close(held)
        raise Refused(f"what undoes {what} cannot be armed on this machine: {error}") from None
    finally:
        os.close(awaited)
    return ArmedHere(process, held)
