"""A tap on the commands that change hosts: what happens just before one is sent and just after it took effect.

For tests that end the process at exactly such a moment. ``SQUID_HA_TAP=module:name`` names the tap; without it there
is none. It gives nobody more than ``PYTHONPATH`` does.
"""

from __future__ import annotations

import importlib
import os
from typing import Protocol, cast

from providers.connection.command import Command


class Tap(Protocol):
    """Called around every command that writes, on the loop of the connections."""

    def before(self, node: str, command: Command) -> None:
        """The command has not been sent yet."""
        ...

    def after(self, node: str, command: Command) -> None:
        """The command has ended on the node; nobody has used its answer yet."""
        ...


class NoTap:
    """What is there in earnest."""

    def before(self, node: str, command: Command) -> None:
        """Nothing."""

    def after(self, node: str, command: Command) -> None:
        """Nothing."""


def load_tap() -> Tap:
    """The tap that the environment names, else one that does nothing."""
    module, _, name = os.environ.get("SQUID_HA_TAP", "").partition(":")
    if not module:
        return NoTap()
    return cast("Tap", getattr(importlib.import_module(module), name))
