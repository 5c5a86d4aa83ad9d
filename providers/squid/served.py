"""What a Squid that has read its configuration must show beyond an answer: all its ports, and records in its logs.

Asked on the node itself. The request that the records are looked for is for the node's own loopback, which Squid's
rules deny before any other: it asks no name server and no other host, and leaves a record like every request.
Facts: proc(5), ``/proc/net/tcp``: addresses are 32-bit words in the byte order of the machine.
"""

from __future__ import annotations

import ipaddress
import secrets
import struct
from collections.abc import Sequence

from providers.connection.cluster import Node
from providers.connection.command import command
from providers.squid.conf import Endpoint, RequestLog

WITHIN = 30
"""Seconds after which a port or a record that has not been seen counts as missing."""


# $1 port, $2 path asked for, $3 seconds, then for each log `url` or `any`, and its path. Prints logs without a record.
_RECORDS = r"""
port=$1 path=$2 limit=$3; shift 3
mark() { stat -c '%i %s' -- "$1" 2>/dev/null || echo none; }
before=()
for ((i = 2; i <= $#; i += 2)); do before[i]=$(mark "${!i}"); done
ask() {
    exec 3<>"/dev/tcp/127.0.0.1/$port" || return 1
    printf 'GET http://127.0.0.1/%s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n' "$path" >&3
    while IFS= read -r -t 10 line <&3; do :; done
}
( ask ) 2>/dev/null
while :; do
    missing=()
    for ((i = 2; i <= $#; i += 2)); do
        log=${!i} how=$((i - 1))
        if [ "${!how}" = url ]; then
            tail -c 4000000 -- "$log" 2>/dev/null | grep -qF -- "$path" || missing+=("$log")
        else
            [ "$(mark "$log")" != "${before[i]}" ] || missing+=("$log")
        fi
    done
    [ "${#missing[@]}" -gt 0 ] || exit 0
    [ "$SECONDS" -lt "$limit" ] || break
    sleep 0.3
done
printf '%s\n' "${missing[@]}"
"""

# As above: wait until nothing is missing. $1 seconds, then hexadecimal `ADDRESS:PORT` as in the tables, `*` for any.
_PORTS = r"""
limit=$1; shift
while :; do
    missing=()
    tables=$(grep -hE '^ *[0-9]+: [^ ]+ [^ ]+ 0A ' /proc/net/tcp /proc/net/tcp6 2>/dev/null)
    for place; do
        found=
        while read -r _ address _ state _; do
            [ "$state" = 0A ] || continue
            for each in $place; do [ "$address" = "$each" ] && found=yes; done
        done <<<"$tables"
        [ -n "$found" ] || missing+=("$place")
    done
    [ "${#missing[@]}" -gt 0 ] || exit 0
    [ "$SECONDS" -lt "$limit" ] || break
    sleep 0.3
done
printf '%s\n' "${missing[@]}"
"""


async def missing_ports(node: Node, wanted: Sequence[Endpoint], within: int = WITHIN) -> list[str]:
    """Endpoints that nobody listens on within so many seconds."""
    if not wanted:
        return []
    places = {" ".join(_sockets(each)): str(each) for each in wanted}
    look = command(
        *("bash", "-f", "-c", _PORTS, "bash", str(within), *places),
        timeout=within + 30,
        label=f"look whether Squid listens on {', '.join(map(str, wanted))}",
        reads=True,
    )
    return [places[line] for line in (await node.run(look)).stdout.splitlines()]


async def missing_records(node: Node, port: str, logs: Sequence[RequestLog], within: int = WITHIN) -> list[str]:
    """Logs in which a request that Squid was just asked leaves no record within so many seconds."""
    if not logs:
        return []
    path = f"squid-ha-check-{secrets.token_hex(12)}"
    words = [word for log in logs for word in ("url" if log.has_url else "any", log.path)]
    look = command(
        *("bash", "-c", _RECORDS, "bash", port, path, str(within), *words),
        timeout=within + 30,
        label=f"look for the record of a request in {', '.join(log.path for log in logs)}",
        reads=True,
    )
    return (await node.run(look)).stdout.splitlines()


def _sockets(wanted: Endpoint) -> list[str]:
    """How the kernel's tables show whoever listens there."""
    port = f"{wanted.port:04X}"
    if not wanted.address:
        return [f"{'0' * 8}:{port}", f"{'0' * 32}:{port}"]
    packed = ipaddress.ip_address(wanted.address).packed
    words = struct.unpack(f">{len(packed) // 4}I", packed)
    native = struct.pack(f"<{len(words)}I", *words).hex().upper()
    shown = [f"{native}:{port}"]
    if len(packed) == 4:  # noqa: PLR2004 an IPv4 address; a socket of IPv6 shows it mapped
        shown.append(f"{'0' * 16}FFFF0000{native}:{port}")
    return shown
