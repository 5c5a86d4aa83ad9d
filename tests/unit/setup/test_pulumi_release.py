"""The official release, against a server of our own: fetched, refused, or out of reach."""

from __future__ import annotations

import functools
import hashlib
import io
import platform
import re
import socket
import tarfile
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from setup import places, pulumi_build, pulumi_cli, pulumi_release, pulumi_versions
from setup.pulumi_release import UnreachableError
from setup.steps import SetupError, Step

FAKE = f"#!/bin/sh\necho v{pulumi_versions.CLI}\n"


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder served on the loopback, set as the place of releases; cache and tools in folders of the test's."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(QuietHandler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    monkeypatch.setenv("PULUMI_RELEASE_URL", f"http://127.0.0.1:{server.server_port}/")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("SQUID_HA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setattr(places, "TOOLS", tmp_path / "tools")
    monkeypatch.setattr(places, "PULUMI", tmp_path / "tools" / "pulumi")
    yield folder
    server.shutdown()
    server.server_close()
    thread.join()


def release(names: tuple[str, ...] = ("pulumi", *pulumi_versions.PYTHON_PARTS)) -> bytes:
    """A tiny release: every binary a script that prints the version."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name in names:
            entry = tarfile.TarInfo(f"pulumi/{name}")
            entry.size, entry.mode = len(FAKE), 0o755
            tar.addfile(entry, io.BytesIO(FAKE.encode()))
    return packed.getvalue()


def publish(folder: Path, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    """Put a release on the mirror, and let it be the one that this repository names."""
    monkeypatch.setattr(
        pulumi_versions, "RELEASE_SHA256", dict.fromkeys(pulumi_versions.RELEASE_SHA256, sha256(content))
    )
    put(folder, content, sha256(content))


def put(folder: Path, content: bytes, checksum: str) -> None:
    """Put a release on the mirror, with a checksum beside it."""
    name, _ = pulumi_release.archive()
    (folder / name).write_bytes(content)
    others = f"{'0' * 64}  pulumi-v{pulumi_versions.CLI}-windows-x64.zip\n"
    (folder / pulumi_release.checksums_name()).write_text(f"{others}{checksum}  {name}\n")


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def no_build(_uv: Path, _current: Step) -> Path:
    pytest.fail("fell back to building from source")


def test_a_release_with_the_checksum_of_this_repository_is_used(mirror: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulumi_build, "provide", no_build)
    publish(mirror, monkeypatch, release())

    found = pulumi_cli.provide(Path("uv"), Step("pulumi"))

    assert (found.version, found.origin) == (pulumi_versions.CLI, "official release")
    assert places.PULUMI.resolve() == found.folder == pulumi_release.cached()
    assert [path.name for path in found.folder.parent.iterdir()] == [found.folder.name], "nothing else is left"


def test_a_release_is_fetched_once(mirror: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(mirror, monkeypatch, release())
    pulumi_cli.provide(Path("uv"), Step("pulumi"))
    for file in mirror.iterdir():
        file.unlink()

    assert pulumi_cli.provide(Path("uv"), Step("pulumi")).origin == "official release"


@pytest.mark.parametrize("with_checksums", [True, False])
def test_a_release_that_its_server_replaced_stops_setup_and_installs_nothing(
    mirror: Path, monkeypatch: pytest.MonkeyPatch, with_checksums: bool
) -> None:
    """Whoever can replace the archive there can replace the checksums beside it."""
    monkeypatch.setattr(pulumi_build, "provide", no_build)
    _, right = pulumi_release.archive()
    replaced = release()
    put(mirror, replaced, checksum=sha256(replaced) if with_checksums else right)

    where = "checksums.txt" if with_checksums else "tar.gz"
    with pytest.raises(SetupError, match=f"{where} is wrong: {sha256(replaced)}, and not {right} as in"):
        pulumi_cli.provide(Path("uv"), Step("pulumi"))

    assert not pulumi_release.cached().exists()
    assert not places.PULUMI.exists()


def test_every_release_that_may_be_fetched_has_a_checksum_of_its_own() -> None:
    sums = pulumi_versions.RELEASE_SHA256
    assert set(sums) == {"linux-x64", "linux-arm64"}
    assert len(set(sums.values())) == 2
    assert all(re.fullmatch("[0-9a-f]{64}", each) for each in sums.values())


@pytest.mark.parametrize(("system", "machine"), [("Linux", "riscv64"), ("Darwin", "arm64")])
def test_a_release_without_a_checksum_here_is_built(
    mirror: Path, monkeypatch: pytest.MonkeyPatch, system: str, machine: str
) -> None:
    publish(mirror, monkeypatch, release())
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    built = make_build(monkeypatch)

    assert pulumi_cli.provide(Path("uv"), Step("pulumi")).folder == built


def test_checksums_without_our_archive_stop_setup(mirror: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulumi_build, "provide", no_build)
    (mirror / pulumi_release.checksums_name()).write_text(f"{'0' * 64}  something-else.tar.gz\n")

    with pytest.raises(SetupError, match="has no checksum for"):
        pulumi_cli.provide(Path("uv"), Step("pulumi"))


def test_an_archive_of_something_else_stops_setup(mirror: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(mirror, monkeypatch, release(names=("README",)))

    with pytest.raises(SetupError, match=r"does not contain pulumi/pulumi"):
        pulumi_cli.provide(Path("uv"), Step("pulumi"))


@pytest.mark.parametrize("files", ["none", "checksums only"])
def test_what_is_not_there_is_built(mirror: Path, monkeypatch: pytest.MonkeyPatch, files: str) -> None:
    if files == "checksums only":
        publish(mirror, monkeypatch, release())
        (mirror / pulumi_release.archive()[0]).unlink()
    built = make_build(monkeypatch)

    found = pulumi_cli.provide(Path("uv"), Step("pulumi"))

    assert (found.folder, found.origin) == (built, "built from source")


def test_a_server_that_is_not_there_leads_to_a_build(mirror: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    monkeypatch.setenv("PULUMI_RELEASE_URL", f"http://127.0.0.1:{port}")
    built = make_build(monkeypatch)

    assert pulumi_cli.provide(Path("uv"), Step("pulumi")).folder == built


def test_a_server_that_never_answers_is_given_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulumi_release, "REACH_SECONDS", 0.3)
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(UnreachableError, match=r"no answer within|timed out"),
    ):
        pulumi_release.fetch_small(f"http://127.0.0.1:{silent.getsockname()[1]}/x")


def make_build(monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let building from source give a folder with a fake Pulumi."""
    built = places.cache() / "built"
    built.mkdir(parents=True)
    for name in ("pulumi", *pulumi_versions.PYTHON_PARTS):
        (built / name).write_text(FAKE)
        (built / name).chmod(0o755)

    def provide(_uv: Path, _current: Step) -> Path:
        return built

    monkeypatch.setattr(pulumi_build, "provide", provide)
    return built
