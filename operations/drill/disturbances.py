"""What breaks a thing on a host, each with its own undo.

A disturbance on a node is armed: before it starts, a timer of systemd on that node is set to undo it, because cutting
the network also cuts the one who would undo it, and the drill itself may be killed. What a reboot undoes needs no
more; what it does not (a file on the mirror) is undone wherever it may be. One by the engine is armed in the same way,
with what the engine says of it (`Runtime.way_back`). One by the plug (see `plug`) happens outside of the nodes, and
is undone there alone: a node without power has no timer. For the power of `--power` one waits on the drill's machine
(`armed_here`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

from blueprint.platforms import PLATFORMS
from declaration.site import Site
from operations.mounted import NOT_MOUNTED, ONLY_MOUNTED
from providers.connection.command import Command, script

UNIT = "squid-ha-drill"
"""What the names of all units begin with that a drill leaves on a node for a while."""
ASIDE = f"{UNIT}-aside"
"""The unit that brings a node back which a drill has put aside."""

FILL_WITHIN = 1500.0
"""Seconds: where a filesystem cannot set room aside, it is written full."""

PlugAction: TypeAlias = Literal["power", "public network", "replication network", "disk"]


@dataclass(frozen=True)
class OnNode:
    """``start`` and ``undo`` are scripts with the same ``arguments``; ``undo`` may run twice.

    ``lasts``: seconds until the node undoes it by itself; 0: there is nothing to undo. ``cut_off``: the node cannot be
    asked meanwhile. ``delayed``: seconds until it starts, so that the command's own answer gets out; as nobody hears
    then whether it worked, ``check`` is run before. ``undone_on``: where it may have to be undone, if not only on
    ``node``; there exit code `NOT_MOUNTED` says that it was not. ``takes``: seconds for the start.
    """

    by_hand: ClassVar[str] = ""
    """What a person undoes it by who does not wait for the node, where a command of this program does."""
    waited_for: ClassVar[bool] = False
    """Whether one who interrupts it while it begins waits until it has, however long that takes."""
    name: str
    what: str
    node: str
    start: str
    undo: str = ""
    arguments: tuple[str, ...] = ()
    lasts: float = 0.0
    cut_off: bool = False
    undone_on: tuple[str, ...] = ()
    delayed: int = 0
    check: str = ""
    takes: float = 60.0

    @property
    def unit(self) -> str:
        """The timer's name."""
        return f"{UNIT}-{self.name}"

    @property
    def starting(self) -> Command:
        """What starts it."""
        return script(self.start, *self.arguments, label=f"drill: {self.what}", timeout=self.takes)

    @property
    def undoing(self) -> Command:
        """What undoes it."""
        ok = {0, NOT_MOUNTED} if self.undone_on else {0}
        return script(self.undo or ":", *self.arguments, ok=ok, label=f"drill: undo: {self.what}", timeout=120)

    @property
    def checking(self) -> Command:
        """What tells whether it can be started."""
        return script(self.check or ":", *self.arguments, label=f"drill: can it be done: {self.what}", reads=True)


@dataclass(frozen=True)
class ByPlug:
    """Power, cables or a disk, by somebody who has hold of them."""

    action: PlugAction
    what: str
    node: str
    cut_off: bool = False
    by_hand: ClassVar[str] = ""
    waited_for: ClassVar[bool] = False


@dataclass(frozen=True)
class Aside:
    """A node that the engine takes out of service, in order, and brings back.

    ``lasts``: seconds until the nodes bring it back by themselves, as the engine says how.
    """

    waited_for: ClassVar[bool] = True
    """A stop of the engine that is given up goes on on its node: who brings that back meanwhile finds it running."""
    what: str
    node: str
    lasts: float
    cut_off: bool = False

    @property
    def unit(self) -> str:
        """The timer's name."""
        return ASIDE

    @property
    def by_hand(self) -> str:
        """What a person undoes it by."""
        return f"`squid-ha node back STACK {self.node}`"


Disturbance: TypeAlias = OnNode | ByPlug | Aside


# Squid


def squid_killed(site: Site, node: str) -> OnNode:
    """Every process of Squid at once: killing only the first leaves one that serves."""
    unit = PLATFORMS[site.platform].squid_unit
    return OnNode("kill", f"Squid is killed on {node}", node, 'systemctl kill --signal=KILL "$1"', arguments=(unit,))


def squid_hung(site: Site, node: str, lasts: float) -> OnNode:
    """Every process of Squid stopped, as by a bug or a frozen disk: its connections are taken and never answered."""
    unit = PLATFORMS[site.platform].squid_unit
    return OnNode(
        "hang",
        f"Squid hangs on {node}",
        node,
        'systemctl kill --signal=STOP "$1"',
        'systemctl kill --signal=CONT "$1" 2>/dev/null || :',
        (unit,),
        lasts,
    )


