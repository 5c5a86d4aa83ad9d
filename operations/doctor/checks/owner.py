"""Who owns the node: this stack, another one, or nobody; and what of others' work is on it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from blueprint.platforms import PLATFORMS
from declaration.nodes import Node
from declaration.site import Site
from operations.doctor.model import Asked, Finding
from providers.connection.command import Command
from providers.host import facts, guard

NAME = "owner"


def commands(site: Site, node: Node) -> Sequence[Command]:  # noqa: ARG001
    """A running cluster's configuration, Squid's against the package's."""
    return [facts.COROSYNC, facts.conffile(PLATFORMS[site.platform].squid_configuration)]


def judge(asked: Asked) -> Iterator[Finding]:
    """What `up` would refuse without `takeover` is a problem; with it, a note."""
    corosync, squid = asked.out
    path = PLATFORMS[asked.site.platform].squid_configuration
    found = guard.refusals(
        asked.owners, corosync, squid, site=asked.stack, owner=asked.owner, configuration=path, node=asked.node.name
    )
    for each in found:
        if asked.site.takeover:
            sentence = f"{each.message}; `takeover: true` accepts that"
            yield asked.note(NAME, sentence, "take `takeover` out again after one `up`")
        else:
            yield asked.problem(NAME, each.message, each.remedy)
    if not found and asked.ours:
        yield asked.ok(NAME, f"{asked.owner} owns the node: it was deployed before")
    elif not found:
        yield asked.ok(NAME, "nobody owns the node, and nothing of others is in the way")
