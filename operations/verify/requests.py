"""Numbered requests of a client through the proxy, each sent once: from here, or from a node.

The number is in the path, because Squid strips queries from its log; so each request can be found there again.
"""

from __future__ import annotations

import asyncio
import http.client
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from operations.proof.model import Request
from operations.trouble import Misused
from operations.verify import clocks
from providers.connection.answers import not_understood, told_by
from providers.connection.cluster import Node
from providers.connection.command import Command, command

TIMEOUT = 15.0
"""Seconds that a request may take in all."""
HERE = "here"
_PAGE = re.compile(r"http://(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?(?:[/?#].*)?")


def require_url(url: str) -> None:
    """Raises `Misused` for what is not the address of a page that a proxy can be asked for, with a path in its log."""
    if not _is_page(url):
        raise Misused(
            f"--url: `{url}` is no address such as `http://192.0.2.1/`; https has no path in the log, and a name with "
            "other letters than those of ASCII is written `xn--...`."
        )


def _is_page(url: str) -> bool:
    try:
        port = urlsplit(url).port
    except ValueError:
        return False
    return port != 0 and _PAGE.fullmatch(url) is not None


@dataclass(frozen=True)
class Target:
    """The proxy, and the page's address below which every request has a path of its own.

    ``node`` is the site's own node that the page is asked of, where no web server is known; else empty.
    """

    address: str
    port: int
    url: str
    node: str = ""

    def page(self, name: str) -> str:
        """The address to ask for."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}/r/{name}"

    def __str__(self) -> str:
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{host}:{self.port}"


class Sender(Protocol):
    """Where requests come from."""

    @property
    def place(self) -> str:
        """For people: `here`, or a node's name."""
        ...

    async def send(self, target: Target, names: Sequence[str]) -> list[Request]:
        """Send a request for each name, one after the other."""
        ...


@dataclass(frozen=True)
class FromHere:
    """Requests of the machine that this runs on."""

    timeout: float = TIMEOUT
    place: str = HERE

    async def send(self, target: Target, names: Sequence[str]) -> list[Request]:
        """Send a request for each name, one after the other."""
        return [await asyncio.to_thread(self._one, target, name) for name in names]

    def _one(self, target: Target, name: str) -> Request:
        start = time.time()
        status, error = None, ""
        connection = http.client.HTTPConnection(target.address, target.port, timeout=self.timeout)
        try:
            connection.request("GET", target.page(name), headers={"Connection": "close"})
            answer = connection.getresponse()
            answer.read()
            status = answer.status
        except (OSError, http.client.HTTPException) as trouble:
            error = f"{type(trouble).__name__}: {trouble}" if str(trouble) else type(trouble).__name__
        finally:
            connection.close()
        return Request(id=name, start=start, end=time.time(), status=status, error=error)


# $1 address, $2 port, $3 URL: the status of the answer, or an exit code of 7, 8 or 9.
ASK = r"""ask() {
    exec 3<>"/dev/tcp/$1/$2" || exit 7
    rest=${3#*://}
    printf 'GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n' "$3" "${rest%%/*}" >&3
    IFS= read -r line <&3 || exit 8
    cat <&3 >/dev/null || exit 9
    line=${line%$'\r'}
    case $line in HTTP/1.[01]\ [0-9][0-9][0-9]*) line=${line#* }; printf '%s' "${line%% *}" ;; *) exit 8 ;; esac
}
export -f ask
"""
"""Bash: asks the proxy for one page, and tells by its exit code what came of it."""
ERROR = r"""    case $? in
        0) error= ;; 7) error='no connection' ;; 8) error='no HTTP answer' ;; 9) error='no whole answer' ;;
        *) error="nothing within $limit s" ;;
    esac
"""
"""Bash: the words for that exit code."""

# $1 address, $2 port, $3 seconds, then pairs of name and URL. A line each: name, start, end, status or -, error.
_SEND = rf"""
host=$1 port=$2 limit=$3
shift 3
{ASK}while [ $# -gt 0 ]; do
    start=$EPOCHREALTIME
    status=$(timeout --kill-after=1 "$limit" bash -c 'ask "$@"' bash "$host" "$port" "$2" 2>/dev/null)
{ERROR}    printf '%s\t%s\t%s\t%s\t%s\n' "$1" "$start" "$EPOCHREALTIME" "${{status:--}}" "$error"
    shift 2
done
"""
_SECONDS = r"([0-9]{1,15}(?:\.[0-9]{1,9})?)"
_LINE = re.compile(rf"([^\t]*)\t{_SECONDS}\t{_SECONDS}\t([^\t]*)\t([^\t]*)")
_STATUS = re.compile(r"[0-9]{3}")


@dataclass(frozen=True)
class FromNode:
    """Requests of a node, over SSH; needs nothing but bash there. Times are by this machine's clock, as moves' are."""

    node: Node
    timeout: float = TIMEOUT

    @property
    def place(self) -> str:
        """The node's name."""
        return self.node.name

    async def send(self, target: Target, names: Sequence[str]) -> list[Request]:
        """Send a request for each name, one after the other."""
        ahead = (await clocks.difference(self.node)).seconds
        result = await self.node.run(sending(target, names, self.timeout))
        with told_by(self.node.name):
            return [_shifted(each, -ahead) for each in parse(result.stdout)]


def _shifted(request: Request, seconds: float) -> Request:
    return request.model_copy(update={"start": request.start + seconds, "end": request.end + seconds})


def sending(target: Target, names: Sequence[str], timeout: float) -> Command:
    """The command that sends; `parse` reads its output."""
    pairs = [text for name in names for text in (name, target.page(name))]
    return command(
        "bash",
        "-c",
        _SEND,
        "bash",
        target.address,
        str(target.port),
        f"{timeout:g}",
        *pairs,
        timeout=(timeout + 2) * len(names) + 30,
        label=f"send {len(names)} requests to {target}",
        reads=True,
    )


def parse(output: str) -> list[Request]:
    """What `sending` printed. Raises `Unknown` for a line that is none of its."""
    return [_request(line) for line in output.splitlines()]


def _request(line: str) -> Request:
    match = _LINE.fullmatch(line)
    if match is None:
        raise not_understood("what is said of the requests that were sent")
    name, start, end, status, error = match.groups()
    known = int(status) if _STATUS.fullmatch(status) and not error else None
    return Request(id=name, start=float(start), end=float(end), status=known, error=error)
