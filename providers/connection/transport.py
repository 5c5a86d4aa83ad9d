"""Opening an SSH connection to a node: proxies, host keys, retries, keepalive, and the way to root."""

from __future__ import annotations

import asyncio
import logging
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from providers.connection.access import ConnectionSettings
from providers.connection.errors import LoginRefused, SudoRefused, Unreachable
from providers.connection.sessions import Sessions, ShellRefused
from providers.connection.shell import LOOP, Request, Shell
from providers.connection.translate import as_host_error, host_key_refused, is_transient

if TYPE_CHECKING:
    import asyncssh

KEEPALIVE = 5.0
"""Seconds between keepalives; a node that misses three of them is taken for gone."""
RETRY_AFTER = 1.0
_OPEN_WITHIN = 30.0
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_ENV = ("env", "LC_ALL=C", f"PATH={PATH}")
_PASSED = "squid-ha-root"
# sudo reads the password line only where it asks for one. Whatever it left unread must not become the input of a
# command, so the shell that sudo starts reads on to a mark first.
_AFTER_MARK = 'while IFS= read -r l; do [ "$l" = "$1" ] && break; done; shift; exec "$@"'


@dataclass
class Root:
    """How a command becomes root on this connection: the words before it, and what precedes its standard input."""

    prefix: tuple[str, ...] = ()
    preamble: bytes = b""

    def line(self, argv: list[str]) -> str:
        """The command line for the login shell."""
        return shlex.join([*self.prefix, *_ENV, *argv])


@dataclass
class Link:
    """An open connection with its way to root, and the jump connections it goes through."""

    connection: asyncssh.SSHClientConnection
    root: Root
    sessions: Sessions
    jumps: list[asyncssh.SSHClientConnection]

    @property
    def broken(self) -> bool:
        """Whether it is known to be of no more use."""
        return self.connection.is_closed()

    def abort(self) -> None:
        """Give it up at once, and what it went through: jump connections outlive what was tunnelled by them."""
        for connection in (self.connection, *reversed(self.jumps)):
            connection.abort()

    async def close(self) -> None:
        """Close it, and what it went through."""
        for connection in (self.connection, *reversed(self.jumps)):
            connection.close()
        await self.connection.wait_closed()


async def open_link(settings: ConnectionSettings, *, budget: float) -> Link:
    """Connect, trying again for ``budget`` seconds (the node may be booting). Raises `Unreachable`, `SudoRefused`."""
    jumps: list[asyncssh.SSHClientConnection] = []
    try:
        tunnel: asyncssh.SSHClientConnection | None = None
        for jump in settings.jumps():
            tunnel = await _on_the_way(jump, tunnel, budget)
            jumps.append(tunnel)
        connection = await _connect(settings, tunnel, budget)
        jumps.append(connection)
        root, shell = await _root(settings, connection)
    except BaseException:
        for opened in jumps:
            opened.abort()
        raise
    return Link(connection, root, Sessions(shell, lambda: _open_shell(connection, root)), jumps[:-1])


async def _on_the_way(
    jump: ConnectionSettings, tunnel: asyncssh.SSHClientConnection | None, budget: float
) -> asyncssh.SSHClientConnection:
    """A connection to a jump host. Whatever this one says, the node itself has not been asked."""
    try:
        return await _connect(jump, tunnel, budget)
    except Unreachable as error:
        error.having(answered=None)
        raise


async def _connect(
    settings: ConnectionSettings, tunnel: asyncssh.SSHClientConnection | None, budget: float
) -> asyncssh.SSHClientConnection:
    import asyncssh  # noqa: PLC0415 - takes 0.4 s, which a program that only previews shall not pay

    logging.getLogger("asyncssh").setLevel(logging.CRITICAL + 1)
    known = await asyncio.to_thread(_known, settings)
    loop = asyncio.get_running_loop()
    deadline = loop.time() + budget
    while True:
        try:
            async with asyncio.timeout(settings.connect_timeout):
                return await asyncssh.connect(settings.address, settings.port, **_options(settings, tunnel))
        except (OSError, ValueError, asyncssh.Error) as error:
            if not is_transient(error) or loop.time() + RETRY_AFTER > deadline:
                failed = as_host_error(settings, error, known=known)
                if not failed.answered and tunnel is not None and tunnel.is_closed():
                    failed.having(answered=None)
                raise failed from error
        await asyncio.sleep(RETRY_AFTER)


