"""The site's own table of nftables: loaded, seen to let the operator in, and only then made to last.

Nobody is locked out: the port that SSH comes in by must be among those that the table lets in, a timer on the node
takes the table back unless a connection that was opened after it was loaded has answered, and only after that the file
and the unit that load it at boot are written. Taken back, it is again what that file says, which was seen to let the
operator in; where there is no file yet, the table goes. Other tables are never touched.

What is loaded is compared with what the declared text becomes in a network namespace of its own on that node, so that
the node's own nft says how it writes each rule.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, Field

from providers.connection.afresh import answers_afresh
from providers.connection.answers import not_understood, told_by
from providers.connection.cluster import Cluster, Node
from providers.connection.command import Command, command, script
from providers.connection.errors import HostError, NotVerified, Refused, Unknown
from providers.contract import Absent, Observed, Present, State
from providers.host.settings import NodeSettings, converge_settings, prune_settings, read_settings, remove_settings
from providers.host.settings_kind import any_there

LOADED = "as declared"
PENDING = "pending-load"
"""In the journal from before the timer is armed until it is disarmed: a run that was cut off in between leaves it."""
UNDO = "squid-ha-firewall-undo"
UNDO_AFTER = 60
"""Seconds after which a table is taken back that nobody has been seen to get in by; a new connection takes less."""

# $1 table, $2 the declared text; two lines of JSON: what is loaded, and what the declared text becomes. Each is empty
# where there is nothing, and both are on a node without nft.
_READ = r"""
command -v nft >/dev/null || { echo; echo; exit 0; }
nft -j list table inet "$1" 2>/dev/null | tr -d '\n'
echo
made=$(printf '%s' "$2" | unshare --net sh -c 'nft --file - && nft -j list table inet "$1"' sh "$1") || exit 1
printf '%s' "$made" | tr -d '\n'
echo
"""
# The port of this node that the connection came in by: sshd tells its first child (ssh(1)), and sudo hides it.
_SSH_PORT = r"""
p=$$
while [ "${p:-0}" -gt 1 ]; do
    tr '\0' '\n' <"/proc/$p/environ" | sed -n 's/^SSH_CONNECTION=.* //p' | grep . && exit 0
    p=$(sed -n 's/^PPid:[[:space:]]*//p' "/proc/$p/status")
done
exit 0
"""
# $1 unit, $2 seconds, $3 what it runs, $4 and $5 the words of that
_ARM = r"""
systemctl stop "$1.timer" "$1.service" 2>/dev/null || :
systemctl reset-failed "$1.timer" "$1.service" 2>/dev/null || :
systemd-run --quiet --collect --unit="$1" --on-active="$2" --timer-property=AccuracySec=1s \
    sh -c "$3" sh "$4" "$5"
