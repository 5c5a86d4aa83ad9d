"""A PostgreSQL server of a test's own: Debian's, on a loopback port, with TLS and password, gone with the test."""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

CACHE = Path(os.environ.get("SQUID_HA_CACHE", "~/.cache/squid-ha")).expanduser()
NOBODY = "nobody"
"""PostgreSQL refuses to run as root."""


@dataclass(frozen=True)
class Server:
    """A running server; ``url`` is what Pulumi is given."""

    programs: Path
    folder: Path
    port: int
    password: str

    @property
    def url(self) -> str:
        """For ``PULUMI_BACKEND_URL``, over TLS, the server's certificate checked."""
        secret = f"pulumi:{self.password}"
        return (
            f"postgres://{secret}@localhost:{self.port}/pulumi?sslmode=verify-full&sslrootcert={self.folder}/server.crt"
        )

    def sql(self, text: str, database: str = "pulumi") -> str:
        """Output of a statement, as the server's own user."""
        socket_folder = str(self.folder)
        command = ["psql", "-h", socket_folder, "-p", str(self.port), "-U", "postgres", "-d", database, "-Atc", text]
        return run(self.programs, command)


def programs() -> Path:
    """The folder of the server's programs: installed ones, or Debian's packages unpacked; installs nothing."""
    roots = [Path("/"), CACHE / "postgresql"]
    found = [path.parent for root in roots for path in sorted(root.glob("usr/lib/postgresql/*/bin/initdb"))]
    if not found:
        _unpack(roots[-1])
        found = [path.parent for path in sorted(roots[-1].glob("usr/lib/postgresql/*/bin/initdb"))]
    return found[-1]


def _unpack(root: Path) -> None:
    root.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root.parent) as scratch:
        (Path(scratch) / "archives/partial").mkdir(parents=True)
        command = [
            *("apt-get", "install", "--download-only", "--yes", "--no-install-recommends", "-o", "Debug::NoLocking=1"),
            *("-o", f"Dir::Cache::archives={scratch}/archives", "postgresql"),
        ]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, f"install postgresql, or let apt fetch it: {ran.stderr}"
        for package in (Path(scratch) / "archives").glob("*.deb"):
            subprocess.run(["dpkg-deb", "-x", package, Path(scratch) / "root"], check=True)
        (Path(scratch) / "root").rename(root)


def run(folder: Path, command: Sequence[str], **environment: str) -> str:
    """Output of one of the server's programs, as a user who is not root."""
    # Unpacked, its libraries lie beside it.
    libraries = ":".join(map(str, folder.parents[2].glob("*-linux-gnu")))
    ran = subprocess.run(
        [folder / command[0], *command[1:]],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        env={"PATH": os.environ["PATH"], "LC_ALL": "C", "LD_LIBRARY_PATH": libraries, **environment},
        user=NOBODY if os.geteuid() == 0 else None,
        timeout=120,
    )
    assert ran.returncode == 0, f"{' '.join(command)} ended with {ran.returncode}: {ran.stderr}{ran.stdout}"
    return ran.stdout.strip()


@contextlib.contextmanager
def server() -> Generator[Server]:
    """A server with a role and a database `pulumi`, set up by the commands of docs/state.md."""
    found, password = programs(), secrets.token_hex(12)
    # Directly below /tmp, because the name of a unix socket has at most 107 characters.
    folder = Path(tempfile.mkdtemp(prefix="squid-ha-pg-", dir="/tmp"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    if os.geteuid() == 0:
        os.chown(folder, pwd.getpwnam(NOBODY).pw_uid, -1)
    made = Server(found, folder, port, password)
    data = f"{folder}/data"
    try:
        run(found, ["initdb", "-D", data, "-U", "postgres", "--auth-local=trust", "--auth-host=scram-sha-256"])
        _certificate(folder)
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c ssl=on -c fsync=off"
        options += f" -c ssl_cert_file={folder}/server.crt -c ssl_key_file={folder}/server.key"
        run(found, ["pg_ctl", "-D", data, "-l", f"{folder}/log", "-w", "-o", options, "start"])
        try:
            made.sql(f"CREATE ROLE pulumi LOGIN PASSWORD '{password}'", "postgres")
            made.sql("CREATE DATABASE pulumi OWNER pulumi", "postgres")
            yield made
        finally:
            run(found, ["pg_ctl", "-D", data, "-m", "immediate", "-w", "stop"])
    finally:
        shutil.rmtree(folder)


def _certificate(folder: Path) -> None:
    command = ["openssl", "req", "-new", "-x509", "-days", "2", "-nodes", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost", "-out", f"{folder}/server.crt"]
    command += ["-keyout", f"{folder}/server.key"]
    subprocess.run(command, capture_output=True, check=True)
    if os.geteuid() == 0:
        for name in ("server.crt", "server.key"):
            os.chown(folder / name, pwd.getpwnam(NOBODY).pw_uid, -1)
    (folder / "server.key").chmod(0o600)
