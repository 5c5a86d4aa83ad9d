"""Builds the tree and the package source of a release, or finds those built before."""

import ast
import fcntl
import hashlib
import os
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lab.image import assemble, packages, sources
from lab.image.build import Image
from lab.image.commands import ImageError, run
from lab.image.nodes import NODES
from lab.paths import cache_directory

Report = Callable[[str], None]

PORT = 8081
"""Where a host of such a release looks for its packages: 192.0.2.1 at this port (`Built.serve`)."""

_LOGIN = ("id_ed25519", "id_ed25519.pub")


@dataclass(frozen=True)
class Built:
    """A release as containers are made from it."""

    tree: Path
    """The root, to be the lower directory of a container's overlay."""
    packages: Path
    """The flat apt repository of what its hosts may install."""

    def serve(self, address: str) -> tuple[str, ...]:
        """The command that offers the packages, for a request ``spawn`` in the namespace `origin`."""
        settings = ("--bind", address, "--directory", str(self.packages), "--protocol", "HTTP/1.1")
        return (sys.executable, "-m", "http.server", str(PORT), *settings)


@dataclass(frozen=True)
class Release:
    """What differs from `lab.image.recipe`: Debian's ``suite``, what an untouched host has, what it may install."""

    name: str
    suite: str
    installed: tuple[str, ...]
    offered: tuple[tuple[str, ...], ...]

    def ensure(self, image: Image, report: Report) -> Built:
        """This release with the logins of ``image``, built first when it is missing.

        Of two callers at once one builds and the other waits. Raises ImageError when a step fails.
        """
        key = self._key(image)
        store = cache_directory("release")
        with (store / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (store / key).is_dir():
                self._build(store, key, image, report)
        return Built(store / key / "tree", store / key / "packages")

    def _key(self, image: Image) -> str:
        """The image's key is part of it, because its logins are, and so is the code that both are built by."""
        digest = hashlib.sha256(f"{self.name}\0{image.key}\0".encode())
        for path in sorted(Path(__file__).parent.glob("*.py")):
            digest.update(ast.dump(ast.parse(path.read_bytes())).encode() + b"\0")
        return f"{self.name}-{digest.hexdigest()[:16]}"

    def _build(self, store: Path, key: str, image: Image, report: Report) -> None:
        if os.geteuid() != 0:
            raise ImageError(f"building the lab's {self.name} needs root; run the same command with sudo")
        for left in store.glob(".building-*"):
            shutil.rmtree(left)
        folder = store / f".building-{key}"
        folder.mkdir()
        began = time.monotonic()
        report(f"image: making a tree of {self.name} for containers (a minute or two; only this once) ...")
        try:
            self._steps(folder, image)
        except ImageError as error:
            kept = store / "failed.log"
            shutil.copy(folder / "log", kept)
            raise ImageError(f"{error}\nThe whole log is {kept}") from error
        folder.rename(store / key)
        report(f"image: {self.name} made in {time.monotonic() - began:.0f} s")

    def _steps(self, folder: Path, image: Image) -> None:
        log = folder / "log"
        log.touch()
        mirror = sources.machine_sources(self.suite)
        self._unpack(folder, mirror)
        apt = packages.Apt(folder / "tree", mirror, folder / "apt", log)
        packages.collect(apt, self.offered, folder / "packages")
        packages.index(folder / "packages", log)
        offered = [f"deb [trusted=yes] file:{folder / 'packages'} ./"]
        packages.check(packages.Apt(folder / "tree", offered, folder / "check", log), self.offered)
        logins = [*_LOGIN, *(f"host_{node.name}{end}" for node in NODES for end in ("", ".pub"))]
        for name in logins:
            shutil.copy(image.identity.parent / name, folder / name)
        self._configure(folder)
        for name in logins:
            (folder / name).unlink()
        for scratch in ("apt", "check"):
            shutil.rmtree(folder / scratch)

    def _unpack(self, folder: Path, mirror: list[str]) -> None:
        listed = folder / "mirror.list"
        listed.write_text("".join(f"{line}\n" for line in mirror))
        quick = (assemble.ROOT_FILES / "etc/dpkg/dpkg.cfg.d/90lab").read_text().splitlines()
        run(
            "mmdebstrap",
            "--mode=root",
            "--variant=minbase",
            "--architectures=amd64",
            *(f"--dpkgopt={line}" for line in quick),
            '--aptopt=Acquire::Languages "none"',
            f"--include={','.join(self.installed)}",
            self.suite,
            folder / "tree",
            listed,
            log=folder / "log",
        )
        tree = folder / "tree"
        for left in (
            "dpkg/dpkg.cfg.d/99mmdebstrap",
            "apt/apt.conf.d/99mmdebstrap",
            "apt/sources.list.d/0000mirror.list",
        ):
            (tree / "etc" / left).unlink(missing_ok=True)
        listed.unlink()
        shutil.rmtree(tree / "var/lib/apt/lists", ignore_errors=True)
        (tree / "var/lib/apt/lists/partial").mkdir(parents=True)

    @staticmethod
    def _configure(folder: Path) -> None:
        tree = folder / "tree"
        # A root with a kernel has this setting, which `assemble` changes; here is none.
        settings = tree / "etc/initramfs-tools/update-initramfs.conf"
        settings.parent.mkdir()
        settings.touch()
        assemble.configure(folder)
        shutil.rmtree(settings.parent)
        source = tree / "etc/apt/sources.list"
        source.write_text(source.read_text().replace(":8080/", f":{PORT}/"))
