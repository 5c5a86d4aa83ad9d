"""Requests to a running lab, over the socket `control` in the run directory: one JSON object per line, both ways.

A request is ``{"do": NAME, ...arguments}``; an answer is ``{"ok": VALUE}`` or ``{"error": SENTENCE}``. The
supervisor answers requests of different connections side by side. What requests there are stands in `lab.requests`.
"""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

from lab.errors import LabError
from lab.paths import run_directory


class LabIsDown(LabError):
    """No supervisor answers in this run directory."""


def control_socket(directory: Path | None = None) -> Path:
    """The socket that a running lab listens on."""
    return (directory or run_directory()) / "control"


def connect(path: Path, timeout: float) -> socket.socket:
    """Connect to a unix socket of the lab; raises LabIsDown when nobody listens, LabError when it is another user's."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(timeout)
    try:
        connection.connect(str(path))
    except BaseException as error:
        connection.close()
        if isinstance(error, FileNotFoundError | ConnectionRefusedError):
            raise LabIsDown("the lab is not running; start it with `make lab-up`") from None
        if isinstance(error, PermissionError):
            raise LabError(
                f"the lab in {path.parent} was started by {_owner(path)}; as that user, `make lab-down` ends it"
            ) from None
        raise
    return connection


def _owner(path: Path) -> str:
    try:
        return path.owner()
    except (KeyError, OSError):
        return "somebody else"


def call(do: str, *, timeout: float = 120.0, **arguments: object) -> Any:  # noqa: ANN401  JSON
    """Send one request and return the value of its answer.

    Raises LabIsDown when no lab runs, LabError with the supervisor's sentence when it could not do it, or when it does
    not answer within `timeout` seconds.
    """
    try:
        with connect(control_socket(), timeout) as connection, connection.makefile("rwb") as stream:
            stream.write(json.dumps({"do": do, **arguments}).encode() + b"\n")
            stream.flush()
            line = stream.readline()
    except TimeoutError:
        raise LabError(f"the lab did not answer the request `{do}` within {timeout:g} s") from None
    except ConnectionError as error:
        raise LabError(f"the lab ended while it worked on the request `{do}` ({error})") from None
    if not line:
        raise LabError(f"the lab ended while it worked on the request `{do}`; see .lab/run/supervisor.log")
    answer = json.loads(line)
    if "error" in answer:
        raise LabError(answer["error"])
    return answer["ok"]


def is_up() -> bool:
    """Whether a lab runs in this run directory."""
    try:
        return bool(call("ping", timeout=5.0))
    except LabIsDown:
        return False
