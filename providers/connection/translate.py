"""Where the exceptions of the SSH library and of the network belong in our own tree (`providers.connection.errors`)."""

from __future__ import annotations

import shlex

from providers.connection.access import ConnectionSettings
from providers.connection.errors import HostError, HostKeyRefused, LoginRefused, Unreachable

HOMES: dict[str, type[Unreachable]] = {
    "HostKeyNotVerifiable": HostKeyRefused,
    "PermissionDenied": LoginRefused,
    "IllegalUserName": LoginRefused,
    "PasswordChangeRequired": LoginRefused,
    "KeyEncryptionError": LoginRefused,
    "KeyImportError": LoginRefused,
    "KeyGenerationError": LoginRefused,
    "KeyExportError": LoginRefused,
    "ConfigParseError": LoginRefused,
    "KeyExchangeFailed": Unreachable,
    "CompressionError": Unreachable,
    "MACError": Unreachable,
    "ProtocolError": Unreachable,
    "ProtocolNotSupported": Unreachable,
    "ServiceNotAvailable": Unreachable,
    "ConnectionLost": Unreachable,
    "DisconnectError": Unreachable,
    "ChannelOpenError": Unreachable,
    "ChannelListenError": Unreachable,
    "ProcessError": Unreachable,
    "TimeoutError": Unreachable,
    "SFTPError": Unreachable,
    "Error": Unreachable,
    "BreakReceived": Unreachable,
    "SignalReceived": Unreachable,
    "TerminalSizeChanged": Unreachable,
}
"""asyncssh exception (by name, so that it is not imported here) → ours. Its own subclasses live with it."""

TRANSIENT = ("ConnectionLost", "DisconnectError", "ChannelOpenError", "ServiceNotAvailable")
"""What a host says while it boots or is crowded (MaxStartups closes connections unasked)."""


def home_of(error: type[BaseException]) -> type[Unreachable] | None:
    """Our exception for one of asyncssh's, or None if it has none."""
    for base in error.__mro__:
        if base.__module__.startswith("asyncssh") and base.__name__ in HOMES:
            return HOMES[base.__name__]
    return Unreachable if issubclass(error, OSError) else None


def is_transient(error: BaseException) -> bool:
    """Whether the same attempt may succeed a little later."""
    if type(error).__module__.startswith("asyncssh"):
        return type(error).__name__ in TRANSIENT
    # A missing or unreadable key file is an OSError too, and will not mend itself.
    return isinstance(error, OSError) and not isinstance(error, FileNotFoundError | PermissionError)


def as_host_error(target: ConnectionSettings, error: BaseException, *, known: bool = True) -> HostError:
    """Our error for ``error`` while connecting to ``target``; ``known``: some host key of it was accepted before."""
    home = home_of(type(error)) or Unreachable
    if home is HostKeyRefused:
        return host_key_refused(target, changed=known)
    where = f"{target.user}@{target.address} port {target.port}"
    if home is LoginRefused:
        return LoginRefused(
            f"SSH login as {where} was refused: {_text(error)}",
            node=target.name,
            remedy=f"check that the key {_key(target)} is in that user's authorized_keys and can be read",
        )
    return Unreachable(
        f"no SSH connection to {where}: {_text(error)}",
        node=target.name,
        remedy=f"check that the node is up and that `{_ssh(target)} true` works",
    )


def host_key_refused(target: ConnectionSettings, *, changed: bool) -> HostKeyRefused:
    """The host key is unknown or has changed; says which, and the commands that accept it."""
    path = shlex.quote(str(target.known_hosts_path))
    place = target.address if target.port == 22 else f"[{target.address}]:{target.port}"  # noqa: PLR2004
    if target.proxy_command or target.proxy_jump:
        accept = f"`{_ssh(target)} true`, comparing the fingerprint"
    else:
        accept = f"`ssh-keyscan -p {target.port} {target.address} >> {path}`, comparing `ssh-keygen -lf {path}`"
    if changed:
        return HostKeyRefused(
            f"the SSH host key of {place} is not the one in {path}: the node was reinstalled, or it is another host",
            node=target.name,
            remedy=f"if the change is expected: `ssh-keygen -R {shlex.quote(place)} -f {path}`, then {accept}",
        )
    return HostKeyRefused(
        f"the SSH host key of {place} is not in {path}", node=target.name, remedy=f"accept it by {accept}"
    )


def _text(error: BaseException) -> str:
    if isinstance(error, TimeoutError) and not str(error):
        return "no answer in time"
    return str(error) or type(error).__name__


def _key(target: ConnectionSettings) -> str:
    return target.identity or "(of your agent, or ~/.ssh/id_*)"


def _ssh(target: ConnectionSettings) -> str:
    words = ["ssh", "-p", str(target.port)]
    if target.identity:
        words += ["-i", target.identity]
    if target.known_hosts:
        words += ["-o", f"UserKnownHostsFile={target.known_hosts}"]
    if target.proxy_command:
        words += ["-o", f"ProxyCommand={shlex.join(target.proxy_argv())}"]
    if target.proxy_jump:
        words += ["-J", target.proxy_jump]
    return shlex.join([*words, f"{target.user}@{target.address}"])
