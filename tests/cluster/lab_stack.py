"""The lab's own stack under the real Pulumi, its state part of the snapshots of the pair."""

from __future__ import annotations

import os
from typing import Any

from tests.support.stack import PROJECT, Stack


class LabStack(Stack):
    """Like any stack of the tests, but with the project's own backend, passphrase and stack file."""

    def __init__(self) -> None:
        super().__init__("lab", PROJECT / ".state", site={})

    def __post_init__(self) -> None:
        """Nothing to make: the lab has made it."""

    @property
    def environment(self) -> dict[str, str]:
        """What the launcher adds is part of what is tested."""
        return {**{key: value for key, value in os.environ.items() if not key.startswith("PULUMI_")}, "NO_COLOR": "1"}

    def _write_site(self) -> None:
        """The declaration is the lab's."""

    def changed(self, output: str) -> set[str]:
        """Names of the things that a diff shows as changing."""
        marks = ("~ pulumi-python:", "+ pulumi-python:", "- pulumi-python:", "+-pulumi-python:")
        lines = output.splitlines()
        found: set[str] = set()
        for number, line in enumerate(lines):
            if line.strip().startswith(marks):
                urn = next((each for each in lines[number : number + 4] if "urn=" in each or "[urn" in each), "")
                found.add(urn.rsplit("::", 1)[-1].strip(" ]"))
        return found


def facts(resources: dict[str, dict[str, Any]], thing: str) -> dict[str, Any]:
    """The facts among a thing's outputs."""
    return resources[thing]["outputs"]["facts"]
