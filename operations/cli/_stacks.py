"""Every stack there is, for commands that take all of them where none is named."""

from __future__ import annotations

from operations.cli._console import tell
from operations.project import stack_names, strays


def every_stack() -> list[str]:
    """All stacks; files beside theirs that are no stack's are told on standard error, and left out."""
    for path in strays():
        tell(f"notice: {path} is left out, its name is no stack's; remove it, or name it like `Pulumi.lyon.yaml`")
    return stack_names()
