"""The services of the tree: origin, package source, time source, and whatever a request starts in a namespace."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from pathlib import Path
from shlex import quote

from lab import addresses
from lab.errors import LabError
from lab.network import Tree
from lab.paths import PROJECT

TIME_PACKAGES = ("chrony", "libedit2", "libbsd0", "libmd0", "libtinfo6", "libnettle8", "libgnutls30", "libhogweed6",
                 "libgmp10", "libp11-kit0", "libidn2-0", "libunistring2", "libtasn1-6", "libffi8", "libcap2",
                 "libseccomp2")  # fmt: skip
"""The time server and the libraries it may miss in the bare image; what the source lacks is in the image."""

CHRONY_CONF = """\
# The lab's own time source: it believes in this machine's clock and never sets it (-x).
local stratum 8
allow all
bindaddress {address}
cmdport 0
pidfile /run/lab-chronyd.pid
user root
"""


class Services:
    """Named processes of the tree that are not hosts. All of them end with the tree."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._processes: dict[str, asyncio.subprocess.Process] = {}

    async def spawn(self, name: str, namespace: str, *argv: str) -> int:
        """Start a process in a network namespace, logging to <name>.log in the run directory; returns its pid.

        Raises LabError when one of that name runs already.
        """
        if self.running(name):
            raise LabError(f"the service {name} of the lab runs already")
        with (self._tree.directory / f"{name}.log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                "ip",
                "netns",
                "exec",
                namespace,
                *argv,
                cwd=PROJECT,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._processes[name] = process
        return process.pid

    async def end(self, name: str, timeout: float = 15.0) -> int:
        """Ask a process to end (SIGTERM), kill it after `timeout` seconds, and return its exit code.

        Raises LabError when there was never one of that name.
        """
        process = self._processes.pop(name, None)
        if process is None:
            raise LabError(f"the lab has no service {name}")
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(timeout):
                return await process.wait()
        except TimeoutError:
            process.kill()
            return await process.wait()

    def running(self, name: str) -> bool:
        """Whether a process of that name runs now."""
        process = self._processes.get(name)
        return process is not None and process.returncode is None

    def names(self) -> list[str]:
        """All that were started and not ended by request, in that order."""
        return list(self._processes)

    async def start_standard(self, image_tree: Path, packages: Path) -> None:
        """Start origin, package source and time source, and wait until the web server answers."""
        await self.spawn("origin", "origin", sys.executable, "-m", "lab.origin", addresses.ORIGIN, str(packages))
        root = await self._time_root(image_tree, packages)
        # -d: in the foreground; -x: never touch the clock.
        await self.spawn(
            "time", "origin", "chroot", str(root), "/usr/sbin/chronyd", "-d", "-x", "-f", "/etc/lab-chrony.conf"
        )
        await self._wait_for_origin()

    async def _time_root(self, image_tree: Path, packages: Path) -> Path:
        """The image's tree with the package source's own chrony unpacked over it: nothing is needed of this machine."""
        root, upper, work = (self._tree.memory / "time" / part for part in ("root", "upper", "work"))
        for folder in (root, upper, work):
            folder.mkdir(parents=True)
        await self._tree.run(
            "mount",
            "-t",
            "overlay",
            "overlay",
            "-o",
            f"lowerdir={image_tree},upperdir={upper},workdir={work}",
            str(root),
        )
        for package in TIME_PACKAGES:
            for archive in packages.rglob(f"{package}_*.deb"):
                await self._unpack(archive, root)
        if not (root / "usr/sbin/chronyd").exists():
            raise LabError(f"the package source {packages} has no chrony, so that the lab has no time source")
        (root / "etc/lab-chrony.conf").write_text(CHRONY_CONF.format(address=addresses.ORIGIN))
        return root

    async def _unpack(self, archive: Path, root: Path) -> None:
        # `dpkg-deb --extract` would put a folder in the place of the link /lib -> usr/lib.
        unpack = (
            f"dpkg-deb --fsys-tarfile {quote(str(archive))} | tar -x --keep-directory-symlink -C {quote(str(root))}"
        )
        await self._tree.run("sh", "-e", "-c", unpack)

    async def _wait_for_origin(self) -> None:
        deadline = asyncio.get_running_loop().time() + 20
        while True:
            for name in ("origin", "time"):
                if not self.running(name):
                    raise LabError(f"the lab's service {name} ended at once; see .lab/run/{name}.log")
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(1):
                    _, writer = await asyncio.open_connection(addresses.ORIGIN, 80)
                writer.close()
                return
            if asyncio.get_running_loop().time() > deadline:
                raise LabError("the lab's web origin does not answer; see .lab/run/origin.log")
            await asyncio.sleep(0.05)
