"""What reaches the nodes from outside the tree: key, known_hosts and an ssh_config, in the run directory."""

from __future__ import annotations

import os
from pathlib import Path

from lab.addresses import address, node_number
from lab.configuration import Configuration
from lab.host import Network


def write_access(directory: Path, told: Configuration) -> None:
    """Write them, readable only for the lab's user."""
    key = directory / "id_ed25519"
    known_hosts = directory / "known_hosts"
    ssh_config = directory / "ssh_config"
    _write_private(key, Path(told.identity).read_bytes())
    known = "".join(
        f"{name},{address(Network.PUBLIC, node_number(name))} {Path(path).read_text().strip()}\n"
        for name, path in told.host_keys.items()
    )
    _write_private(known_hosts, known.encode())
    _write_private(ssh_config, _ssh_config(directory, list(told.host_keys)).encode())
    for path in (key, known_hosts, ssh_config):
        os.chown(path, told.uid, told.gid)


def _write_private(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)


def _ssh_config(directory: Path, names: list[str]) -> str:
    return f"""\
Host {" ".join(names)}
    User ops
    IdentityFile "{directory}/id_ed25519"
    IdentitiesOnly yes
    UserKnownHostsFile "{directory}/known_hosts"
    GlobalKnownHostsFile /dev/null
    StrictHostKeyChecking yes
    ProxyCommand socat - "UNIX-CONNECT:{directory}/%n.ssh"
"""
