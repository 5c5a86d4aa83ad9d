"""Where the project is, and which stack files it has.

Every command and each completion of a stack's name asks for these: nothing slow is imported here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from operations.trouble import Misused

_STACK_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def project_root(start: Path | None = None) -> Path:
    """The folder of the project: the nearest one upwards with this program's Pulumi.yaml, else that of this file."""
    here = (start or Path.cwd()).absolute()
    for folder in (here, *here.parents):
        if (folder / "Pulumi.yaml").is_file() and (folder / "stacks" / "templates").is_dir():
            return folder
    return Path(__file__).resolve().parent.parent


def stack_file(name: str, root: Path | None = None) -> Path:
    """Where the stack file of stack ``name`` is, whether or not it exists. Raises `Misused` for a bad name."""
    if not _STACK_NAME.fullmatch(name):
        raise Misused(f"`{name}` cannot be the name of a stack: letters, digits, `.`, `_` and `-`, such as `lyon`.")
    return (root or project_root()) / "stacks" / f"Pulumi.{name}.yaml"


def existing_stack_file(name: str, hint: str = "") -> Path:
    """The stack file of a stack that there is. Raises `Misused` where there is none; ``hint``: what to do then."""
    path = stack_file(name)
    if not path.exists():
        known = ", ".join(f"`{each}`" for each in stack_names()) or "none yet"
        raise Misused(f"there is no stack `{name}`: {path} does not exist (known: {known}){hint}.")
    return path


def stack_names(root: Path | None = None) -> list[str]:
    """The stacks that have a stack file."""
    return sorted(_named(path) for path in _files(root) if _STACK_NAME.fullmatch(_named(path)))


def strays(root: Path | None = None) -> list[Path]:
    """Files that are called nearly like stack files, and are no stack's: `Pulumi.lyon (copy).yaml`."""
    return sorted(path for path in _files(root) if not _STACK_NAME.fullmatch(_named(path)))


def _files(root: Path | None) -> Iterator[Path]:
    return ((root or project_root()) / "stacks").glob("Pulumi.*.yaml")


def _named(path: Path) -> str:
    return path.name.removeprefix("Pulumi.").removesuffix(".yaml")
