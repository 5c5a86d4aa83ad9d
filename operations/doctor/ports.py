"""Whether what the cluster's members say to each other gets through: tried with listeners that end by themselves.

A listener of Perl, which every Debian has, takes the ports on one node; the other one knocks. It ends once everybody
has knocked, or after `LISTENS` seconds, whatever becomes of who started it. Ports that this site's own services hold
already are not tried: that they run shows more.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import permutations

from blueprint.firewall import openings
from blueprint.platforms import PLATFORMS
from blueprint.render.nftables import Opening
from blueprint.traits import traits
from declaration.firewall import Firewall
from declaration.nodes import Node as DeclaredNode
from declaration.site import Site
from operations.doctor.model import Finding
from providers.connection.cluster import Node
from providers.connection.command import Result, command, script
from providers.connection.errors import HostError

NAME = "ports"
LISTENS = 12
"""Seconds after which a listener ends in any case."""
KNOCKS = 6
"""Seconds for which the other node tries."""
_KNOWN = ("corosync", "drbd", "squid", "lk", "lcm", "nbd")
"""How programs are called that hold the cluster's ports, where systemd's unit is not told."""
_HOLDER = re.compile(r'\(\("([^"]+)"')
_UNIT = re.compile(r"\bcgroup:\S*/([^/\s]+\.service)")

# $1 seconds, then proto:address:port each. Prints `bound ENTRY` or `busy ENTRY reason`, and ends when all were asked.
_LISTEN = r"""
command -v perl >/dev/null || { echo 'no perl'; exit 0; }
exec perl -MIO::Socket::IP -MIO::Select -e '
  $| = 1; my $end = time + shift; alarm($end - time + 1); my (%name, %left); my $s = IO::Select->new;
  for (@ARGV) {
    my ($p, $a, $n) = /^(tcp|udp):(.*):(\d+)$/ or die;
    my $h = IO::Socket::IP->new(Proto => $p, LocalHost => $a, LocalPort => $n,
      Type => $p eq "tcp" ? SOCK_STREAM : SOCK_DGRAM, ($p eq "tcp" ? (Listen => 5, ReuseAddr => 1) : ()));
    if (!$h) { print "busy $_ $!\n"; next } print "bound $_\n"; $name{$h} = $_; $left{$_} = 1; $s->add($h);
  }
  while (%left && time < $end) {
    for my $h ($s->can_read(0.5)) {
      if ($name{$h} =~ /^tcp/) { my $c = $h->accept or next; print $c "here\n"; close $c }
      else { my $from = recv($h, my $x, 64, 0) or next; send($h, "here\n", 0, $from) }
      print "asked $name{$h}\n"; delete $left{$name{$h}};
    }
  }
' "$@"
"""
# $1 seconds, then proto:address:port each. Prints `through ENTRY` for those that answer.
_KNOCK = r"""
command -v perl >/dev/null || { echo 'no perl'; exit 0; }
exec perl -MIO::Socket::IP -MIO::Select -e '
  $| = 1; my $end = time + shift; alarm($end - time + 2); my %left = map { $_ => 1 } @ARGV;
  while (%left && time < $end) {
    for (sort keys %left) {
      my ($p, $a, $n) = /^(tcp|udp):(.*):(\d+)$/ or die;
      my $h = IO::Socket::IP->new(Proto => $p, PeerHost => $a, PeerPort => $n, Timeout => 1,
        Type => $p eq "tcp" ? SOCK_STREAM : SOCK_DGRAM) or next;
      if ($p eq "udp") { send($h, "who\n", 0) }
      my $x = ""; IO::Select->new($h)->can_read(0.5) and sysread($h, $x, 64);
      if ($x eq "here\n") { print "through $_\n"; delete $left{$_} }
    }
    select(undef, undef, undef, 0.2) if %left;
  }
