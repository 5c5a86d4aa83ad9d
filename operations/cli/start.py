"""`squid-ha start --alone`: start one node of a pair whose other one is off."""

from __future__ import annotations

from typing import Annotated

import typer

from operations.cli._act import run
from operations.cli._arguments import AsJson, NodeName, StackName, pair_of
from operations.cli._console import tell
from operations.trouble import Misused


def command(
    stack: StackName,
    node: NodeName,
    alone: Annotated[bool, typer.Option("--alone", help="Required: start without the other node.")] = False,
    peer_is_off: Annotated[
        bool,
        typer.Option("--peer-is-off", help="Confirm that the other node is off, instead of being asked (for scripts)."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Start the service on one node alone, after both nodes were off.

    Only a person can know that the other one is still off. A node that starts by itself waits until it has seen the
    other one, which might run the service where this one cannot see it. Refused where the other one answers or the
    cluster sees it, or the mirror's half here is behind.
    """
    from operations.actions import refuse_peer, start_alone
    from operations.cli._ask import typed
    from providers.connection.errors import Refused

    if not alone:
        raise Misused("a pair starts by itself as soon as both nodes are on; `--alone` starts one without the other.")
    hosts = pair_of(stack, node)
    if any(each.name == node and each.away for each in hosts.site.nodes):
        raise Refused(
            f"{node} is declared away, so nothing is started on it",
            remedy="if it is back, take `away: true` out of its stack file and run `pulumi up` first",
        )
    others = " and ".join(each.name for each in hosts.site.nodes if each.name != node)
    everybody = hosts.everybody(progress=tell)
    hosts.run(refuse_peer(everybody, node))
    if not peer_is_off:
        question = (
            f"{others} does not answer over SSH. That does not prove that it is off: it may be running the service\n"
            "unseen. Both nodes would then write to their half of the mirror, and one log would be lost.\n"
            f"Check {others} itself, or its power. Start only the node that ran the service last: what the other\n"
            f"one recorded after it would be lost otherwise. Is {others} off?"
        )
        typed(question, f"{others} is off", "--peer-is-off")
    done = f"{node} runs the service alone; {others} joins it when it is on again."
    run(
        hosts,
        "start alone",
        lambda _, cluster: start_alone(cluster, hosts.site, node, everybody),
        done,
        node=node,
        as_json=as_json,
    )
