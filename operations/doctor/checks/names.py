"""What the nodes' names resolve to on each node."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence

from declaration.nodes import Node
from declaration.site import Site
from operations.doctor.model import Asked, Finding
from providers.connection.command import Command, command

NAME = "names"


def commands(site: Site, node: Node) -> Sequence[Command]:  # noqa: ARG001
    """One question per node of the site; nothing for a site of one."""
    if len(site.nodes) == 1:
        return []
    return [command("getent", "ahosts", each.name, timeout=10, reads=True) for each in site.nodes]


def judge(asked: Asked) -> Iterator[Finding]:
    """`up` writes the names into /etc/hosts, and nothing of the cluster depends on them: what is wrong is a note."""
    wrong = False
    for declared, result in zip(asked.site.nodes, asked.results, strict=True):
        found = {line.split()[0] for line in result.stdout.splitlines() if line.strip()}
        loopback = declared.name == asked.node.name and any(
            ipaddress.ip_address(_bare(each)).is_loopback for each in found
        )
        if not found or loopback or str(declared.address) in found:
            continue
        wrong = True
        yield asked.note(
            NAME,
            f"{declared.name} resolves to {', '.join(sorted(found))}, but {declared.address} is declared",
            "correct the name service or /etc/hosts; the block that `up` writes may come after what says otherwise",
        )
    if not wrong:
        yield asked.ok(NAME, "the nodes' names resolve to their declared addresses, or to nothing yet")


def _bare(address: str) -> str:
    return address.partition("%")[0]
