"""What is allowed and yet not wise, or counts only with what nobody here sees to.

It is said at each validation and preview, and never a failure.

A caution is a function of a `Site` that yields `Caution`s, listed in `_CHECKS`; what is wrong is a rule instead
(`declaration.rules`).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from declaration.addresses import address, network
from declaration.alerts import told
from declaration.engines.lifekeeper import Quorum
from declaration.load import CONFIG_KEY
from declaration.probed import looks_for_records
from declaration.rules.alerts import possible
from declaration.rules.lifekeeper import QUORUM_PACKAGE
from declaration.secrets import secret_names
from declaration.site import Site


@dataclass(frozen=True)
class Caution:
    """One setting that works and may not go on doing so: where, what stands there, what may happen, what is better."""

    path: str
    found: str
    advice: str

    def __str__(self) -> str:
        return f"{self.path}: {self.found}: {self.advice}"


def cautions_of(site: Site) -> list[Caution]:
    """All cautions about a site that is right."""
    return [caution for check in _CHECKS for caution in check(site)]


def cautions_in(site: Site, beside: Mapping[str, int]) -> list[Caution]:
    """The same, and about what stands ``beside`` the site in its stack file (`declaration.source.Document`)."""
    return [*cautions_of(site), *_unread(site, beside)]


_PROJECT, _, _SITE = CONFIG_KEY.partition(":")


def _unread(site: Site, beside: Mapping[str, int]) -> Iterator[Caution]:
    """Keys of the configuration that nothing asks for: this program reads the site, and the secrets named in it."""
    names = set(secret_names(site))
    for key, line in beside.items():
        project, _, name = key.partition(":")
        if project == _PROJECT and name not in names:
            missing = [each for each in names if f"{_PROJECT}:{each}" not in beside]
            yield Caution(key, f"a key beside the site, in line {line}", _better(name, [_SITE, *missing]))


def _better(name: str, wanted: Sequence[str]) -> str:
    if name in Site.model_fields:
        return f"nothing reads it here; `{name}` is a setting of the site and belongs below `{CONFIG_KEY}:`"
    near = difflib.get_close_matches(name, wanted, n=1)
    hint = f"perhaps `{_PROJECT}:{near[0]}` is meant" if near else "the line can go"
    return f"nothing reads it, because no `{{secret: {name}}}` in the site names it; {hint}"


_BY_ORDER = re.compile(r"/dev/((sd|vd|xvd|hd)[a-z]+|nvme[0-9]+n[0-9]+|mmcblk[0-9]+|dm-[0-9]+)(p?[0-9]+)?")
"""Names that the kernel gives in the order in which it finds disks."""


def _named_by_order(site: Site) -> Iterator[Caution]:
    sbd = site.pacemaker.fencing.sbd if site.pacemaker else None
    # Where each node has its own, the common name is nobody's.
    common = any(node.mirror_device is None for node in site.nodes)
    own = "which `nodes[].mirror_device` names where the nodes' differ"
    devices = [
        ("mirror.device", site.mirror.device if site.mirror and common else None, own),
        *((f"nodes[{index}].mirror_device", node.mirror_device, own) for index, node in enumerate(site.nodes)),
        ("pacemaker.fencing.sbd.device", sbd.device if sbd else None, "the same on both nodes"),
    ]
    for path, device, name in devices:
        if device is not None and _BY_ORDER.fullmatch(device):
            yield Caution(
                path,
                device,
                "the kernel gives such names in the order in which it finds disks, so that after a boot it may be "
                f"another disk; better is a name of the disk's own below /dev/disk/by-id, {name}",
            )


def _silent_losses(site: Site) -> Iterator[Caution]:
    """Without a probe that looks for records, only each node's own look at the mirror's space tells of anything."""
    if looks_for_records(site) or site.mirror is None or site.log.on_full != "drop":
        return
    if site.alerts is None or "mirror_full" not in told(site.alerts, possible(site)):
        yield Caution(
            "log.on_full",
            site.log.on_full,
            "nothing tells that records go missing on a full mirror, because nobody looks for them in the log; "
            "better are `alerts` that tell of `mirror_full` before, or `stop`",
        )


def _quorum(declared: Quorum | None) -> Iterator[Caution]:
    if declared is None:
        yield Caution(
            "lifekeeper.quorum",
            "nothing",
            "two nodes that lose each other may both run the service, a split brain. Better is LifeKeeper's quorum "
            f"mode `storage`, set up by hand with its package `{QUORUM_PACKAGE}`; hosts declared here help only where "
            "a node is cut off from them too, not where only the paths between the nodes are cut. If the package is "
            "installed and nothing sets a mode, its own is `majority`: when one node fails, the other stops too "
            "(`squid-ha doctor` looks for that)",
        )
        return
    yield Caution(
        "lifekeeper.quorum",
        ", ".join(f"{each.host}:{each.port}" for each in declared.hosts),
        f"it guards only where LifeKeeper's package `{QUORUM_PACKAGE}` is installed on both nodes, which `up` does "
        "not see to (`squid-ha doctor` looks for it), and not where only the paths between the nodes are cut: both "
        "have quorum then and may both run the service, a split brain",
    )
    if len(declared.hosts) % 2 == 0:
        yield Caution(
            "lifekeeper.quorum.hosts",
            f"{len(declared.hosts)} hosts",
            "a node has quorum only while it reaches more than half of them, so that the loss of half of them, of two "
            "either one, is a loss of quorum for both nodes; better is an odd number",
        )


def _lifekeeper(site: Site) -> Iterator[Caution]:
    if site.engine != "lifekeeper" or site.virtual_ip is None:
        return
    yield from _quorum(site.lifekeeper.quorum if site.lifekeeper else None)
    if site.network.public.reachable:
        yield Caution(
            "network.public.reachable",
            ", ".join(map(str, site.network.public.reachable)),
            "LifeKeeper does not ping these: its own check of the virtual IP decides (`lifekeeper.address`)",
        )


def _reachable_by_others(site: Site) -> Iterator[Caution]:
    """Those whose answer tells nothing of the clients' network."""
    public, replication = site.network.public, site.network.replication
    for index, ip in enumerate(public.reachable):
        path = f"network.public.reachable[{index}]"
        if replication is not None and address(ip) in network(replication.subnet):
            yield Caution(
                path,
                ip,
                f"it lies in the replication network, {replication.subnet}, and its answer tells nothing of the "
                "clients' network; better is an address that is reached by that, such as the gateway's",
            )
        elif address(ip).version != network(public.subnet).version:
            yield Caution(
                path,
                ip,
                f"the public network, {public.subnet}, is of the other version of IP: a node without an address of "
                "this one never gets an answer, and one that has it may get it while clients get none",
            )


_CHECKS: tuple[Callable[[Site], Iterator[Caution]], ...] = (
    _named_by_order,
    _lifekeeper,
    _silent_losses,
    _reachable_by_others,
)
