"""The copy of the cluster's configuration that Pacemaker keeps on every node: it is there too where the cluster does
not run, or has no quorum. It may be older than what the cluster has decided; names of things hardly ever change."""

from __future__ import annotations

from providers.connection.cluster import Cluster, Node
from providers.connection.command import command
from providers.pacemaker.cib import Cib
from providers.pacemaker.service import mirror, mirrors
from providers.storage import drbd

PATH = "/var/lib/pacemaker/cib/cib.xml"


async def configuration(node: Node) -> Cib | None:
    """This node's copy; None where there is none that can be read."""
    read = command("cat", PATH, ok=None, reads=True, label=f"read {PATH}")
    try:
        return Cib.parse((await node.run(read)).stdout)
    except ValueError:
        return None


async def mirror_on(node: Node) -> str:
    """What DRBD calls the service's mirror, as this node's copy says; the customary name where it says none."""
    cib = await configuration(node)
    return drbd.RESOURCE if cib is None else mirror(cib)


async def mirror_of(cluster: Cluster) -> str:
    """The same, as the first node says whose copy names one. Raises `Unreachable` where a node does not answer."""
    copies = [cib for cib in (await cluster.each(configuration)).values() if cib is not None]
    return next((name for cib in copies for name in mirrors(cib)), drbd.RESOURCE)
