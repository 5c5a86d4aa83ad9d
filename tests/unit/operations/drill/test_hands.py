"""Breaking and repairing by commands: what is armed before what starts, and what happens while a node is cut off."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from declaration.site import Site
from operations.drill import disturbances, hands
from operations.drill.armed import pending
from operations.drill.armed_here import arm
from operations.drill.disturbances import Aside, ByPlug, OnNode
from operations.drill.hands import SiteHands, StillArmed, after
from operations.drill.plug import CommandPlug, NoPlug, load
from providers.connection.command import Command, Result, command
from providers.connection.errors import CommandFailed, HostError, NotVerified, Refused, TimedOut, Unreachable
from providers.connection.fake import Answer, FakeNode, fake_cluster, nothing
from providers.lifekeeper import runtime as lifekeeper
from providers.pacemaker import runtime as pacemaker

TOOL = shutil.which("shellcheck") or str(Path(sys.executable).parent / "shellcheck")


@dataclass(frozen=True)
class FakePlug(NoPlug):
    did: list[str] = field(default_factory=list[str])

    async def take(self, action: object, node: str) -> None:
        self.did.append(f"take {action} {node}")

    async def give(self, action: object, node: str) -> None:
        self.did.append(f"give {action} {node}")


def site_hands(
    site: Site, answer: Callable[[Command], Result | str] = lambda _command: ""
) -> tuple[SiteHands, FakeNode, FakeNode]:
    a, b = FakeNode("qsp-a", answer), FakeNode("qsp-b", answer)
    return SiteHands(fake_cluster(a, b), site, NoPlug()), a, b


def told(node: FakeNode) -> list[str]:
    return [str(command) for command in node.commands]


def all_on_nodes(site: Site) -> list[OnNode]:
    return [
        disturbances.squid_killed(site, "qsp-a"),
        disturbances.squid_hung(site, "qsp-a", 60),
        disturbances.network_cut(site, "qsp-a", "public", 60),
        disturbances.network_cut(site, "qsp-b", "replication", 60),
        disturbances.reset("qsp-a"),
        disturbances.mirror_full(site, "qsp-a", ("qsp-a", "qsp-b"), 60),
        disturbances.clock_off("chrony.service", "qsp-b", 30, 60),
    ]


async def test_the_undo_is_armed_before_anything_starts_and_disarmed_after(site: Site) -> None:
    acting, a, b = site_hands(site)
    hung = disturbances.squid_hung(site, "qsp-a", 60)
    await acting.begin(hung)
    assert told(a) == [
        "systemd-run --on-active=60s (the undo of: Squid hangs on qsp-a)",
        "drill: Squid hangs on qsp-a",
    ]
    await acting.undo(hung)
    assert told(a)[2:] == ["drill: undo: Squid hangs on qsp-a", "systemctl stop squid-ha-drill-hang.timer"]
    assert told(b) == []


async def test_what_cannot_be_armed_is_not_begun(site: Site) -> None:
    def refuses(command: Command) -> Result:
        stderr = "Unit squid-ha-drill-hang.timer was already loaded" if "systemd-run" in str(command) else ""
        return Result(command, 1 if stderr else 0, "", stderr)

    acting, a, _ = site_hands(site, refuses)
    with pytest.raises(Refused, match="earlier drill's undo"):
        await acting.begin(disturbances.squid_hung(site, "qsp-a", 60))
    assert len(a.commands) == 1


async def test_a_filler_is_taken_away_wherever_the_mirror_is(site: Site) -> None:
    acting, a, b = site_hands(site)
    full = disturbances.mirror_full(site, "qsp-a", ("qsp-a", "qsp-b"), 60)
    await acting.begin(full)
    assert told(b) == ["systemd-run --on-active=1560s (the undo of: the mirror is full, on qsp-a)"]
    await acting.undo(full)
    assert "drill: undo: the mirror is full, on qsp-a" in told(a)
    assert "drill: undo: the mirror is full, on qsp-a" in told(b)


def test_who_still_fills_the_mirror_is_ended_before_its_file_is_taken_away(tmp_path: Path) -> None:
    """By a real shell; else it would go on filling a file that nobody sees."""
    filler, other = tmp_path / ".squid-ha-drill-filler", tmp_path / "access.log"
    with (
        filler.open("w") as full,
        other.open("w") as log,
        subprocess.Popen(["sleep", "60"], stdout=full) as filling,
        subprocess.Popen(["sleep", "60"], stdout=log) as logging,
    ):
        full.close()
        done = subprocess.run(["sh", "-c", disturbances._EMPTY, "sh", str(tmp_path)], check=False, timeout=60)
        assert (done.returncode, filler.exists(), filling.wait(timeout=10)) == (0, False, -9)
        assert logging.poll() is None, "somebody else's process was ended"
        logging.kill()


def test_what_a_node_undoes_by_itself_waits_for_the_mirror_to_be_mounted(tmp_path: Path) -> None:
    """By a real shell: away twice, then there; and what fails otherwise is not tried again."""
    tried, asleep = tmp_path / "tried", "sleep() { :; }\n"
    undo = f'echo x >>{tried}; [ "$(wc -l <{tried})" -ge 3 ] || exit 32'
    text = asleep + hands._wherever_mounted(undo)
    assert subprocess.run(["sh", "-c", text], check=False).returncode == 0
    assert tried.read_text() == "x\n" * 3
    tried.unlink()
    failing = asleep + hands._wherever_mounted(f"echo x >>{tried}; exit 1")
    assert subprocess.run(["sh", "-c", failing], check=False).returncode == 1
    assert tried.read_text() == "x\n"


async def test_a_power_command_that_is_called_off_has_ended_before_its_undo(tmp_path: Path) -> None:
    begun, done = tmp_path / "begun", tmp_path / "off"
    plug = CommandPlug(command=f"sh -c 'touch {begun}; sleep 0.3; touch {done}'")
    taking = asyncio.create_task(plug.take("power", "qsp-a"))
    async with asyncio.timeout(30):
        while not begun.exists():  # noqa: ASYNC110 another process makes it
            await asyncio.sleep(0.01)
    taking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taking
    assert done.exists()
    await plug.give("power", "qsp-a")


DRILL = """
import asyncio, os, signal, sys
from operations.drill.plug import CommandPlug