"""
# $1 unit
_DISARM = r"""
systemctl stop "$1.timer" 2>/dev/null || :
systemctl is-active --quiet "$1.timer" && exit 1
exit 0
"""
# $1 table
_DELETE = r"""
command -v nft >/dev/null || exit 0
nft list table inet "$1" >/dev/null 2>&1 || exit 0
nft delete table inet "$1"
"""
# $1 table, $2 file of other rules, which were seen to let the operator in, '' for none
_TAKE_BACK = '[ -s "$2" ] && nft --file "$2" && exit 0' + _DELETE


class NodeFirewall(State):
    """One node's: the file that holds the rules, the unit that loads them at boot, and what is loaded now.

    ``rules`` is `LOADED`, or in words what differs. ``ssh_ports`` are those that are let in from everywhere.
    """

    settings: NodeSettings
    ssh_ports: list[str]
    rules: str = LOADED


class Wanted(State):
    """``table`` of the family inet; ``nodes``: node → its firewall, whose only file that ends in .nft has the rules."""

    nodes: dict[str, NodeFirewall]
    table: str


async def observe(cluster: Cluster, wanted: Wanted) -> Observed[Wanted]:
    """Files, units, and the rules that are loaded. Absent where there is neither a file nor a table of ours."""

    async def read(node: Node) -> NodeFirewall:
        return await _read(node, wanted.nodes[node.name], wanted.table)

    found = await cluster.each(read, list(wanted.nodes))
    settings = {name: node.settings for name, node in wanted.nodes.items()}
    there = any_there(settings, {name: node.settings for name, node in found.items()})
    if not there and all(node.rules == _MISSING for node in found.values()):
        return Absent()
    return Present(wanted.model_copy(update={"nodes": found}))


async def _read(node: Node, wanted: NodeFirewall, table: str) -> NodeFirewall:
    settings = await read_settings(node, wanted.settings)
    (answer,) = await node.batch([reading(table, rules_of(wanted.settings))])
    with told_by(node.name):
        rules = parse(answer.stdout)
    return wanted.model_copy(update={"settings": settings, "rules": rules})


def reading(table: str, text: str) -> Command:
    """The command whose output `parse` takes."""
    return script(_READ, table, text, reads=True, label=f"nft -j list table inet {table}")


def rules_of(settings: NodeSettings) -> str:
    """The text that is to be loaded. Raises `ValueError` where there is none."""
    return _rules_file(settings)[1]


def _rules_file(settings: NodeSettings) -> tuple[str, str]:
    """Path and text of the file that has the rules."""
    for path, file in settings.files.items():
        if path.endswith(".nft") and file.content is not None:
            return path, file.content
    raise ValueError("a firewall without a file of rules")


_MISSING = "not loaded"


def parse(output: str) -> str:
    """`compare` of the two lines that `reading` prints. Raises `Unknown` where one is missing."""
    live, *rest = output.split("\n")
    if not rest:
        raise _no_table()
    return compare(live, rest[0])


def compare(live: str, declared: str) -> str:
    """`LOADED`, or in words what of the declared rules is not loaded, and what is loaded beyond them.

    Raises `Unknown` for what nft does not print.
    """
    if not live.strip():
        return _MISSING
    now, wanted = _lines(live), _lines(declared)
    if now == wanted:
        return LOADED
    gone = [f"without {line}" for line in wanted if line not in now]
    more = [f"with {line}" for line in now if line not in wanted]
    return "; ".join([*gone, *more]) or "the same rules in another order"


class _Listing(BaseModel):
    """libnftables-json(5): each object has one key, which says what it is."""

    nftables: list[Annotated[dict[str, dict[str, Any]], Field(min_length=1, max_length=1)]]


def _lines(listing: str) -> list[str]:
    """Chains and rules of `nft -j list table` as text; handles count nothing."""
    if not listing.strip():
        return []
    try:
        items = [pair for item in _Listing.model_validate_json(listing).nftables for pair in item.items()]
        return [_line(kind, body) for kind, body in items if kind not in ("metainfo", "table")]
    except (ValueError, KeyError) as error:
        raise _no_table() from error


def _no_table() -> Unknown:
    return not_understood("what nft says of the table")


def _line(kind: str, body: Mapping[str, Any]) -> str:
    if kind == "rule":
        named = f" ({body['comment']})" if body.get("comment") else ""
        return f"the rule {json.dumps(body['expr'], sort_keys=True)}{named}"
    shown = {key: value for key, value in body.items() if key != "handle"}
    return f"{kind} {json.dumps(shown, sort_keys=True)}"


async def converge(cluster: Cluster, wanted: Wanted, observed: Observed[Wanted]) -> None:  # noqa: ARG001
    """Load, be let in, then make it last; one node after the other, so that a mistake shuts at most one of them."""
    entries = await cluster.each(lambda node: cluster.journal(node).entries(), list(wanted.nodes))
    for name, declared in wanted.nodes.items():
        node = cluster.node(name)
        found = await _read(node, declared, wanted.table)
        if found.rules != LOADED:
            await _refuse_lockout(node, declared)
            await _load(cluster, node, declared, wanted.table, found.settings)
        elif PENDING in entries[name]:
            await _keep(cluster, node, wanted.table, _before(declared, found.settings))
        await converge_settings(cluster, node, declared.settings, found.settings)
        await prune_settings(cluster, node, declared.settings)


async def _refuse_lockout(node: Node, wanted: NodeFirewall) -> None:
    read = script(_SSH_PORT, reads=True, ok=None, label="find the port that SSH comes in by")
    port = (await node.run(read)).stdout.strip()
    if port and port not in wanted.ssh_ports:
        raise Refused(
            f"SSH comes in by port {port} of this node, which the firewall would close: it lets in "
            f"{', '.join(wanted.ssh_ports)}",
            node=node.name,
            remedy=f"declare `firewall.ssh_ports: [{port}]`",
        )


async def _load(cluster: Cluster, node: Node, wanted: NodeFirewall, table: str, found: NodeSettings) -> None:
    """Load the table under the guard of a timer that takes it back. Raises `NotVerified` once it is taken back."""
    text, before = rules_of(wanted.settings), _before(wanted, found)
    await node.run(command("nft", "--check", "--file", "-", stdin=text, label="nft --check"))
    await cluster.journal(node).put({PENDING: "yes"})
    await node.run(script(_ARM, UNDO, str(UNDO_AFTER), _TAKE_BACK, table, before, label=f"arm {UNDO}.timer"))
    cluster.progress(f"{node.name}: loading the firewall; it is taken back unless a new connection gets in")
    await node.run(command("nft", "--file", "-", stdin=text, label="nft --file (the site's table)"))
    await _keep(cluster, node, table, before)


def _before(wanted: NodeFirewall, found: NodeSettings) -> str:
    """The file of the rules to take the table back to, '' for none: the same rules would be as wrong again."""
    path, text = _rules_file(wanted.settings)
    return "" if found.files[path].content == text else path


async def _keep(cluster: Cluster, node: Node, table: str, before: str) -> None:
    """Disarm the timer once a new connection got in. Raises `NotVerified` once the table is taken back."""
    try:
        await answers_afresh(node)
    except HostError as error:
        # This connection is older than the table, and goes on.
        await node.run(script(_TAKE_BACK, table, before, label="take the firewall back"))
        raise NotVerified(
            f"with the firewall loaded no new connection got in ({error}), so it was taken back",
            node=node.name,
            remedy="see which way SSH takes to this node, and declare its ports under `firewall.ssh_ports`",
        ) from error
    await node.run(script(_DISARM, UNDO, label=f"disarm {UNDO}.timer"))
    await cluster.journal(node).drop([PENDING])


async def remove(cluster: Cluster, wanted: Wanted) -> None:
    """Take away our table, its file and its unit; everybody else's tables stay."""

    async def take_back(node: Node) -> None:
        await remove_settings(cluster, node, wanted.nodes[node.name].settings)
        await node.run(script(_DISARM, UNDO, label=f"disarm {UNDO}.timer"))
        await node.run(script(_DELETE, wanted.table, label=f"nft delete table inet {wanted.table}"))
        await cluster.journal(node).drop([PENDING])

    await cluster.each(take_back, list(wanted.nodes))
