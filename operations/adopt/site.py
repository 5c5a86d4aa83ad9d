"""Adoption from end to end: nodes are read, described, and compared with the description; nothing is changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from declaration.errors import DeclarationError
from declaration.load import read as read_site
from declaration.site import Site
from operations.adopt import compare, write
from operations.adopt.describe import describe
from operations.adopt.model import Draft, Note
from operations.adopt.read import read
from providers.connection.cluster import Cluster
from providers.connection.errors import Refused


@dataclass(frozen=True)
class Adoption:
    """``text`` is the stack file; ``changes``: what `up` would change on the nodes nevertheless, and what is there and
    cannot be declared although the service stands on it."""

    text: str
    site: Site
    notes: list[Note]
    changes: list[str]


async def adopt(
    cluster: Cluster, name: str, reached: dict[str, tuple[str, int]], ssh: Mapping[str, Any], engine: str = ""
) -> Adoption:
    """The declaration of what the nodes have. Raises `Refused` where that cannot be described at all, `HostError`."""
    nodes = await read(cluster, reached)
    misnamed = next((each for each in nodes if each.hostname != each.name), None)
    if misnamed is not None:
        raise Refused(
            f"the node calls itself {misnamed.hostname}",
            node=misnamed.name,
            remedy=f"name it so: --nodes {misnamed.hostname}=…",
        )
    try:
        draft = describe(nodes, ssh, engine)
    except ValueError as error:
        raise Refused(str(error)) from None
    site = _site(draft)
    first = await compare.compare(cluster, site)
    # Squid's configuration, the cluster or the mirror are somebody's: only who says so takes them over.
    draft.site["takeover"] = True
    if adopted := _merged(draft.site.get("adopted", {}), first.adopted):
        draft.site["adopted"] = adopted
    site = _site(draft)
    left = (await compare.compare(cluster, site)).changes
    return Adoption(write.text(name, draft.site, draft.notes), site, draft.notes, [*draft.changes, *left])


def _merged(described: dict[str, Any], compared: dict[str, Any]) -> dict[str, Any]:
    """What is kept as found: what the description says of it before what the comparison has found."""
    things = dict.fromkeys([*described.get("things", ()), *compared.get("things", ())])
    return {**compared, **({"things": list(things)} if things else {})}


def _site(draft: Draft) -> Site:
    """The draft as a site. Squid may be open on purpose; anything else that is wrong is told as it is.

    Raises `Refused` with every mistake.
    """
    try:
        return read_site(draft.site, "what was found")
    except DeclarationError as error:
        if "allow_public" not in str(error) or draft.site["squid"].get("allow_public"):
            raise Refused(
                f"what was found cannot be declared:\n{error}",
                remedy="correct it on the nodes, or write the stack file by hand: `squid-ha init`",
            ) from None
    draft.site["squid"]["allow_public"] = True
    draft.note(draft.site["nodes"][0]["name"], "squid.conf", "the proxy is open to the public: `allow_public: true`")
    return _site(draft)
