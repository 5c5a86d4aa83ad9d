"""Asking a running Squid, on its own node, whether it listens and answers; needs nothing but bash and grep there.

A reload is done when the listening sockets are other ones than before: Squid closes and opens them while it reads its
configuration again, and only then. Facts: proc(5), ``/proc/net/tcp``; RFC 9112, status line.
"""

from __future__ import annotations

from dataclasses import dataclass

from providers.connection.cluster import Node
from providers.connection.command import command

SERVES_WITHIN = 45
"""Seconds a started or reloaded Squid may take until it answers; an emulated guest needs a few."""

# Picked out by grep first: bash reads the kernel's tables line by line from their start (seen: 50 s for 4000 sockets).
_FUNCTIONS = r"""
listeners() {
    local hex inode
    printf -v hex ':%04X' "$1"
    while read -r _ _ _ _ _ _ _ _ _ inode _; do
        printf '%s ' "$inode"
    done < <(grep -hE "^ *[0-9]+: [0-9A-F]+$hex [0-9A-F]+:[0-9A-F]+ 0A " /proc/net/tcp /proc/net/tcp6 2>/dev/null)
}
"""

_LISTENERS = _FUNCTIONS + 'listeners "$1"; true\n'

# $1 port, $2 URL, $3 listeners before a reload ('' if none was asked for), $4 seconds
_SERVES = (
    _FUNCTIONS
    + r"""
host=${2#*://}; host=${host%%/*}
ask() {
    exec 3<>"/dev/tcp/127.0.0.1/$1" || return 1
    printf 'GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n' "$2" "$host" >&3
    IFS= read -r -t 10 line <&3 || return 1
    case $line in HTTP/[0-9]*) printf '%s\n' "${line%$'\r'}" ;; *) return 1 ;; esac
}
problem='nobody listens'
while [ "$SECONDS" -le "$4" ]; do
    now=$(listeners "$1")
    if [ -z "$now" ]; then
        problem='nobody listens'
    elif [ -n "$3" ] && [ "$now" = "$3" ]; then
        problem='Squid has not read its configuration again'
    elif status=$( (ask "$1" "$2") 2>/dev/null); then
        printf '%s\n' "$status"
        exit 0
    else
        problem='it listens, but gives no HTTP answer'
    fi
    sleep 0.3
done
printf '%s\n' "$problem" >&2
exit 1
"""
)


@dataclass(frozen=True)
class Answer:
    """``status`` is Squid's status line; '' if there was none, then ``problem`` says what was seen instead."""

    status: str = ""
    problem: str = ""


async def listeners(node: Node, port: str) -> str:
    """What tells the sockets that listen on ``port`` now from those of another time; '' if nobody listens."""
    look = command("bash", "-c", _LISTENERS, "bash", port, label=f"look who listens on port {port}", reads=True)
    return (await node.run(look)).stdout.strip()


async def serves(node: Node, port: str, url: str, *, not_by: str = "", within: int = SERVES_WITHIN) -> Answer:
    """Wait up to ``within`` seconds until Squid on this node answers a request for ``url``.

    ``not_by`` are the `listeners` from before a reload: they do not count.
    """
    before = f"{not_by} " if not_by else ""
    label = f"ask Squid on port {port} for {url}"
    ask = command(
        "bash",
        "-c",
        _SERVES,
        "bash",
        port,
        url,
        before,
        str(within),
        ok={0, 1},
        timeout=within + 30,
        label=label,
        reads=True,
    )
    result = await node.run(ask)
    if result.exit_code == 0:
        return Answer(status=result.stdout.strip())
    return Answer(problem=result.stderr.strip() or "no answer")
