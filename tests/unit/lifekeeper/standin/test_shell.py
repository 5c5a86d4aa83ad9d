"""Programs that the stand-in runs."""

import asyncio
import subprocess
import sys

import pytest

from lab.lifekeeper.node.shell import run


async def test_the_end_of_the_daemon_is_not_lost_where_a_program_ends_just_then(monkeypatch):
    begin = asyncio.create_subprocess_exec

    async def begun(*argv, **options):
        process = await begin(*argv, **options)
        communicate = process.communicate

        async def ends_together():
            said = await communicate()
            watching.cancel()
            return said

        monkeypatch.setattr(process, "communicate", ends_together)
        return process

    monkeypatch.setattr(asyncio, "create_subprocess_exec", begun)

    async def watch():
        await run("true")
        await asyncio.sleep(30)

    watching = asyncio.create_task(watch())
    async with asyncio.timeout(20):
        await asyncio.wait([watching])
    assert watching.cancelled()


@pytest.mark.parametrize(("seconds", "code"), [(20, 3), (0.2, 124)])
async def test_a_program_ends_by_itself_or_is_ended(seconds, code):
    assert (await run("sh", "-c", "[ $1 = 3 ] || sleep 60; exit 3", "sh", str(code), seconds=seconds)).code == code


ENDING = """
import asyncio
from lab.lifekeeper.node import daemon
from lab.lifekeeper.node.shell import run

async def work():
    task = asyncio.create_task(run("true"))
    for _ in range({rounds}):
        await asyncio.sleep(0)
    print("down", flush=True)

daemon.end_with(work())
"""


@pytest.mark.parametrize("rounds", range(1, 6))
def test_the_daemon_ends_also_where_it_is_about_to_begin_a_program(rounds):
    ending = ENDING.format(rounds=rounds)
    done = subprocess.run([sys.executable, "-c", ending], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (0, "down\n"), done.stderr
