"""The running cluster: read configuration and state from a node that knows them, push a change as a patch.

Nobody else's change is lost: what is pushed is the difference between the configuration just read and the new one, and
where that no longer fits, everything is read again and the change is made anew.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from providers.connection.answers import NotUnderstood
from providers.connection.cluster import Cluster, Node
from providers.connection.command import Command, command, script
from providers.connection.errors import (
    SILENT,
    CommandFailed,
    HostError,
    NotVerified,
    Refused,
    SudoRefused,
    TimedOut,
    Unknown,
    in_a_line,
)
from providers.pacemaker import monitor
from providers.pacemaker.cib import Cib
from providers.pacemaker.monitor import Monitor

ATTEMPTS = 4
NOT_CONNECTED = frozenset({102, 107, 111})
"""Exit codes of Pacemaker's tools where the cluster does not run on a node (crm_error(8): "Not connected")."""
_UNFIT = 91
_INVALID = 92

_PUSH = r"""
set -eu
umask 077
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
head -c "$1" >old.xml
cat >new.xml
# Input that ended early (the connection broke) looks like input that is complete.
[ "$(stat -c %s new.xml)" -eq "$3" ] || { echo 'input ended early' >&2; exit 1; }
# Warnings have the same exit code as errors.
if [ "$2" = verify ] && ! crm_verify -V --xml-file new.xml 2>new.err && grep -q 'Errors found' new.err; then
    crm_verify -V --xml-file old.xml 2>old.err || :
    if grep -vxFf old.err new.err >&2; then exit 92; fi
fi
code=0
crm_diff --original old.xml --new new.xml --no-version >patch.xml || code=$?
case $code in
    0) exit 0 ;;
    1) ;;
    *) exit "$code" ;;
esac
cibadmin --patch --xml-file patch.xml || { cibadmin --query --scope crm_config >/dev/null && exit 91; exit 90; }
"""


@dataclass(frozen=True)
class Live:
    """One reading of the cluster through ``node``."""

    node: Node
    cib: Cib
    monitor: Monitor


def query() -> Command:
    """The whole configuration as this node knows it."""
    return command("cibadmin", "--query", ok={0, *NOT_CONNECTED}, timeout=60, reads=True)


async def read(cluster: Cluster) -> Live:
    """Configuration and state from the first node that runs Pacemaker in a partition with quorum.

    Raises `Unknown` where there is none: a stopped cluster says nothing about its configuration; `SudoRefused` where no
    node lets anybody be root, `NotUnderstood` where all print something else than is known here.
    """
    reasons: list[HostError] = []
    for node in cluster.nodes.values():
        try:
            return await _told(node)
        except (*SILENT, CommandFailed, Unknown) as error:
            # One node's trouble is no reason not to ask the other: that is what there are two for.
            reasons.append(error)
    for alike in (SudoRefused, NotUnderstood):
        if reasons and all(isinstance(reason, alike) for reason in reasons):
            raise reasons[0]
    answered = any(not isinstance(reason, SILENT) for reason in reasons)
    raise Unknown(
        "no node can tell what the cluster is doing: " + "; ".join(map(in_a_line, reasons)),
        # Why a node could not be asked says itself what to do.
        remedy="start the cluster on the nodes, or wait until they see each other, and run this again"
        if answered
        else "",
    )


async def _told(node: Node) -> Live:
    """What one node knows. Raises `Unknown` where that does not count for the cluster, or is not understood."""
    configuration, state = await node.batch([query(), monitor.query()])
    if configuration.exit_code != 0 or state.exit_code != 0:
        raise Unknown("Pacemaker does not run", node=node.name)
    try:
        live = Live(node, Cib.parse(configuration.stdout), monitor.parse(state.stdout, configuration.stdout))
    except monitor.Starting as error:
        raise Unknown(str(error), node=node.name) from error
    except ValueError as error:
        raise NotUnderstood(f"what the cluster says ({error})", node=node.name) from error
    if not (live.monitor.quorate and live.cib.quorate):
        raise Unknown("its part of the cluster has no quorum or no coordinator yet", node=node.name)
    return live


