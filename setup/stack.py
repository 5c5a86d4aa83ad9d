"""What Pulumi needs once: the launcher, a passphrase, a place for the state, and the stack of the lab."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from setup import launcher, places
from setup.steps import Step, run

STUB = """\
#!/bin/sh
# squid-ha launcher: starts Pulumi with this project's defaults, see setup/launcher.py
bin=$(dirname -- "$(readlink -f -- "$0")")
exec "$bin/python" -I -S "$bin/../../setup/launcher.py" "$@"
"""
LAB = "lab"


def write_launcher() -> Path:
    """Put the launcher into the virtual environment."""
    path = places.VENV / "bin" / "pulumi"
    if not path.exists() or path.read_text() != STUB:
        fresh = path.with_name("pulumi.new")
        fresh.write_text(STUB)
        fresh.chmod(0o755)
        fresh.replace(path)
    return path


def write_passphrase() -> bool:
    """Make the passphrase of the local state, if there is none. Says whether it was made.

    An empty one, as earlier versions left when they were cut off, is none; but where something may be encrypted with
    it, another would lock its owner out.
    """
    places.STATE.mkdir(mode=0o700, exist_ok=True)
    path = places.STATE / "passphrase"
    if path.exists():
        if not is_empty(path) or something_encrypted():
            return False
        path.unlink()
    fresh = path.with_name("passphrase.new")
    fresh.unlink(missing_ok=True)
    try:
        write_private(fresh, secrets.token_urlsafe(32))
        os.link(fresh, path)
    except FileExistsError:
        return False
    finally:
        fresh.unlink(missing_ok=True)
    return True


def is_empty(passphrase: Path) -> bool:
    """Whether Pulumi reads an empty passphrase there; it cuts off blanks."""
    return not passphrase.read_bytes().strip()


def something_encrypted() -> bool:
    """Whether there is a stack that may be encrypted with the passphrase: in the state, or by its stack file."""
    if any((places.STATE / ".pulumi" / "stacks").rglob("*.json")):
        return True
    files = (places.PROJECT / "stacks").glob("Pulumi.*.yaml")
    return any(b"encryptionsalt:" in file.read_bytes() for file in files)


def write_private(path: Path, text: str) -> None:
    """Write a new file for its owner only, onto the disk."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def warn_of_empty(passphrase: Path, current: Step) -> None:
    """Say so where secrets are open to everybody who has the stack files, and how that ends."""
    if passphrase.exists() and is_empty(passphrase):
        current.say(f"{passphrase} is empty, and stacks may be encrypted with that: anybody can read their secrets.")
        current.say(
            "Give each the same new one (pulumi stack change-secrets-provider passphrase -s NAME), then write it there."
        )


def lab_is_ready(own_backend: bool) -> bool:
    """Whether the lab's stack file is as new as its template, and Pulumi knows the stack (as far as seen from here)."""
    stacks = places.PROJECT / "stacks"
    file, template = stacks / f"Pulumi.{LAB}.yaml", stacks / "templates" / f"{LAB}.yaml.j2"
    if not file.exists() or file.stat().st_mtime < template.stat().st_mtime:
        return False
    return own_backend or (places.STATE / ".pulumi" / "stacks" / "squid-ha" / f"{LAB}.json").exists()


def provide(current: Step, *, lab: bool = True) -> None:
    """Do what is still to be done of it. Without ``lab`` no backend is asked, and none gets the lab's stack."""
    write_launcher()
    notes = ["new passphrase"] if write_passphrase() else []
    warn_of_empty(places.STATE / "passphrase", current)
    if lab and not lab_is_ready(launcher.own_backend(os.environ, launcher.home_folder(), places.PROJECT)):
        command = [places.VENV / "bin" / "python", "-m", "operations.stacks", LAB]
        said = run(command, cwd=places.PROJECT, remedy="Where no lab is to run: make setup LAB=no.")
        # Not written where it said the right thing already: then this is what makes it as new as the template.
        (places.PROJECT / "stacks" / f"Pulumi.{LAB}.yaml").touch()
        notes.append(said.strip())
    current.result = ", ".join(notes) or "ready"
