"""The engine `lifekeeper`: what its settings need of each other, and what it cannot do, refused by name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from declaration.engines.lifekeeper import LifeKeeper, SquidKit
from declaration.errors import Mistake
from declaration.mirror import Mirror
from declaration.ports import MIRROR_PORTS
from declaration.probed import is_probed, looks_for_records
from declaration.quantities import Duration
from declaration.rules.addresses import own_hosts
from declaration.rules.registry import rule
from declaration.rules.repeats import repeated
from declaration.rules.seconds import whole_seconds

if TYPE_CHECKING:
    from declaration.site import Site

ENGINE = "lifekeeper"
QUORUM_PACKAGE = "steeleye-lkQWK"
"""Of LifeKeeper's own: what reads the quorum's settings."""

_SQUIDS_TAG: Mapping[SquidKit, str] = {"qsp": "qsp-squid", "generic": "app-squid"}


@rule("lifekeeper")
def switchback_or_priorities(site: Site) -> Iterator[Mistake]:
    """Two nodes of one priority have no order."""
    if site.lifekeeper is not None and len(set(site.lifekeeper.priorities)) < len(site.lifekeeper.priorities):
        first, second = site.lifekeeper.priorities
        yield Mistake("lifekeeper.priorities", f"[{first}, {second}]", "two that differ, such as `[1, 10]`")


@rule("lifekeeper", "mirror")
def mirror_stays(site: Site) -> Iterator[Mistake]:
    """Above DataKeeper, LifeKeeper accepts only `intelligent` (its manuals)."""
    if site.lifekeeper is None or site.mirror is None:
        return
    if site.lifekeeper.switchback == "automatic":
        yield Mistake(
            "lifekeeper.switchback",
            "automatic",
            "`intelligent`, because there is a mirror: LifeKeeper moves nothing above a mirror back by itself",
        )


@rule("lifekeeper")
def license_is_one(site: Site) -> Iterator[Mistake]:
    """A licence comes from one place."""
    given = site.lifekeeper.license if site.lifekeeper else None
    if given is not None and (given.file is None) == (given.secret is None):
        found = "both" if given.file else "nothing"
        yield Mistake("lifekeeper.license", found, "either `file: <path on the nodes>` or `secret: {secret: <name>}`")


@rule("lifekeeper", "network", "mirror")
def paths_have_networks(site: Site) -> Iterator[Mistake]:
    """A path needs the nodes' addresses in its network, and a second one in the same network is no second one."""
    if site.lifekeeper is None:
        return
    networks: dict[str, int] = {}
    priorities: dict[int, int] = {}
    declared = [path.network for path in site.lifekeeper.paths]
    if declared and site.mirror is not None and "replication" not in declared:
        yield Mistake(
            "lifekeeper.paths", ", ".join(declared), "a path over `replication` too: a mirror replicates over one"
        )
    for index, path in enumerate(site.lifekeeper.paths):
        place = f"lifekeeper.paths[{index}]"
        if path.network == "replication" and site.network.replication is None:
            yield Mistake(f"{place}.network", path.network, "`public`, or declare `network.replication`")
        if path.network in networks:
            yield Mistake(f"{place}.network", path.network, "each network once: a second path in it adds nothing")
        networks.setdefault(path.network, index)
        priority = path.priority or index + 1
        if priority in priorities:
            yield Mistake(
                f"{place}.priority",
                str(priority),
                f"a priority that differs from that of paths[{priorities[priority]}]",
            )
        priorities.setdefault(priority, index)


@rule("lifekeeper")
def times_are_whole(site: Site) -> Iterator[Mistake]:
    """LifeKeeper counts in whole seconds."""
    if site.lifekeeper is None:
        return
    address, heartbeat, quorum = site.lifekeeper.address, site.lifekeeper.heartbeat, site.lifekeeper.quorum
    given: dict[str, Duration | None] = {
        "address.ping_time": address.ping_time,
        "address.check_timeout": address.check_timeout,
        "check_interval": site.lifekeeper.check_interval,
        "heartbeat.interval": heartbeat.interval if heartbeat else None,
        "quorum.timeout": quorum.timeout if quorum else None,
    }
    for name, value in given.items():
        if value is not None:
            yield from whole_seconds(f"lifekeeper.{name}", value)
    wait = site.lifekeeper.failover_confirmation.wait
    if wait is not None and not wait.is_whole:
        yield Mistake("lifekeeper.failover_confirmation.wait", wait, "whole seconds; `0s` waits for nobody")


