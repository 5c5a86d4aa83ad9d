"""What LifeKeeper is told when a whole site is taken back: no plan has it, and a test holds it to what is said."""

from __future__ import annotations

from collections.abc import Iterator

from blueprint.site import things
from declaration.site import Site
from providers.lifekeeper import filesystem, mirror, node, paths, speaking
from providers.lifekeeper.resource import Member
from providers.lifekeeper.speaking import Line


def removals(site: Site) -> list[Line]:
    """The lines of `pulumi destroy`, in order, where this program made all of the site and it runs on the preferred
    node."""
    made: list[Line] = []
    for thing in reversed(things(site, "squid-ha/reference")):
        wanted = thing.inputs
        # The filesystem's resource goes with its mirror.
        if isinstance(wanted, Member) and not isinstance(wanted, filesystem.Wanted):
            made += _resource(wanted)
        elif isinstance(wanted, paths.Wanted):
            made += [*_paths(wanted), *speaking.syncs(wanted.nodes)]
        elif isinstance(wanted, node.Wanted):
            made += [
                Line(name, "lkcli stop", "Stop LifeKeeper: only where it did not run before") for name in wanted.nodes
            ]
    return made


def _resource(wanted: Member) -> Iterator[Line]:
    for name, there in wanted.nodes.items():
        for child in there.depends_on if there else ():
            values = {"parent": wanted.tag, "child": child}
            yield Line(name, "dep_remove", f"Delete Dependency: {wanted.tag} on {child}", values)
    tag, source = wanted.fstag if isinstance(wanted, mirror.Wanted) else wanted.tag, next(iter(wanted.nodes))
    yield Line(source, "perform_action", f"Take {tag} out of service", {"tag": tag, "action": "remove"})
    what = f"{tag}, and with it {wanted.tag}" if tag != wanted.tag else tag
    yield Line(source, "lkcli resource delete", f"Delete Resource: {what}", {"tag": tag})
    yield from speaking.syncs(wanted.nodes)


def _paths(wanted: paths.Wanted) -> Iterator[Line]:
    for name, there in wanted.nodes.items():
        for addresses in there.sides:
            local, remote = addresses.split("/")
            values = {"dest": name, "system": there.peer, "remote": remote, "local": local}
            yield Line(name, "net_remove", f"Delete Comm Path: {local} to {remote}", values)
        yield Line(name, "sys_remove", f"Forget {there.peer}", {"dest": name, "system": there.peer})