async def main():
    plug = CommandPlug(command=sys.argv[1])
    taking = asyncio.create_task(plug.take("power", "qsp-a"))
    if sys.argv[2] == "taken":
        await taking
    elif sys.argv[2] == "given":
        await taking
        await plug.give("power", "qsp-a")
    print("now", flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


POWER = """
import os, sys, time
os.closerange(3, 1024)
word, node = sys.argv[1:]
def tell(text):
    with open("{did}", "a") as file:
        file.write(text + "\\n")
tell(word + " begins")
time.sleep(0.7 if word == "off" else 0)
tell(word + " " + node)
"""


def switched(place: Path) -> str:
    """A `--power COMMAND` that writes down what it does, and keeps nothing open that it was given, as ssh does."""
    program = place / "power"
    program.write_text(f"#!{sys.executable}\n{POWER.format(did=place / 'did')}")
    program.chmod(0o755)
    return str(program)


def did(place: Path) -> list[str]:
    there = place / "did"
    return there.read_text().splitlines() if there.exists() else []


def killed_drill(place: Path, command: str, when: str, *, alone: bool = False) -> None:
    """A drill that has a node's power, and is killed so that it can undo nothing; ``alone``: not what it has begun."""
    with subprocess.Popen(
        [sys.executable, "-c", DRILL, command, when], stdout=subprocess.PIPE, start_new_session=True, text=True
    ) as drill:
        assert drill.stdout is not None
        assert drill.stdout.readline() == "now\n"
        deadline = time.monotonic() + 20
        while not did(place) and time.monotonic() < deadline:
            time.sleep(0.02)
        if alone:
            drill.kill()
        else:
            # As a terminal reaches all that runs in it.
            os.killpg(drill.pid, signal.SIGKILL)


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("when", "alone"),
    [
        ("taken", False),
        # What still switches off ends first, or the node would be off in the end.
        ("taking", False),
        ("taking", True),
    ],
)
def test_a_node_that_a_killed_drill_has_switched_off_is_switched_on_again(
    tmp_path: Path, when: str, *, alone: bool
) -> None:
    killed_drill(tmp_path, switched(tmp_path), when, alone=alone)
    deadline = time.monotonic() + 30
    while "on qsp-a" not in did(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert did(tmp_path) == ["off begins", "off qsp-a", "on begins", "on qsp-a"]


@pytest.mark.timeout(120)
def test_a_node_that_was_switched_on_again_is_left_alone_when_the_drill_is_gone(tmp_path: Path) -> None:
    killed_drill(tmp_path, switched(tmp_path), "given")
    time.sleep(0.5)
    assert did(tmp_path) == ["off begins", "off qsp-a", "on begins", "on qsp-a"]


async def test_what_is_armed_here_tries_again_and_gives_up_in_the_end(tmp_path: Path) -> None:
    counts = f"echo x >>{tmp_path}/tried; [ $(wc -l <{tmp_path}/tried) -ge {{}} ]"
    for needed, code, tried in ((3, 0, 3), (9, 1, 5)):
        armed = arm(["sh", "-c", counts.format(needed)], "a test", again=0.01)
        os.close(armed.held)
        assert armed.process.wait(30) == code
        assert (tmp_path / "tried").read_text().count("x") == tried
        (tmp_path / "tried").unlink()


async def test_what_is_armed_here_undoes_though_nobody_reads_what_it_says(tmp_path: Path) -> None:
    """As where the drill's messages went into a pipe, and Ctrl-C ended who read it, too."""
    read, write = os.pipe()
    kept = os.dup(2)
    os.dup2(write, 2)
    try:
        armed = arm(["touch", str(tmp_path / "done")], "a test")
    finally:
        os.dup2(kept, 2)
        for each in (kept, read, write):
            os.close(each)
    os.close(armed.held)
    assert await asyncio.to_thread(armed.process.wait, 30) == 0
    assert (tmp_path / "done").exists()


async def test_what_is_armed_here_ends_without_doing_anything_once_it_is_not_needed(tmp_path: Path) -> None:
    armed = arm(["touch", str(tmp_path / "done")], "a test")
    state = Path(f"/proc/{armed.process.pid}/status")
    async with asyncio.timeout(30):
        while not int(re.findall(r"SigIgn:\s*(\w+)", state.read_text())[0], 16) & (1 << (signal.SIGTERM - 1)):  # noqa: ASYNC110 another process does it
            await asyncio.sleep(0.01)
    armed.process.send_signal(signal.SIGTERM)
    await armed.disarm()
    assert armed.process.returncode == 0
    assert not (tmp_path / "done").exists()


async def test_what_switches_a_node_off_begins_once_its_undo_is_armed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cannot(undo: object, what: str) -> None:
        raise Refused("cannot be armed")

    monkeypatch.setattr("operations.drill.plug.arm", cannot)
    with pytest.raises(Refused, match="cannot be armed"):
        await CommandPlug(command=switched(tmp_path)).take("power", "qsp-a")
    assert did(tmp_path) == []


async def test_a_filler_is_looked_for_until_the_mirror_is_somewhere(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hands, "TRY_AGAIN", 0.001)
    left = 5

    def unmounted(command: Command) -> Result:
        nonlocal left
        left -= "undo:" in str(command)
        return Result(command, 32 if left > 0 and "undo:" in str(command) else 0, "", "")

    acting, a, b = site_hands(site, unmounted)
    full = disturbances.mirror_full(site, "qsp-a", ("qsp-a", "qsp-b"), 60)
    await acting.begin(full)
    await acting.undo(full)
    assert [len([text for text in told(node) if "drill: undo:" in text]) for node in (a, b)] == [3, 3]
    monkeypatch.setattr(hands, "SLACK", 0.01)
    left = 10_000
    with pytest.raises(NotVerified, match="on no node"):
        await SiteHands(fake_cluster(a, b), site, NoPlug()).undo(full)


@pytest.mark.thorough
async def test_a_cut_node_is_asked_first_whether_it_can_be_and_begins_of_its_own_accord(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hands, "TRY_AGAIN", 0.001)
    silent = 3

    def cut_off(command: Command) -> str:
        nonlocal silent
        if "undo:" in str(command) and (silent := silent - 1) >= 0:
            raise Unreachable("no connection", node="qsp-a")
        return ""

    acting, a, _ = site_hands(site, cut_off)
    cut = disturbances.network_cut(site, "qsp-a", "public", 60)
    await acting.begin(cut)
    undo, cutting = "systemd-run --on-active=60s (the undo of", "systemd-run --on-active=2s (qsp-a is cut off the"
    assert [text.split(":")[0] for text in told(a)] == ["drill", undo, f"{cutting} public network)"]
    await acting.undo(cut)
    assert len([text for text in told(a) if "undo:" in text]) == 4, "it was not tried until the node was back"


async def test_what_has_not_started_yet_is_called_off_before_the_repair(site: Site) -> None:
    acting, a, _ = site_hands(site)
    cut = disturbances.network_cut(site, "qsp-a", "public", 60)
    await acting.undo(cut)
    said = told(a)
    assert said[0] == f"systemctl stop {cut.unit}-start.timer {cut.unit}-start.service"
    assert "undo:" in said[1]
    await acting.undo(disturbances.reset("qsp-a"))
    assert told(a)[-1].endswith("-start.service"), "a reset is called off although nothing undoes it"


async def test_an_undo_that_fails_on_the_node_is_an_error_at_once(site: Site) -> None:
    acting, *_ = site_hands(site, lambda command: Result(command, 1 if "undo:" in str(command) else 0, "", "no"))
    hung = disturbances.squid_hung(site, "qsp-a", 60)
    await acting.begin(hung)
    with pytest.raises(CommandFailed):
        await acting.undo(hung)


@dataclass
class FakeRuntime:
    """An engine whose nodes can bring each other back; what it does it says on the other node too."""

    other: FakeNode

    async def aside(self, cluster: object, node: str) -> None:
        await self.other.run(command("aside", node))

    async def back(self, cluster: object, node: str) -> None:
        await self.other.run(command("back", node))

    async def way_back(self, cluster: object, node: str) -> dict[str, Command]:
        return {self.other.name: command("bring", "back", f"${node}")}

    async def cleanup(self, cluster: object) -> None:
        await self.other.run(command("cleanup"))


def with_runtime(site: Site, monkeypatch: pytest.MonkeyPatch, answer: Answer = nothing) -> tuple[SiteHands, FakeNode]:
    a, plug = FakeNode("qsp-a", answer), FakePlug()
    monkeypatch.setattr(hands, "engine_of", lambda _site: SimpleNamespace(runtime=FakeRuntime(a)))
    return SiteHands(fake_cluster(a, FakeNode("qsp-b")), site, plug), a


async def test_power_and_cables_are_the_plugs(site: Site) -> None:
    plug = FakePlug()
    acting = SiteHands(fake_cluster(FakeNode("qsp-a"), FakeNode("qsp-b")), site, plug)
    off = ByPlug("power", "off", "qsp-a", cut_off=True)
    await acting.begin(off)
    await acting.undo(off)
    assert plug.did == ["take power qsp-a", "give power qsp-a"]


STOPPED = "systemctl stop squid-ha-drill-aside.timer squid-ha-drill-aside.service"


async def test_a_node_aside_comes_back_by_itself_should_the_drill_be_killed(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    acting, a = with_runtime(site, monkeypatch)
    aside = Aside("qsp-b is put aside", "qsp-b", 1200)
    await acting.begin(aside)
    armed = "systemd-run --on-active=1200s (the undo of: qsp-b is put aside)"
    assert told(a) == [armed, "aside qsp-b"]
    assert a.commands[0].argv[4:] == ("squid-ha-drill-aside", "1200s", 'exec "$$@"', "bring", "back", "$$qsp-b")
    await acting.undo(aside)
    await acting.clear()
    assert told(a)[2:] == ["back qsp-b", STOPPED, "cleanup"]


async def test_a_node_that_cannot_be_brought_back_from_here_is_left_to_its_timer(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(said: Command) -> Result:
        return Result(said, 1 if str(said).startswith("back") else 0, "", "")

    acting, a = with_runtime(site, monkeypatch, refuses)
    with pytest.raises(CommandFailed):
        await acting.undo(Aside("qsp-b is put aside", "qsp-b", 1200))
    assert told(a) == ["back qsp-b"]


@pytest.mark.parametrize(
    ("error", "ended"),
    [(TimedOut("not within 300 s"), False), (Unreachable("no route"), False), (Refused("not up to date"), True)],
)
async def test_what_may_still_put_a_node_aside_after_it_was_brought_back_leaves_its_undo_armed(
    site: Site, monkeypatch: pytest.MonkeyPatch, error: HostError, ended: bool
) -> None:
    """LifeKeeper that is still to stop answers meanwhile that it runs."""

    def fails(said: Command) -> str:
        if str(said).startswith("aside"):
            raise error
        return ""

    acting, a = with_runtime(site, monkeypatch, fails)
    aside = Aside("qsp-b is put aside", "qsp-b", 1200)
    with pytest.raises(type(error)):
        await acting.begin(aside)
    if ended:
        await acting.undo(aside)
    else:
        with pytest.raises(StillArmed, match=r"squid-ha-drill-aside\.timer stays armed on qsp-a"):
            await acting.undo(aside)
    assert (STOPPED in told(a)) is ended
    assert "back qsp-b" in told(a)


async def test_putting_aside_that_is_called_off_leaves_its_undo_armed(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    acting, a = with_runtime(site, monkeypatch)
    begun, aside = asyncio.Event(), Aside("qsp-b is put aside", "qsp-b", 1200)

    async def slow(_self: object, _cluster: object, _node: str) -> None:
        begun.set()
        await asyncio.sleep(60)

    monkeypatch.setattr(FakeRuntime, "aside", slow)
    task = asyncio.create_task(acting.begin(aside))
    await asyncio.wait_for(begun.wait(), 5)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    with pytest.raises(StillArmed):
        await acting.undo(aside)
    assert STOPPED not in told(a)


async def test_a_node_that_is_back_is_not_called_aside_for_a_timer_that_cannot_be_stopped(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the timers of the other nodes are stopped."""
    monkeypatch.setattr(hands, "SLACK", 0.0)
    monkeypatch.setattr(hands, "TRY_AGAIN", 0.0)

    def silent(said: Command) -> str:
        if str(said) == STOPPED:
            raise Unreachable("no connection", node="qsp-a")
        return ""

    acting, _ = with_runtime(site, monkeypatch, silent)
    b = FakeNode("qsp-b")
    acting._cluster = fake_cluster(*acting._cluster.nodes.values(), b)

    async def ways(_self: object, _cluster: object, node: str) -> dict[str, Command]:
        return dict.fromkeys(("qsp-a", "qsp-b"), command("bring", "back", node))

    monkeypatch.setattr(FakeRuntime, "way_back", ways)
    with pytest.raises(StillArmed, match=r"undone, but squid-ha-drill-aside\.timer could not be stopped: qsp-a: no c"):
        await acting.undo(Aside("qsp-b is put aside", "qsp-b", 1200))
    assert told(b) == [STOPPED]


async def test_squid_that_goes_on_is_not_called_hung_for_a_timer_that_cannot_be_stopped(site: Site) -> None:
    acting, *_ = site_hands(site, lambda said: Result(said, 1 if "systemctl stop" in str(said) else 0, "", "no"))
    with pytest.raises(StillArmed, match=r"qsp-a: undone, but squid-ha-drill-hang\.timer could not be stopped"):
        await acting.undo(disturbances.squid_hung(site, "qsp-a", 60))


def stub(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


def tried(said: Command, folder: Path) -> tuple[int, str]:
    """By a real shell, with programs out of ``folder`` first: the exit code, and what was said."""
    done = subprocess.run(
        said.argv, env={"PATH": f"{folder}:{os.environ['PATH']}"}, text=True, capture_output=True, check=False
    )
    return done.returncode, done.stdout


async def test_standby_mode_is_ended_by_every_node_of_pacemaker_once_the_cluster_takes_it(tmp_path: Path) -> None:
    stub(tmp_path, "sleep", "")
    stub(tmp_path, "crm_attribute", f'echo x >>{tmp_path}/tries; [ "$(wc -l <{tmp_path}/tries)" -ge 3 ] && echo "$*"')
    ways = await pacemaker.way_back(fake_cluster(FakeNode("qsp-a"), FakeNode("qsp-b")), "qsp-b")
    assert list(ways) == ["qsp-a", "qsp-b"]
    assert tried(ways["qsp-a"], tmp_path) == (
        0, "--node qsp-b --name standby --delete\n--node qsp-b --name standby --lifetime reboot --delete\n",
    )  # fmt: skip


async def test_lifekeeper_that_runs_is_left_alone_and_else_started_where_it_outlives_its_timer(tmp_path: Path) -> None:
    stub(tmp_path, "systemd-run", 'echo "$*"')
    ((name, way),) = (await lifekeeper.way_back(fake_cluster(FakeNode("qsp-a"), FakeNode("qsp-b")), "qsp-b")).items()
    assert name == "qsp-b", "no other node can start it there"
    assert way.argv[4:] == ("/opt/LifeKeeper/bin/lktest", "/opt/LifeKeeper/bin/lkcli", "start")
    for test, said in (("true", ""), ("false", "--scope --quiet --collect -- /opt/LifeKeeper/bin/lkcli start\n")):
        assert tried(replace(way, argv=(*way.argv[:4], test, *way.argv[5:])), tmp_path) == (0, said)


@pytest.mark.thorough
def test_scripts_are_right_by_shellcheck(site: Site, tmp_path: Path) -> None:
    texts = {text for each in all_on_nodes(site) for text in (each.start, each.undo, each.check)}
    for runtime in (pacemaker, lifekeeper):
        ways = asyncio.run(runtime.way_back(fake_cluster(FakeNode("a")), "a"))
        texts |= {way.argv[2] for way in ways.values()}
    for number, text in enumerate(sorted(texts)):
        (tmp_path / f"{number}.sh").write_text(text)
    files = sorted(tmp_path.glob("*.sh"))
    checked = subprocess.run([TOOL, "--shell=sh", *files], text=True, capture_output=True, check=False)
    assert checked.returncode == 0, checked.stdout
    assert len(files) > 10


def test_what_systemd_runs_keeps_its_dollars(site: Site) -> None:
    each = disturbances.squid_hung(site, "qsp-a", 60)
    command = after(each.unit, 60, each.undo, each.arguments, "x")
    assert command.argv[4:] == (
        "squid-ha-drill-hang", "60s", 'systemctl kill --signal=CONT "$$1" 2>/dev/null || :', "squid.service",
    )  # fmt: skip


def test_units_are_named_so_that_they_are_found(site: Site) -> None:
    names = [each.unit for each in (*all_on_nodes(site), Aside("aside", "qsp-a", 60))]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"squid-ha-drill-[a-z-]+", name) for name in names)


async def test_what_an_earlier_drill_has_left_is_found() -> None:
    there = FakeNode("qsp-b", lambda _command: "squid-ha-drill-hang.timer loaded active waiting x\n")
    assert await pending(fake_cluster(FakeNode("qsp-a"), there)) == {"qsp-b": "squid-ha-drill-hang.timer"}


async def test_power_by_a_command() -> None:
    plug = CommandPlug(command="sh -c '[ $0-$1 = off-qsp-a ] || { echo no such outlet; exit 3; }'")
    await plug.take("power", "qsp-a")
    with pytest.raises(Refused, match="exit code 3: no such outlet"):
        await plug.give("power", "qsp-a")
    assert list(plug._armed) == ["qsp-a"], "it is tried once more when the drill ends"
    await plug._armed["qsp-a"].disarm()
    with pytest.raises(Refused, match="cannot be run"):
        await CommandPlug(command="/no/such/program").take("power", "qsp-a")
    with pytest.raises(Refused, match="nobody has hold"):
        await NoPlug().take("disk", "qsp-a")


def test_a_plug_by_name() -> None:
    assert load("lab.plug:plug").disposable
    for wrong in ("lab.plug:none", "no.such:plug", ""):
        with pytest.raises(Refused, match="names no object"):
            load(wrong)
    with pytest.raises(Refused, match="cannot tell whether its hosts are those of a site"):
        load("json:dumps")
