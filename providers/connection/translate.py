"""Where the exceptions of the SSH library and of the network belong in our own tree (`providers.connection.errors`)."""

from __future__ import annotations

import errno
import shlex
import socket
from pathlib import Path

from providers.connection.access import ConnectionSettings
from providers.connection.errors import HostKeyRefused, LoginRefused, Unreachable

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

ANSWERED: dict[str, bool | None] = {
    "HostKeyNotVerifiable": True,
    "PermissionDenied": True,
    "PasswordChangeRequired": True,
    "KeyExchangeFailed": True,
    "CompressionError": True,
    "MACError": True,
    "ServiceNotAvailable": True,
    "DisconnectError": True,
    "ConnectionLost": False,
    "TimeoutError": False,
    "IllegalUserName": None,
    "ProtocolError": None,
    "ProtocolNotSupported": None,
}
"""asyncssh exception while connecting → `Unreachable.answered`; of all others that cannot be told.

What comes of the handshake is of an SSH server. Whatever is no SSH may be of a proxy command.
"""

_NO_WAY = (errno.EHOSTUNREACH, errno.EHOSTDOWN, errno.ETIMEDOUT)
"""Nobody is there. That there is no way to its whole network says nothing of it."""
_CONNECT_FAILED = 2
"""By RFC 4254, 5.1: why a host on the way opens no channel. For any other reason it has not tried to."""
_SAID = {"connection refused": True, "no route to host": False, "host is down": False, "timed out": False}
"""In its own words, of which RFC 4254 knows none: strerror(3) of what it tried, as OpenSSH says it. A name that it does
not know it has not tried."""

_OF_KEYS = ("KeyImportError", "KeyEncryptionError")

TRANSIENT = ("ConnectionLost", "DisconnectError", "ChannelOpenError", "ServiceNotAvailable")
"""What a host says while it boots or is crowded (MaxStartups closes connections unasked)."""


def home_of(error: type[BaseException]) -> type[Unreachable] | None:
    """Our exception for one of asyncssh's, or None if it has none."""
    for base in error.__mro__:
        if base.__module__.startswith("asyncssh") and base.__name__ in HOMES:
            return HOMES[base.__name__]
    return Unreachable if issubclass(error, OSError) else None


def has_answered(error: BaseException) -> bool | None:
    """Whether the host that was connected to is there: it spoke SSH, or refused the port as only a system that runs
    does. None where it cannot be told, see `Unreachable`."""
    names = [base.__name__ for base in type(error).__mro__ if base.__module__.startswith("asyncssh")]
    if "ChannelOpenError" in names and getattr(error, "code", None) == _CONNECT_FAILED:
        said = str(getattr(error, "reason", "")).lower()
        return next((answered for words, answered in _SAID.items() if words in said), None)
    if names:
        return next((ANSWERED[name] for name in names if name in ANSWERED), None)
    if isinstance(error, socket.gaierror) or not isinstance(error, OSError):
        return None
    if isinstance(error, ConnectionRefusedError):
        return True
    # Several addresses that failed have no number of their own.
    tried = isinstance(error, TimeoutError | ConnectionError) or error.errno in (*_NO_WAY, None)
    return False if tried else None


def is_transient(error: BaseException) -> bool:
    """Whether the same attempt may succeed a little later."""
    if type(error).__module__.startswith("asyncssh"):
        return type(error).__name__ in TRANSIENT
    # A missing or unreadable key file is an OSError too, and will not mend itself.
    return isinstance(error, OSError) and not isinstance(error, FileNotFoundError | PermissionError)


def as_host_error(target: ConnectionSettings, error: BaseException, *, known: bool = True) -> Unreachable:
    """Our error for ``error`` while connecting to ``target``; ``known``: some host key of it was accepted before."""
    home = home_of(type(error)) or Unreachable
    if home is HostKeyRefused:
        return host_key_refused(target, changed=known)
    if told := _unusable_key(target, error):
        fault, remedy = told
        return Unreachable(f"`ssh.identity`: {fault}", node=target.name, remedy=remedy).having(answered=None)
    where, answered = f"{target.user}@{target.address} port {target.port}", has_answered(error)
    if home is LoginRefused:
        return LoginRefused(
            f"SSH login as {where} {'was refused' if answered else 'is not possible'}: {in_words(error)}",
            node=target.name,
            remedy=f"check that the key {_key(target)} is in that user's authorized_keys and can be read",
        ).having(answered=answered)
    return Unreachable(
        f"no SSH connection to {where}: {in_words(error)}", node=target.name, remedy=_remedy(target, error)
    ).having(answered=answered)


def _unusable_key(target: ConnectionSettings, error: BaseException) -> tuple[str, str] | None:
    """What is wrong with the declared private key, and what to do about it; None for any other error."""
    file = target.identity
    other = "name the private key's file; without `ssh.identity` your agent and ~/.ssh/id_* are used"
    if isinstance(error, OSError) and file and error.filename == str(Path(file).expanduser()):
        missing = isinstance(error, FileNotFoundError)
        return (f"there is no {file}" if missing else f"{file} cannot be read: {error.strerror}"), other
    if not file or not any(base.__name__ in _OF_KEYS for base in type(error).__mro__):
        return None
    if "passphrase" in str(error).lower():
        asked = "name a key without one, or leave `ssh.identity` out and have your agent hold this one"
        return f"{file} has a passphrase, for which nobody is asked here", asked
    return f"{file} is no private key, perhaps the `.pub` of one: {error}", other


def _remedy(target: ConnectionSettings, error: BaseException) -> str:
    if isinstance(error, socket.gaierror):
        return f"see that the name {target.address} is found from here, or declare an address instead"
    if isinstance(error, OSError) and error.filename:
        return f"see that `{error.filename}` is there on this machine, and can be used"
    return f"check that the node is up and that `{_ssh(target)} true` works"


def host_key_refused(target: ConnectionSettings, *, changed: bool) -> HostKeyRefused:
    """The host key is unknown or has changed; says which, and the commands that accept it."""
    path = shlex.quote(str(target.known_hosts_path))
    place = target.address if target.port == 22 else f"[{target.address}]:{target.port}"  # noqa: PLR2004
    if target.proxy_command or target.proxy_jump:
        accept = f"`{_ssh(target)} true`, comparing the fingerprint with what the node's console shows"
    else:
        accept = (
            f"`ssh-keyscan -p {target.port} {target.address} >> {path}`, then compare `ssh-keygen -lf {path}` with "
            "what the node's console shows"
        )
    if changed:
        return HostKeyRefused(
            f"the SSH host key of {place} is not the one in {path}: the node was reinstalled, or it is another host",
            node=target.name,
            remedy=f"if the change is expected: `ssh-keygen -R {shlex.quote(place)} -f {path}`, then {accept}",
        )
    return HostKeyRefused(
        f"the SSH host key of {place} is not in {path}", node=target.name, remedy=f"accept it by {accept}"
    )


def in_words(error: BaseException) -> str:
    """What an exception of the SSH library or of the network says, also where it says nothing."""
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
