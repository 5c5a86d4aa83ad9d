"""Pulumi's official release, checked against the SHA-256 checksums of pulumi_versions.

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
    """The address of archive and checksums; PULUMI_RELEASE_URL names another, such as a mirror."""
    return (os.environ.get("PULUMI_RELEASE_URL") or DEFAULT_URL).rstrip("/")


def archive() -> tuple[str, str]:
    """The name of the release for this machine, and its checksum. Raises UnreachableError if none is known."""
    machine = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    target = f"{platform.system().lower()}-{machine}"
    if target not in pulumi_versions.RELEASE_SHA256:
        raise UnreachableError(f"setup/pulumi_versions.py knows no checksum of a release for {target}")
    return f"pulumi-v{pulumi_versions.CLI}-{target}.tar.gz", pulumi_versions.RELEASE_SHA256[target]


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


def wrong_checksum(what: str, wanted: str, got: str) -> SetupError:
    """The refusal of a release that is not the one whose checksum stands in this repository."""
    return SetupError(
        f"The checksum of {what} is wrong: {got}, and not {wanted} as in setup/pulumi_versions.py. Nothing was "
        "installed. Has a mirror another file, or was the release replaced? Find out before you try again."
    )


def unpack(packed: Path, folder: Path) -> None:
    """Unpack the archive's binaries into a folder. Raises SetupError if it is no such archive."""
    try:
        with tarfile.open(packed) as tar:
            tar.extractall(folder, filter="data")
    except (tarfile.TarError, OSError) as error:
        raise SetupError(f"{packed.name} could not be unpacked: {error}") from error


def cached(version: str = pulumi_versions.CLI) -> Path:
    """Where a release that was fetched once is kept."""
    return places.cache() / "pulumi" / f"release-{version}-{platform.machine()}"


def provide(current: Step) -> Path:
    """The folder of the release's binaries, downloaded if need be.

    Raises UnreachableError, or SetupError where it is not the one that this repository names.
    """
    place = cached()
    if place.exists():
        return place
    (name, wanted), base = archive(), base_url()
    checksums_url = f"{base}/{checksums_name()}"
    published = published_checksum(fetch_small(checksums_url), name, checksums_url)
    if published != wanted:
        raise wrong_checksum(f"{name} in {checksums_url}", wanted, published)
    current.say(f"downloading {base}/{name}")
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent, prefix="download-") as scratch:
        packed = Path(scratch) / name
        got = download(f"{base}/{name}", packed)
        if got != wanted:
            raise wrong_checksum(f"{base}/{name}", wanted, got)
        unpack(packed, Path(scratch) / "unpacked")
        binaries = Path(scratch) / "unpacked" / "pulumi"
        if not (binaries / "pulumi").exists():
            raise SetupError(f"{base}/{name} does not contain pulumi/pulumi.")
        places.keep(binaries, place)
    return place
