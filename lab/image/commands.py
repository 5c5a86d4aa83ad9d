"""Running the build's commands, with an error that says what they said."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from lab.errors import LabError


class ImageError(LabError):
    """The image cannot be built; the text says which command failed, with its last lines, and what to do."""


def run(
    *argv: str | Path,
    env: Mapping[str, str] | None = None,
    log: Path | None = None,
    folder: Path | None = None,
) -> str:
    """Run a command in `folder` and return its standard output; all it said is appended to `log`.

    Raises ImageError when it is missing or fails.
    """
    words = [str(word) for word in argv]
    try:
        done = subprocess.run(
            words,
            env={**os.environ, "LC_ALL": "C", **(env or {})},
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise ImageError(f"{words[0]} is not installed; `make doctor` names the packages the lab needs") from error
    if log is not None:
        with log.open("a") as lines:
            lines.write(f"$ {' '.join(words)}\n{done.stdout}{done.stderr}")
    if done.returncode != 0:
        last = "\n".join((done.stderr or done.stdout).strip().splitlines()[-5:])
        raise ImageError(f"building the lab's image: {words[0]} ended with {done.returncode}:\n{last}")
    return done.stdout


def run_inside(tree: Path, *argv: str, log: Path | None = None) -> str:
    """Run a command with `tree` as its root, in process and mount namespaces of its own."""
    return run(
        "unshare",
        "--mount",
        "--pid",
        "--fork",
        "--kill-child",
        f"--root={tree}",
        "--mount-proc",
        *argv,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive", "HOME": "/root"},
        log=log,
    )
