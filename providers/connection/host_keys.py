"""A host's key out of a known_hosts file, for programs that want the one key to check by."""

from __future__ import annotations

from providers.connection.access import ConnectionSettings
from providers.connection.errors import HostKeyRefused
from providers.connection.translate import host_key_refused

BEST_FIRST = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521")
"""Without RSA: who names one key's type only by `ssh-rsa` gets its SHA-1 signature, which no current sshd makes."""


def host_key(settings: ConnectionSettings) -> str:
    """The key by which the host of ``settings`` is known, as in a file of public keys.

    Raises `HostKeyRefused` where none is known, or none of a type that can be checked by itself.
    """
    import asyncssh  # noqa: PLC0415 - takes 0.4 s, which a site without hooks shall not pay

    if not settings.known_hosts_path.is_file():
        raise host_key_refused(settings, changed=False)
    known = asyncssh.read_known_hosts(str(settings.known_hosts_path))
    trusted, _, revoked, *_ = asyncssh.match_known_hosts(known, settings.address, "", settings.port)
    if not trusted:
        raise host_key_refused(settings, changed=False)
    keys = {key.get_algorithm(): key for key in reversed(trusted) if key not in revoked}
    for algorithm in BEST_FIRST:
        if algorithm in keys:
            return keys[algorithm].export_public_key("openssh").decode().strip()
    raise HostKeyRefused(
        f"{settings.known_hosts_path} has no Ed25519 or ECDSA key of {settings.address} port {settings.port}",
        node=settings.name,
        remedy=host_key_refused(settings, changed=False).remedy,
    )
