"""The service from the bottom up: mirror, filesystem, the site's own applications, Squid, virtual IP; each tied to what
is below it."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_network

from blueprint import names, on_mirror, paths, squid_agent
from blueprint.engines.lifekeeper.product import section
from blueprint.nodes import mirror_devices, present
from blueprint.parts import TREE
from blueprint.platforms import PLATFORMS
from blueprint.render import lifekeeper_squid
from blueprint.thing import Thing
from blueprint.traits import traits
from declaration.engines import lifekeeper as declaration
from declaration.engines.lifekeeper import Generic
from declaration.mirror import Mirror
from declaration.probed import is_probed
from declaration.rules import lifekeeper as rules
from declaration.site import Site
from providers.host.settings import FileState, NodeSettings
from providers.lifekeeper import filesystem, generic, ip, mirror, service
from providers.lifekeeper.resource import NodeMember
from providers.lifekeeper.scripts import Scripts

_SCRIPTS = f"{paths.CONFIGURATION_DIRECTORY}/lifekeeper"


def tags(site: Site) -> dict[str, str]:
    """Member → its tag, customary ones filled in: address, squid, filesystem, mirror, generic[0] and so on."""
    told = rules.tags(site, section(site))
    return {
        path.removeprefix("lifekeeper.").removeprefix("tags.").removesuffix(".tag"): tag for path, tag in told.items()
    }


def things(site: Site) -> list[Thing]:
    """Every member after what it needs."""
    known = tags(site)
    made: list[Thing] = []
    if site.mirror is not None:
        made += [_mirror(site, site.mirror), _filesystem(site, site.mirror)]
    below: dict[str, list[Thing]] = {"squid": [], "address": []}
    for declared in section(site).generic:
        thing = _generic(site, declared)
        below[declared.below].append(thing)
        made.append(thing)
    volume = [known["filesystem"]] if site.mirror else []
    made.append(_squid(site, [*volume, *_tags(below["squid"])], [thing.name for thing in below["squid"]]))
    made.append(_address(site, [known["squid"], *_tags(below["address"])], [thing.name for thing in below["address"]]))
    return made


def _tags(things: list[Thing]) -> list[str]:
    return [thing.inputs.tag for thing in things if isinstance(thing.inputs, generic.Wanted)]


def _nodes(site: Site, depends_on: list[str], properties: dict[str, str]) -> dict[str, NodeMember | None]:
    """The nodes that are not away, the most preferred first."""
    declared = section(site)
    order = sorted(zip(declared.priorities, site.nodes, strict=True), key=lambda pair: pair[0])
    return {
        node.name: NodeMember(
            priority=str(priority),
            switchback=declared.switchback,
            depends_on=list(depends_on),
            properties=dict(properties),
        )
        for priority, node in order
        if node.name in present(site)
    }


def _beside(site: Site, own: str) -> list[str]:
    return [tag for tag in tags(site).values() if tag != own]


def _mirror(site: Site, declared: Mirror) -> Thing:
    tag, chosen = tags(site)["mirror"], section(site).replication
    nodes = {
        name: node and node.model_copy(update={"properties": {"device": declared.device_on(site.node(name))}})
        for name, node in _nodes(site, [], {}).items()
    }
    inputs = mirror.Wanted(
        tag=tag,
        nodes=nodes,
        beside=_beside(site, tag),
        route=section(site).prefer,
        device=declared.device,
        devices=mirror_devices(site, declared),
        fstype=declared.filesystem,
        mount_point=declared.mount_point,
        fstag=tags(site)["filesystem"],
        mode=chosen.mode,
        hierarchy=chosen.hierarchy,
        bitmap=chosen.bitmap,
        addresses={node.name: str(node.replication_address) for node in site.nodes if node.name in present(site)},
        mount_points=dict.fromkeys(present(site), "0000 root:root i"),
    )
    return Thing(names.TREE_MIRROR, "lifekeeper.mirror", inputs, TREE, (names.PATHS, names.PACKAGES))


def _filesystem(site: Site, declared: Mirror) -> Thing:
    tag = tags(site)["filesystem"]
    inputs = filesystem.Wanted(
        tag=tag,
        nodes=_nodes(site, [tags(site)["mirror"]], {"mount_point": declared.mount_point}),
        beside=_beside(site, tag),
        route=section(site).prefer,
        mount_point=declared.mount_point,
        directories=on_mirror.directories(site),
        files=on_mirror.files(site),
    )
    return Thing(names.TREE_FILESYSTEM, "lifekeeper.filesystem", inputs, TREE, (names.TREE_MIRROR,))


def _texts(declared: declaration.Scripts) -> dict[str, str]:
    scripts = {
        "restore": declared.restore,
        "remove": declared.remove,
        "quickCheck": declared.quick_check,
        "recover": declared.recover,
    }
    return {name: text for name, text in scripts.items() if text is not None}


def _scripts(site: Site, tag: str, texts: Mapping[str, str]) -> Scripts:
    """Put below this program's own folder, for the kit to copy."""
    place = f"{_SCRIPTS}/{tag}"
    paths_of = {name: f"{place}/{name}" for name in texts}
    settings = NodeSettings(
        directories=dict.fromkeys((paths.CONFIGURATION_DIRECTORY, _SCRIPTS, place), "0755 root:root"),
        files={path: FileState(content=texts[name], mode="0755", owner="root:root") for name, path in paths_of.items()},
    )
    nodes = present(site)
    return Scripts(scripts=paths_of, settings=dict.fromkeys(nodes, settings), copies=dict.fromkeys(nodes, "same"))


