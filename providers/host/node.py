"""A node as this site's own: reachable, root by sudo, the declared platform and addresses, owned by this stack."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from providers.connection.cluster import Cluster, Node
from providers.connection.errors import Refused, refuse_all
from providers.connection.journal import APPLIED, KEPT, ROOT, journalled
from providers.connection.ownership import claim, foreign_owner, owners_command, parse_owners, read_owners, release
from providers.contract import Absent, Observed, Present, State
from providers.host import facts, guard, phases

SQUID_CONFIGURATION = "/etc/squid/squid.conf"
"""Squid's file where a state names none: all states did so before there was a second name, and Debian's still do."""
CLAIMS = True
"""This kind decides itself what becomes of a node that another stack owns (`providers.session`)."""


class Wanted(State):
    """``node`` by name, ``platform`` such as ``debian-12`` (verified, never inferred), ``owner`` as project/stack.

    ``interfaces``: interface → the address that it must bear; on observation that address, or in words what is there.
    ``squid_configuration`` is the distribution's file of Squid's, None for `SQUID_CONFIGURATION`. ``phase`` is the
    site's, and ``engine`` what runs its service: None for the first engine there was, and for none.
    A node declared ``away`` is not looked at; as its return is a change, it is claimed then.
    """

    node: str
    platform: str
    hostname: str
    owner: str
    interfaces: dict[str, str] = Field(default_factory=dict[str, str])
    phase: phases.Phase | None = None
    away: Literal["yes"] | None = None
    engine: str | None = None
    squid_configuration: str | None = None


def refusal(previous: Wanted, wanted: Wanted) -> str | None:
    """Why this change is not made in place (`providers.contract`)."""
    both_run = previous.phase != "1" and wanted.phase != "1"
    if both_run and previous.engine != wanted.engine:
        return phases.ANOTHER_ENGINE
    return phases.refusal(previous.phase, wanted.phase)


async def observe(cluster: Cluster, wanted: Wanted) -> Observed[Wanted]:
    """Who owns the node and what it is; absent while nobody has claimed it.

    A platform, host name or address that is not as declared is drift; it stays so until a human has changed it.
    """
    if wanted.away:
        return Present(wanted, {"away": "not looked at"})
    node = cluster.node(wanted.node)
    owners = await read_owners(node)
    other = foreign_owner(owners, site=cluster.site, owner=wanted.owner)
    owner = other or owners.get(cluster.site)
    release_text, hostname, kernel, links = await node.batch(
        [facts.OS_RELEASE, facts.HOSTNAME, facts.KERNEL, facts.ADDRESSES]
    )
    if owner is None:
        return Absent()
    values = Wanted(
        node=wanted.node,
        platform=facts.parse_platform(release_text.stdout),
        hostname=hostname.stdout.strip(),
        owner=owner,
        interfaces=_borne(wanted.interfaces, facts.parse_addresses(links.stdout)),
        phase=wanted.phase,
        engine=wanted.engine,
        squid_configuration=wanted.squid_configuration,
    )
    return Present(values, {"kernel": kernel.stdout.strip()})


async def converge(cluster: Cluster, wanted: Wanted, observed: Observed[Wanted]) -> None:
    """Claim the node. Raises `Refused` where it is not what was declared, or bears somebody else's work.

    A node that is away is left as it is.
    """
    if wanted.away:
        return
    node = cluster.node(wanted.node)
    await _verify(node, wanted)
    ours = isinstance(observed, Present) and observed.values.owner == wanted.owner
    if not ours and not cluster.takeover:
        await _refuse_foreign(cluster, node, wanted.squid_configuration or SQUID_CONFIGURATION)
    await claim(cluster, node)


async def remove(cluster: Cluster, wanted: Wanted) -> None:
    """Release the claim; what is recorded of kept data stays where it is. On a node that is away, all stays.

    Raises `Refused` while something else is journalled: Pulumi's state has nothing of it, so nobody would take it back.
    """
    if wanted.node not in cluster.nodes:
        cluster.progress(f"{wanted.node} is away: what was made on it stays there")
        return
    node = cluster.node(wanted.node)
    begun = sorted((await journalled(node, cluster.site)).keys() - {APPLIED, KEPT, cluster.thing})
    if begun:
        raise Refused(
            f"{' and '.join(begun)}: journalled here, but not in Pulumi's state, so nothing takes it back (the node "
            "was away, or a run that failed had begun it)",
            node=node.name,
            remedy="declare it if it no longer is, `pulumi up`, and then destroy again; or, if it shall stay as it is, "
            f"remove its folder below {ROOT} on the node",
        )
    await release(cluster, node)


async def _verify(node: Node, wanted: Wanted) -> None:
    release_text, hostname, links = await node.batch([facts.OS_RELEASE, facts.HOSTNAME, facts.ADDRESSES])
    platform = facts.parse_platform(release_text.stdout)
    if platform != wanted.platform:
        raise Refused(
            f"the platform is {platform}, but {wanted.platform} is declared",
            node=node.name,
            remedy="declare the platform that the nodes have, or reinstall the node",
        )
    name = hostname.stdout.strip()
    if name != wanted.hostname:
        raise Refused(
            f"the host calls itself {name}, but {wanted.hostname} is declared",
            node=node.name,
            remedy=f"check that its address is the one of {wanted.node}; else `hostnamectl hostname {wanted.hostname}`",
        )

    addresses = facts.parse_addresses(links.stdout)
    for interface, found in _borne(wanted.interfaces, addresses).items():
        address = wanted.interfaces[interface]
        if found != address:
            where = next((link for link, there in addresses.items() if address in there), None)
            elsewhere = f"; {address} is on {where}" if where else ""
            raise Refused(
                f"the interface {interface} must bear {address}, but {found}{elsewhere}",
                node=node.name,
                remedy="correct `network` or the node's addresses in the site, or set the interface up on the node",
            )


def _borne(wanted: Mapping[str, str], addresses: Mapping[str, list[str]]) -> dict[str, str]:
    return {interface: _found(address, addresses.get(interface)) for interface, address in wanted.items()}


def _found(address: str, there: list[str] | None) -> str:
    if there is None:
        return "there is no such interface"
    if address in there:
        return address
    return f"it bears {', '.join(there)}" if there else "it bears no address"


async def _refuse_foreign(cluster: Cluster, node: Node, configuration: str) -> None:
    owners, corosync, squid = await node.batch([owners_command(), facts.COROSYNC, facts.conffile(configuration)])
    found = guard.refusals(
        parse_owners(owners.stdout),
        corosync.stdout,
        squid.stdout,
        site=cluster.site,
        owner=cluster.owner,
        configuration=configuration,
        node=node.name,
    )
    refuse_all(found)
