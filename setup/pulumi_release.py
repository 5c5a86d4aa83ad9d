"""Pulumi's official release, checked against the SHA-256 checksums that are published with it.

Unreachable is something to go on from (there is a build from source); a wrong checksum never is.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import platform
import queue
import tarfile
import tempfile
import threading
import urllib.parse
import urllib.request
from pathlib import Path

from setup import places, pulumi_versions
from setup.steps import SetupError, Step

DEFAULT_URL = "https://get.pulumi.com/releases/sdk"
REACH_SECONDS = 5.0
"""How long the first answer may take, name resolution included: lost time where nothing is reachable."""
READ_SECONDS = 60.0
CHUNK = 1 << 20


class UnreachableError(Exception):
    """The release is not to be had from here; the message says why."""


def base_url() -> str:
    """The address of archive and checksums; PULUMI_RELEASE_URL names another, such as a mirror.

    Raises SetupError for one over plain http, except on this machine.
    """
    url = (os.environ.get("PULUMI_RELEASE_URL") or DEFAULT_URL).rstrip("/")
    parts = urllib.parse.urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in ("127.0.0.1", "::1", "localhost"):
        raise SetupError(
            f"PULUMI_RELEASE_URL is {url}: Pulumi and its checksums would both come from there, and without https "
            "whoever is on the way could replace both. Name it by https, or unset it: where its release cannot be "
            "reached, Pulumi is built from source."
        )
    return url


def archive_name(version: str = pulumi_versions.CLI) -> str:
    """What the release for this machine is called."""
    machine = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}.get(platform.machine())
    if machine is None:
        raise UnreachableError(f"Pulumi has no release for {platform.machine()}")
    return f"pulumi-v{version}-{platform.system().lower()}-{machine}.tar.gz"


def checksums_name(version: str = pulumi_versions.CLI) -> str:
    """What the file of checksums is called."""
    return f"pulumi-{version}-checksums.txt"


def fetch_small(url: str) -> str:
    """Fetch a text within REACH_SECONDS in all. Raises UnreachableError."""
    answers: queue.SimpleQueue[str | Exception] = queue.SimpleQueue()

    def fetch() -> None:
        # In a thread of its own, because no time limit applies to resolving a name.
        try:
            with urllib.request.urlopen(url, timeout=REACH_SECONDS) as answer:  # noqa: S310
                answers.put(answer.read().decode())
        except (OSError, http.client.HTTPException, ValueError) as error:
            answers.put(error)

    threading.Thread(target=fetch, daemon=True).start()
    try:
        result = answers.get(timeout=REACH_SECONDS)
    except queue.Empty:
        raise UnreachableError(f"{url}: no answer within {REACH_SECONDS:.0f} s") from None
    if isinstance(result, Exception):
        raise UnreachableError(f"{url}: {result}") from result
    return result


def download(url: str, target: Path) -> str:
    """Save what is at the address and return its SHA-256. Raises UnreachableError."""
    digest = hashlib.sha256()
    try:
        with urllib.request.urlopen(url, timeout=READ_SECONDS) as answer, target.open("wb") as file:  # noqa: S310
            expected = answer.headers.get("Content-Length")
            while chunk := answer.read(CHUNK):
                digest.update(chunk)
                file.write(chunk)
    except (OSError, http.client.HTTPException) as error:
        raise UnreachableError(f"{url}: {error}") from error
    if expected is not None and target.stat().st_size != int(expected):
        raise UnreachableError(f"{url}: cut off after {target.stat().st_size} of {expected} bytes")
    return digest.hexdigest()


def published_checksum(text: str, name: str, url: str) -> str:
    """The checksum that lines of `<sha256>  <name>` give for a name. Raises SetupError without one."""
    for line in text.splitlines():
        fields = line.split()
        if fields[1:] in ([name], [f"*{name}"]):
            return fields[0].lower()
    raise SetupError(f"{url} has no checksum for {name}; is PULUMI_RELEASE_URL the right address?")


def unpack(archive: Path, folder: Path) -> None:
    """Unpack the archive's binaries into a folder. Raises SetupError if it is no such archive."""
    try:
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")
    except (tarfile.TarError, OSError) as error:
        raise SetupError(f"{archive.name} could not be unpacked: {error}") from error


def cached(version: str = pulumi_versions.CLI) -> Path:
    """Where a release that was fetched once is kept."""
    return places.cache() / "pulumi" / f"release-{version}-{platform.machine()}"


def provide(current: Step) -> Path:
    """The folder of the release's binaries, downloaded if need be.

    Raises UnreachableError, or SetupError where what came is not what was published.
    """
    place = cached()
    if place.exists():
        return place
    name, base = archive_name(), base_url()
    checksums_url = f"{base}/{checksums_name()}"
    wanted = published_checksum(fetch_small(checksums_url), name, checksums_url)
    current.say(f"downloading {base}/{name}")
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent, prefix="download-") as scratch:
        archive = Path(scratch) / name
        got = download(f"{base}/{name}", archive)
        if got != wanted:
            raise SetupError(
                f"The checksum of {base}/{name} is wrong: published {wanted}, got {got}. "
                "Nothing was installed; find out why before you try again."
            )
        unpack(archive, Path(scratch) / "unpacked")
        binaries = Path(scratch) / "unpacked" / "pulumi"
        if not (binaries / "pulumi").exists():
            raise SetupError(f"{base}/{name} does not contain pulumi/pulumi.")
        places.keep(binaries, place)
    return place
