"""Whether somebody else has the virtual IP."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from declaration.nodes import Node
from declaration.site import Site
from operations.doctor.model import Asked, Finding
from providers.connection.command import TIMED_OUT, Command, Result, script
from providers.host import facts

NAME = "virtual-ip"
LIMIT = 10.0
"""Seconds that asking may take."""

# $1 address. A host that refuses pings still answers who has the address, and that is in the neighbours' table then;
# what the kernel remembers from before is forgotten first. Ends with 0 where the question went out: that nobody
# answers (1) is an answer.
_LOOK = r"""
ip neighbour flush to "$1" 2>/dev/null
ping -n -c 1 -W 1 "$1" >/dev/null
asked=$?
[ "$asked" -ne 0 ] || echo answers
ip neighbour show to "$1" || exit
[ "$asked" -le 1 ] || exit "$asked"
"""


def commands(site: Site, node: Node) -> Sequence[Command]:  # noqa: ARG001
    """Ask who has it, and see what is on the node itself."""
    if site.virtual_ip is None:
        return []
    return [script(_LOOK, str(site.virtual_ip), timeout=LIMIT, reads=True, label="look who has it"), facts.ADDRESSES]


def judge(asked: Asked) -> Iterator[Finding]:
    """On one of the nodes it may be this site's own; elsewhere it is somebody's. Nobody asked is nothing found."""
    address = str(asked.site.virtual_ip)
    all_of = {asked.node.name: asked.results, **asked.others}
    unread = [name for name, results in all_of.items() if results[1].exit_code != 0]
    holders = _holders(address, {name: results[1] for name, results in all_of.items() if name not in unread})
    taken = "answers" in asked.out[0].split() or "lladdr" in asked.out[0]
    if len(holders) > 1 and (asked.ours or asked.site.takeover):
        yield _several(asked, address, holders)
    elif holders and asked.ours:
        yield asked.ok(NAME, f"{address} is on {' and '.join(holders)}, which this stack owns")
    elif asked.node.name in holders and asked.site.takeover:
        yield asked.note(
            NAME,
            f"{address} is on this node already; `takeover: true` accepts that",
            "see that the service which is taken over has put it there, and not the node's network configuration",
        )
    elif asked.node.name in holders:
        yield asked.problem(
            NAME,
            f"{address} is on this node already",
            "take it off its network configuration, because the engine puts it there (or see `squid-ha adopt`)",
        )
    elif holders:
        yield asked.ok(NAME, f"{address} is on {' and '.join(holders)}")
    else:
        yield _elsewhere(asked, address, taken=taken, unread=unread)


def _holders(address: str, told: Mapping[str, Result]) -> list[str]:
    return [name for name, result in told.items()
            if any(address in each for each in facts.parse_addresses(result.stdout).values())]  # fmt: skip


def _several(asked: Asked, address: str, holders: Sequence[str]) -> Finding:
    """One node serves at a time: which of them, the doctor does not know."""
    return asked.problem(
        NAME,
        f"{address} is on {' and '.join(holders)} at the same time",
        f"see which node serves: `squid-ha status {asked.stack}`; on the other one take it off (`ip address del`) and "
        "out of its network configuration; if both serve, see docs/runbook.md, Split brain",
    )


def _elsewhere(asked: Asked, address: str, *, taken: bool, unread: Sequence[str]) -> Finding:
    """No node that could tell has it."""
    if unread:
        whose = " and ".join(unread)
        answer = "somebody has" if taken else "nobody can tell who has"
        return asked.note(
            NAME, f"{answer} {address}; the addresses of {whose} could not be read", "see there: `ip address`"
        )
    if taken and asked.unasked:
        whose = " and ".join(asked.unasked)
        return asked.problem(
            NAME,
            f"somebody has {address}, and {whose} was not asked whether it is there",
            "see why (it does not answer, or is declared away), and look there: `ip address`; if it is not there, "
            "`ip neighbour` shows the hardware address of who has it",
        )
    if taken:
        return asked.problem(
            NAME,
            f"another host has {address}",
            "find it (`ip neighbour` shows its hardware address), or declare a free address",
        )
    if asked.results[0].exit_code != 0:
        return asked.note(
            NAME,
            f"whether another host has {address} could not be asked: {_why(asked.results[0])}",
            f"ask for it yourself, from a host in its network: `ping {address}`, then `ip neighbour`",
        )
    return asked.ok(NAME, f"{address} is free")


def _why(result: Result) -> str:
    # The last line: what comes before it may be about something else.
    said = result.stderr.strip().splitlines()[-1:]
    if said:
        return said[0]
    if result.exit_code == TIMED_OUT:
        return f"it took longer than {LIMIT:g} s"
    return f"`{result.command}` ended with exit code {result.exit_code}"
