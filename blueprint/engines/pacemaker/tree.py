"""The service tree, bottom up: mirror, filesystem, Squid, virtual IP; each tied to the one below it.

Beside it the reachability of the public network: a node that has lost it must not keep the service.
"""

from __future__ import annotations

from blueprint import durability, names, paths, squid_agent
from blueprint.parts import TREE
from blueprint.thing import Thing
from declaration.site import Site
from declaration.timeouts import AddressTimeouts, FilesystemTimeouts, MirrorTimeouts, SquidTimeouts
from providers.pacemaker import member
from providers.pacemaker.model import (
    Clone,
    Colocation,
    Constraint,
    Expression,
    Location,
    Operation,
    Order,
    Primitive,
    keyed,
)
from providers.storage import mount_options

Limits = FilesystemTimeouts | SquidTimeouts | AddressTimeouts
MIRROR, MIRROR_CLONE, FILESYSTEM, SQUID, ADDRESS = "mirror", "mirror-clone", "filesystem", "squid", "address"
REACHABILITY, REACHABILITY_CLONE = "reachability", "reachability-clone"
REACHABLE = "squid-ha-reachable"


def things(site: Site) -> list[Thing]:
    """Every member after the one below; the reachability rule last, because it names Squid."""
    made: list[Thing] = []
    if site.mirror:
        made += [_mirror(site.timeouts.mirror), _filesystem(site)]
    made.append(_squid(site, below=FILESYSTEM if site.mirror else None))
    made.append(_address(site))
    if site.network.public.reachable:
        made.append(_reachability(site))
    return made


def _thing(name: str, wanted: member.Wanted, *after: str) -> Thing:
    return Thing(name, "pacemaker.member", wanted, TREE, (names.OPTIONS, *after))


def _seconds(value: float) -> str:
    return f"{round(value)}s"


def _tied(upper: str, lower: str, *, promoted: bool = False) -> dict[str, Constraint | None]:
    role, action = ("Promoted", "promote") if promoted else (None, "start")
    return {
        f"{upper}-with-{lower}": Colocation(resource=upper, with_resource=lower, with_role=role),
        f"{upper}-after-{lower}": Order(first=lower, first_action=action, then=upper),
    }


def _mirror(limits: MirrorTimeouts) -> Thing:
    interval = round(limits.monitor_interval.seconds)
    operations = keyed(
        Operation(name="start", timeout=_seconds(limits.start.seconds)),
        Operation(name="stop", timeout=_seconds(limits.stop.seconds)),
        Operation(name="promote", timeout=_seconds(limits.promote.seconds)),
        Operation(name="demote", timeout=_seconds(limits.demote.seconds)),
        Operation(name="notify", timeout=_seconds(limits.notify.seconds)),
        Operation(
            name="monitor",
            interval=_seconds(interval - 1),
            timeout=_seconds(limits.monitor.seconds),
            role="Promoted",
        ),
        Operation(
            name="monitor",
            interval=_seconds(interval + 1),
            timeout=_seconds(limits.monitor.seconds),
            role="Unpromoted",
        ),
    )
    clone = Clone(
        id=MIRROR_CLONE,
        meta={
            "promotable": "true",
            "promoted-max": "1",
            "promoted-node-max": "1",
            "clone-max": "2",
            "clone-node-max": "1",
            "notify": "true",
            "interleave": "true",
        },
    )
    primitive = Primitive(
        id=MIRROR,
        agent="ocf:linbit:drbd",
        parameters={"drbd_resource": paths.MIRROR_RESOURCE},
        meta={"priority": "10"},
        operations=operations,
    )
    wanted = member.Wanted(primitive=primitive, clone=clone, beneath=SQUID)
    return _thing(names.TREE_MIRROR, wanted, names.MIRROR, names.FILESYSTEM)


def _three(limits: Limits) -> dict[str, Operation]:
    return keyed(
        Operation(name="start", timeout=_seconds(limits.start.seconds)),
        Operation(name="stop", timeout=_seconds(limits.stop.seconds)),
        Operation(
            name="monitor",
            interval=_seconds(limits.monitor_interval.seconds),
            timeout=_seconds(limits.monitor.seconds),
        ),
    )


