"""Verifying a site: its service, a client's request and its records, on wish a move there and back, the clocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from blueprint.platforms import PLATFORMS
from declaration.site import Site
from operations.actions.do import hold
from operations.proof import Proof
from operations.proof.model import DENIED
from operations.status import read_status
from operations.trouble import Misused
from operations.verify import clocks
from operations.verify.model import Check, Report
from operations.verify.requests import HERE, FromHere, FromNode, Sender, Target
from operations.verify.walk import Walk
from providers.connection.cluster import Cluster
from providers.connection.command import command
from providers.connection.errors import HostError, Refused
from providers.host.systemd import read_units

_TRIED_FOR = 5.0
"""Seconds after which the proxy counts as not reached from here."""


@dataclass(frozen=True)
class Options:
    """``sender`` is `here`, a node's name, or empty: here, and from a node only if the proxy does not serve here.

    ``url`` is the page to ask for, empty for the default (`default_url`); ``requests`` go out at each stand.
    """

    sender: str = ""
    url: str = ""
    requests: int = 5
    move: bool = False


async def verify(cluster: Cluster, site: Site, stack: str, options: Options) -> Report:
    """All checks of the site's phase; a move that fails, and where it left the service, come before the clocks.

    With a move, nobody else writes meanwhile. A node that cannot be asked is a failed check. Raises `Misused` for a
    sender that there is not, `Refused` where there is nowhere to move to, `HostError` where nobody can tell of the
    service, `Locked`.
    """
    require_sender(cluster, options.sender)
    if options.move:
        await hold(cluster)
    checks, active = await service_checks(cluster, site)
    proof: Proof | None = None
    if active is not None:
        targets = [_second(site, active), active] if options.move else []
        walk = await start(cluster, site, active, options)
        with walk.telling():
            await walk.ask(active, options.requests)
            if await _moved(walk, targets, options.requests):
                proof = await walk.proof(active)
            await walk.whereabouts()
        checks += walk.checks
    checks += (await clocks.look(cluster, site))[0]
    return Report(stack=stack, phase=site.phase, checks=checks, proof=proof)


async def _moved(walk: Walk, targets: Sequence[str], requests: int) -> bool:
    for target in targets:
        if not await walk.move(target):
            return False
        await walk.ask(target, requests)
    return True


async def service_checks(cluster: Cluster, site: Site) -> tuple[list[Check], str | None]:
    """Whether the service runs as a whole, and the mirror is the same on both nodes; and where it runs, if it does."""
    if site.virtual_ip is None:
        return await _single(cluster, site)
    status = await read_status(cluster, site)
    active = status.tree.active
    whole = status.whole and active in cluster.nodes
    if whole:
        seen = f"runs on {active}"
    elif status.whole:
        seen = f"runs on {active}, which is declared away, so that it cannot be asked; declare it back"
    else:
        seen = "does not run as a whole on any node; see `squid-ha status`"
    checks = [Check(name="service", where=active or "-", passed=whole, seen=seen)]
    for name, view in status.mirror.items():
        told = f"{view.role or 'no mirror'}, data here {view.data or '-'}, there {view.peer_data or '-'}"
        good = view.up_to_date and view.peer_up_to_date
        checks.append(Check(name="mirror", where=name, passed=good, seen=view.trouble or told))
    return checks, active if whole else None


def require_sender(cluster: Cluster, sender: str) -> None:
    """Raises `Misused` for a node that is not there, before anything is asked."""
    if sender and sender != HERE and sender not in cluster.nodes:
        raise Misused(
            f"--from: `{sender}` is no node of this site that can be asked; {HERE}, or {', '.join(cluster.nodes)}."
        )


async def start(cluster: Cluster, site: Site, active: str, options: Options) -> Walk:
    """A walk with a sender that gets through, as far as there is one. Raises `Misused` for a node that is not there."""
    require_sender(cluster, options.sender)
    target = _target(site, active, options)
    if options.sender and options.sender != HERE:
        return Walk(cluster, site, FromNode(cluster.nodes[options.sender]), target)
    here = Walk(cluster, site, FromHere(), target)
    if options.sender == HERE or await _gets_through(FromHere(timeout=_TRIED_FOR), target, here.run):
        return here
    node = await _standby_or(cluster, active)
    cluster.progress(f"{target} does not serve this machine, so requests are sent from {node}")
    return Walk(cluster, site, FromNode(cluster.nodes[node]), target)


async def _standby_or(cluster: Cluster, active: str) -> str:
    """The standby node; the active one where there is none, or it does not answer."""
    for name in (each for each in cluster.nodes if each != active):
        try:
            await cluster.nodes[name].run(command("true", reads=True))
        except HostError:
            continue
        return name
    return active


def _target(site: Site, active: str, options: Options) -> Target:
    address = site.virtual_ip or site.node(active).address
    # Where nothing better is declared, the page is the first node's own.
    own = "" if options.url or _declared_url(site) or site.network.public.reachable else site.nodes[0].name
    return Target(str(address), site.squid.port, options.url or default_url(site), own)


def default_url(site: Site) -> str:
    """The page that the site declares, else the address that it calls reachable: a web server is likely near it.

    Where neither is declared, the first node itself.
    """
    if declared := _declared_url(site):
        return declared
    reachable = [str(each) for each in site.network.public.reachable]
    host = reachable[0] if reachable else str(site.nodes[0].address)
    return f"http://[{host}]/" if ":" in host else f"http://{host}/"


def _declared_url(site: Site) -> str | None:
    return site.drill.url or site.squid.probe_url


def other(site: Site, active: str) -> str | None:
    """The node to move to; None where there is none, or it is declared away."""
    return next((node.name for node in site.nodes if node.name != active and not node.away), None)


def _second(site: Site, active: str) -> str:
    found = other(site, active)
    if found is None:
        names = " and ".join(node.name for node in site.nodes if node.away)
        why = f"{names} is declared away" if names else "there is no second node"
        raise Refused(f"{why}, so there is nowhere to move the service to", remedy="leave out --move")
    return found


async def _gets_through(sender: Sender, target: Target, run: str) -> bool:
    """One request ahead, which is not counted: its name is none of the run's."""
    (first,) = await sender.send(target, [f"{run}x-0"])
    return first.status not in (None, DENIED)


async def _single(cluster: Cluster, site: Site) -> tuple[list[Check], str | None]:
    name = site.nodes[0].name
    unit = PLATFORMS[site.platform].squid_unit
    found = (await read_units(cluster.nodes[name], [unit]))[unit]
    good = found.state == "active" and found.enabled == "enabled"
    seen = f"{unit} is {found.active}, {found.enabled or 'not installed'} at boot"
    return [Check(name="service", where=name, passed=good, seen=seen)], name if found.state == "active" else None
