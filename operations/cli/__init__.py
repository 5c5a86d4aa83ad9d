"""The command `squid-ha`.

A command is a module of this package with a function named ``command``: its arguments are the command's (as Typer
reads them), the first line of its docstring is the help, the module's name is its name with ``_`` as ``-``. Nothing
has to be registered. A module with a Typer application named ``app`` is a group of commands (`node aside`). Modules
whose name begins with ``_`` are helpers. Import what is slow (asyncssh, pydantic) inside functions.

Exit codes, of all commands (`_exit`):

    0    done; all is well; no difference
    1    it did not work; the reason is on standard error
    2    the command was called wrongly: no such stack, node or option
    3    something is not as it should be: drift, a service that is not healthy, a check that did not pass
    4    unreachable: no node could tell
    5    refused, because a precondition does not hold; nothing was changed
    130  interrupted by Ctrl-C

A command prints its result by `out`, everything about the work by `err`, and ends by returning or by
``raise typer.Exit(code)``. With ``--json`` one JSON document is all that `out` gets, or one a line where it goes on
(`logs -f`, `status --watch`): printed by `out.document`. What it cannot do it raises as an error whose text is a
sentence for people (`_errors.expected`); that is printed without a traceback, its class tells the exit code
(`_exit.code_of`), and with ``--json`` it is the document where there is none yet (`_app.Command`).
"""

from __future__ import annotations

from operations.cli._app import main

__all__ = ["main"]
