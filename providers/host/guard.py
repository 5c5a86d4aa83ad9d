"""The guard before a claim: what on a node is another's. The claim is refused for it, and the doctor tells of it."""

from __future__ import annotations

from collections.abc import Mapping

from providers.connection.errors import Refused
from providers.connection.ownership import foreign_owner, owned_by
from providers.host import facts


def refusals(
    owners: Mapping[str, str], corosync: str, squid: str, *, site: str, owner: str, configuration: str, node: str = ""
) -> list[Refused]:
    """What a claim without ``takeover`` is refused for; nothing where this stack alone has the node already.

    ``corosync`` and ``squid`` are what `facts.COROSYNC` and `facts.conffile` say, the latter of Squid's file
    ``configuration``. On a node of another stack's they are that one's, and not told.
    """
    others = foreign_owner(owners, site=site, owner=owner)
    if others:
        return [owned_by(others, site=site, owner=owner, node=node)]
    if owners:
        return []
    found: list[Refused] = []
    cluster = facts.foreign_cluster(corosync, site)
    if cluster is not None:
        what = f"the node is a running member of another cluster, {cluster}"
        remedy = "take it out of that cluster, let `squid-ha adopt` describe what is there, or declare `takeover: true`"
        found.append(Refused(what, node=node, remedy=remedy))
    if not facts.is_distributed(squid, configuration):
        what = f"{configuration} is neither the distribution's nor made by this site"
        remedy = (
            "let `squid-ha adopt` describe what is there, or declare `takeover: true`: destroy brings this file back"
        )
        found.append(Refused(what, node=node, remedy=remedy))
    return found
