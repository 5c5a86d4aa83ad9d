"""Scripts by which LifeKeeper's Generic Application kit has this program's own agent run Squid. Pure.

The kit calls each with ``-t TAG -i ID``, which says nothing that the agent does not know. The agent is asked as
Pacemaker would: by its parameters and the operation's limit in the environment (OCF resource agent API 1.1).
"""

from __future__ import annotations

from collections.abc import Mapping

from providers.connection.command import command

_HEAD = "#!/bin/sh\n# {}. Called by LifeKeeper's Generic Application kit.\n# Managed by squid-ha.\n"


def scripts(agent: str, parameters: Mapping[str, str], *, start: int, stop: int, monitor: int) -> dict[str, str]:
    """Script → its text. ``parameters`` of the ``agent``, and its limits in seconds.

    A failed quickCheck is repaired by force if need be: a Squid that hangs ends only by the agent's stop.
    """

    def line(action: str, seconds: int) -> str:
        given = {**parameters, "CRM_meta_timeout": str(seconds * 1000)}
        words = [f"OCF_RESKEY_{name}={value}" for name, value in given.items()]
        return command("env", *words, agent, action).shell()

    started, stopped = line("start", start), line("stop", stop)
    return {
        "restore": f"{_HEAD.format('Starts Squid, and waits until it answers')}exec {started}\n",
        "remove": f"{_HEAD.format('Stops Squid, by force where it does not end')}exec {stopped}\n",
        "quickCheck": f"{_HEAD.format('Asks Squid for an answer')}exec {line('monitor', monitor)}\n",
        "recover": f"{_HEAD.format('Starts Squid anew')}{stopped} || exit\nexec {started}\n",
    }
