"""Who owns the node: this stack, another one, or nobody; and what of others' work is on it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from blueprint.platforms import PLATFORMS
from declaration.nodes import Node
from declaration.site import Site
from operations.doctor.model import Asked, Finding
from providers.connection.command import Command, script
from providers.connection.journal import ROOT
from providers.host import facts

NAME = "owner"

# $1 root of the journals
_OWNERS = r"""
for f in "$1"/*/owner; do [ -f "$f" ] && head -n 1 "$f"; done; true
"""


def commands(site: Site, node: Node) -> Sequence[Command]:  # noqa: ARG001
    """The journals' owners, a running cluster's configuration, Squid's against the package's."""
    return [
        script(_OWNERS, ROOT, reads=True, label="read the node's owners"),
        facts.COROSYNC,
        facts.conffile(PLATFORMS[site.platform].squid_configuration),
    ]


def judge(asked: Asked) -> Iterator[Finding]:
    """What `up` would refuse without `takeover` is a problem; with it, a note."""
    others = [owner for owner in asked.out[0].split() if owner != asked.owner]
    if asked.ours and not others:
        yield asked.ok(NAME, f"{asked.owner} owns the node: it was deployed before")
        return
    if others:
        yield _foreign(
            asked,
            f"the node belongs to another stack, {', '.join(others)}",
            "destroy it from there, or declare `takeover: true` if that stack is gone",
        )
        return
    cluster = facts.foreign_cluster(asked.out[1], asked.owner.rpartition("/")[2])
    path = PLATFORMS[asked.site.platform].squid_configuration
    found = False
    if cluster is not None:
        found = True
        yield _foreign(
            asked,
            f"the node is a running member of another cluster, {cluster}",
            "take it out of that cluster; or let `squid-ha adopt` describe what is there",
        )
    if not facts.is_distributed(asked.out[2], path):
        found = True
        yield _foreign(
            asked,
            f"{path} is not the distribution's: somebody runs this Squid",
            "let `squid-ha adopt` describe what is there, or declare `takeover: true` to replace it",
        )
    if not found:
        yield asked.ok(NAME, "nobody owns the node, and nothing of others is in the way")


def _foreign(asked: Asked, sentence: str, remedy: str) -> Finding:
    if asked.site.takeover:
        return asked.note(
            NAME, f"{sentence}; `takeover: true` accepts that", "take `takeover` out again after one `up`"
        )
    return asked.problem(NAME, sentence, remedy)
