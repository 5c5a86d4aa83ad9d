"""`squid-ha verify`: what one checks by hand after a change. `squid-ha verify rotation`: the mirror's logs rotated."""

from __future__ import annotations

from typing import Annotated

import typer

from operations.cli._arguments import senders_of, words_before
from operations.cli._console import out, tell
from operations.cli._exit import DIFFERS
from operations.project import stack_names
from operations.trouble import Misused

ROTATION = "rotation"


def _words() -> list[str]:
    return [ROTATION, *stack_names()]


def _senders(context: typer.Context) -> list[str]:
    before = words_before(context, "words")
    return senders_of(_what(before)[1] if before else "")


def _what(words: list[str]) -> tuple[bool, str]:
    """Whether only the rotation is meant, and the stack. A stack may be called `rotation` too."""
    if len(words) > 1 and words[0] == ROTATION:
        return True, words[1]
    return False, words[0]


def command(
    words: Annotated[
        list[str],
        typer.Argument(
            help="The site's stack; with `rotation` before it, the rotation of its mirror's logs is verified.",
            metavar="[rotation] STACK",
            autocompletion=_words,
        ),
    ],
    sender: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="here|NODE",
            autocompletion=_senders,
            help="Where requests come from. Without it: from here, or from a node if the proxy does not serve here.",
        ),
    ] = "",
    url: Annotated[
        str, typer.Option(help="A page to ask the proxy for, such as http://192.0.2.1/; its path is left out.")
    ] = "",
    requests: Annotated[int, typer.Option(min=1, max=1000, help="How many requests are sent at a time.")] = 5,
    move: Annotated[bool, typer.Option("--move", help="Move the service to the other node and back.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Send requests through the proxy and find their records in its logs; with --move, after each move too.

    Then the clocks. `verify rotation` rotates the mirror's logs on each node in turn, moving the service there and
    back. Exit code 3 unless every check passed.
    """
    from operations.site import hosts_of
    from operations.verify import Options, render, verify, verify_rotation
    from operations.verify.requests import require_url
    from providers.connection.errors import Refused

    rotation, stack = _what(words)
    if len(words) > 1 + rotation:
        raise Misused(f"one stack at a time: `{'`, `'.join(words[1 + rotation :])}` is too much.")
    if url:
        require_url(url)
    hosts = hosts_of(stack)
    if (move or rotation) and hosts.site.virtual_ip is None:
        raise Refused(f"stack `{stack}` has a single node, so there is nowhere to move to.")
    cluster = hosts.cluster(progress=tell)
    options = Options(sender=sender, url=url, requests=requests, move=move)
    if rotation:
        report = hosts.run(verify_rotation(cluster, hosts.site, stack, hosts.owner, options))
    else:
        report = hosts.run(verify(cluster, hosts.site, stack, options))
    if as_json:
        out.document(report.model_dump_json(indent=2))
    else:
        out.print(render(report))
    if not report.passed:
        raise typer.Exit(DIFFERS)
