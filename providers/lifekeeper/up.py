"""Whether LifeKeeper is up on a node: it answers, and has looked at all that it protects."""

from __future__ import annotations

from providers.connection.cluster import Cluster, Node
from providers.connection.command import command
from providers.connection.errors import TimedOut
from providers.host.waiting import until
from providers.lifekeeper.views import asks

UP_LIMIT = 300.0
"""Seconds; SIOS names 200."""
_INITDONE = "/opt/LifeKeeper/config/LK_INITDONE"


async def runs(node: Node) -> bool:
    """Whether it answers."""
    return (await node.run(asks("lktest"))).exit_code == 0


async def wait_until_up(cluster: Cluster, node: Node) -> None:
    """After a start or a boot. Raises `TimedOut`."""

    async def up() -> bool:
        done = await node.run(command("test", "-e", _INITDONE, ok=None, reads=True))
        return done.exit_code == 0 and await runs(node)

    _, held = await until(
        up,
        bool,
        UP_LIMIT,
        report=lambda _, waited: cluster.progress(f"{node.name}: waiting for LifeKeeper ({waited:.0f} s)"),
    )
    if not held:
        raise TimedOut(
            f"LifeKeeper did not come up within {UP_LIMIT:.0f} s",
            node=node.name,
            remedy="see /var/log/lifekeeper.log there",
        )
