from __future__ import annotations

from collections.abc import Sequence

from operations.proof.model import LogLine, Logs, Move, Request

RUN = "t1"
LOG = "/mnt/mirror/squid/access.log"
LOCAL = "/var/log/squid/access.log"


def name(number: int) -> str:
    return f"{RUN}-{number}"


def request(number: int, *, status: int | None = 200, error: str = "", seconds: float = 0.05) -> Request:
    start = 1000 + number / 10
    return Request(id=name(number), start=start, end=start + seconds, status=status, error=error)


def line(number: int | str, file: str = LOG) -> LogLine:
    which = number if isinstance(number, str) else name(number)
    text = f"1000.1 5 192.0.2.100 TCP_MISS/200 300 GET http://192.0.2.1/r/{which} - HIER_DIRECT/192.0.2.1 text/plain"
    return LogLine(file=file, text=text)


def logs(mirror: Sequence[LogLine], a: Sequence[int] = (), b: Sequence[int] = ()) -> Logs:
    local = {"qsp-a": [line(n, LOCAL) for n in a], "qsp-b": [line(n, LOCAL) for n in b]}
    return Logs(active="qsp-a", mirror=mirror, local=local)


def move(start: float, end: float, arrived: str | None = "qsp-b") -> Move:
    return Move(source="qsp-a", target="qsp-b", start=start, end=end, arrived=arrived)
