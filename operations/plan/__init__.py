"""What a site would have said to its nodes, told without any node."""

from __future__ import annotations

from operations.plan.commands import Row, rows
from operations.plan.show import as_data, render

__all__ = ["Row", "as_data", "render", "rows"]
