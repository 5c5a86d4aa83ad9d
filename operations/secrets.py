"""The secrets of stacks, as `pulumi config set --secret` keeps them: all of a stack in one run of Pulumi, at first use.

Only what a site names is ever asked for: the password of sudo and those of people who may use the proxy. A site that
names none costs no run of Pulumi.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

from operations.project import project_root
from operations.stacks import pulumi


def secrets_of(stack: str, run: Callable[[str], str] | None = None) -> Callable[[str], str | None]:
    """The value of a key of the stack's configuration, or None; safe to be asked from several threads.

    ``run`` takes the stack's name and returns what Pulumi says of it. Raises `StackTrouble` with Pulumi's own words.
    """
    ask = run or _pulumi
    guard = threading.Lock()
    known: dict[str, str] = {}
    read = False

    def secret(name: str) -> str | None:
        nonlocal read
        with guard:
            if not read:
                known.update(_values(json.loads(ask(stack) or "{}")))
                read = True
        return known.get(name)

    return secret


def _pulumi(stack: str) -> str:
    return pulumi(["config", "--json", "--show-secrets", "--stack", stack], project_root())


def _values(configuration: dict[str, dict[str, Any]]) -> dict[str, str]:
    """By the name without the project's, which is how sites call them."""
    values = ((name.partition(":")[2] or name, each.get("value")) for name, each in configuration.items())
    return {name: value for name, value in values if isinstance(value, str)}