def _filesystem(site: Site) -> Thing:
    if site.mirror is None:
        raise ValueError("a filesystem needs a mirror")
    primitive = Primitive(
        id=FILESYSTEM,
        agent="ocf:heartbeat:Filesystem",
        parameters={
            "device": paths.MIRROR_VOLUME,
            "directory": site.mirror.mount_point,
            "fstype": site.mirror.filesystem,
            "fast_stop": "no",
            "force_unmount": "safe",
            **({"options": fixed} if (fixed := durability.fixed_options(site.mirror)) else {}),
        },
        operations=_three(site.timeouts.filesystem),
    )
    ties = _tied(FILESYSTEM, MIRROR_CLONE, promoted=True)
    wanted = member.Wanted(primitive=primitive, constraints=ties, beneath=SQUID)
    return _thing(names.TREE_FILESYSTEM, wanted, names.TREE_MIRROR)


def _squid(site: Site, below: str | None) -> Thing:
    primitive = Primitive(
        id=SQUID,
        agent="ocf:squid-ha:squid",
        parameters={**squid_agent.parameters(site), **_mount_parameters(site)},
        operations=_three(site.timeouts.squid),
    )
    wanted = member.Wanted(primitive=primitive, constraints=_tied(SQUID, below) if below else {})
    after = (names.SQUID_CONFIG, names.SQUID_AGENT, *((names.TREE_FILESYSTEM,) if below else ()))
    return _thing(names.TREE_SQUID, wanted, *after)


def _mount_parameters(site: Site) -> dict[str, str]:
    """How Squid's agent mounts the log's filesystem once more, where something other than the usual is declared."""
    if site.mirror and (options := durability.options(site.mirror)):
        whole = mount_options.whole(site.mirror.filesystem, options)
        return {"log_mount": site.mirror.mount_point, "log_mount_options": whole}
    return {}


def _address(site: Site) -> Thing:
    public = site.network.public
    primitive = Primitive(
        id=ADDRESS,
        agent="ocf:heartbeat:IPaddr2",
        parameters={
            "ip": str(site.virtual_ip),
            "cidr_netmask": str(site.prefix_length),
            "nic": public.interface,
        },
        operations=_three(site.timeouts.address),
    )
    wanted = member.Wanted(primitive=primitive, constraints=_tied(ADDRESS, SQUID))
    return _thing(names.TREE_ADDRESS, wanted, names.TREE_SQUID)


def _rather_there(stickiness: int) -> str:
    """More than all four members of the tree hold on to their node together."""
    return str(4 * stickiness + 1000)


def _reachability(site: Site) -> Thing:
    """ocf:pacemaker:ping writes a node attribute; the rule draws the service to a node where it is not 0.

    Never the other way round, by a negative score where it is 0: Pacemaker runs nothing where the sum is below zero, so
    that a dead ping target, which takes both nodes' reachability, would stop the service on both.
    """
    primitive = Primitive(
        id=REACHABILITY,
        agent="ocf:pacemaker:ping",
        parameters={
            "host_list": " ".join(site.network.public.reachable),
            "name": REACHABLE,
            "dampen": "5s",
            "attempts": "3",
            "timeout": "2",
        },
        operations=keyed(
            Operation(name="start", timeout="60s"),
            Operation(name="stop", timeout="20s"),
            Operation(name="monitor", interval="10s", timeout="60s"),
        ),
    )
    wanted = member.Wanted(
        primitive=primitive,
        clone=Clone(id=REACHABILITY_CLONE, meta={"interleave": "true"}),
        constraints={
            f"{SQUID}-reachable": Location(
                resource=SQUID,
                score=_rather_there(site.stickiness),
                rule=[Expression(attribute=REACHABLE, operation="gte", value="1", type="number")],
            )
        },
    )
    return _thing(names.REACHABILITY, wanted, names.TREE_SQUID)
