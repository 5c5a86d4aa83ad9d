"""Did the log survive? What clients were answered, held against what the logs say of it, request by request.

`prove` counts (pure), `read_logs` reads a site's logs, `render` shows the outcome.
"""

from __future__ import annotations

from operations.proof.count import prove
from operations.proof.model import Gap, Logs, LogStand, Move, Proof, Reason, Request
from operations.proof.read import read_logs
from operations.proof.show import render

__all__ = ["Gap", "LogStand", "Logs", "Move", "Proof", "Reason", "Request", "prove", "read_logs", "render"]
