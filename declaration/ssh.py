"""How the nodes are reached."""

from __future__ import annotations

import re
import shlex
from typing import Annotated

from declaration.paths import LocalFile
from declaration.quantities import Duration
from declaration.types import PORT_IN_TEXT, Port, Secret, Settings, Text, UserName, written, wrong

_TOKENS = re.compile(r"%(.?)")


def _jump(text: str) -> str:
    if not re.fullmatch(rf"([a-z_][a-z0-9_-]*@)?[A-Za-z0-9.-]+(:{PORT_IN_TEXT})?", text):
        raise ValueError(text)
    return text


def _command(text: str) -> str:
    for token in _TOKENS.findall(text):
        if token not in set("hpnr%"):
            raise wrong(f"only %h (host), %p (port), %n (node), %r (user) and %% stand for something, not `%{token}`")
    if not text.strip():
        raise ValueError(text)
    try:
        shlex.split(text)
    except ValueError:
        raise wrong("words as a shell reads them: a closing quote is missing, or a `\\` ends the command") from None
    return text


ProxyJump = Annotated[str, written("a host to go through, such as `ops@bastion.example.org:22`", _jump)]
ProxyCommand = Annotated[
    Text,
    written("a command that carries the connection, such as `ssh -W %h:%p bastion.example.org`", _command),
]


class Ssh(Settings):
    """How the nodes are reached: one way for both of them."""

    user: UserName = "root"
    """Login user: root, or a user with sudo."""

    port: Port = 22
    """Port of the nodes' SSH servers."""

    identity: LocalFile | None = None
    """Private key; without it the SSH agent and the usual keys are tried."""

    known_hosts: LocalFile | None = None
    """File with the nodes' host keys; without it `~/.ssh/known_hosts`. Unknown or changed keys are refused."""

    proxy_jump: ProxyJump | None = None
    """Host to go through."""

    proxy_command: ProxyCommand | None = None
    """Command that carries the connection; `%h` is the host, `%p` the port, `%n` the node, `%r` the user."""

    sudo_password: Secret | None = None
    """Password for sudo, by the name of a secret. Without it sudo must ask for none."""

    connect_timeout: Duration = Duration("15s")
    """How long a node may take to answer before it counts as unreachable."""
