"""Sites that name the same hosts: right by themselves, together they take nodes and addresses from each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from declaration.cautions import Caution
from declaration.site import Site


def shared(site: Site, others: Mapping[str, Site]) -> Iterator[Caution]:
    """The settings of ``site`` that name what one of the ``others``, by stack, has too.

    Sites that are reached in different ways are left out: behind jump hosts the same private addresses are other hosts.
    """
    for stack, other in others.items():
        if _way(site) != _way(other):
            continue
        taken = {key: path for path, _, key in _claims(other)}
        told: set[str] = set()
        for path, found, key in _claims(site):
            if key in taken and path not in told:
                told.add(path)
                yield Caution(
                    path,
                    found,
                    f"the stack {stack} has it too, as `{taken[key]}`; if that is the same host or network, each stack"
                    " undoes on it what the other one has made: one of them is wrong, or to be taken away",
                )


def _way(site: Site) -> tuple[str | None, str | None]:
    return site.ssh.proxy_jump, site.ssh.proxy_command


def _claims(site: Site) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Setting, what stands there, and what it names: an address, or a host and the port of its SSH server."""
    if site.virtual_ip is not None:
        yield "virtual_ip", site.virtual_ip, ("address", site.virtual_ip)
    for index, node in enumerate(site.nodes):
        yield f"nodes[{index}].address", node.address, ("address", node.address)
        setting = "address" if node.ssh_host is None else "ssh_host"
        endpoint = "ssh", node.connect_to.lower(), str(node.ssh_port or site.ssh.port)
        yield f"nodes[{index}].{setting}", node.connect_to, endpoint
