"""Which Pulumi the launcher starts: one that is here, else the official release, else a build from source."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from setup import places, pulumi_build, pulumi_release, pulumi_versions
from setup.pulumi_versions import Pulumi
from setup.steps import SetupError, Step


def on_path() -> Iterator[Path]:
    """Every pulumi on PATH."""
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        found = shutil.which("pulumi", path=folder) if folder else None
        if found:
            yield Path(found)


def here_already() -> Pulumi | None:
    """A suitable Pulumi that needs neither network nor compiler: on PATH, or fetched or built before."""
    for binary in on_path():
        if found := pulumi_versions.inspect(binary, "from PATH"):
            return found
    return pulumi_versions.inspect(pulumi_release.cached() / "pulumi", "official release") or pulumi_versions.inspect(
        pulumi_build.cached() / "pulumi", "built from source"
    )


def fetch_or_build(uv: Path, current: Step) -> Pulumi:
    """The official release, or where that is out of reach, a build from source. Raises SetupError."""
    try:
        place, origin = pulumi_release.provide(current), "official release"
    except pulumi_release.UnreachableError as error:
        current.say(f"no official release ({error}); building from source, which takes about 4 minutes")
        place, origin = pulumi_build.provide(uv, current), "built from source"
    found = pulumi_versions.inspect(place / "pulumi", origin)
    if found is None:
        raise SetupError(f"{place} ({origin}) does not work as Pulumi {pulumi_versions.CLI} should; remove it.")
    return found


def provide(uv: Path, current: Step) -> Pulumi:
    """Choose a Pulumi and let the launcher's link point to it."""
    chosen = here_already() or fetch_or_build(uv, current)
    places.TOOLS.mkdir(exist_ok=True)
    if not (places.PULUMI.is_symlink() and places.PULUMI.readlink() == chosen.folder):
        fresh = places.TOOLS / "pulumi.new"
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(chosen.folder)
        fresh.replace(places.PULUMI)
    current.result = f"{chosen.version}, {chosen.origin}"
    return chosen
