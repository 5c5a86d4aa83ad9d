"""`squid-ha logs`: the access log, across switchovers and rotations."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from operations.cli._arguments import StackName, nodes
from operations.cli._console import out, tell
from operations.trouble import Misused
from providers.connection.printable import printable, printable_json

if TYPE_CHECKING:
    from operations.logs.follow import Source
    from operations.site import Hosts


def command(
    stack: StackName,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with records as they come.")] = False,
    lines: Annotated[
        int, typer.Option("--lines", "-n", min=0, max=100_000, help="How many of the last records to begin with.")
    ] = 10,
    local: Annotated[
        str,
        typer.Option("--local", metavar="NODE", help="The log on this node's own disk.", autocompletion=nodes),
    ] = "",
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON document; with --follow, one for each record.")
    ] = False,
) -> None:
    """Print the mirror's access log, on whichever node is active.

    With -f it goes on across switchovers and rotations without a gap or a repeat, until Ctrl-C.
    """
    from operations.logs.follow import Follower
    from operations.logs.follow import follow as following
    from operations.site import hosts_of

    hosts = hosts_of(stack)
    source = _source(hosts, local)
    follower = Follower(source, tell)
    if follow:
        show = _following(as_json=as_json)
        show(hosts.run(follower.begin(lines)), follower.node)
        hosts.run(following(follower, show))
        return
    last = hosts.run(follower.last(lines))
    _refuse_nowhere(follower.node, source)
    if as_json:
        records = [line.decode(errors="replace") for line in last]
        out.document(json.dumps({"stack": stack, "node": follower.node, "records": records}, indent=2))
    else:
        _show_records(last)


def _following(*, as_json: bool) -> Callable[[list[bytes], str], None]:
    """What shows records, and the node that they are from."""

    def show(found: list[bytes], node: str) -> None:
        if as_json:
            out.documents += len(found)
            documents = (json.dumps({"node": node, "record": line.decode(errors="replace")}) for line in found)
            _show([printable_json(each).encode() for each in documents])
        else:
            _show_records(found)

    return show


def _refuse_nowhere(node: str, source: Source) -> None:
    from providers.connection.errors import Unknown

    if not node:
        known = next((error.remedy for error in source.silent.values() if error.remedy), "see `squid-ha status`")
        raise Unknown(source.nowhere, remedy=f"{known}; `--local NODE` reads local logs")


def _show_records(lines: list[bytes]) -> None:
    """As Squid wrote them, for programs that read them; a terminal and a pipeline's log get no orders with them."""
    if sys.stdout.isatty() or "GITHUB_ACTIONS" in os.environ:
        lines = [printable(line.decode(errors="backslashreplace")).encode() for line in lines]
    _show(lines)


def _show(lines: list[bytes]) -> None:
    sys.stdout.buffer.writelines(line + b"\n" for line in lines)
    sys.stdout.buffer.flush()


def _source(hosts: Hosts, local: str) -> Source:
    from operations.engines import engine_of
    from operations.logs.follow import Source
    from operations.logs.place import local_log, mirror_log
    from providers.connection.errors import Refused

    site = hosts.site
    cluster = hosts.cluster(progress=tell)
    names = [node.name for node in site.nodes]
    if local and local not in names:
        raise Misused(f"`{local}` is no node of stack `{hosts.stack}`; its nodes are {' and '.join(names)}.")
    if not local and len(names) == 1:
        local = names[0]
    if local:
        if local not in cluster.nodes:
            raise Refused(f"{local} is declared away, so its log cannot be read")
        log = local_log(site)
        if log is None:
            raise Refused("the access log is only on the mirror (`log.access: mirror`)")
        return Source(cluster, log, only=local)
    log = mirror_log(site)
    if log is None or site.mirror is None:
        raise Refused("this site has no access log on a mirror", remedy="`--local NODE` reads that of a node")
    runtime = engine_of(site).runtime
    return Source(cluster, log, site.mirror.mount_point, choose=lambda: runtime.active_node(cluster))
