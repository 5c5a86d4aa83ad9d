"""Which Python everything is started with."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from setup import places


def test_a_python_that_is_too_old_is_passed_over(tmp_path: Path) -> None:
    old = f"exec {sys.executable} -c 'import sys; sys.version_info = (3, 9, 2); exec(sys.argv[2])' \"$@\""
    for name, line in {"python3": old, "python3.14": f'exec {sys.executable} "$@"'}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{line}\n")
        (tmp_path / name).chmod(0o755)
    done = subprocess.run(
        ["sh", places.SETUP / "python.sh", "-c", "import sys; print(sys.version_info >= (3, 11))"],
        env={**os.environ, "PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.returncode) == ("True\n", 0), done.stderr
