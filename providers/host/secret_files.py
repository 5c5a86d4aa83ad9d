"""Files that hold a secret of the site: passwords of the proxy's users, its own at a directory, an alert's token.

Inputs and state hold a digest and the name of the secret; its value comes from Pulumi's configuration when it is
needed, goes to the nodes by standard input, and is readable there only by whom the file's mode and owner name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol, Self, TypeVar

from providers.connection.cluster import Cluster, Node
from providers.connection.errors import Refused
from providers.connection.files import write_file
from providers.contract import State
from providers.host import digest
from providers.host.settings import FileState, NodeSettings

UNSEALED = digest.SCRYPT
"""A wanted content of which only the secret's name is known yet."""

_USER = re.compile(r"[^:\s]+:\S+")


class SecretFile(State):
    """``name`` is the secret's key in the configuration. ``form``: lines of ``name:hash``, or a single line."""

    name: str
    form: Literal["users", "line"]


Secrets = Callable[[str], str | None]


class WithSecrets(Protocol):
    """Inputs of a kind whose files on the nodes are secrets in part."""

    nodes: dict[str, NodeSettings]
    secrets: dict[str, SecretFile]

    def model_copy(self, *, update: Mapping[str, Any] | None = None) -> Self:
        """As pydantic's."""
        ...


T = TypeVar("T", bound=WithSecrets)


def sealed(wanted: T, secret: Secrets) -> T:
    """``wanted`` with digests in the place of secrets. Raises `ValueError` where one is not set or not fit."""
    if not wanted.secrets:
        return wanted
    return wanted.model_copy(update={"nodes": _seal(wanted.nodes, wanted.secrets, secret)})


def _seal(
    nodes: Mapping[str, NodeSettings], files: Mapping[str, SecretFile], secret: Secrets
) -> dict[str, NodeSettings]:
    """``nodes`` with digests in the place of contents not known before. Raises `ValueError` where a secret is unfit."""
    made: dict[str, NodeSettings] = {}
    digests: dict[str, str] = {}
    for node, settings in nodes.items():
        sealed: dict[str, FileState] = {}
        for path, file in settings.files.items():
            if path in files and file.content == UNSEALED:
                if path not in digests:
                    digests[path] = digest.stretched(_content(files[path], secret), path)
                sealed[path] = file.model_copy(update={"content": digests[path]})
        made[node] = settings.model_copy(update={"files": {**settings.files, **sealed}}) if sealed else settings
    return made


def _content(file: SecretFile, secret: Secrets) -> bytes:
    value = secret(file.name)
    if value is None or not value.strip():
        raise ValueError(f"the secret `{file.name}` is not set: pulumi config set -s STACK --secret {file.name}")
    lines = [line.rstrip("\r") for line in value.strip("\r\n").split("\n")]
    if file.form == "line" and len(lines) > 1:
        raise ValueError(f"the secret `{file.name}` must be a password on a single line")
    if file.form == "users":
        for number, line in enumerate(lines, 1):
            if not _USER.fullmatch(line):
                raise ValueError(
                    f"the secret `{file.name}` is not what `htpasswd` makes: line {number} is not `name:hash`"
                )
    return ("\n".join(lines) + "\n").encode()


async def write(cluster: Cluster, node: Node, path: str, wanted: FileState, file: SecretFile) -> None:
    """Write the secret where it differs. Raises `Refused` where it is not the one that was declared."""
    try:
        content = _content(file, cluster.secret)
    except ValueError as error:
        raise Refused(str(error), node=node.name) from None
    if wanted.content is None or digest.like(content, wanted.content) != wanted.content:
        raise Refused(
            f"the secret `{file.name}` is another one than when this run began", node=node.name, remedy="run it again"
        )
    await write_file(node, path, content, mode=wanted.mode or "0640", owner=wanted.owner or "root:root")
