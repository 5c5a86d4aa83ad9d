"""What a site's hosts need before the first `up`: looked at on all nodes at once, changing nothing.

A check is a module in `operations.doctor.checks`, found by the folder. What this machine itself needs is another
matter: `make doctor`.
"""

from __future__ import annotations

from operations.doctor.examine import examine
from operations.doctor.model import Finding, Report
from operations.doctor.show import render

__all__ = ["Finding", "Report", "examine", "render"]
