"""The firewall's thing: which ports of a node are let in, and from where."""

from __future__ import annotations

from collections.abc import Iterator

from blueprint import names, paths
from blueprint.nodes import present
from blueprint.parts import HOSTS
from blueprint.platforms import PLATFORMS
from blueprint.render import nftables
from blueprint.render.nftables import Opening
from blueprint.thing import Thing
from blueprint.traits import traits
from declaration.firewall import Firewall
from declaration.nodes import Node
from declaration.site import Site
from providers.host import firewall
from providers.host.settings import FileState, NodeSettings, UnitState


def packages(site: Site) -> tuple[str, ...]:
    """What the firewall needs on every node."""
    return PLATFORMS[site.platform].firewall_packages if site.firewall else ()


def things(site: Site) -> list[Thing]:
    """One thing, or none where the firewall is not this program's business."""
    if site.firewall is None:
        return []
    declared = site.firewall
    inputs = firewall.Wanted(
        nodes={name: _node(site, declared, site.node(name)) for name in present(site)},
        table=nftables.TABLE,
    )
    return [Thing(names.FIREWALL, "host.firewall", inputs, HOSTS, (names.PACKAGES,))]


def _node(site: Site, declared: Firewall, node: Node) -> firewall.NodeFirewall:
    ssh_ports = sorted({node.ssh_port or site.ssh.port, *declared.ssh_ports})
    text = nftables.render(ssh_ports, list(openings(site, declared, node)))
    unit = f"{paths.UNIT_DIRECTORY}/{paths.FIREWALL_UNIT}"
    settings = NodeSettings(
        directories={paths.CONFIGURATION_DIRECTORY: "0755 root:root"},
        files={
            paths.FIREWALL: FileState(
                content=text, mode="0644", owner="root:root", check=["nft", "--check", "--file", "{}"]
            ),
            unit: FileState(content=_unit(PLATFORMS[site.platform].firewall_unit), mode="0644", owner="root:root"),
        },
        units={paths.FIREWALL_UNIT: UnitState(enabled="enabled", active="active", reload_on=[paths.FIREWALL, unit])},
    )
    return firewall.NodeFirewall(settings=settings, ssh_ports=[str(port) for port in ssh_ports])


def openings(site: Site, declared: Firewall, node: Node) -> Iterator[Opening]:
    """What is let in on ``node`` beside SSH, answers and ICMP."""
    squid = site.squid
    yield Opening("Squid, from its clients", "tcp", (squid.port, *squid.more_ports), _clients(site))
    if site.virtual_ip is not None:
        yield from traits(site).openings(site, node)
    for opening in declared.openings:
        yield Opening("declared under openings", opening.protocol, (opening.port,), opening.networks)


def _clients(site: Site) -> tuple[str, ...]:
    """Networks that any rule of access lets in; empty, which is everybody, where one asks for no network."""
    allowing = [rule.networks for rule in site.squid.access if rule.action == "allow"]
    if any(not networks for networks in allowing):
        return ()
    return tuple(dict.fromkeys([*site.squid.allow, *(each for networks in allowing for each in networks)]))


def _unit(theirs: str) -> str:
    """The text of our own unit; ``theirs`` is the unit of the distribution that loads its rules."""
    return f"""\
[Unit]
Description=Firewall of squid-ha: what a node of the proxy lets in
Documentation=man:nft(8)
DefaultDependencies=no
Wants=network-pre.target
# Debian's {theirs} empties the whole ruleset when it starts, stops and reloads: this one follows it.
After=local-fs.target {theirs}
Before=network-pre.target shutdown.target
Conflicts=shutdown.target
PartOf={theirs}
ReloadPropagatedFrom={theirs}

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft --file {paths.FIREWALL}
ExecReload=/usr/sbin/nft --file {paths.FIREWALL}
ExecStop=-/usr/sbin/nft delete table inet {nftables.TABLE}

[Install]
WantedBy=sysinit.target
"""
