"""`make lock`: write the locked requirements anew. Newer versions come in only here, never in setup."""

from __future__ import annotations

import sys
from pathlib import Path

from setup import places, python_env
from setup.steps import SetupError, fail, run, step

OPTIONS = [
    "--universal",
    "--python-version",
    "3.11",
    "--generate-hashes",
    "--no-header",
    "--quiet",
    "--no-emit-index-url",
]


def lock(uv: Path, source: Path, target: Path) -> None:
    """Resolve and lock one file."""
    env = {**python_env.uv_environment(), "UV_CUSTOM_COMPILE_COMMAND": "make lock"}
    run([uv, "pip", "compile", *OPTIONS, "--upgrade", source, "-o", target], cwd=places.PROJECT, env=env)


def main() -> int:
    """Lock everything."""
    try:
        with step("lock") as current:
            uv = python_env.provide_uv(current)
            lock(uv, Path("requirements.in"), Path("requirements.txt"))
    except SetupError as error:
        return fail(error)
    return 0


if __name__ == "__main__":
    sys.exit(main())
