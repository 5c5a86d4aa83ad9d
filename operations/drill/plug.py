"""Somebody outside of the nodes who has hold of their power, cables and disks, and perhaps of clients.

On a production site that is at most a command for the power (``--power COMMAND``, see `CommandPlug`), such as one
around `ipmitool`. A lab has all of it: its own object, named on the command line (``--plug MODULE:NAME``).
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import shlex
import shutil
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, cast

from declaration.site import Site
from operations.drill.armed_here import ArmedHere, arm
from operations.drill.clients import Clients
from operations.drill.disturbances import PlugAction
from operations.drill.interruptible import to_its_end
from providers.connection.errors import Refused

POWER_WITHIN = 60.0
_REMEDY = "see what `--power` names"
_HOLD = '"$@"; exit $?'


class Plug(Protocol):
    """What can be done to nodes from outside. ``can`` names the actions; the others are never asked for."""

    @property
    def can(self) -> frozenset[PlugAction]:
        """The actions that this plug knows."""
        ...

    @property
    def disposable(self) -> bool:
        """Whether the hosts are there to be broken, so that nobody has to say that he knows."""
        ...

    def mismatch(self, site: Site) -> str:
        """Why the hosts that this plug has hold of are not those of ``site``; empty where they are."""
        ...

    async def take(self, action: PlugAction, node: str) -> None:
        """Take it away: the power, a cable, or have the mirror's disk finish no write. Raises `HostError`."""
        ...

    async def give(self, action: PlugAction, node: str) -> None:
        """Give it back; nothing where it is there. Raises `HostError`."""
        ...

    def clients(self, run: str, rate: float) -> Clients | None:
        """Clients behind the proxy, if this plug has some."""
        ...

    def machine(self) -> str:
        """What the hosts run on, in words for the report. Asked once, in a thread of its own. Raises `HostError`."""
        ...


@dataclass(frozen=True)
class NoPlug:
    """Nobody."""

    can: frozenset[PlugAction] = frozenset()
    disposable: bool = False

    def mismatch(self, site: Site) -> str:  # noqa: ARG002
        """No host is had hold of, or who names the command answers for it."""
        return ""

    async def take(self, action: PlugAction, node: str) -> None:
        """There is nobody who could."""
        raise Refused(f"nobody has hold of the {action} of this node", node=node)

    async def give(self, action: PlugAction, node: str) -> None:
        """There is nobody who could."""
        raise Refused(f"nobody has hold of the {action} of this node", node=node)

    def clients(self, run: str, rate: float) -> Clients | None:  # noqa: ARG002
        """None."""
        return None

    def machine(self) -> str:
        """Nothing is known of it."""
        return ""


@dataclass(frozen=True)
class CommandPlug(NoPlug):
    """The power by a command, run here as ``COMMAND off NODE`` and ``COMMAND on NODE``; exit code 0: done.

    Before a node is switched off, a process on this machine is armed that switches it on should the drill be gone.
    """

    command: str = ""
    can: frozenset[PlugAction] = frozenset({"power"})
    _armed: dict[str, ArmedHere] = field(default_factory=dict[str, ArmedHere], repr=False, compare=False)

    async def take(self, action: PlugAction, node: str) -> None:  # noqa: ARG002 there is only one
        """Arm that it is switched on, then switch a node off."""
        argv = self._words("off", node)
        if shutil.which(argv[0]) is None:
            raise Refused(f"`{shlex.join(argv)}` cannot be run: there is no such program", remedy=_REMEDY)
        if node not in self._armed:
            self._armed[node] = arm(self._words("on", node), f"{node} without power")
        # Also held by what switches off: a drill that is killed meanwhile has the power come back after it has gone.
        await self._run("off", node, self._armed[node].held)

    async def give(self, action: PlugAction, node: str) -> None:  # noqa: ARG002 there is only one
        """Switch a node on, and disarm; where it cannot be switched on, what is armed tries when the drill ends."""
        await self._run("on", node)
        if armed := self._armed.pop(node, None):
            await armed.disarm()

    def _words(self, word: str, node: str) -> list[str]:
        return [*shlex.split(self.command), word, node]

    async def _run(self, word: str, node: str, *held: int) -> None:
        """To its end, also when called off: power that is still to go off would be on when that is undone."""
        await to_its_end(self._run_to_its_end(self._words(word, node), held))

    async def _run_to_its_end(self, argv: Sequence[str], held: Sequence[int]) -> None:
        try:
            # A shell holds what is to be held, because the command may close it at once, as ssh does; and in a session
            # of its own, Ctrl-C at a terminal reaches neither.
            process = await asyncio.create_subprocess_exec(
                *("/bin/sh", "-c", _HOLD, "sh", *argv),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                pass_fds=held,
                start_new_session=True,
            )
        except OSError as error:
            raise Refused(f"`{shlex.join(argv)}` cannot be run: {error}", remedy=_REMEDY) from None
        try:
            async with asyncio.timeout(POWER_WITHIN):
                said, _ = await process.communicate()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
            raise Refused(f"`{shlex.join(argv)}` took longer than {POWER_WITHIN:g} s", remedy=_REMEDY) from None
        if process.returncode:
            last = " / ".join(said.decode(errors="replace").strip().splitlines()[-3:])
            raise Refused(f"`{shlex.join(argv)}` ended with exit code {process.returncode}: {last}", remedy=_REMEDY)


def load(name: str) -> Plug:
    """The object that ``MODULE:NAME`` names. Raises `Refused` where there is none, or one that would fit any site."""
    module, _, attribute = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute or "plug")
    except (ImportError, AttributeError, ValueError) as error:
        raise Refused(
            f"--plug: `{name}` names no object: {error}", remedy="MODULE:NAME, as in `lab.plug:plug`"
        ) from None
    if not callable(getattr(found, "mismatch", None)):
        raise Refused(
            f"--plug: `{name}` cannot tell whether its hosts are those of a site",
            remedy="give it `mismatch(site)`, see operations/drill/plug.py",
        )
    return cast("Plug", found)
