"""Where commands print to: results on standard output, everything about them on standard error."""

from __future__ import annotations

from rich.console import Console

WIDE = 200
"""Columns where no terminal tells them: a pipeline's log, a pipe into a pager."""


class Output(Console):
    """A console that counts the documents of `--json` on it."""

    def __init__(self, *, stderr: bool = False) -> None:
        # `:name:` in what a host says is no emoji: ocf:heartbeat:IPaddr2, root:x:0:0, addresses of IPv6.
        super().__init__(stderr=stderr, highlight=False, soft_wrap=True, emoji=False)
        if not self.is_terminal:
            # COLUMNS counts for nothing: what runs commands in pipelines sets it as it likes.
            self.width = WIDE
        self.documents = 0

    def on_broken_pipe(self) -> None:
        """Nobody reads any more: standard output ends the command, as a pipe's end does; messages are dropped, for what
        is broken just then has to be undone."""
        if not self.stderr:
            super().on_broken_pipe()
        self.quiet = True

    def document(self, text: str) -> None:
        """Print a document of `--json`."""
        self.documents += 1
        self.print(text, markup=False)


out = Output()
err = Output(stderr=True)


def tell(text: str) -> None:
    """A line of progress: the words of hosts and errors, in which brackets are no markup."""
    err.print(text, markup=False)
