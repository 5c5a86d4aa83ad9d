"""Builds the image of the lab's hosts, or finds the one built before."""

import ast
import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.image import assemble, packages, recipe, sources
from lab.image.commands import ImageError
from lab.image.nodes import NODES

Report = Callable[[str], None]


@dataclass(frozen=True)
class Image:
    """Where the parts of a built image are; all of it is read-only and shared by every lab of this user."""

    kernel: Path
    initrd: Path
    disk: Path
    """Root file system as a qcow2 to put overlays on, bootable as /dev/vda."""
    tree: Path
    """The same root unpacked, to be the lower directory of a container's overlay."""
    packages: Path
    """The flat apt repository, served at http://192.0.2.1:8080/ (the directory is the web root)."""
    identity: Path
    """Private key (0600) that opens user `ops` on every host; the public one is beside it with .pub."""
    host_keys: Mapping[str, Path]
    """Public host key (OpenSSH ed25519) of each node, by node name; in the image before first boot."""
    key: str
    """Hash of everything the image was built from, except the mirror's state on the day of the build."""


def ensure(report: Report) -> Image:
    """Return the image, building it first when it is missing; progress goes to `report` a line at a time.

    Of two callers at once one builds and the other waits. Raises ImageError when a step fails; nothing
    half-built is left where `ensure` would find it.
    """
    key = _key()
    store = _store()
    if not (store / key).is_dir():
        store.mkdir(parents=True, exist_ok=True)
        with _only_builder(store, report):
            if not (store / key).is_dir():
                _build(store, key, report)
    return _image(store / key, key)


def _store() -> Path:
    cache = os.environ.get("SQUID_HA_CACHE") or Path.home() / ".cache/squid-ha"
    return Path(cache).absolute() / "image"


def _key() -> str:
    here = Path(__file__).parent
    files = [*here.glob("*.py"), *(path for path in (here / "root").rglob("*") if path.is_file())]
    digest = hashlib.sha256()
    for path in sorted(files):
        # The meaning of the code, so that a comment or a line break builds nothing anew.
        content = ast.dump(ast.parse(path.read_bytes())).encode() if path.suffix == ".py" else path.read_bytes()
        digest.update(f"{path.relative_to(here)}\0".encode() + content + b"\0")
    return digest.hexdigest()[:16]


def _image(folder: Path, key: str) -> Image:
    return Image(
        kernel=folder / "kernel",
        initrd=folder / "initrd",
        disk=folder / "disk.qcow2",
        tree=folder / "tree",
        packages=folder / "packages",
        identity=folder / "id_ed25519",
        host_keys={node.name: folder / f"host_{node.name}.pub" for node in NODES},
        key=key,
    )


@contextmanager
def _only_builder(store: Path, report: Report) -> Generator[None]:
    with (store / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report("image: another process is building it, waiting for that")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(store: Path, key: str, report: Report) -> None:
    if os.geteuid() != 0:
        raise ImageError("building the lab's image needs root; run the same command with sudo")
    for left in store.glob(".building-*"):
        shutil.rmtree(left)
    folder = store / f".building-{key}"
    folder.mkdir()
    began = time.monotonic()

    @contextmanager
    def step(what: str) -> Generator[None]:
        report(f"image: {what} ...")
        start = time.monotonic()
        yield
        report(f"image: {what}: {time.monotonic() - start:.0f} s")

    try:
        _run_steps(folder, step)
    except ImageError as error:
        kept = store / "failed.log"
        shutil.copy(folder / "log", kept)
        raise ImageError(f"{error}\nThe whole log is {kept}") from error
    folder.rename(store / key)
    report(f"image: built in {time.monotonic() - began:.0f} s")


def _run_steps(folder: Path, step: Callable[[str], AbstractContextManager[None]]) -> None:
    log = folder / "log"
    log.touch()
    mirror = sources.machine_sources(recipe.SUITE)
    with step("installing Debian and its kernel into a folder (about 30 s)"):
        assemble.unpack(folder, mirror)
    with step("fetching what nodes may install"):
        apt = packages.Apt(folder / "tree", mirror, folder / "apt", log)
        packages.collect(apt, recipe.OFFERED, folder / "packages")
        packages.index(folder / "packages", log)
        offered = [f"deb [trusted=yes] file:{folder / 'packages'} ./"]
        packages.check(packages.Apt(folder / "tree", offered, folder / "check", log), recipe.OFFERED)
    with step("setting up user, keys and networks"):
        assemble.make_keys(folder)
        assemble.configure(folder)
    with step("making the initrd"):
        assemble.boot_files(folder)
    with step("writing the disk"):
        assemble.make_disk(folder)
    for scratch in ("apt", "check"):
        shutil.rmtree(folder / scratch)
