"""Where commands print to: results on standard output, everything about them on standard error."""

from __future__ import annotations

from rich.console import Console

WIDE = 200
"""Columns where no terminal tells them: a pipeline's log, a pipe into a pager."""


def _console(*, stderr: bool = False) -> Console:
    console = Console(stderr=stderr, highlight=False, soft_wrap=True, emoji=False)
    if not console.is_terminal:
        # COLUMNS counts for nothing: what runs commands in pipelines sets it as it likes.
        console.width = WIDE
    return console


# `:name:` in what a host says is no emoji: ocf:heartbeat:IPaddr2, root:x:0:0, addresses of IPv6.
out = _console()
err = _console(stderr=True)


def tell(text: str) -> None:
    """A line of progress: the words of hosts and errors, in which brackets are no markup."""
    err.print(text, markup=False)
