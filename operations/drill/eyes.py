"""Looking at the service while it is disturbed: through the engine's roles, and past nodes that are cut off."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

from declaration.site import Site
from operations.drill.steps import Stand
from operations.engines import engine_of, membership_of
from operations.health import can_fail_over, is_sound, is_whole
from operations.verify import clocks
from providers.connection.cluster import Cluster
from providers.connection.errors import HostError, in_a_line
from providers.roles import MirrorView

PAIR = 2


class Eyes(Protocol):
    """What the runner looks through."""

    async def look(self, without: frozenset[str] = frozenset(), *, clocks: bool = False) -> Stand:
        """The service now; never raises `HostError`: what could not be told is the stand's trouble."""
        ...

    async def fenced(self, node: str, since: float, without: frozenset[str]) -> bool | None:
        """Whether ``node`` was fenced since then; None where the engine does not tell."""
        ...


class SiteEyes:
    """The eyes for a site's cluster."""

    def __init__(self, cluster: Cluster, site: Site) -> None:
        self._cluster = cluster
        self._site = site
        self._runtime = engine_of(site).runtime

    async def look(self, without: frozenset[str] = frozenset(), *, clocks: bool = False) -> Stand:
        """The service now, asked of all nodes but those ``without``."""
        cluster = self._without(without)
        # The answers may be this old, not newer.
        begun = time.time()
        try:
            tree = await self._runtime.tree(cluster)
            mirror = await self._runtime.mirror(cluster) if self._site.mirror is not None else dict[str, MirrorView]()
            online = await self._online(cluster)
            notices = await self._runtime.notices(cluster)
            wrong = await self._wrong_clocks() if clocks else None
        except HostError as trouble:
            return Stand(time=begun, trouble=in_a_line(trouble))
        return Stand(
            time=begun,
            active=tree.active,
            whole=is_whole(tree),
            healthy=is_sound(tree, mirror)
            and can_fail_over(self._site, online, [notice.kind for notice in notices])
            and not (mirror and without),
            mirror=halves_in_words(mirror),
            online=online,
            wrong_clocks=wrong,
            # Who is online is known already, and a node that comes back is nothing to clear.
            notices=tuple(notice.text for notice in notices if notice.kind != "apart"),
        )

    async def fenced(self, node: str, since: float, without: frozenset[str]) -> bool | None:
        """Whether ``node`` was fenced since then; None where the engine does not tell, or nobody can just now."""
        membership = membership_of(self._runtime)
        if membership is None:
            return None
        try:
            return await membership.fenced(self._without(without | {node}), node, since)
        except HostError:
            return None

    async def _online(self, cluster: Cluster) -> frozenset[str] | None:
        membership = membership_of(self._runtime)
        return None if membership is None else await membership.online(cluster)

    async def _wrong_clocks(self) -> frozenset[str]:
        found = await clocks.checks(self._cluster, self._site)
        return frozenset(name for check in found if not check.passed for name in check.where.split(", "))

    def _without(self, names: frozenset[str]) -> Cluster:
        left = {name: node for name, node in self._cluster.nodes.items() if name not in names}
        return replace(self._cluster, nodes=left) if left else self._cluster


def halves_in_words(mirror: Mapping[str, MirrorView]) -> dict[str, str]:
    """Each node's half in a word."""
    return {
        name: "not asked" if view.trouble else view.data if view.connected else "not connected"
        for name, view in mirror.items()
    }
