"""Split brain: seen by the data's generations and the kernel's words, ended only where there is one."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from providers.connection.command import Command, Result
from providers.connection.errors import NotVerified, Refused, TimedOut
from providers.connection.fake import FakeNode, fake_cluster
from providers.storage import drbd, split

RECORDED = Path(__file__).parents[2] / "recorded/storage"
STANDALONE = (RECORDED / "events2-standalone.txt").read_text()
COPYING = (RECORDED / "events2-sync-target.txt").read_text()
UP_TO_DATE = (RECORDED / "events2-up-to-date.txt").read_text()
KERNEL = "block drbd0: Split-Brain detected but unresolved, dropping connection!"
NOT_THERE = "0000000000000000"
BASE, OLD, ONE, TWO = "240B8474F5F30D70", "53D5B756191BEFD1", "AAAA8474F5F30D70", "BBBB8474F5F30D71"
REST = ":1:1:0:0:0:0:0"


def written(own: str, base: str = BASE) -> str:
    return f"{own}:{base}:{OLD}:{NOT_THERE}{REST}"


LEFT_BEHIND = f"{BASE}:{NOT_THERE}:{OLD}:{NOT_THERE}{REST}"


@pytest.mark.parametrize(
    ("one", "two", "apart"),
    [
        (written(ONE), written(TWO), True),
        (written(ONE), LEFT_BEHIND, False),
        (LEFT_BEHIND, written(ONE), False),
        (written(ONE), written(ONE[:-1] + "1"), False),
        (LEFT_BEHIND, LEFT_BEHIND, False),
        ("", written(ONE), False),
        (written(ONE, base="C" * 16).replace(OLD, "D" * 16), written(TWO), False),
    ],
    ids=["both written", "one written", "the other", "same, one primary", "equal", "not attached", "nothing in common"],
)
def test_generations_tell_who_was_written_apart(one: str, two: str, apart: bool) -> None:
    assert split.diverged(one, two) is apart


class Pair:
    """Two halves that refuse each other until both want to connect, one of them throwing its data away."""

    def __init__(self, *, kernel: str = KERNEL, generations: tuple[str, str] = ("", "")) -> None:
        self.state = {"qsp-a": STANDALONE, "qsp-b": STANDALONE}
        self.kernel = kernel
        self.generations = dict(zip(self.state, generations, strict=True))
        self.said: list[str] = []
        self.busy = False
        self.deaf = False

    def nodes(self) -> list[FakeNode]:
        return [FakeNode(name, self.answer(name)) for name in self.state]

    def answer(self, name: str) -> Callable[[Command], Result | str]:
        def answer(command: Command) -> Result | str:
            text = str(command)
            if "events2" in text:
                return self.state[name]
            if "get-gi" in text:
                return self.generations[name]
            if "kernel" in text:
                return self.kernel
            self.said.append(f"{name}: {text}")
            if "secondary" in text and self.busy:
                return Result(command, 11, "", "State change failed: (-12) Device is held open by someone")
            if "qsp-a: drbdadm connect squid-ha" in self.said and not self.deaf:
                self.state = {"qsp-a": UP_TO_DATE, "qsp-b": COPYING}
            return ""

        return answer


async def test_the_victim_throws_away_and_the_survivor_takes_it_back() -> None:
    pair = Pair()
    cluster = fake_cluster(*pair.nodes())
    found = await split.split_brain(cluster, "squid-ha")
    assert found is not None
    assert found.said == {"qsp-a": KERNEL, "qsp-b": KERNEL}
    for _ in range(2):
        await split.resolve(cluster, "qsp-b", "squid-ha")
        assert pair.said == [
            "qsp-b: drbdadm secondary squid-ha",
            "qsp-b: drbdadm connect --discard-my-data squid-ha",
            "qsp-a: drbdadm connect squid-ha",
        ], "a second run changes nothing"
    assert await split.split_brain(cluster, "squid-ha") is None


async def test_a_victim_that_still_tries_to_connect_is_stopped_first() -> None:
    pair = Pair(generations=(written(ONE), written(TWO)), kernel="")
    pair.state["qsp-b"] = STANDALONE.replace("StandAlone", "Connecting")
    found = await split.split_brain(fake_cluster(*pair.nodes()), "squid-ha")
    assert found is not None
    assert found.said["qsp-b"] == "Secondary, Connecting, data UpToDate"
    await split.resolve(fake_cluster(*pair.nodes()), "qsp-b", "squid-ha")
    assert pair.said[0] == "qsp-b: drbdadm disconnect squid-ha"


async def test_the_kernels_line_of_one_that_is_long_ended_is_not_believed_against_the_generations() -> None:
    """Somebody disconnected the halves by hand, weeks after a real one."""
    for generations in ((written(ONE), LEFT_BEHIND), (LEFT_BEHIND, LEFT_BEHIND)):
        assert await split.split_brain(fake_cluster(*Pair(generations=generations).nodes()), "squid-ha") is None


@pytest.mark.parametrize(
    "state", [UP_TO_DATE, COPYING, STANDALONE, (RECORDED / "events2-unconfigured.txt").read_text()]
)
async def test_without_a_split_brain_nothing_is_thrown_away(state: str) -> None:
    pair = Pair(kernel="", generations=(written(ONE), LEFT_BEHIND))
    pair.state = dict.fromkeys(pair.state, state)
    cluster = fake_cluster(*pair.nodes())
    assert await split.split_brain(cluster, "squid-ha") is None
    if "Connected" in state:
        await split.resolve(cluster, "qsp-b", "squid-ha")
    else:
        with pytest.raises(Refused, match="no split brain"):
            await split.resolve(cluster, "qsp-b", "squid-ha")
    assert pair.said == []


async def test_a_volume_in_use_is_never_thrown_away() -> None:
    pair = Pair()
    pair.busy = True
    with pytest.raises(Refused, match="held open"):
        await split.resolve(fake_cluster(*pair.nodes()), "qsp-b", "squid-ha")
    assert not any("discard" in said for said in pair.said)


@pytest.mark.parametrize(("kernel", "error"), [(KERNEL, NotVerified), ("", TimedOut)])
async def test_halves_that_still_do_not_talk_are_an_error(kernel, error, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(split, "RESYNC_LIMIT", 0.0)
    pair = Pair()
    pair.deaf = True
    answers = iter([KERNEL, KERNEL])
    real = pair.answer

    def answer(name: str):
        inner = real(name)
        return lambda command: next(answers, kernel) if "kernel" in str(command) else inner(command)

    nodes = [FakeNode(name, answer(name)) for name in pair.state]
    with pytest.raises(error):
        await split.resolve(fake_cluster(*nodes), "qsp-b", "squid-ha")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("block drbd1: Split-Brain detected but unresolved, dropping connection!", True),
        ("drbd r0/0 drbd1 qsp-b: Split-Brain detected but unresolved, dropping connection!", True),
        ("drbd r0 qsp-b: Split-Brain detected but unresolved, dropping connection!", True),
        ("block drbd10: Split-Brain detected but unresolved, dropping connection!", False),
        ("block drbd0: Split-Brain detected but unresolved, dropping connection!", False),
        ("drbd r0-web qsp-b: Split-Brain detected but unresolved, dropping connection!", False),
    ],
)
def test_what_the_kernel_says_of_another_resource_is_not_taken_for_this_mirrors(
    tmp_path: Path, line: str, said: bool
) -> None:
    for name, body in (("drbdadm", "echo 1"), ("dmesg", f"echo '[ 2170.195907] {line}'")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / name).chmod(0o755)
    asked = drbd.reasons("r0")
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    ran = subprocess.run(asked.argv, capture_output=True, text=True, env=environment, check=False)
    assert ran.stdout.strip() == (line if said else "")
