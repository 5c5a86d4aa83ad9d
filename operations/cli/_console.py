"""Where commands print to: results on standard output, everything about them on standard error."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING

from rich.console import Console

from providers.connection.printable import printable_json, visible, without_orders

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed import ReadableBuffer
    from rich.segment import Segment

WIDE = 200
"""Columns where no terminal tells them: a pipeline's log, a pipe into a pager."""


class OutputLost(Exception):
    """Standard output takes nothing any more; the message says why, and what to do."""


class _Standard(io.FileIO):
    """Standard output as a file whose errors are told from those of all others. Without a reader it ends as ever."""

    def write(self, data: ReadableBuffer, /) -> int:
        """Write some of it. Raises `OutputLost`; what comes after goes nowhere, as what is kept back would."""
        try:
            return super().write(data)
        except BrokenPipeError:
            raise
        except OSError as error:
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.fileno())
            raise OutputLost(
                f"standard output cannot be written: {error.strerror}\n"
                "  → what was printed is not whole: see where it goes to, and run this again"
            ) from error


def prepare() -> None:
    """Have standard output take any text, and raise `OutputLost` where it cannot be written.

    What its encoding has no letter for is escaped, as on standard error.
    """
    stream = sys.stdout
    if isinstance(stream, io.TextIOWrapper) and stream is sys.__stdout__:
        raw = _Standard(stream.fileno(), "w", closefd=False)
        sys.stdout = io.TextIOWrapper(
            io.BufferedWriter(raw), stream.encoding, "backslashreplace", line_buffering=stream.line_buffering
        )


class Output(Console):
    """A console that counts the documents of `--json` on it.

    What hosts say gives no orders to a terminal or to a pipeline's runner, whatever it is printed as: of control
    characters only rich's own get through, and of lines that a runner obeys only those of `order`.
    """

    def __init__(self, *, stderr: bool = False) -> None:
        # `:name:` in what a host says is no emoji: ocf:heartbeat:IPaddr2, root:x:0:0, addresses of IPv6.
        super().__init__(stderr=stderr, highlight=False, soft_wrap=True, emoji=False)
        if not self.is_terminal:
            # COLUMNS counts for nothing: what runs commands in pipelines sets it as it likes.
            self.width = WIDE
        self.documents = 0
        self._ordering = False

    def on_broken_pipe(self) -> None:
        """Nobody reads any more: standard output ends the command, as a pipe's end does; messages are dropped, for what
        is broken just then has to be undone."""
        if not self.stderr:
            super().on_broken_pipe()
        self.quiet = True

    def document(self, text: str) -> None:
        """Print a document of `--json`."""
        self.documents += 1
        self.print(printable_json(text), markup=False)

    def order(self, line: str) -> None:
        """Print a line that the runner shall obey, such as an annotation; what hosts say in it is escaped already."""
        self._ordering = True
        try:
            self.print(line, markup=False)
        finally:
            self._ordering = False

    def _render_buffer(self, buffer: Iterable[Segment]) -> str:
        # The one place where rich's own control sequences are still told from the text.
        shown = (each if each.control else each._replace(text=visible(each.text)) for each in buffer)
        text = super()._render_buffer(shown)
        return text if self._ordering else without_orders(text)


out = Output()
err = Output(stderr=True)


def tell(text: str) -> None:
    """A line of progress: the words of hosts and errors, in which brackets are no markup."""
    err.print(text, markup=False)