def _known(settings: ConnectionSettings) -> bool:
    """Whether any key of this host was accepted before.

    Raises `HostKeyRefused` without a file to look it up, `Unreachable` where that cannot be read.
    """
    import asyncssh  # noqa: PLC0415 - see above

    try:
        if not settings.known_hosts_path.is_file():
            raise host_key_refused(settings, changed=False).having(answered=None)
        found = asyncssh.read_known_hosts(str(settings.known_hosts_path))
    except OSError as error:
        raise as_host_error(settings, error) from error
    except ValueError as error:
        raise as_host_error(settings, ValueError(f"{settings.known_hosts_path}: {error}")) from error
    matched = asyncssh.match_known_hosts(found, settings.address, "", settings.port)
    return any(matched[:2])


def _options(settings: ConnectionSettings, tunnel: asyncssh.SSHClientConnection | None) -> dict[str, Any]:
    options: dict[str, Any] = {
        "username": settings.user,
        "known_hosts": str(settings.known_hosts_path),
        # Only what the site says counts, or it would behave differently from another desk.
        "config": [],
        "tunnel": tunnel or (),
        "login_timeout": settings.connect_timeout,
        "keepalive_interval": KEEPALIVE,
        "keepalive_count_max": 3,
        "preferred_auth": ["publickey"],
    }
    if settings.identity:
        options["client_keys"] = [settings.identity]
    if settings.proxy_command and not settings.proxy_jump:
        options["proxy_command"] = settings.proxy_argv()
    return options


async def _root(settings: ConnectionSettings, connection: asyncssh.SSHClientConnection) -> tuple[Root, Shell]:
    """The way to root, and the first shell that went it. Raises `SudoRefused`, `Unreachable`."""
    import asyncssh  # noqa: PLC0415 - see above

    try:
        if settings.user == "root":
            root = Root()
            return root, await _open_shell(connection, root)
        try:
            root = Root(("sudo", "-k", "-n"))
            return root, await _open_shell(connection, root)
        except ShellRefused as error:
            root, refused = _with_password(settings), str(error)
        if root is not None and not (refused := await _try(connection, root)):
            return root, await _open_shell(connection, root)
    except ShellRefused as error:
        raise LoginRefused(f"{settings.user} gets no shell: {error}", node=settings.name) from error
    except (OSError, asyncssh.Error) as error:
        raise as_host_error(settings, error).having(answered=True) from error
    raise SudoRefused(
        f"user {settings.user} may not become root by sudo: {refused}",
        node=settings.name,
        remedy=f"give it `{settings.user} ALL=(root) NOPASSWD: ALL` in /etc/sudoers.d, or a sudo password in the site",
    )


def _with_password(settings: ConnectionSettings) -> Root | None:
    if settings.sudo_password is None:
        return None
    prefix = ("sudo", "-k", "-S", "-p", "", "sh", "-c", _AFTER_MARK, "sh", _PASSED)
    return Root(prefix, f"{settings.sudo_password}\n{_PASSED}\n".encode())


async def _try(connection: asyncssh.SSHClientConnection, root: Root) -> str:
    """Why becoming root does not work this way; '' if it does.

    Of a wrong password sudo would ask again, so its input has to end here.
    """
    result = await connection.run(root.line(["true"]), encoding=None, timeout=_OPEN_WITHIN, input=root.preamble)
    if result.exit_status == 0:
        return ""
    stderr = result.stderr if isinstance(result.stderr, bytes) else b""
    lines = stderr.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else f"exit code {result.exit_status}"


async def _open_shell(connection: asyncssh.SSHClientConnection, root: Root) -> Shell:
    """A shell that answers. Raises `ShellRefused`, and what the network and asyncssh raise."""
    import asyncssh  # noqa: PLC0415 - see above

    try:
        process: Any = await connection.create_process(root.line(["sh", "-c", LOOP]), encoding=None)
    except asyncssh.ChannelOpenError as error:
        if connection.is_closed():
            raise
        raise ShellRefused(f"the node opens no further session: {error}") from error
    if root.preamble:
        process.stdin.write(root.preamble)
    shell = Shell(process.stdin, process.stdout, process.stderr)
    try:
        async with asyncio.timeout(_OPEN_WITHIN):
            await shell.run(Request(["true"]))
    except ConnectionError as error:
        if connection.is_closed():
            raise
        raise ShellRefused(await shell.last_words() or f"exit code {process.exit_status}") from error
    return shell
