"""A fleet for scans: addresses, what counts as named exactly, and a line that is slow."""

import asyncio
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from benchmarks.drift import chart
from benchmarks.drift.__main__ import table
from benchmarks.drift.deviations import Inexact, deviations, require_exactly
from benchmarks.drift.measure import Row
from benchmarks.drift.pairs import MOST, pairs
from benchmarks.drift.relay import slow_lines
from benchmarks.drift.scan import Scan
from declaration.load import read
from lab import addresses

ENGINES = ("pacemaker", "lifekeeper")


@pytest.mark.parametrize("engine", ENGINES)
def test_no_address_is_given_twice_and_every_site_is_right(engine: str):
    taken = [addresses.ORIGIN, addresses.CLIENT, addresses.SUPERVISOR, addresses.VIRTUAL_IP, "192.0.2.11", "192.0.2.12"]
    for pair in pairs(MOST, engine):
        site = read(pair.site(Path("/run/lab"), Path("/run/lab"), Path("/run/known_hosts")), pair.stack)
        taken += [str(site.virtual_ip), *(node.address for node in site.nodes)]
    assert len(taken) == len(set(taken)) == 6 + 3 * MOST
    with pytest.raises(ValueError, match="1 to 25 pairs"):
        pairs(MOST + 1, engine)


def scanned(*named: tuple[str, str, str], code: int = 3, message: str = "") -> Scan:
    cases = [
        {"thing": thing, "node": node, "message": "", "findings": [{"thing": thing, "node": node}] * 2, "stack": stack}
        for stack, thing, node in named
    ]
    stacks = sorted({stack for stack, _, _ in named})
    sites: list[dict[str, Any]] = [
        {"stack": stack, "message": message, "cases": [case for case in cases if case["stack"] == stack]}
        for stack in stacks
    ]
    return Scan(1.0, 1.0, code, {"sites": sites})


@pytest.mark.parametrize("engine", ENGINES)
def test_a_scan_has_to_name_what_was_planted_and_nothing_else(engine: str):
    planted = deviations(pairs(MOST, engine))[:5]
    there = [each.named for each in planted]
    assert len({stack for stack, _, _ in there}) == 5
    require_exactly(planted, scanned(*there))
    with pytest.raises(Inexact, match=r"^named and not planted: names on f07-a of fleet-07$"):
        require_exactly(planted, scanned(*there, ("fleet-07", "names", "f07-a")))
    with pytest.raises(Inexact, match=r"^planted and not named: squid-config on f01-b of fleet-01$"):
        require_exactly(planted, scanned(*there[1:]))
    with pytest.raises(Inexact, match="exit code 4"):
        require_exactly(planted, scanned(*there, code=4))
    with pytest.raises(Inexact, match="no connection"):
        require_exactly(planted, scanned(*there, message="no connection"))


def test_every_byte_comes_in_order_and_half_a_round_trip_later(tmp_path):
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1000):
            writer.write(data)
        writer.close()

    sent = bytes(range(256)) * 4000

    async def through() -> tuple[float, bytes]:
        async with await asyncio.start_unix_server(echo, tmp_path / "node"):
            with slow_lines({"a": tmp_path / "node"}, tmp_path, 0.1):
                began = time.monotonic()
                reader, writer = await asyncio.open_unix_connection(tmp_path / "a.ssh")
                writer.write(sent)
                writer.write_eof()
                got = await reader.read()
                writer.close()
                return time.monotonic() - began, got

    seconds, got = asyncio.run(through())
    assert got == sent
    assert seconds >= 0.2, "a round trip until a connection stands, and one for what is sent"


def test_a_node_that_is_off_ends_the_line(tmp_path):
    with slow_lines({"a": tmp_path / "nobody"}, tmp_path, 0.0), socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(str(tmp_path / "a.ssh"))
        assert client.recv(1) == b""


def test_table_and_chart_show_every_scan(tmp_path):
    sizes = [Row(2, None, [1.0, 1.5], [0.5, 0.5]), Row(50, None, [6.0, 7.0], [4.0, 4.0])]
    distances = [Row(50, 0.0, [6.0], [4.0]), Row(50, 100.0, [8.0], [4.0])]
    assert table([*sizes, *distances]).row_count == 4
    chart.write(sizes, distances, tmp_path / "chart.svg")
    drawn = etree.parse(tmp_path / "chart.svg")
    assert len(drawn.findall(".//{*}circle")) == 6