def _generic(site: Site, declared: Generic) -> Thing:
    made = _scripts(site, declared.tag, _texts(declared))
    inputs = generic.Wanted(
        tag=declared.tag,
        nodes=_nodes(site, [], {}),
        beside=_beside(site, declared.tag),
        route=section(site).prefer,
        scripts=made.scripts,
        settings=made.settings,
        copies=made.copies,
    )
    after = (names.PATHS, *((names.TREE_FILESYSTEM,) if site.mirror else ()))
    return Thing(f"{names.GENERIC}-{declared.tag}", "lifekeeper.generic", inputs, TREE, after)


def _squid(site: Site, depends_on: list[str], after: list[str]) -> Thing:
    tag = tags(site)["squid"]
    given = _squids_scripts(site, tag)
    inputs = service.Wanted(
        tag=tag,
        nodes=_nodes(site, depends_on, {}),
        beside=_beside(site, tag),
        route=section(site).prefer,
        service=PLATFORMS[site.platform].squid_unit.removesuffix(".service"),
        scripts=given and given.scripts,
        settings=given and given.settings,
        copies=given and given.copies,
    )
    agent = (names.SQUID_AGENT,) if is_probed(site) else ()
    needs = (names.PATHS, names.SQUID_CONFIG, *agent, *((names.TREE_FILESYSTEM,) if site.mirror else ()), *after)
    return Thing(names.TREE_SQUID, "lifekeeper.service", inputs, TREE, needs)


def _squids_scripts(site: Site, tag: str) -> Scripts | None:
    """None where Quick Service Protection looks after Squid."""
    if section(site).squid_kit == "qsp":
        return None
    own = section(site).squid_scripts
    return _scripts(site, tag, _texts(own) if own else _by_agent(site))


def _by_agent(site: Site) -> dict[str, str]:
    """The scripts that this program brings for Squid."""
    limits = site.timeouts.squid
    return lifekeeper_squid.scripts(
        traits(site).agent_path,
        squid_agent.parameters(site),
        start=round(limits.start.seconds),
        stop=round(limits.stop.seconds),
        monitor=round(limits.monitor.seconds),
    )


def _address(site: Site, depends_on: list[str], after: list[str]) -> Thing:
    tag = tags(site)["address"]
    interface, address = site.network.public.interface, str(site.virtual_ip)
    netmask = str(ip_network(f"0.0.0.0/{site.prefix_length}").netmask)
    inputs = ip.Wanted(
        tag=tag,
        nodes=_nodes(site, depends_on, {"address": address, "interface": interface, "netmask": netmask}),
        beside=_beside(site, tag),
        route=section(site).prefer,
        address=address,
        netmask=netmask,
        interface=interface,
        backup=section(site).address.backup_interface,
    )
    return Thing(names.TREE_ADDRESS, "lifekeeper.ip", inputs, TREE, (names.TREE_SQUID, *after))
