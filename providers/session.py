"""From a declared site to its cluster: the one place where a declaration meets connections.

Used by the binding (inside Pulumi) and by operations (without it). Connection details come from the declaration of
this run, never from a resource's inputs, so a changed address counts at once, for refresh and destroy too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from declaration.load import read
from declaration.site import Site
from providers import applied, reconcile
from providers.connection.access import ConnectionSettings
from providers.connection.cluster import Cluster
from providers.connection.loop import run_sync
from providers.connection.ownership import OWNED_ELSEWHERE, only_own
from providers.connection.pool import open_cluster
from providers.connection.printable import printable
from providers.connection.together import both
from providers.contract import Observed, Present, State
from providers.kinds import load_kind
from providers.places import noted_on

Secrets = Callable[[str], str | None]
"""The value of a configuration key that was set with ``pulumi config set --secret``, or None."""


BOOT = 30.0
"""Seconds that a node which does not answer yet is tried again: it may be booting."""

_TAKEN_OVER = (
    "nothing is taken back from a node that another stack has taken over: to take back what is on nodes that are still "
    "this one's, declare the others away; to forget all of it, `pulumi stack rm --force --preserve-config` with the "
    "name of the stack that has lost them. Where it is this stack itself that was renamed since: "
)


def name_again(was: str, now: str = "") -> str:
    """How a stack gets the owner's name ``was`` again (``project/stack``), which is ``now`` another one.

    Without ``-s`` Pulumi renames whichever stack happens to be selected.
    """
    (project, _, stack), (_, _, other) = was.partition("/"), now.partition("/")
    if stack == other:
        return f"`name: {project}` in Pulumi.yaml"
    return f"`pulumi stack rename {stack} -s {other or 'STACK'}`"


def connections(site: Site, secret: Secrets, patience: float = BOOT) -> list[ConnectionSettings]:
    """How each node that is not away is reached, tried for ``patience`` seconds.

    Raises `ValueError` when a named secret is not set.
    """
    ssh = site.ssh
    password: str | None = None
    if ssh.sudo_password is not None:
        name = ssh.sudo_password.secret
        password = secret(name)
        if password is None:
            way = f"pulumi config set -s STACK --secret {name}"
            raise ValueError(f"ssh.sudo_password names the secret `{name}`; set it: {way}")
    return [
        ConnectionSettings(
            name=node.name,
            address=node.connect_to,
            port=node.ssh_port or ssh.port,
            user=ssh.user,
            identity=ssh.identity or "",
            known_hosts=ssh.known_hosts or "",
            proxy_jump=ssh.proxy_jump or "",
            proxy_command=ssh.proxy_command or "",
            sudo_password=password,
            connect_timeout=ssh.connect_timeout.seconds,
            connect_budget=patience,
        )
        for node in site.nodes
        if not node.away
    ]


def declared(identity: str, kind: str, wanted: State) -> None:
    """Tell the kind what this run wants of a thing, whether or not that comes to be applied."""
    tell = getattr(load_kind(kind), "declared", None)
    if tell:
        tell(_site_of(identity.rpartition("/")[0]), wanted)


def _site_of(owner: str) -> str:
    """The site's name for its owner, ``project/stack``."""
    return owner.rsplit("/", 1)[-1]


def _guarded(kind: str, cluster: Cluster, wanted: State, remedy: str) -> Cluster:
    """The cluster, on which nothing is written where another stack owns a node that the thing is about.

    A kind that claims nodes sees to their owners itself.
    """
    claims = getattr(load_kind(kind), "CLAIMS", False)
    return cluster if claims else only_own(cluster, noted_on(cluster, wanted), remedy)


class SiteAccess:
    """One declared site, ready to be acted on; synchronous, because Pulumi's provider methods are.

    ``identity`` is ``project/stack/thing``; ``patience`` as in `connections`.
    """

    def __init__(self, site: Site, secret: Secrets, patience: float = BOOT) -> None:
        self.site = site
        self._secret = secret
        self._patience = patience
        self._connections = connections(site, secret, patience)

    @classmethod
    def from_config(cls, declared: Mapping[str, Any], secret: Secrets) -> SiteAccess:
        """From the stack's configuration. Raises `declaration.errors.DeclarationError`."""
        return cls(read(declared, source="the stack's configuration"), secret)

    def with_everybody(self) -> SiteAccess:
        """The same with the nodes that are declared away too: for asking whether they really are off."""
        nodes = [node.model_copy(update={"away": False}) for node in self.site.nodes]
        return SiteAccess(self.site.model_copy(update={"nodes": nodes}), self._secret, self._patience)

    def cluster(self, owner: str, thing: str = "", progress: Callable[[str], None] = print) -> Cluster:
        """The site's cluster for ``owner`` (project/stack); connections are opened on first use and shared."""
        opened = open_cluster(
            self._connections,
            site=_site_of(owner),
            owner=owner,
            progress=progress,
            takeover=self.site.takeover,
        )
        return replace(opened.of(thing), secret=self._secret)

    def sealed(self, kind: str, wanted: State) -> State:
        """``wanted`` with digests of its secrets, so that a changed one shows. Raises `ValueError` for one not set."""
        return reconcile.sealed(kind, wanted, self._secret)

    def observe(self, identity: str, kind: str, wanted: State) -> tuple[Observed[State], bool]:
        """What is there now, and whether a change of it was begun and never finished."""
        return run_sync(reconcile.look(kind, self._of(identity), self.sealed(kind, wanted)))

    def apply(self, identity: str, kind: str, wanted: State, previous: State | None = None) -> Present[State]:
        """Make it true, note on the nodes what was applied, and tell what is then there."""
        sealed = self.sealed(kind, wanted)
        writing = _guarded(kind, self._of(identity), sealed, OWNED_ELSEWHERE)

        async def work() -> Present[State]:
            (seen, pending), last = await both(reconcile.look(kind, writing, sealed), applied.last(writing, sealed))
            # With the state lost, the nodes alone know what was declared before.
            again = pending or (previous is None and applied.edited(sealed, last))
            present = await reconcile.settle(kind, writing, sealed, seen, previous=previous, again=again)
            # What was read before the lock may be older than a change: then it is written down whatever stood there.
            await applied.record(writing, sealed, applied.stale(sealed, last) if present is seen else list(last))
            return present

        return run_sync(work())

    def remove(self, identity: str, kind: str, wanted: State) -> None:
        """Take it back, and the note that it was applied. Raises `Refused` where another stack took a node over."""
        cluster = self._of(identity)
        renamed = f"{name_again(cluster.owner)}, `takeover: true` and `pulumi up` under that name take it back"
        writing = _guarded(kind, cluster, wanted, _TAKEN_OVER + renamed)

        async def work() -> None:
            await reconcile.remove(kind, writing, wanted)
            await applied.forget(cluster)

        run_sync(work())

    def _of(self, identity: str) -> Cluster:
        owner, _, thing = identity.rpartition("/")
        return self.cluster(owner, thing, progress=lambda text: print(printable(f"{thing}: {text}"), flush=True))