@rule("lifekeeper")
def quorum_hosts_have_no_repeats(site: Site) -> Iterator[Mistake]:
    """A host that stands twice has two votes."""
    quorum = site.lifekeeper.quorum if site.lifekeeper else None
    if quorum is not None:
        yield from repeated("lifekeeper.quorum.hosts", [each.host for each in quorum.hosts], str.lower, "host")


@rule("nodes", "virtual_ip", "lifekeeper")
def quorum_is_elsewhere(site: Site) -> Iterator[Mistake]:
    """A node reaches itself whatever it is cut off from."""
    quorum = site.lifekeeper.quorum if site.lifekeeper else None
    own = own_hosts(site)
    for index, each in enumerate(quorum.hosts if quorum else ()):
        if each.host.lower() in own:
            yield Mistake(f"lifekeeper.quorum.hosts[{index}].host", each.host, "a host outside of this site")


@rule("lifekeeper")
def speeds_are_a_range(site: Site) -> Iterator[Mistake]:
    """The least speed of a resynchronisation is not above the most."""
    if site.lifekeeper is None:
        return
    least, most = site.lifekeeper.replication.speed_limit_min, site.lifekeeper.replication.speed_limit
    if least is not None and most is not None and least > most:
        expected = f"at most `lifekeeper.replication.speed_limit`, {most}"
        yield Mistake("lifekeeper.replication.speed_limit_min", str(least), expected)


@rule("lifekeeper", "mirror", "virtual_ip")
def tags_differ(site: Site) -> Iterator[Mistake]:
    """A tag names one resource."""
    if site.lifekeeper is None:
        return
    taken: dict[str, str] = {}
    for path, tag in tags(site, site.lifekeeper).items():
        if tag in taken:
            yield Mistake(path, tag, f"a tag that differs from that of {taken[tag]}")
        taken.setdefault(tag, path)


def customary_tags(virtual_ip: str | None, mount_point: str | None, squid_kit: SquidKit = "qsp") -> dict[str, str]:
    """Member → its tag where the site says none, for the members that there are."""
    made = {"squid": _SQUIDS_TAG[squid_kit]}
    if virtual_ip is not None:
        made["address"] = f"ip-{virtual_ip}"
    if mount_point is not None:
        made |= {"filesystem": mount_point, "mirror": f"datarep-{mount_point.rsplit('/', 1)[-1]}"}
    return made


def tags(site: Site, declared: LifeKeeper) -> dict[str, str]:
    """Setting → tag, customary ones filled in, for the members that this site has."""
    given = declared.tags
    address = None if site.virtual_ip is None else str(site.virtual_ip)
    mount_point = None if site.mirror is None else site.mirror.mount_point
    customary = customary_tags(address, mount_point, declared.squid_kit)
    made = {f"lifekeeper.tags.{name}": getattr(given, name) or tag for name, tag in customary.items()}
    return made | {f"lifekeeper.generic[{index}].tag": each.tag for index, each in enumerate(declared.generic)}


@rule("lifekeeper")
def squid_is_found_by_its_tag(site: Site) -> Iterator[Mistake]:
    """Of a Generic Application LifeKeeper's lists tell the tag alone, and its scripts lie under that."""
    declared = site.lifekeeper
    if declared is None or declared.squid_kit != "generic":
        if declared is not None and declared.squid_scripts is not None:
            yield Mistake("lifekeeper.squid_scripts", "a section", "no scripts without `squid_kit: generic`")
        return
    own = declared.tags.squid
    if own is not None and ("/" in own or not SQUID_WORD.search(own)):
        yield Mistake(
            "lifekeeper.tags.squid",
            own,
            "a tag with the word `squid` and without `/`: with `squid_kit: generic`, Squid's resource is known by it",
        )
    for index, each in enumerate(declared.generic):
        if SQUID_WORD.search(each.tag):
            yield Mistake(
                f"lifekeeper.generic[{index}].tag",
                each.tag,
                "a tag without the word `squid`: with `squid_kit: generic`, Squid's own resource is known by it",
            )