async def settled_quorum(cluster: Cluster, limit: float = 90) -> Live:
    """Like `read`, but waits up to ``limit`` seconds for a coordinator: it may be elected just now."""
    deadline = time.monotonic() + limit
    while True:
        try:
            return await read(cluster)
        except Unknown:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(1)


async def change(
    cluster: Cluster, edit: Callable[[Live], Cib], *, live: Live | None = None, verify: bool = True
) -> Live:
    """Push ``edit`` of the configuration just read; returns the reading that the change was made on.

    ``edit`` may raise to refuse; where it changes nothing, nothing is sent. ``live`` saves the first reading.
    ``verify=False`` leaves `crm_verify` out: for taking things away, where what remains may well be incomplete.
    Raises `Refused` where Pacemaker finds a fault in the new configuration that the old one had not.
    """
    for _ in range(ATTEMPTS):
        current = live if live is not None else await settled_quorum(cluster)
        live = None
        changed = edit(current)
        old, new = current.cib.text(), changed.text()
        if old == new or await _pushed(current.node, old, new, verify=verify):
            return current
        cluster.progress("The cluster's configuration changed meanwhile; reading it again")
    raise NotVerified(
        f"the cluster's configuration changed under our hands {ATTEMPTS} times in a row",
        remedy="find out what else is writing to it, and run this again",
    )


async def _pushed(node: Node, old: str, new: str, *, verify: bool) -> bool:
    before, after = old.encode(), new.encode()
    push = script(
        _PUSH,
        str(len(before)),
        "verify" if verify else "trust",
        str(len(after)),
        stdin=before + after,
        ok={0, _UNFIT, _INVALID},
        timeout=120,
        label="crm_verify, crm_diff and cibadmin --patch",
    )
    result = await node.run(push)
    if result.exit_code == _INVALID:
        raise Refused(
            "Pacemaker finds the new configuration at fault, so it was not loaded:\n"
            + "\n".join(f"    {line}" for line in result.stderr.strip().splitlines()[-5:]),
            node=node.name,
            remedy="correct the declaration; nothing was changed",
        )
    return result.exit_code == 0


async def wait(
    cluster: Cluster,
    condition: Callable[[Live], bool],
    *,
    limit: float,
    doing: str,
    give_up: Callable[[Live], HostError | None] = lambda _live: None,
    live: Live | None = None,
) -> Live:
    """Read until ``condition`` holds, at most ``limit`` seconds; ``doing`` says in a progress line what for.

    ``give_up`` may return an error to raise at once where waiting on is pointless; ``live`` saves the first reading.
    """
    started = time.monotonic()
    shown = started
    while True:
        asked = time.monotonic()
        if live is None:
            live = await settled_quorum(cluster, limit=max(5.0, limit - (asked - started)))
        took = time.monotonic() - asked
        if condition(live):
            return live
        hopeless = give_up(live)
        if hopeless is not None:
            raise hopeless
        now = time.monotonic()
        if now - started > limit:
            raise TimedOut(
                f"gave up after {limit:.0f} s: {doing}",
                remedy="see `crm_mon -1rf` on a node for what the cluster is doing, and run this again",
            )
        if now - shown > PROGRESS:
            cluster.progress(f"{doing} ({now - started:.0f} s)")
            shown = now
        live = None
        await asyncio.sleep(pause(took))


def pause(took: float) -> float:
    """Seconds until asking again, after a reading that took so long: asking must not slow down what is waited for."""
    return min(max(1.0, 2 * took), 5.0)


PROGRESS = 8.0
"""Seconds between progress lines of a wait."""


async def settle(node: Node, limit: float) -> bool:
    """Wait until the cluster plans nothing more, at most ``limit`` seconds; False where it still does."""
    seconds = max(5, round(limit))
    try:
        result = await node.run(
            command("crm_resource", "--wait", f"--timeout={seconds}", ok={0, 124, 62}, timeout=seconds + 30, reads=True)
        )
    except CommandFailed as failure:
        if failure.exit_code in NOT_CONNECTED:
            return False
        raise
    return result.exit_code == 0
