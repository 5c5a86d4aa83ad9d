"""What Squid must show after a change: asked by the real scripts, of sockets and logs of this machine."""

import asyncio
import base64
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from providers.connection.command import Command, Result
from providers.connection.errors import NotVerified
from providers.connection.fake import FakeJournals, FakeNode, fake_cluster
from providers.host.settings import FileState, NodeSettings
from providers.squid import config, served
from providers.squid.conf import Endpoint, RequestLog
from tests.unit.local import LocalNode


def listening(address: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    opened = socket.socket(family)
    try:
        opened.bind((address, 0))
    except OSError:
        pytest.skip(f"this machine has no {address}")
    opened.listen()
    return opened


@pytest.mark.parametrize(
    ("at", "wanted"),
    [("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("0.0.0.0", ""), ("::", ""), ("127.0.0.2", "127.0.0.2")],
)
async def test_a_port_that_is_listened_on_is_found(at, wanted):
    with listening(at) as opened:
        assert await served.missing_ports(LocalNode(), [Endpoint(wanted, opened.getsockname()[1])], within=0) == []


@pytest.mark.parametrize(("at", "wanted"), [("127.0.0.1", "127.0.0.2"), ("127.0.0.1", ""), ("::1", "127.0.0.1")])
async def test_a_port_on_another_address_does_not_count(at, wanted):
    with listening(at) as opened:
        endpoint = Endpoint(wanted, opened.getsockname()[1])
        assert await served.missing_ports(LocalNode(), [endpoint], within=0) == [str(endpoint)]


@pytest.fixture
async def proxy(tmp_path):
    """Something that answers requests and writes what was asked for, or only that something was, into two logs."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1].decode()
        with (tmp_path / "with-url").open("a") as log:
            log.write(f"1 {asked}\n")
        with (tmp_path / "without").open("a") as log:
            log.write("1\n")
        writer.write(b"HTTP/1.1 403 Forbidden\r\n\r\n")
        writer.close()

    for name in ("with-url", "without", "silent"):
        (tmp_path / name).write_text("before\n")
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield str(server.sockets[0].getsockname()[1])


async def missing(port: str, *logs: RequestLog) -> list[str]:
    return await served.missing_records(LocalNode(), port, logs, within=2)


async def test_records_are_found_by_what_was_asked_for_or_by_growth(proxy, tmp_path: Path):
    found = RequestLog(str(tmp_path / "with-url"), has_url=True), RequestLog(str(tmp_path / "without"), has_url=False)
    assert await missing(proxy, *found) == []


@pytest.mark.thorough
async def test_logs_without_the_record_are_named(proxy, tmp_path: Path):
    # The one has grown, but by nothing that tells of the request.
    wrong = RequestLog(str(tmp_path / "without"), has_url=True)
    silent = RequestLog(str(tmp_path / "silent"), has_url=False)
    absent = RequestLog(str(tmp_path / "absent"), has_url=False)
    assert await missing(proxy, wrong, silent, absent) == [wrong.path, silent.path, absent.path]


CONF = "/etc/squid/squid.conf"
OLD = "http_port 3128\n"
CACHED = "http_port 3128\ncache_dir aufs /c 100 16 256\n"


class Pair:
    """Nodes ``a`` (active) and ``b``; ``lacks`` is what the looks after a change do not find."""

    def __init__(self, lacks: Callable[[str], str]) -> None:
        self.files = {"a": OLD, "b": OLD}
        self.acts: list[str] = []
        self.reads = 0
        self.lacks = lacks
        self.journals = FakeJournals()
        nodes = [FakeNode(name, self._of(name)) for name in self.files]
        self.cluster = fake_cluster(*nodes, journals=self.journals, thing="squid")

    def _of(self, name: str) -> Callable[[Command], Result | str]:
        return lambda command: self._answer(name, command)

    def _answer(self, name: str, command: Command) -> str:
        text = str(command)
        if text == f"read {CONF}":
            return f"file 644 0:0 root:root\n{base64.b64encode(self.files[name].encode()).decode()}\n"
        if text == f"write {CONF}":
            self.files[name] = (command.stdin or b"").decode()
        if text.startswith("systemctl show"):
            state = "active" if name == "a" else "inactive"
            return f"LoadState=loaded\nUnitFileState=disabled\nActiveState={state}\nSubState=x\nNeedDaemonReload=no\n"
        if text.startswith(("systemctl reload", "systemctl restart")):
            self.acts.append(text.split()[1])
            self.reads += 1
        if text.startswith("look who listens"):
            return str(self.reads)
        if text.startswith("ask Squid"):
            return "HTTP/1.1 403 Forbidden"
        return self.lacks(text) if self.files[name] != OLD else ""

    async def converge(self, content: str) -> None:
        file = FileState(content=content, mode="0644", owner="root:root", check=["squid", "-k", "parse", "-f", "{}"])
        settings = NodeSettings(files={CONF: file})
        wanted = config.Wanted(
            nodes={"a": settings, "b": settings}, unit="squid.service", port="3128", probe_url="http://probe.invalid/"
        )
        await config.converge(self.cluster, wanted, await config.observe(self.cluster, wanted))

    @property
    def marks(self) -> set[str]:
        return {name for journal in self.journals.opened.values() for name in journal.values if "pending" in name}


async def test_a_cache_on_disk_starts_squid_anew_and_nothing_else_does():
    pair = Pair(lambda _: "")
    await pair.converge(CACHED)
    await pair.converge(f"{CACHED}http_port 8080\n")
    assert pair.acts == ["restart", "reload"]
    assert pair.marks == set()


async def test_a_run_cut_off_before_the_start_is_finished_by_the_next():
    pair = Pair(lambda _: "")
    pair.files = {"a": CACHED, "b": CACHED}
    await pair.cluster.journal("a").put({config.PENDING: CONF, config.RESTART: "yes"})
    await pair.converge(CACHED)
    assert pair.acts == ["restart"]
    assert pair.marks == set()


@pytest.mark.parametrize(
    ("look", "lacking", "sentence"),
    [
        ("look whether Squid listens", "00000000:0C38 " + "0" * 32 + ":0C38\n", "does not listen on port 3128"),
        ("look for the record", "/var/log/a\n", "left no record of it in /var/log/a"),
    ],
)
async def test_what_is_missing_after_a_change_brings_the_old_files_back(look, lacking, sentence):
    pair = Pair(lambda text: lacking if text.startswith(look) else "")
    log = "access_log stdio:/var/log/a logformat=squid on-error=die !squid_ha_probe\n"
    with pytest.raises(NotVerified, match=rf"{sentence}; the old configuration is back on a, b and Squid serves"):
        await pair.converge(f"{CACHED}{log}")
    assert pair.files == {"a": OLD, "b": OLD}
    assert pair.acts == ["restart", "restart"]