SQUID_WORD = re.compile(r"(?<![a-z])squid(?![a-z])", re.IGNORECASE)
"""As `providers.lifekeeper.hierarchy` looks for it."""


@rule("engine", "virtual_ip")
def address_is_ipv4(site: Site) -> Iterator[Mistake]:
    """The IP kit's lines for IPv6 are published nowhere."""
    if site.engine == ENGINE and site.virtual_ip is not None and ":" in site.virtual_ip:
        yield Mistake("virtual_ip", site.virtual_ip, f"an IPv4 address with `engine: {ENGINE}`")


@rule("engine", "mirror")
def mirror_by_datakeeper(site: Site) -> Iterator[Mistake]:
    """Settings of `mirror` that no command of LifeKeeper takes."""
    if site.engine != ENGINE or site.mirror is None:
        return
    for name in sorted(Mirror.model_fields):
        if name not in _NOT_DATAKEEPERS:
            continue
        value = getattr(site.mirror, name)
        if value != Mirror.model_fields[name].get_default(call_default_factory=True):
            yield Mistake(
                f"mirror.{name}", _shown(value), f"no such setting with `engine: {ENGINE}`: {_NOT_DATAKEEPERS[name]}"
            )


_NOT_DATAKEEPERS = {
    "durability": "LifeKeeper mounts the filesystem itself, and no documented command tells it how",
    "data_journal": "LifeKeeper mounts the filesystem itself, and no documented command tells it how",
    "failure": "DataKeeper decides by itself what a failed disk does",
    "port": f"DataKeeper chooses its ports from {MIRROR_PORTS[0]} on",
    "label": "DataKeeper makes the filesystem, without a label",
    "on_remove": "removing a mirror from LifeKeeper keeps its data; wipe the disk yourself",
}


@rule("engine", "stickiness")
def stickiness_is_switchback(site: Site) -> Iterator[Mistake]:
    """LifeKeeper knows two ways only."""
    if site.engine == ENGINE and "stickiness" in site.model_fields_set:
        yield Mistake(
            "stickiness",
            str(site.stickiness),
            f"no such setting with `engine: {ENGINE}`: `lifekeeper.switchback` says whether the service stays",
        )


@rule("engine", "timeouts", "lifekeeper", "pacemaker")
def limits_are_the_kits(site: Site) -> Iterator[Mistake]:
    """The kits have limits of their own; this site's are Squid's stop, in its systemd unit, and those of its agent."""
    if site.engine != ENGINE:
        return
    for member in sorted(site.timeouts.model_fields_set - {"squid"}):
        yield Mistake(
            f"timeouts.{member}",
            "a section",
            f"no limits for the {member} with `engine: {ENGINE}`: its kit has its own",
        )
    kept = ("stop", "start", "monitor") if is_probed(site) else ("stop",)
    for name in sorted(site.timeouts.squid.model_fields_set.difference(kept)):
        only = " and ".join(f"`{each}`" for each in sorted(kept))
        yield Mistake(
            f"timeouts.squid.{name}",
            getattr(site.timeouts.squid, name),
            f"only {only} with `engine: {ENGINE}`: the kit has its own limits",
        )


@rule("engine", "log", "lifekeeper", "pacemaker")
def records_are_not_looked_for(site: Site) -> Iterator[Mistake]:
    """Quick Service Protection asks systemd alone whether Squid runs; a Generic Application is well or it is not."""
    if site.engine != ENGINE or "on_lost" not in site.log.model_fields_set:
        return
    if is_probed(site):
        if not looks_for_records(site):
            yield Mistake(
                "log.on_lost",
                site.log.on_lost,
                f"`fail` with `engine: {ENGINE}`: it knows no state between healthy and failed",
            )
    else:
        yield Mistake(
            "log.on_lost",
            site.log.on_lost,
            f"no such setting with `engine: {ENGINE}`: Quick Service Protection looks at no log",
        )


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, str | int) else "a section"
