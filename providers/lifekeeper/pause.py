"""LifeKeeper's checks paused on a node while its packages change: what a package's script stops has not failed.

With LKCHECKINTERVAL=0 LifeKeeper checks nothing of what is in service on this node, and neither repairs nor moves it.
A node that is lost is taken over as ever: that is the heartbeat's. The interval is read by lkcheck when it starts, and
LifeKeeper starts that again whenever it ends: from then on no further check begins. One that is under way has the
seconds until apt runs the first script. What was set before is in the journal from before it is changed until after it
is set back. A LifeKeeper that is stopped (`squid-ha maintenance on`, a node aside) is left as it is.

Facts: SIOS's manuals, *Maintaining a LifeKeeper Protected System*.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from functools import partial

from providers.connection.cluster import Cluster, Node
from providers.connection.command import script
from providers.connection.errors import HostError, Refused
from providers.host import foreign_file
from providers.host.foreign_file import ForeignFile
from providers.lifekeeper import defaults
from providers.pauses import Leave

MARK = "pending-checks"
"""Under it stands what was set: what comes behind the ``=``, or nothing where no line sets it."""
PAUSED = "0"

_RUNS = script(
    "/opt/LifeKeeper/bin/lktest >/dev/null 2>&1 || exit 0\n"
    "command -v killall >/dev/null || command -v pkill >/dev/null && echo runs || echo runs, no killall",
    label="lktest, where LifeKeeper is installed",
    reads=True,
)
# The manuals say killall; every Debian has pkill. Without one to end there is none that has read anything.
_READ_ANEW = script(
    "if command -v killall >/dev/null; then killall lkcheck; else pkill -x lkcheck; fi",
    ok=None,
    label="killall lkcheck",
)
_KEY = rf"^([ \t]*(?:export[ \t]+)?{defaults.INTERVAL}=)"
_SET = re.compile(_KEY + r"(.*)$", re.MULTILINE)
_LINE = re.compile(_KEY + r".*\n?", re.MULTILINE)


def interval(text: str) -> str:
    """What a file of settings sets, as it stands there; the last line counts, and '' is none."""
    found = _SET.findall(text)
    return found[-1][1] if found else ""


def is_paused(text: str) -> bool:
    """Whether it is set so that nothing is checked, in quotes or not, with a comment behind it or not."""
    return defaults.values(text).get(defaults.INTERVAL) == PAUSED


def changed(text: str, value: str) -> str:
    """``text`` with this set instead, or nothing where it is ''; all else stays as it is, in its place."""
    if not value:
        return _LINE.sub("", text)
    if _SET.search(text):
        return _SET.sub(lambda match: match[1] + value, text)
    end = "" if text.endswith("\n") or not text else "\n"
    return f"{text}{end}{defaults.INTERVAL}={value}\n"


async def enter(cluster: Cluster, names: Sequence[str]) -> Leave:
    """Pause the checks on those of the nodes where LifeKeeper runs. Raises `Refused` where that cannot be done."""
    told = await cluster.each(lambda node: node.run(_RUNS), names)
    running = [name for name, result in told.items() if result.stdout.strip()]
    for name in running:
        if told[name].stdout.strip() != "runs":
            raise Refused(
                "LifeKeeper's checks cannot be paused while packages change: neither killall nor pkill is installed",
                node=name,
                remedy="install psmisc there, which has it, then run again",
            )
    found = await cluster.each(lambda node: foreign_file.read(node, defaults.PATH), running)
    try:
        await cluster.each(lambda node: _pause(cluster, node, found[node.name]), running)
    except HostError:
        with contextlib.suppress(HostError):
            await leave(cluster)
        raise
    return partial(leave, cluster)


async def leave(cluster: Cluster) -> None:
    """Set on each node what its journal says was set; what somebody else has set meanwhile stays.

    A node that does not answer keeps no other without its checks.
    """
    await cluster.each(lambda node: _resume(cluster, node))


give_up = leave


async def _pause(cluster: Cluster, node: Node, file: ForeignFile) -> None:
    before, journal = interval(file.text), cluster.journal(node)
    # Paused already, it is so by a run that was cut off, whose mark counts; else somebody has set it since.
    await (journal.record if before == PAUSED else journal.put)({MARK: before})
    cluster.progress(f"{node.name}: LifeKeeper checks nothing while packages change; the service runs on")
    await file.write(node, changed(file.text, PAUSED))
    await node.run(_READ_ANEW)


async def _resume(cluster: Cluster, node: Node) -> None:
    journal = cluster.journal(node)
    before = (await journal.entries()).get(MARK)
    if before is None:
        return
    file = await foreign_file.read(node, defaults.PATH)
    if is_paused(file.text):
        await file.write(node, changed(file.text, before))
    # Also where it is set back already: a run may have been cut off just before this.
    await node.run(_READ_ANEW)
    await journal.drop([MARK])
