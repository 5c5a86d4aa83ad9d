"""The virtual IP as a resource of LifeKeeper's IP kit."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import cast

from providers.connection.answers import told_by
from providers.connection.cluster import Cluster
from providers.connection.errors import Refused
from providers.contract import Observed
from providers.host.facts import ADDRESSES, parse_prefixes
from providers.lifekeeper import extending, making, members, removal, steps
from providers.lifekeeper.making import extended, there
from providers.lifekeeper.resource import Kit, Member, Unlike
from providers.lifekeeper.speaking import Line
from providers.lifekeeper.steps import Step
from providers.lifekeeper.views import Instance, View

_INFO_WORDS = 4
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,14}")


class Wanted(Member):
    """``address`` with its ``netmask`` on ``interface``, as each node's properties have them too.

    ``backup``: the interface that it goes to when its own fails; None: there is to be none.
    """

    address: str
    netmask: str
    interface: str
    backup: str | None = None


def _create(wanted: Member, source: str) -> list[Step]:
    ip = cast("Wanted", wanted)
    node = ip.nodes[source]
    values = {
        "tag": ip.tag,
        "ipaddr": ip.address,
        "netmask": ip.netmask,
        "device": ip.interface,
        "switchback": node.switchback if node else None,
    }
    line = Line(source, "lkcli resource create ip", "Create Resource: IP", values)
    return [Step(line, there(ip.tag, source), _free(ip.address, source))]


def _free(address: str, source: str) -> steps.Ready:
    """The kit takes no address that is in use, and a resource that is deleted in service leaves its address there."""

    async def ready(cluster: Cluster, seen: steps.Views) -> None:
        del seen
        # Not `show to ADDRESS`: iproute lists the addresses that it leaves out, too, with nothing in them.
        told = await cluster.node(source).run(ADDRESSES)
        with told_by(source):
            shown = parse_prefixes(told.stdout)
        found = next((each for each in shown if each.text == address), None)
        if found is not None:
            raise Refused(
                f"{address} is on {found.interface} already, and no resource of LifeKeeper's has it: it was deleted in "
                "service, or somebody else set it",
                node=source,
                remedy=f"`ip address delete {address}/{found.prefix} dev {found.interface}`, and run this again: "
                "clients are without it meanwhile",
            )

    return ready


def _extend(wanted: Member, source: str, target: str) -> list[Step]:
    return [extension(wanted, source, target, "ip", "Extend: IP")]


def extension(wanted: Member, source: str, target: str, kind: str, page: str) -> Step:
    """The step that extends a resource of ``kind`` from ``source`` to ``target``."""
    far = wanted.nodes[target]
    values = {
        "tag": wanted.tag,
        "dest": target,
        "switchback": far.switchback if far else None,
        "target_priority": making.target_priority(wanted, target),
    }
    line = Line(source, f"lkcli resource extend {kind}", page, values)
    return Step(line, extended(wanted.tag, source, target), extending.extendable(wanted, source, target))


def _properties(wanted: Member, node: str, instance: Instance) -> Mapping[str, str | None]:
    """From the id, ``IP-<address>``, and the info string: server, interface, address, netmask in hex, backup."""
    del wanted, node
    words = instance.info.split()
    shown = words if len(words) >= _INFO_WORDS else [None] * _INFO_WORDS
    return {
        "address": instance.id.removeprefix("IP-"),
        "interface": shown[1],
        "netmask": _netmask(shown[3]),
    }


def _netmask(text: str | None) -> str | None:
    try:
        return str(ipaddress.IPv4Address(int(text, 16))) if text else None
    except ValueError:
        return None


def backup_interface(instance: Instance) -> str | None:
    """The interface that the address goes to when its own fails; '' if there is none, None where that is not told."""
    words = instance.info.split()
    # Behind what is known for certain; what stands elsewhere, or is no name of an interface, is something else.
    if len(words) <= _INFO_WORDS or _netmask(words[_INFO_WORDS - 1]) is None or not _NAME.fullmatch(words[_INFO_WORDS]):
        return None
    return "" if words[_INFO_WORDS].lower() == "none" else words[_INFO_WORDS]


def _backup(wanted: Member, view: View) -> Unlike | None:
    declared, found = cast("Wanted", wanted).backup or "", backup_interface(view.instances[wanted.tag])
    if found in (None, declared):
        return None
    remedy = (
        f"set it in LifeKeeper's own interface (`lkipbu -s -t {wanted.tag}` shows what the address has), or declare "
        "what is there: `lifekeeper.address.backup_interface`"
    )
    return Unlike(found or "none", declared or "none", remedy)


KIT = Kit(_create, _extend, _properties, "comm", "ip", by_hand={"backup_interface": _backup})


def refusal(previous: Wanted, wanted: Wanted) -> str | None:
    """Why this change is not made in place (`providers.contract`)."""
    return members.fixed(previous, wanted, address="`virtual_ip`")


async def observe(cluster: Cluster, wanted: Wanted) -> Observed[Wanted]:
    """The address on each node."""
    return await members.observe(cluster, wanted, KIT)


async def converge(cluster: Cluster, wanted: Wanted, observed: Observed[Wanted]) -> None:  # noqa: ARG001
    """Make it where the service runs, extend it, tie it."""
    await members.converge(cluster, wanted, KIT)
    await members.refuse_left(cluster, wanted, KIT)


async def remove(cluster: Cluster, wanted: Wanted) -> None:
    """Delete it if this site made it."""
    await removal.remove(cluster, wanted)


def lines(wanted: Wanted) -> list[Line]:
    """What would be said on fresh nodes."""
    return making.lines(wanted, KIT)
