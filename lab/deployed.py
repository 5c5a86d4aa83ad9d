"""The pair with the lab's site deployed on it, or with its packages only, from a snapshot where there is one.

The snapshots' key is a digest of all that a deployment is made from: the program, its stack file, the locked libraries.
"""

from __future__ import annotations

import hashlib
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from lab import snapshot
from lab.errors import LabError
from lab.paths import PROJECT
from operations.credentials import without_passwords

NAME = "deployed"
PREPARED = "prepared"
"""The pair after the part of `up` that takes longest and says least: nodes claimed, packages installed."""
PREPARED_THINGS = ("node-1", "node-2", "packages", "names")
PARTS = ("declaration", "blueprint", "components", "providers")
FILES = ("__main__.py", "Pulumi.yaml", "requirements.txt", "stacks/Pulumi.lab.yaml")

# What Pulumi itself writes into a stack file, differently each time.
_PULUMIS_OWN = "encryptionsalt:"


def key(project: Path = PROJECT) -> str:
    """The digest of what a deployment is made from."""
    digest = hashlib.sha256()
    sources = [path for part in PARTS for path in (project / part).rglob("*") if path.is_file()]
    for path in sorted([*sources, *(project / name for name in FILES)]):
        if "__pycache__" not in path.parts and path.exists():
            lines = [
                line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith(_PULUMIS_OWN)
            ]
            digest.update(f"{path.relative_to(project)}\0".encode() + "\n".join(lines).encode() + b"\0")
    return digest.hexdigest()


def ensure(report: Callable[[str], None], timeout: float = 2400.0) -> bool:
    """Bring the pair to the deployed state; returns whether it had to be deployed rather than restored.

    Raises LabError with the last lines of Pulumi when the deployment fails.
    """
    wanted = key()
    if snapshot.exists(NAME, wanted):
        snapshot.restore(NAME, wanted)
        return False
    # From the prepared pair where that is kept; two runs of Pulumi would take longer than one.
    prepared = snapshot.exists(PREPARED, wanted)
    snapshot.restore(PREPARED if prepared else snapshot.BARE, wanted if prepared else "")
    report("lab: deploying the lab's site on it, to keep it as a snapshot")
    began = time.monotonic()
    deploy(timeout)
    report(f"lab: deployed in {time.monotonic() - began:.0f} s")
    snapshot.save(NAME, key())
    return True


def ensure_prepared(report: Callable[[str], None], timeout: float = 900.0) -> None:
    """Bring the pair to the prepared state. Raises LabError with the last lines of Pulumi when that fails."""
    wanted = key()
    if snapshot.exists(PREPARED, wanted):
        snapshot.restore(PREPARED, wanted)
        return
    report("lab: installing the site's packages on the bare pair, to keep it as a snapshot")
    snapshot.restore(snapshot.BARE)
    began = time.monotonic()
    deploy(timeout, PREPARED_THINGS)
    report(f"lab: installed in {time.monotonic() - began:.0f} s")
    snapshot.save(PREPARED, key())


def targets(things: Sequence[str]) -> list[str]:
    """Pulumi's options for these things alone, with the components that they are in."""
    return [f"--target=**::{thing}" for thing in things] + ["--target=**squid-ha:site:*::*"] * bool(things)


def deploy(timeout: float = 1500.0, things: Sequence[str] = ()) -> str:
    """Run `pulumi up` on the lab's stack, or only on some of its things, and return what it said.

    Raises LabError when it fails.
    """
    argv = [
        str(PROJECT / ".venv" / "bin" / "pulumi"),
        "up",
        "--stack",
        "lab",
        "--yes",
        "--skip-preview",
        "--non-interactive",
        *targets(things),
    ]
    try:
        done = subprocess.run(argv, cwd=PROJECT, capture_output=True, text=True, timeout=timeout, check=False)
    except FileNotFoundError:
        raise LabError("there is no Pulumi in .venv; run `make setup`") from None
    except subprocess.TimeoutExpired:
        raise LabError(f"`pulumi up` of the lab's stack took longer than {timeout:g} s") from None
    if done.returncode != 0:
        said = without_passwords(done.stdout + done.stderr).strip()
        # What went wrong stands under this heading, the outputs after it.
        about = said[said.rfind("Diagnostics:") :] if "Diagnostics:" in said else said
        last = "\n".join(about.splitlines()[-60:])
        raise LabError(f"`pulumi up` of the lab's stack ended with {done.returncode}:\n{last}")
    return done.stdout
