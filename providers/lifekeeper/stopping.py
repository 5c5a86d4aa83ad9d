"""What is waited for before LifeKeeper is stopped while the service runs on.

What goes down while its mirror is being resynchronised comes up on the same node only, and a mirror that went down on
both nodes not before both are back (SIOS's manuals of DataKeeper): stopped then, one lost node is the service's end.
"""

from __future__ import annotations

from providers.connection.cluster import Cluster
from providers.connection.command import script
from providers.connection.errors import Refused
from providers.host.waiting import until
from providers.lifekeeper import mirror_view, speaking
from providers.lifekeeper.views import asks

# Without md there is no such file; one that cannot be read is an error.
_MDSTAT = script("[ ! -e /proc/mdstat ] || cat /proc/mdstat", reads=True, label="look for a resynchronisation")


async def settled(cluster: Cluster, name: str) -> None:
    """Wait on this node until no hierarchy is being changed, then until no mirror is being resynchronised.

    In this order: an extension ends with the first resynchronisation. Not where LifeKeeper is stopped already. Raises
    `TimedOut`, `Refused`, `Unknown`.
    """
    node = cluster.node(name)
    if (await node.run(asks("lktest"))).exit_code != 0:
        return
    await speaking.wait_idle(cluster, node)

    async def look() -> str:
        return ", ".join(mirror_view.resynchronising((await node.run(_MDSTAT)).stdout))

    found, in_step = await until(
        look,
        lambda behind: not behind,
        speaking.BUSY_LIMIT,
        report=lambda behind, waited: cluster.progress(
            f"{name}: waiting for the resynchronisation of the mirror: {behind} ({waited:.0f} s)"
        ),
    )
    if not in_step:
        raise Refused(
            f"LifeKeeper is not stopped while a mirror is being resynchronised ({found}): it might come up on no node",
            node=name,
            remedy="run this again when `cat /proc/mdstat` shows no recovery and no resync there any more",
        )
