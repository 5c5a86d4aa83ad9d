"""Names, paths and ports that must differ."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from declaration.errors import Mistake
from declaration.ports import owners
from declaration.rules.registry import rule

if TYPE_CHECKING:
    from declaration.site import Site


@rule("nodes")
def nodes_differ(site: Site) -> Iterator[Mistake]:
    """No two nodes of one name, whatever the case of its letters."""
    seen: dict[str, int] = {}
    for index, node in enumerate(site.nodes):
        first = seen.setdefault(node.name.lower(), index)
        if first != index:
            yield Mistake(f"nodes[{index}].name", node.name, f"a name that differs from that of nodes[{first}]")


@rule("squid", "mirror", "ssh", "nodes", "firewall", "engine")
def ports_differ(site: Site) -> Iterator[Mistake]:
    """Whoever comes second to a port does not start."""
    ssh = _ssh_ports(site)
    taken = ssh | owners(site.engine)
    wanted = {"squid.port": site.squid.port}
    wanted |= {f"squid.more_ports[{i}]": port for i, port in enumerate(site.squid.more_ports)}
    if site.mirror is not None:
        wanted["mirror.port"] = site.mirror.port
    for path, port in wanted.items():
        if port in taken:
            yield Mistake(path, str(port), f"a port of its own: {port} is taken by {taken[port]}")
        taken[port] = path
    # A port of SSH is let in from everywhere, so whatever else listens there would be open to everybody.
    for index, port in enumerate(site.firewall.ssh_ports if site.firewall else ()):
        if port in taken and port not in ssh:
            expected = f"only ports of SSH servers: {port} is taken by {taken[port]}"
            yield Mistake(f"firewall.ssh_ports[{index}]", str(port), expected)


def _ssh_ports(site: Site) -> dict[int, str]:
    """The ports that nodes are connected to, by which setting."""
    ports = {site.ssh.port: "ssh.port"}
    return ports | {node.ssh_port: f"nodes[{i}].ssh_port" for i, node in enumerate(site.nodes) if node.ssh_port}


@rule("log")
def local_log_is_rotated(site: Site) -> Iterator[Mistake]:
    """The distribution's rotation covers /var/log/squid/*.log, of which cache.log has its own writer."""
    if not site.log.local_file.endswith(".log"):
        yield Mistake(
            "log.local_file",
            site.log.local_file,
            "a name that ends in `.log`, which the distribution's rotation covers",
        )
    if site.log.local_file == "cache.log":
        yield Mistake("log.local_file", "cache.log", "another name: Squid writes its own messages to cache.log")


@rule("mirror", "pacemaker", "nodes")
def disks_differ(site: Site) -> Iterator[Mistake]:
    """The mirror and the fencing disk are two disks, on each node."""
    sbd = site.pacemaker.fencing.sbd if site.pacemaker else None
    if site.mirror is None or sbd is None:
        return
    common = any(node.mirror_device is None for node in site.nodes)
    if common and site.mirror.device == sbd.device:
        yield Mistake(
            "pacemaker.fencing.sbd.device", sbd.device, "a disk shared by both nodes, other than that of the mirror"
        )
    for index, node in enumerate(site.nodes):
        if node.mirror_device == sbd.device:
            yield Mistake(f"nodes[{index}].mirror_device", sbd.device, "a disk other than that of the fencing")


@rule("ssh")
def one_way_in(site: Site) -> Iterator[Mistake]:
    """Only one way through can be taken."""
    if site.ssh.proxy_jump is not None and site.ssh.proxy_command is not None:
        yield Mistake("ssh.proxy_command", site.ssh.proxy_command, "either `proxy_jump` or `proxy_command`, not both")


@rule("ssh")
def sudo_has_user(site: Site) -> Iterator[Mistake]:
    """Root needs no sudo."""
    if site.ssh.user == "root" and site.ssh.sudo_password is not None:
        yield Mistake("ssh.sudo_password", site.ssh.sudo_password.secret, "no password for sudo when the user is root")