# Networks

CUTS_BY = {"nft": "nftables"}
"""The command by which a network is cut, and its package."""

# $1: the interface. Not `ip link set down`: Corosync takes that for something else.
_CAN_CUT = r"""
set -eu
command -v nft >/dev/null || { echo 'nft is missing; install nftables' >&2; exit 1; }
ip link show dev "$1" >/dev/null
"""
_CUT = r"""
nft -f - <<END
table inet squid_ha_drill {}
delete table inet squid_ha_drill
table inet squid_ha_drill {
    chain in { type filter hook prerouting priority -400; policy accept; iifname "$1" drop; }
    chain out { type filter hook output priority -400; policy accept; oifname "$1" drop; }
}
END
"""
_HEAL = "nft delete table inet squid_ha_drill 2>/dev/null || :"


def network_cut(site: Site, node: str, network: Literal["public", "replication"], lasts: float) -> OnNode:
    """All packets of one network dropped on one node, in a table of nftables of the drill's own."""
    declared = site.network.replication if network == "replication" else site.network.public
    assert declared is not None  # noqa: S101 the scenario has looked
    return OnNode(
        f"cut-{network}",
        f"{node} is cut off the {network} network",
        node,
        _CAN_CUT + _CUT,
        _HEAL,
        (declared.interface,),
        lasts,
        cut_off=network == "public",
        delayed=2,
        check=_CAN_CUT,
    )


# Power

# Never in a container: there the trigger is that of the whole machine.
_NO_CONTAINER = r"""
set -eu
if systemd-detect-virt --container --quiet; then echo 'a container has no power of its own' >&2; exit 1; fi
"""
_RESET = r"""
echo 1 >/proc/sys/kernel/sysrq
echo b >/proc/sysrq-trigger
"""


def reset(node: str) -> OnNode:
    """The node starts anew at once, with nothing written or stopped: what a power cut is, but for the time without."""
    start = _NO_CONTAINER + _RESET
    return OnNode("reset", f"{node} is reset", node, start, cut_off=True, delayed=2, check=_NO_CONTAINER)


# The mirror

# $1 mount point
_FILL = r"""
set -eu
mountpoint -q -- "$1" || { echo "$1 is not mounted" >&2; exit 1; }
free=$(df --output=avail -B1 -- "$1" | tail -n 1)
fallocate -l "$free" -- "$1/.squid-ha-drill-filler" 2>/dev/null ||
    dd if=/dev/zero of="$1/.squid-ha-drill-filler" bs=1M conv=notrunc oflag=append status=none 2>/dev/null || :
[ "$(df --output=avail -B1M -- "$1" | tail -n 1)" -le 1 ] || { echo "$1 did not become full" >&2; exit 1; }
"""
# Until its journal has been written, ext3 gives the blocks to nobody else: there is no room yet.
_EMPTY = r"""
for open in /proc/[0-9]*/fd/*; do
    [ "$open" -ef "$1/.squid-ha-drill-filler" ] || continue
    process=${open#/proc/}
    kill -KILL "${process%%/*}" 2>/dev/null || :
done
rm -f -- "$1/.squid-ha-drill-filler"
sync -f -- "$1"
"""


def mirror_full(site: Site, node: str, both: tuple[str, ...], lasts: float) -> OnNode:
    """A file that takes all room that is left. Taken away wherever the mirror is mounted by then."""
    assert site.mirror is not None  # noqa: S101 the scenario has looked
    return OnNode(
        "fill",
        f"the mirror is full, on {node}",
        node,
        _FILL,
        ONLY_MOUNTED + _EMPTY,
        (site.mirror.mount_point,),
        lasts + FILL_WITHIN,
        undone_on=both,
        takes=FILL_WITHIN,
    )


# Clocks

# $1 time service, $2 seconds. The mark says how often to turn back.
_OFF = r"""
set -eu
mkdir -p /run/squid-ha
systemctl stop "$1"
touch /run/squid-ha/drill-clock
date --set="@$(($(date +%s) + $2))" >/dev/null
"""
_RIGHT = r"""
if [ -e /run/squid-ha/drill-clock ]; then
    rm -f /run/squid-ha/drill-clock
    date --set="@$(($(date +%s) - $2))" >/dev/null
fi
systemctl is-active --quiet "$1" || systemctl start "$1"
"""


def clock_off(unit: str, node: str, seconds: int, lasts: float) -> OnNode:
    """A node's clock that is ahead, with nobody who corrects it."""
    return OnNode("clock", f"the clock of {node} is {seconds} s ahead", node, _OFF, _RIGHT, (unit, str(seconds)), lasts)
