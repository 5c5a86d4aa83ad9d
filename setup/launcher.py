"""What `.venv/bin/pulumi` runs: the real Pulumi, with defaults for what would otherwise have to be exported.

Whatever the user has set wins. It is started by path and without the virtual environment's packages, so that
it adds little to each command: it imports nothing of this project.
"""

from __future__ import annotations

import json
import os
import pwd
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

PROJECT = Path(__file__).resolve().parent.parent

ALWAYS = {
    # A connection setting changed in the stack file must count for refresh and destroy too.
    "PULUMI_RUN_PROGRAM": "true",
    "PULUMI_SKIP_UPDATE_CHECK": "true",
    # Without this, each preview looks for plugins on the network that no resource here uses (2.6 s).
    "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "1",
}

OWN_BACKEND = ("PULUMI_BACKEND_URL", "PULUMI_ACCESS_TOKEN", "PULUMI_API")
"""Variables that say where the state is, or imply it: a token is one for Pulumi Cloud."""

ENCRYPTED = "$pulumiSecureStore"
"""Marks credentials that Pulumi keeps encrypted; whoever has those has logged in."""


def environment(
    user: Mapping[str, str], home: Path, project: Path, real: Path, arguments: Sequence[str]
) -> dict[str, str]:
    """The environment for the real Pulumi in the folder ``real``, out of the user's."""
    env = {**ALWAYS, **user}
    passphrase = project / ".state" / "passphrase"
    told = {"PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"} & user.keys()
    if not told and passphrase.exists():
        env["PULUMI_CONFIG_PASSPHRASE_FILE"] = str(passphrase)
    # `pulumi login` is how a user says which backend; told one by us, it would not ask.
    logging_in = bool(arguments) and arguments[0] in ("login", "logout")
    if not logging_in and not own_backend(user, home, project):
        env["PULUMI_BACKEND_URL"] = default_backend(project)
    before = [part for part in user.get("PATH", os.defpath).split(os.pathsep) if part]
    ours = [str(project / ".venv" / "bin"), str(real)]
    env["PATH"] = os.pathsep.join(ours + [part for part in before if part not in ours])
    return env


def default_backend(project: Path) -> str:
    """State as files in the project. Absolute: Pulumi resolves others against the current folder."""
    return f"file://{project / '.state'}"


def home_folder() -> Path:
    """The user's home as Pulumi sees it: by the system's list of users; only without an entry there by HOME."""
    try:
        return Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:
        return Path.home()


def own_backend(user: Mapping[str, str], home: Path, project: Path) -> bool:
    """Whether the user has chosen a backend: by variable, in Pulumi.yaml, or by `pulumi login`."""
    if any(user.get(name) for name in OWN_BACKEND) or names_backend(project / "Pulumi.yaml"):
        return True
    folder = user.get("PULUMI_CREDENTIALS_PATH") or user.get("PULUMI_HOME") or home / ".pulumi"
    try:
        credentials = json.loads((Path(folder) / "credentials.json").read_text())
        return bool(credentials.get("current")) or ENCRYPTED in credentials
    except (OSError, ValueError, AttributeError):
        return False


def names_backend(project_file: Path) -> bool:
    """Whether a Pulumi.yaml has a `backend` key. By its text: no YAML reader is at hand here."""
    try:
        return re.search(r"^[\"']?backend[\"']?\s*:", project_file.read_text(), re.MULTILINE) is not None
    except OSError:
        return False


def main(arguments: Sequence[str]) -> NoReturn:
    """Become the real Pulumi, or exit with 1 if there is none."""
    link = PROJECT / ".tools" / "pulumi"
    binary = link / "pulumi"
    if not binary.exists():
        sys.exit(f"Pulumi is not set up in {PROJECT}: run `make setup` there.")
    env = environment(os.environ, home_folder(), PROJECT, link.resolve(), arguments)
    if env.get("PULUMI_BACKEND_URL") == default_backend(PROJECT):
        # Pulumi does not make it, and says something unhelpful when it is missing.
        (PROJECT / ".state").mkdir(mode=0o700, exist_ok=True)
    os.execve(binary, [str(binary), *arguments], env)  # noqa: S606


if __name__ == "__main__":
    main(sys.argv[1:])
