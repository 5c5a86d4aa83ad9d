"""Scripts by which LifeKeeper's Generic Application kit has this program's own agent run Squid. Pure.

The kit calls each with ``-t TAG -i ID``, which says nothing that the agent does not know. The agent is asked as
Pacemaker would: by its parameters and the operation's limit in the environment (OCF resource agent API 1.1).
"""

from __future__ import annotations

from collections.abc import Mapping

from providers.connection.command import command

_HEAD = "#!/bin/sh\n# {}. Called by LifeKeeper's Generic Application kit.\n# Managed by squid-ha.\n"


def scripts(agent: str, parameters: Mapping[str, str], *, start: int, stop: int, monitor: int) -> dict[str, str]:
    """Script → its text. ``parameters`` of the ``agent``, and its limits in seconds, after which it is ended.

    A failed quickCheck is repaired by force if need be: a Squid that hangs ends only by the agent's stop. What a new
    start has not repaired is no repair: LifeKeeper then moves the service.
    """

    def line(action: str, seconds: int) -> str:
        given = {**parameters, "CRM_meta_timeout": str(seconds * 1000)}
        words = [f"OCF_RESKEY_{name}={value}" for name, value in given.items()]
        return command("timeout", "--kill-after=5", str(seconds), "env", *words, agent, action).shell()

    started, stopped, asked = line("start", start), line("stop", stop), line("monitor", monitor)
    return {
        "restore": f"{_HEAD.format('Starts Squid, and waits until it answers')}exec {started}\n",
        "remove": f"{_HEAD.format('Stops Squid, by force where it does not end')}exec {stopped}\n",
        "quickCheck": f"{_HEAD.format('Asks Squid for an answer')}exec {asked}\n",
        "recover": f"{_HEAD.format('Starts Squid anew')}{stopped} || exit\n{started} || exit\nexec {asked}\n",
    }
