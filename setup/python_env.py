"""The project's Python: uv, and a virtual environment that holds exactly what requirements.txt locks."""

from __future__ import annotations

import configparser
import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from setup import places
from setup.steps import Step, run

REQUIREMENTS = places.PROJECT / "requirements.txt"
MINIMUM_UV = (0, 5, 0)


def uv_environment() -> dict[str, str]:
    """What uv is told besides its own settings: what pip knows by itself, and never to fetch a Python.

    That is the index that pip uses here, and the certificates of the system (older uvs have another name for it).
    """
    settings = {
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_LINK_MODE": "copy",
        "UV_SYSTEM_CERTS": "true",
        "UV_NATIVE_TLS": "true",
    }
    index = pip_index()
    if index and not {"UV_INDEX_URL", "UV_DEFAULT_INDEX"} & os.environ.keys():
        settings["UV_DEFAULT_INDEX"] = index
    return {name: value for name, value in settings.items() if name not in os.environ}


def pip_index() -> str | None:
    """The package index pip is configured for, where it is another than the usual one."""
    config = configparser.RawConfigParser()
    home = Path.home()
    files = [Path("/etc/pip.conf"), home / ".pip" / "pip.conf", home / ".config" / "pip" / "pip.conf"]
    try:
        config.read([*files, os.environ.get("PIP_CONFIG_FILE", os.devnull)])
    except configparser.Error:
        return os.environ.get("PIP_INDEX_URL")
    return os.environ.get("PIP_INDEX_URL") or config.get("global", "index-url", fallback=None)


def version_of(uv: Path) -> tuple[int, ...]:
    """The version of a uv, or () where it does not run (a version manager's shim, say)."""
    try:
        said = subprocess.run([uv, "--version"], capture_output=True, text=True, check=False)
    except OSError:
        return ()
    match = re.match(r"uv (\d+)\.(\d+)\.(\d+)", said.stdout)
    return tuple(int(part) for part in match.groups()) if match else ()


def own_uv() -> Path:
    """Where setup keeps a uv of its own."""
    return places.TOOLS / "uv" / "bin" / "uv"


def find_uv() -> Path | None:
    """A uv that is there already, runs and is new enough: on PATH, else the one setup made."""
    on_path = shutil.which("uv")
    candidates = [*([Path(on_path)] if on_path else []), own_uv()]
    return next((each for each in candidates if version_of(each) >= MINIMUM_UV), None)


def provide_uv(current: Step) -> Path:
    """Find uv, or install the pinned one into the project's tools."""
    found = find_uv()
    if found is None:
        current.say("installing uv")
        home = own_uv().parent.parent
        shutil.rmtree(home, ignore_errors=True)
        run([sys.executable, "-m", "venv", home], remedy="On Debian: apt-get install python3-venv.")
        pins = places.SETUP / "uv.txt"
        run(
            [home / "bin" / "pip", "install", "-q", "--no-deps", "--require-hashes", "-r", pins],
            remedy="Is the Python package index reachable? `pip config list` shows which one is used.",
        )
        found = own_uv()
    current.result = str(found)
    return found


def fingerprint() -> str:
    """Changes whenever the environment has to be made anew or brought up to date."""
    digest = hashlib.sha256(f"{sys.version_info[:2]} {places.PROJECT}".encode())
    for file in (REQUIREMENTS, places.PROJECT / "pyproject.toml"):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def provide_environment(uv: Path, current: Step) -> None:
    """Make ``.venv`` what requirements.txt says, with the project importable and `squid-ha` in its bin.

    The folder is made anew if its Python is gone or of another version (a venv does not survive either).
    """
    stamp = places.VENV / ".squid-ha"
    wanted = fingerprint()
    if stamp.exists() and stamp.read_text() == wanted and usable():
        current.result = "up to date"
        return
    stamp.unlink(missing_ok=True)
    python = places.VENV / "bin" / "python"
    env = {**uv_environment(), "VIRTUAL_ENV": str(places.VENV)}
    if not usable():
        run([uv, "venv", "-q", "--clear", "--python", sys.executable, places.VENV], env=env)
    locked = ["--require-hashes", REQUIREMENTS]
    run(
        [uv, "pip", "sync", "-q", "--python", python, *locked],
        env=env,
        remedy="Is the Python package index reachable? UV_DEFAULT_INDEX names another.",
    )
    project = ["--no-build-isolation", "--no-deps", "-e", places.PROJECT]
    run([uv, "pip", "install", "-q", "--python", python, *project], env=env)
    stamp.write_text(wanted)
    current.result = f"Python {sys.version.split()[0]}, packages as locked"


def usable() -> bool:
    """Whether the environment's Python runs and has the version of the one that runs setup."""
    program = "import sys; print(*sys.version_info[:2])"
    python = places.VENV / "bin" / "python"
    try:
        said = subprocess.run([python, "-c", program], capture_output=True, text=True, check=False).stdout
    except OSError:
        return False
    return said.split() == [str(part) for part in sys.version_info[:2]]
