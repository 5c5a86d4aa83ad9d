"""The options of a cluster that somebody else has set up, and that stay as they were found: looked at, never written.

Written by this program they would stand in a set of its own, which comes before the one that was found: from then on
nothing that its builder sets there would have an effect.
"""

from __future__ import annotations

from pydantic import Field

from providers.connection.cluster import Cluster
from providers.connection.errors import Refused
from providers.contract import Observed, Present, State
from providers.pacemaker import journals, live
from providers.pacemaker.options import SECTIONS
from providers.reconcile import differences


class Wanted(State):
    """Values in effect by name, None where an option was not set; sections as in `providers.pacemaker.options`."""

    properties: dict[str, str | None]
    resource_defaults: dict[str, str | None] = Field(default_factory=dict[str, "str | None"])
    operation_defaults: dict[str, str | None] = Field(default_factory=dict[str, "str | None"])


async def observe(cluster: Cluster, wanted: Wanted) -> Observed[Wanted]:
    """The values in effect for the names wanted. Raises `Unknown` where no node can tell."""
    return Present(await _effective(cluster, wanted))


async def _effective(cluster: Cluster, wanted: Wanted) -> Wanted:
    cib = (await live.read(cluster)).cib
    there = {section: cib.options(*place) for section, place in SECTIONS.items()}
    values = {name: {option: there[name].get(option) for option in getattr(wanted, name)} for name in SECTIONS}
    return Wanted.model_validate(values)


async def converge(cluster: Cluster, wanted: Wanted, observed: Observed[Wanted]) -> None:  # noqa: ARG001
    """Nothing, where they are as they were found; else raises `Refused`. Read anew, under the lock."""
    if changed := differences(wanted, await _effective(cluster, wanted)):
        raise Refused(
            f"the cluster's options were adopted as they were found, and have been changed: "
            f"{'; '.join(map(str, changed))}",
            remedy="set them back with the tool that set them, or say the new values in `pacemaker.adopted.options`",
        )


async def remove(cluster: Cluster, wanted: Wanted) -> None:  # noqa: ARG001 - they are somebody else's
    """Nothing on the cluster: they were there before."""
    await journals.forget(cluster)
