"""`python3 -m setup`: everything that a checkout needs, or only what is missing of it.

`python3 -m setup doctor` only looks. With ``--lab no`` the lab is left out: its system packages, and its stack, which
would be made in whatever backend is in use.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import sys
import time
from collections.abc import Sequence

from setup import doctor, packages, places, pulumi_cli, python_env, stack
from setup.steps import SetupError, fail, step, trouble


def setup(*, lab: bool = True) -> int:
    """Run all steps, without ``lab`` only what deploying needs. Returns the exit code."""
    began = time.monotonic()
    print("setup: what the project runs on", flush=True)
    try:
        alone()
        with step("system packages") as current:
            packages.install(current, lab=lab)
        with step("uv") as current:
            uv = python_env.provide_uv(current)
        with step("python") as current:
            python_env.provide_environment(uv, current)
        with step("pulumi") as current:
            pulumi_cli.provide(uv, current)
        with step("state") as current:
            stack.provide(current, lab=lab)
    except SetupError as error:
        return fail(error)
    except OSError as error:
        return fail(trouble(error))
    except KeyboardInterrupt:
        return fail(SetupError("interrupted; run it again to go on."))
    print(f"setup: ready after {time.monotonic() - began:.1f} s. Next: . .venv/bin/activate")
    return 0


def alone() -> None:
    """Wait until no other setup works on this checkout; the lock goes when the process does."""
    places.TOOLS.mkdir(exist_ok=True)
    lock = os.open(places.TOOLS / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("  waiting for another setup of this checkout to end", flush=True)
        fcntl.flock(lock, fcntl.LOCK_EX)


def main(arguments: Sequence[str]) -> int:
    """What the arguments say. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python3 -m setup", description="All that a checkout needs.")
    parser.add_argument("what", nargs="?", choices=["doctor"], help="only look what this machine lacks")
    parser.add_argument("--lab", choices=["yes", "no"], default="yes", help="whether the lab is to run here")
    chosen = parser.parse_args(arguments)
    return doctor.main() if chosen.what else setup(lab=chosen.lab == "yes")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
