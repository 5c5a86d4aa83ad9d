"""What only a process of its own can show: threads, the end of the process, and its violent end."""

import asyncio
import sys

import pytest

from providers.connection.command import command
from tests.taps import EXIT_CODE, Hold
from tests.unit.connection.sshd import running

pytestmark = [pytest.mark.thorough, pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]

PROGRAM = """
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from providers.connection.access import ConnectionSettings
from providers.connection.command import script
from providers.connection.loop import run_sync
from providers.connection.pool import open_cluster

port, folder = sys.argv[1:]
keys = {"identity": f"{folder}/id", "known_hosts": f"{folder}/known_hosts"}
settings = ConnectionSettings("qsp-a", "127.0.0.1", int(port), **keys)

def work(number):
    cluster = open_cluster([settings], site=sys.argv[2].replace("/", "-"), owner="p/s", progress=print)
    async def steps():
        await cluster.hold()
        return await cluster.nodes["qsp-a"].run(script('echo $1 >>"$2/done"; cat "$2/done"', str(number), folder))
    return run_sync(steps())

with ThreadPoolExecutor(1 if "SQUID_HA_ONE" in os.environ else 4) as pool:
    list(pool.map(work, range(int(os.environ.get("STEPS", "6")))))
"""


@pytest.fixture
async def sshd(tmp_path):
    async with running(tmp_path) as server:
        yield server


async def program(sshd, **environment):
    path = {"PATH": "/usr/bin:/bin", "PYTHONPATH": ".", **environment}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, str(sshd.port), str(sshd.folder), env=path, stderr=asyncio.subprocess.PIPE
    )
    _, stderr = await asyncio.wait_for(process.communicate(), 30)
    return process.returncode, stderr.decode()


def done(sshd):
    path = sshd.folder / "done"
    return path.read_text().split() if path.exists() else []


async def test_four_threads_share_one_connection_and_one_lock_and_the_process_ends_by_itself(sshd):
    code, stderr = await program(sshd)
    assert (code, stderr) == (0, "")
    assert sorted(done(sshd)) == list("012345")
    assert len(sshd.connections) == 1
    assert sum("flock" in line for line in sshd.lines) == 1


@pytest.mark.parametrize(("cut", "effects"), [("before:2", 1), ("after:2", 2)])
async def test_a_cut_ends_the_process_at_the_very_command(sshd, tmp_path, cut, effects):
    log = tmp_path / "log"
    tap = {"SQUID_HA_TAP": "tests.taps:cut", "SQUID_HA_CUT_LOG": str(log), "STEPS": "2"}
    code, _ = await program(sshd, **tap)
    assert code == 0
    assert [line.split("\t")[:2] for line in log.read_text().splitlines()] == [["1", "qsp-a"], ["2", "qsp-a"]]
    (sshd.folder / "done").unlink()
    # One step after the other: with two under way at once, which of them has taken effect is left to chance.
    code, _ = await program(sshd, **tap, SQUID_HA_CUT=cut, SQUID_HA_ONE="1")
    assert code == EXIT_CODE
    assert len(done(sshd)) == effects
    # The lock went with the process.
    assert (await program(sshd, STEPS="1"))[0] == 0


async def test_each_process_of_a_chain_is_ended_at_a_command_at_which_none_was(sshd, tmp_path):
    """Each of them repeats all that the ones before it did."""
    tap = {"SQUID_HA_TAP": "tests.taps:cut", "SQUID_HA_CUT_KNOWN": str(tmp_path / "known"), "STEPS": "2"}
    found = []
    for where in ("after:new", "before:new", "after:new", "after:new"):
        (sshd.folder / "done").unlink(missing_ok=True)
        code, _ = await program(sshd, **tap, SQUID_HA_CUT=where, SQUID_HA_ONE="1")
        found.append((code == EXIT_CODE, len(done(sshd))))
    assert found == [(True, 1), (True, 1), (True, 2), (False, 2)]


async def test_a_process_that_is_held_has_changed_nothing_before_it_is_let_go(sshd, tmp_path):
    held = asyncio.create_task(program(sshd, SQUID_HA_TAP="tests.taps:hold", SQUID_HA_HOLD=str(tmp_path)))
    while not list(tmp_path.glob("started-*")):
        assert not held.done(), held.result()
        await asyncio.sleep(0.02)
    await asyncio.sleep(0.2)
    assert (held.done(), done(sshd)) == (False, [])
    (tmp_path / "go").touch()
    assert await held == (0, "")
    assert sorted(done(sshd)) == list("012345")
    assert len(list(tmp_path.glob("started-*"))) == 1


def test_a_process_that_nobody_lets_go_does_not_go_on_by_itself(tmp_path, monkeypatch):
    monkeypatch.setenv("SQUID_HA_HOLD", str(tmp_path))
    with pytest.raises(TimeoutError, match="nobody made"):
        Hold(limit=0).before("qsp-a", command("true"))
