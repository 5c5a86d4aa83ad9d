"""LifeKeeper's licence on a node: which one was installed is journalled, as how LifeKeeper shows it is not published.

Installed where another one is declared than was installed last, and again after a start that failed for it. Earlier
releases journalled its place only, and nothing where LifeKeeper ran: there the declared one counts as that one, unless
another one was applied last (`providers.applied`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from providers import applied
from providers.connection.cluster import Cluster, Node
from providers.connection.command import command
from providers.connection.errors import Refused
from providers.connection.files import read_files, write_file
from providers.contract import State
from providers.host import digest
from providers.host.secret_files import Secrets
from providers.lifekeeper import speaking
from providers.lifekeeper.speaking import Line

INSTALLED = "licensed"
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


class _Declared(State):
    """The licence as `providers.lifekeeper.node.Wanted` has it, by whose names it was recorded when it was applied."""

    license_file: str | None
    license_secret: str | None
    license_digest: str | None


def secret_digest(name: str, secret: Secrets) -> str | None:
    """What stands for the text of that secret; None where it is not set."""
    text = secret(name)
    return digest.like(_content(text), digest.SHA256) if text and text.strip() else None


def _content(text: str) -> bytes:
    return f"{text.strip()}\n".encode()


def line(node: str, given: Licence) -> Line:
    """What installs it."""
    page = "Licence" if given.file else "Licence: the secret, in a file that is there for this line only"
    return Line(node, "lkkeyins", page, {"file": given.path})


async def is_installed(cluster: Cluster, node: Node, given: Licence | None, *, runs: bool) -> bool:
    """Whether the declared one was installed last, as far as the journal tells; True where none is declared.

    Where none is journalled though the site has been here, LifeKeeper that ``runs`` has the one that was applied last.
    """
    if given is None:
        return True
    entries = await cluster.journal(node).entries()
    if INSTALLED not in entries:
        return runs and bool(entries) and await _as_applied(cluster, node, given)
    known, path = _parts(entries[INSTALLED])
    there = await _digest(cluster, node, given)
    if known and there:
        return known == there
    if path != given.path:
        return False
    # A file may be taken away once it is installed. All secrets have one path.
    return (not there and given.secret is None) or await _as_applied(cluster, node, given)


def _parts(entry: str) -> tuple[str, str]:
    """The digest, '' where there is none, and the path."""
    known, _, path = entry.partition(" ")
    return (known, path) if known.startswith(digest.SHA256) else ("", entry)


async def _as_applied(cluster: Cluster, node: Node, given: Licence) -> bool:
    """Whether the same one was declared when the site was last applied, or that is not recorded.

    Of a secret's text earlier releases recorded nothing.
    """
    last = (await applied.read(cluster, node)).get(cluster.thing)
    if last is None:
        return True
    declared = _Declared(license_file=given.file, license_secret=given.secret, license_digest=given.digest)
    now = applied.digests(declared)
    texts = {record["license_digest"] for record in (last, now) if "license_digest" in record}
    return len(texts) < 2 and all(last.get(name) == now.get(name) for name in ("license_file", "license_secret"))  # noqa: PLR2004


async def _digest(cluster: Cluster, node: Node, given: Licence) -> str:
    """Of the declared one as it is now; '' where there is no such file, or the secret cannot be read."""
    if given.file:
        found = (await read_files(node, [given.file]))[given.file]
        # Through a link only the content would tell, and that is not read: then the path counts.
        return digest.like(found.content, digest.SHA256) if found.kind == "file" else ""
    return given.digest or secret_digest(given.secret or "", cluster.secret) or ""


async def counting(cluster: Cluster, node: Node, given: Licence | None) -> Mapping[str, str]:
    """For the journal of LifeKeeper that runs, and of which none is journalled: the declared one counts as what it has.

    Nothing where another one, or none, was declared when the site was last applied: then this one is to be installed.
    """
    if given is None or not await _as_applied(cluster, node, given):
        return {}
    cluster.progress(
        f"{node.name}: LifeKeeper runs already, so `lifekeeper.license` counts as the licence that it has and is not "
        "installed; it will be when it changes"
    )
    return {INSTALLED: await _entry(cluster, node, given)}


async def _entry(cluster: Cluster, node: Node, given: Licence) -> str:
    return f"{await _digest(cluster, node, given)} {given.path}".strip()


async def install(cluster: Cluster, node: Node, given: Licence | None, *, runs: bool) -> None:
    """Install the declared one if it is another one than was installed last.

    Raises `Refused` where there is none to install, `CommandFailed` where LifeKeeper does not take it.
    """
    if given is None:
        return
    if await is_installed(cluster, node, given, runs=runs):
        await _complete(cluster, node, given)
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
    await cluster.journal(node).put({INSTALLED: entry})
    if runs:
        cluster.progress(
            f"{node.name}: the declared licence is installed; LifeKeeper runs on, and nobody published whether it "
            "looks at a new one before its next start"
        )


async def _complete(cluster: Cluster, node: Node, given: Licence) -> None:
    """Journal the text of now where only the place is journalled, so that another text shows from here on."""
    noted, entry = (await cluster.journal(node).entries()).get(INSTALLED), await _entry(cluster, node, given)
    if noted is None or _parts(noted)[0] or not _parts(entry)[0]:
        return
    cluster.progress(
        f"{node.name}: `lifekeeper.license` as it is now counts as the licence that was installed, of which only the "
        "place was noted; another one is installed from now on"
    )
    await cluster.journal(node).put({INSTALLED: entry})


def _secret(cluster: Cluster, node: Node, given: Licence) -> bytes:
    text = cluster.secret(given.secret or "")
    if not text or not text.strip():
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
    await cluster.journal(node).drop([INSTALLED])
    if given is None:
        remedy = "declare `lifekeeper.license` with the file that you got, or run `lkkeyins` with it on the node"
    else:
        place = f"the file {given.file}" if given.file else f"the secret `{given.secret}`"
        remedy = f"put the licence that you got into {place}, or declare another one: the next `pulumi up` installs it"
    return Refused(f"LifeKeeper does not start without a licence: {said.strip()}", node=node.name, remedy=remedy)
