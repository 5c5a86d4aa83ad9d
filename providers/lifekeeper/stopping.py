"""What is waited for before LifeKeeper is stopped while the service runs on.

What goes down while its mirror is being resynchronised comes up on the same node only, and a mirror that went down on
both nodes not before both are back (SIOS's manuals of DataKeeper): stopped then, one lost node is the service's end.
And where LifeKeeper protects a VMDK resource it is not stopped so at all.
"""

from __future__ import annotations

from collections.abc import Mapping

from providers.connection.cluster import Cluster
from providers.connection.command import script
from providers.connection.errors import Refused, refuse_all
from providers.host.waiting import until
from providers.lifekeeper import mirror_view, speaking, views
from providers.lifekeeper.views import View, asks

# Without md there is no such file; one that cannot be read is an error.
_MDSTAT = script("[ ! -e /proc/mdstat ] || cat /proc/mdstat", reads=True, label="look for a resynchronisation")
# In the application or the type of an instance of that kit; nobody published the whole name.
_VMDK = "vmdk"


def refuse_vmdk(seen: Mapping[str, View]) -> None:
    """Raises `Refused` where LifeKeeper protects a VMDK resource: ``lkstop -f`` is not safe with one (SIOS)."""
    refusals: list[Refused] = []
    for name, view in seen.items():
        tags = [each.tag for each in view.instances.values() if _VMDK in f"{each.app}/{each.type}".lower()]
        if tags:
            refusals.append(
                Refused(
                    f"LifeKeeper protects {', '.join(sorted(tags))} here, of its VMDK kit, and must not be stopped "
                    "while that runs on (`lkstop -f`)",
                    node=name,
                    remedy="stop it together with the service, which is down meanwhile: `lkcli stop` on each node, the "
                    "standby node first; then run this again",
                )
            )
    refuse_all(refusals)


async def settled(cluster: Cluster, name: str) -> None:
    """Wait until no hierarchy is being changed, then until no mirror is being resynchronised on this node.

    In this order: an extension ends with the first resynchronisation. Not where LifeKeeper is stopped already. Raises
    `TimedOut`, `Refused` (for a VMDK resource, too), `Unknown`.
    """
    node = cluster.node(name)
    if (await node.run(asks("lktest"))).exit_code != 0:
        return
    await speaking.wait_idle(cluster, node)
    refuse_vmdk(await views.read(cluster, [name]))

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
