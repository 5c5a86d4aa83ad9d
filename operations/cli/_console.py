"""Where commands print to: results on standard output, everything about them on standard error."""

from __future__ import annotations

from rich.console import Console

# `:name:` in what a host says is no emoji: ocf:heartbeat:IPaddr2, root:x:0:0, addresses of IPv6.
out = Console(highlight=False, soft_wrap=True, emoji=False)
err = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)
