"""What an operator checks by hand after a change: a client's request, its records, a move and back, the clocks.

`verify` does it for a whole site, `verify_rotation` for the rotation of the mirror's logs, on each node in turn.
"""

from __future__ import annotations

from operations.verify.model import Check, FileChange, Report
from operations.verify.rotation import verify_rotation
from operations.verify.show import render
from operations.verify.site import Options, verify

__all__ = ["Check", "FileChange", "Options", "Report", "render", "verify", "verify_rotation"]
