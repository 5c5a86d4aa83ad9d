"""LifeKeeper's licence on a node: which one was installed is journalled, as how LifeKeeper shows it is not published.

Installed where another one is declared than was installed last, and again after a start that failed for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from providers.connection.cluster import Cluster, Node
from providers.connection.command import command
from providers.connection.errors import Refused
from providers.connection.files import read_files, write_file
from providers.host import digest
from providers.host.secret_files import Secrets
from providers.lifekeeper import speaking
from providers.lifekeeper.speaking import Line

_INSTALLED = "licensed"
"""In the journal: the digest and a blank, then the path; without the two where the content was not known."""
_SCRATCH = "/run/squid-ha-lifekeeper.lic"


@dataclass(frozen=True)
class Licence:
    """The declared one: a ``file`` on each node, or the text of a ``secret``, with its ``digest`` where it is known."""

    file: str | None = None
    secret: str | None = None
    digest: str | None = None

    @property
    def path(self) -> str:
        """Where it lies while it is installed."""
        return self.file or _SCRATCH


def secret_digest(name: str, secret: Secrets) -> str:
    """What stands for the text of that secret. Raises `ValueError` where it is not set."""
    text = secret(name)
    if text is None or not text.strip():
        raise ValueError(f"the secret `{name}` is not set: pulumi config set -s STACK --secret {name}")
    return digest.like(_content(text), digest.SHA256)


def _content(text: str) -> bytes:
    return f"{text.strip()}\n".encode()


def line(node: str, given: Licence) -> Line:
    """What installs it."""
    page = "Licence" if given.file else "Licence: the secret, in a file that is there for this line only"
    return Line(node, "lkkeyins", page, {"file": given.path})


async def is_installed(cluster: Cluster, node: Node, given: Licence | None) -> bool:
    """Whether the declared one was installed last, as far as the journal tells; True where none is declared."""
    if given is None:
        return True
    noted = (await cluster.journal(node).entries()).get(_INSTALLED)
    if noted is None:
        return False
    known, _, path = noted.partition(" ") if noted.startswith(digest.SHA256) else ("", "", noted)
    there = await _digest(cluster, node, given)
    # A file may be taken away once it is installed.
    return known == there if known and there else path == given.path


async def _digest(cluster: Cluster, node: Node, given: Licence) -> str:
    """Of the declared one as it is now; '' where there is no such file, or the secret cannot be read."""
    if given.file:
        found = (await read_files(node, [given.file]))[given.file]
        # Through a link only the content would tell, and that is not read: then the path counts.
        return digest.like(found.content, digest.SHA256) if found.kind == "file" else ""
    text = cluster.secret(given.secret or "")
    return given.digest or (digest.like(_content(text), digest.SHA256) if text else "")


async def counting(cluster: Cluster, node: Node, given: Licence | None) -> Mapping[str, str]:
    """For the journal of LifeKeeper that ran before it was declared: the declared licence counts as the one it has."""
    if given is None:
        return {}
    cluster.progress(
        f"{node.name}: LifeKeeper runs already, so `lifekeeper.license` counts as the licence that it has and is not "
        "installed; it will be when it changes"
    )
    return {_INSTALLED: await _entry(cluster, node, given)}


async def _entry(cluster: Cluster, node: Node, given: Licence) -> str:
    return f"{await _digest(cluster, node, given)} {given.path}".strip()


async def install(cluster: Cluster, node: Node, given: Licence | None, *, runs: bool) -> None:
    """Install the declared one if it is another one than was installed last.

    Raises `Refused` where there is none to install, `CommandFailed` where LifeKeeper does not take it.
    """
    if given is None or await is_installed(cluster, node, given):
        return
    entry = await _entry(cluster, node, given)
    if given.file and (await read_files(node, [given.file]))[given.file].kind == "absent":
        raise Refused(
            f"there is no {given.file} with the licence",
            node=node.name,
            remedy="put it there, or correct `lifekeeper.license.file`",
        )
    try:
        if given.secret:
            await write_file(node, given.path, _secret(cluster, node, given), mode="0600", owner="root:root")
        await speaking.say_plainly(cluster, line(node.name, given))
    finally:
        if given.secret:
            await node.run(command("rm", "-f", given.path))
    await cluster.journal(node).put({_INSTALLED: entry})
    if runs:
        cluster.progress(
            f"{node.name}: the declared licence is installed; LifeKeeper runs on, and nobody published whether it "
            "looks at a new one before its next start"
        )


def _secret(cluster: Cluster, node: Node, given: Licence) -> bytes:
    text = cluster.secret(given.secret or "")
    if not text:
        remedy = f"pulumi config set -s {cluster.site} --secret {given.secret}"
        raise Refused(f"the secret `{given.secret}` with the licence is not set", node=node.name, remedy=remedy)
    content = _content(text)
    if given.digest and digest.like(content, given.digest) != given.digest:
        raise Refused(
            f"the secret `{given.secret}` is another one than when this run began",
            node=node.name,
            remedy="run it again",
        )
    return content


async def rejected(cluster: Cluster, node: Node, given: Licence | None, said: str) -> Refused:
    """After a start that failed for the licence: what was installed counts no longer. The refusal, to be raised."""
    await cluster.journal(node).drop([_INSTALLED])
    if given is None:
        remedy = "declare `lifekeeper.license` with the file that you got, or run `lkkeyins` with it on the node"
    else:
        place = f"the file {given.file}" if given.file else f"the secret `{given.secret}`"
        remedy = f"put the licence that you got into {place}, or declare another one: the next `pulumi up` installs it"
    return Refused(f"LifeKeeper does not start without a licence: {said.strip()}", node=node.name, remedy=remedy)