' "$@"
"""


@dataclass(frozen=True)
class Door:
    """One port of a node that the other one must reach: ``entry`` is ``udp:192.0.2.11:5405``.

    ``spare``: the last one of a range, of which the first one is used where nothing else on the node has it.
    """

    what: str
    entry: str
    spare: bool = False


def doors(site: Site, node: DeclaredNode) -> list[Door]:
    """What the other node must reach on ``node``: what a firewall would let in from there; of a range both ends."""
    by_interface = {site.network.public.interface: str(node.address)}
    if site.network.replication is not None and node.replication_address is not None:
        by_interface[site.network.replication.interface] = str(node.replication_address)
    return [
        Door(
            f"{each.what}: {each.protocol} port {port} of {by_interface[each.interface]}",
            f"{each.protocol}:{by_interface[each.interface]}:{port}",
            spare=isinstance(each.ports, range) and port != each.ports[0],
        )
        for each in openings(site, Firewall(), node)
        if each.interface in by_interface
        for port in _tried(each)
    ]


def _tried(opening: Opening) -> Sequence[int]:
    """All of a range would take the knocker too long where packets are dropped; whoever opens it opens its ends."""
    ports = opening.ports
    return tuple(dict.fromkeys((ports[0], ports[-1]))) if isinstance(ports, range) else ports


async def between(site: Site, nodes: Mapping[str, Node]) -> list[Finding]:
    """Each node listens in turn and the others knock."""
    pairs = [(nodes[to], nodes[by]) for to, by in permutations(nodes, 2)]
    return [each for found in await asyncio.gather(*(_one_way(site, *pair) for pair in pairs)) for each in found]


async def _one_way(site: Site, to: Node, by: Node) -> list[Finding]:
    asked = doors(site, site.node(to.name))
    if not asked:
        return []
    entries = [door.entry for door in asked]
    try:
        held = await to.run(command("ss", "-Htulnp", "--cgroup", ok=None, reads=True))
        listening, knocking = await asyncio.gather(
            to.run(script(_LISTEN, str(LISTENS), *entries, ok=None, timeout=LISTENS + 5, reads=True, label="listen")),
            by.run(script(_KNOCK, str(KNOCKS), *entries, ok=None, timeout=KNOCKS + 10, reads=True, label="knock")),
        )
    except HostError as error:
        return [_finding(to, by, "note", f"the ports were not tried: {error.message}")]
    return judge(
        to.name,
        by.name,
        asked,
        Held(held.stdout, _units(site), traits(site).transient_unit_prefixes),
        listening,
        knocking,
    )


@dataclass(frozen=True)
class Held:
    """What `ss -Htulnp --cgroup` prints; the ``units`` whose processes may hold the ports, and how the names of further
    ones begin, which the engine has ``made``."""

    listed: str
    units: Collection[str]
    made: tuple[str, ...] = ()

    @property
    def told(self) -> bool:
        """Nothing at all listens on no host that was reached over SSH."""
        return bool(self.listed.strip())

    def _is_ours(self, unit: str) -> bool:
        return unit in self.units or unit.startswith(self.made)

    def holder(self, port: str) -> tuple[str, bool]:
        """The program that has a port, '' if it is the kernel; and whether it is one of the cluster's own."""
        for line in self.listed.splitlines():
            holds = any(word.rsplit(":", 1)[-1] == port for word in line.split()[3:5])
            if holds and (found := _HOLDER.search(line)):
                unit = _UNIT.search(line)
                return found[1], self._is_ours(unit[1]) if unit else found[1].startswith(_KNOWN)
        return "", True


def _units(site: Site) -> Collection[str]:
    return {PLATFORMS[site.platform].squid_unit, *traits(site).units}


def judge(to: str, by: str, asked: Sequence[Door], held: Held, listening: Result, knocking: Result) -> list[Finding]:
    """What listener and knocker saw, in findings."""
    finding = partial(Finding, check=NAME, where=f"{by} → {to}")
    if "no perl" in listening.stdout + knocking.stdout:
        return [finding(level="note", sentence="the ports were not tried: a node has no Perl")]
    busy = dict(re.findall(r"^busy (\S+) (.*)$", listening.stdout, re.MULTILINE))
    bound = set(re.findall(r"^bound (\S+)$", listening.stdout, re.MULTILINE))
    through = set(re.findall(r"^through (\S+)$", knocking.stdout, re.MULTILINE))
    found: list[Finding] = []
    for door in asked:
        if door.spare and door.entry in busy:
            continue
        if door.entry in busy:
            found.append(_busy(finding, to, door, held, busy[door.entry]))
        elif door.entry not in bound:
            sentence = f"{door.what} was not tried: {listening.stderr.strip() or 'the listener said nothing'}"
            found.append(finding(level="note", sentence=sentence))
        elif door.entry in through:
            found.append(finding(level="ok", sentence=f"{door.what} gets through"))
        else:
            level, when = ("note", ", which counts where those before it are taken") if door.spare else ("problem", "")
            remedy = f"let it in on {to}, or between the nodes; `firewall: nftables` lets it in on the node"
            found.append(finding(level=level, sentence=f"{door.what} does not get through{when}", remedy=remedy))
    return found


def _busy(finding: Callable[..., Finding], to: str, door: Door, held: Held, reason: str) -> Finding:
    """Of a port that could not be listened on."""
    address, _, port = door.entry.split(":", 1)[1].rpartition(":")
    if "requested address" in reason.lower():
        sentence = f"{door.what}: {to} does not bear the address {address}"
        remedy = "correct the node's addresses in the site's file, or set the interface up"
        return finding(level="problem", sentence=sentence, remedy=remedy)
    if not held.told:
        sentence = f"{door.what} is in use, nobody can tell by whom"
        return finding(level="problem", sentence=sentence, remedy=f"see on {to} what holds port {port}: `ss -tulnp`")
    holder, ours = held.holder(port)
    if ours:
        return finding(level="note", sentence=f"{door.what} is in use by {holder or 'the kernel'} already")
    remedy = f"stop what holds port {port} on {to}, or declare another one where the site has a setting for it"
    return finding(level="problem", sentence=f"{door.what} is taken by {holder}", remedy=remedy)


def _finding(to: Node, by: Node, level: str, sentence: str) -> Finding:
    return Finding.model_validate(
        {"check": NAME, "where": f"{by.name} → {to.name}", "level": level, "sentence": sentence}
    )
