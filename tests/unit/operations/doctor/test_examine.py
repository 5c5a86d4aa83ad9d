"""The doctor's way to the hosts, the ports between them, and what it prints."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from rich.console import Console

from declaration.errors import DeclarationError, Mistake
from declaration.load import read
from declaration.site import Site
from operations import doctor as package
from operations import site as sites
from operations.cli import doctor as cli
from operations.doctor import ports
from operations.doctor.checks import clock, disk
from operations.doctor.examine import examine
from operations.doctor.model import Finding, Report
from operations.doctor.show import render
from operations.stacks import StackTrouble
from providers.connection.access import ConnectionSettings
from providers.connection.command import Command, Result, command
from providers.connection.errors import HostError, Refused, SudoRefused, TimedOut, Unknown
from providers.connection.fake import FakeNode, fake_cluster
from providers.connection.loop import run_sync
from providers.connection.ssh import SESSIONS
from providers.connection.translate import as_host_error, host_key_refused
from tests.support.sites import lab_settings
from tests.support.terminal import alone

TARGET = ConnectionSettings("qsp-a", "192.0.2.11", user="ops")


def network(cause: Exception) -> HostError:
    error = as_host_error(TARGET, cause)
    error.__cause__ = cause
    return error


class PermissionDenied(Exception):
    """As asyncssh has it."""

    __module__ = "asyncssh.misc"


FAILURES = {
    "name not found": network(socket.gaierror(-2, "Name or service not known")),
    "port closed": network(ConnectionRefusedError(111, "Connection refused")),
    "no answer": network(TimeoutError()),
    "host key unknown": host_key_refused(TARGET, changed=False),
    "host key changed": host_key_refused(TARGET, changed=True),
    "login refused": network(PermissionDenied("no key was accepted")),
    "sudo refused": SudoRefused("user ops may not become root", node="qsp-a", remedy="give it sudo"),
}


@pytest.mark.parametrize("step", FAILURES)
async def test_each_way_to_fail_is_told_apart_and_the_other_node_is_asked_all_the_same(step: str, site: Site) -> None:
    def refuse(command: Command) -> str:
        raise FAILURES[step]

    other = FakeNode("qsp-b", lambda command: "[]" if "ip" in command.argv else "")
    report = await examine(fake_cluster(FakeNode("qsp-a", refuse), other), site, "lab")
    found = [each for each in report.findings if each.where == "qsp-a"]
    assert [each.check for each in found] == ["ssh"]
    assert found[0].sentence.startswith(step)
    assert found[0].remedy
    assert report.unreachable == ["qsp-a"]
    assert not report.nobody_told
    assert not other.written, "the doctor changes nothing"
    assert any(each.where == "qsp-b" and each.check == "platform" for each in report.findings)


def with_slots(name: str, owners: str) -> FakeNode:
    """A node that sees the shared fencing disk with slots, and says whose it is."""
    disk = {"name": "/dev/sdb", "type": "disk", "size": 10_000_000, "serial": "sbd", "ro": False, "mountpoints": [None]}

    def answer(command: Command) -> str | Result:
        said = str(command)
        if "owner" in said:
            return owners
        if command.argv[0] == "lsblk":
            return json.dumps({"blockdevices": [disk]})
        if command.argv[0] == "sbd":
            return "==Header\n"
        if command.argv[0] == "ip":
            return "[]"
        return ""

    return FakeNode(name, answer)


@pytest.mark.parametrize("survivor", ["qsp-a", "qsp-b"])
async def test_a_new_node_in_an_old_ones_place_finds_the_survivors_fencing_disk_in_order(
    survivor: str, site: Site
) -> None:
    owners = {survivor: "lab/owner squid-ha/lab\n"}
    nodes = [with_slots(name, owners.get(name, "")) for name in ("qsp-a", "qsp-b")]
    report = await examine(fake_cluster(*nodes), site, "lab")
    found = [each for each in report.findings if each.check == "fencing" and "virtio-sbd" in each.sentence]
    assert [(each.where, each.level) for each in found] == [("qsp-a", "ok"), ("qsp-b", "ok")], found
    assert all("slots of this site" in each.sentence for each in found)
    for node in nodes:
        assert ["owner" in each.label for each in node.commands].count(True) == 1, "asked twice whose the node is"


async def test_nobody_is_told_to_blank_the_fencing_disk_while_the_survivor_does_not_answer(site: Site) -> None:
    def refuse(command: Command) -> str:
        raise FAILURES["no answer"]

    report = await examine(fake_cluster(with_slots("qsp-a", ""), FakeNode("qsp-b", refuse)), site, "lab")
    (found,) = [each for each in report.findings if each.check == "fencing" and "virtio-sbd" in each.sentence]
    assert "qsp-b was not asked" in found.sentence
    assert "blank" not in found.remedy


async def test_an_answer_that_is_not_understood_is_a_finding_and_hides_no_other(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def judge(asked: object) -> list[Finding]:
        raise Unknown("what lsblk said is not understood")

    monkeypatch.setattr(disk, "judge", judge)
    node = FakeNode("qsp-a", lambda command: "[]" if command.argv[0] == "ip" else "")
    report = await examine(fake_cluster(node), site, "lab")
    (found,) = [each for each in report.findings if each.check == "disk"]
    assert (found.level, found.sentence) == ("problem", "what lsblk said is not understood")
    assert found.remedy
    assert any(each.check == "platform" for each in report.findings)


async def test_each_command_that_does_not_end_is_told_by_its_own_limit(site: Site) -> None:
    @dataclass
    class Slow(FakeNode):
        async def batch(self, commands: Sequence[Command]) -> list[Result]:
            raise TimedOut("`wipefs` did not finish within 60 s", node=self.name)

    def answer(command: Command) -> str:
        if str(command) == "look who has it":
            raise TimedOut("`look who has it` did not finish within 10 s", node="qsp-a")
        return "[]" if command.argv[0] == "ip" else ""

    report = await examine(fake_cluster(Slow("qsp-a", answer)), site, "lab")
    (found,) = [each for each in report.findings if each.check == "virtual-ip"]
    assert (found.level, "`look who has it` did not finish within 10 s" in found.sentence) == ("note", True)


async def test_beside_a_command_that_hangs_the_others_are_asked_as_many_at_once_as_there_are_sessions(
    site: Site,
) -> None:
    under_way, most = 0, 0

    @dataclass
    class Slow(FakeNode):
        async def batch(self, commands: Sequence[Command]) -> list[Result]:
            raise TimedOut("`wipefs` did not finish within 60 s", node=self.name)

        async def run(self, command: Command) -> Result:
            nonlocal under_way, most
            under_way += 1
            most = max(most, under_way)
            for _ in range(20):
                await asyncio.sleep(0)
            under_way -= 1
            return await super().run(command)

    node = Slow("qsp-a", lambda command: "[]" if command.argv[0] == "ip" else "")
    report = await examine(fake_cluster(node), site, "lab")
    assert most == SESSIONS
    assert report.unreachable == []


async def test_a_command_that_hangs_puts_no_clock_wrong(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """What all clocks are compared with is the time at which a node is asked, also the second time."""
    passed = 0.0
    begun = time.time()
    monkeypatch.setattr(clock.time, "time", lambda: begun + passed)

    @dataclass
    class Hanging(FakeNode):
        async def batch(self, commands: Sequence[Command]) -> list[Result]:
            nonlocal passed
            if len(commands) > 1:
                passed += 60
                raise TimedOut("`wipefs` did not finish within 60 s", node=self.name)
            return await super().batch(commands)

    def answer(command: Command) -> str | Result:
        if command.label == "read the clock":
            return f"{command.argv[-1]} {begun + passed}"
        if "systemctl" in command.argv:
            return Result(command, 1, "", "")
        return "[]" if "ip" in command.argv else ""

    report = await examine(fake_cluster(Hanging("qsp-a", answer), FakeNode("qsp-b", answer)), site, "lab")
    found = [each.sentence for each in report.findings if each.check == "clock" and each.where == "qsp-a"]
    assert "within 1 s of this machine's clock" in found, found


@pytest.mark.parametrize("asked", ["batch", "one by one", "owners"])
async def test_a_node_that_drops_once_it_was_reached_is_a_finding_and_the_other_one_is_judged(
    asked: str, site: Site
) -> None:
    @dataclass
    class Dropping(FakeNode):
        async def batch(self, commands: Sequence[Command]) -> list[Result]:
            if asked == "owners":
                return await super().batch(commands)
            raise {"batch": FAILURES["no answer"]}.get(asked, TimedOut("60 s", node=self.name))

    def answer(command: Command) -> str:
        if command.argv[0] == "true" or (asked == "owners" and "owner" not in command.label):
            return "[]" if command.argv[0] == "ip" else ""
        raise FAILURES["no answer"]

    other = FakeNode("qsp-b", lambda command: "[]" if "ip" in command.argv else "")
    report = await examine(fake_cluster(Dropping("qsp-a", answer), other), site, "lab")
    (found,) = [each for each in report.findings if each.where == "qsp-a"]
    assert (found.check, found.level) == ("ssh", "problem")
    assert "it was reached, and then could not be asked" in found.sentence
    assert found.remedy
    assert report.unreachable == ["qsp-a"]
    assert any(each.where == "qsp-b" and each.check == "platform" for each in report.findings)


def test_every_port_of_the_engine_is_a_door(site: Site) -> None:
    entries = [door.entry for door in ports.doors(site, site.node("qsp-a"))]
    assert entries == ["udp:192.0.2.11:5405", "udp:172.16.77.11:5406", "tcp:172.16.77.11:7789"]


DOOR = ports.Door("the mirror: tcp port 7789", "tcp:172.16.77.11:7789")
SS = 'tcp LISTEN 0 5 172.16.77.11:7789 0.0.0.0:* users:(("{}",pid=1,fd=3)) cgroup:/system.slice/{}\n'


def ports_found(listening: str, knocking: str = "", held: str = "", doors: Sequence[ports.Door] = (DOOR,)) -> Finding:
    said = [Result(command("x"), 0, text, "") for text in (listening, knocking)]
    (finding,) = ports.judge(
        "qsp-a",
        "qsp-b",
        doors,
        ports.Held(held, {"corosync.service", "lifekeeper.service", "squid.service"}, ("lifekeeper-",)),
        *said,
    )
    return finding


def test_a_unit_that_the_engine_has_made_holds_its_ports_too() -> None:
    busy = f"busy {DOOR.entry} Address already in use\n"
    for unit in ("lifekeeper-nbd0.service", "lifekeeper.service"):
        assert ports_found(busy, held=SS.format("nbd-server", unit)).level == "note"
    for name, unit in (("nbd-server", "lifekeepers.service"), ("squid", "squid-guest.service")):
        assert ports_found(busy, held=SS.format(name, unit)).level == "problem"


def test_ports() -> None:
    bound = f"bound {DOOR.entry}\n"
    assert ports_found(bound, f"through {DOOR.entry}\n").level == "ok"
    shut = ports_found(bound)
    assert (shut.level, shut.where) == ("problem", "qsp-b → qsp-a")
    assert "does not get through" in shut.sentence
    busy = f"busy {DOOR.entry} Address already in use\n"
    taken = ports_found(busy, held=SS.format("nginx", "nginx.service"))
    assert (taken.level, "taken by nginx" in taken.sentence) == ("problem", True)
    assert ports_found(busy, held=SS.format("corosync", "corosync.service")).level == "note"
    assert ports_found(busy, held=SS.format("python3", "lifekeeper.service")).level == "note", "the engine's own"
    assert ports_found(busy, held=SS.format("nbd-server", "nbd-server.service")).level == "problem", "somebody's own"
    without_units = SS.format("lcm", "x").replace(" cgroup:/system.slice/x", "")
    assert ports_found(busy, held=without_units).level == "note"
    ssh = SS.format("sshd", "ssh.service").replace("7789", "22")
    assert ports_found(busy, held=ssh).level == "note", "the kernel holds DRBD's port"
    assert "nobody can tell by whom" in ports_found(busy).sentence
    away = ports_found(f"busy {DOOR.entry} Cannot assign requested address\n")
    assert (away.level, "does not bear the address 172.16.77.11" in away.sentence) == ("problem", True)
    assert ports_found("no perl\n").level == "note"


def test_of_a_range_that_the_engine_takes_one_of_both_ends_are_tried_and_the_last_one_is_no_problem() -> None:
    of = read(lab_settings(engine="lifekeeper"), "test")
    found = [door for door in ports.doors(of, of.node("qsp-a")) if "the mirror" in door.what]
    assert [(door.entry, door.spare) for door in found] == [
        ("tcp:172.16.77.11:10001", False),
        ("tcp:172.16.77.11:10016", True),
    ]
    first, last = found
    assert ports_found(f"bound {first.entry}\n", doors=[first]).level == "problem"
    shut = ports_found(f"bound {last.entry}\n", doors=[last])
    assert (shut.level, "10016" in shut.sentence) == ("note", True)
    assert ports_found(f"bound {last.entry}\n", f"through {last.entry}\n", doors=[last]).level == "ok"
    heard = f"bound {first.entry}\nbusy {last.entry} Address already in use\n"
    only = ports_found(heard, f"through {first.entry}\n", SS.format("nginx", "nginx.service"), found)
    assert (only.level, "10001" in only.sentence) == ("ok", True)


def free(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.thorough
def test_listener_and_knocker_meet_and_the_listener_ends_by_itself() -> None:
    tcp, udp = free(socket.SOCK_STREAM), free(socket.SOCK_DGRAM)
    entries = [f"tcp:127.0.0.1:{tcp}", f"udp:127.0.0.1:{udp}"]
    began = time.monotonic()
    listener = subprocess.Popen(["sh", "-c", ports._LISTEN, "sh", "10", *entries], stdout=subprocess.PIPE, text=True)
    knocker = subprocess.run(
        ["sh", "-c", ports._KNOCK, "sh", "5", *entries], capture_output=True, text=True, timeout=20, check=False
    )
    heard, _ = listener.communicate(timeout=20)
    assert sorted(knocker.stdout.split()) == sorted(["through", "through", *entries]), knocker.stderr
    assert all(f"bound {each}" in heard and f"asked {each}" in heard for each in entries)
    assert time.monotonic() - began < 9, "it did not end when everybody had knocked"
    nobody = subprocess.run(
        ["sh", "-c", ports._LISTEN, "sh", "1", *entries], capture_output=True, timeout=10, check=False
    )
    assert nobody.returncode == 0, "nobody knocked, and it did not end"


FINE = Finding(check="disk", where="qsp-a", level="ok", sentence="[red]x")
REPORTS = {
    "ready": Report(stack="lab", nodes=["qsp-a"], findings=[FINE]),
    "problem": Report(
        stack="lab",
        nodes=["qsp-a"],
        findings=[Finding(check="disk", where="qsp-a", level="problem", sentence="not blank", remedy="wipe it")],
    ),
    "gone": Report(
        stack="lab",
        nodes=["qsp-a"],
        unreachable=["qsp-a"],
        findings=[Finding(check="ssh", where="qsp-a", level="problem", sentence="no answer", remedy="look")],
    ),
}  # fmt: skip


class FakeHosts:
    site = None

    def __init__(self, stack: str) -> None:
        self.stack = stack

    def cluster(self, progress: object) -> str:
        return self.stack

    run = staticmethod(run_sync)


async def reported(cluster: object, site: object, stack: str) -> Report:
    return REPORTS[stack]


@pytest.mark.parametrize(
    ("stacks", "code"),
    [(["ready"], 0), (["problem"], 3), (["gone"], 4), (["ready", "gone"], 4), (["gone", "problem"], 4)],
)
def test_exit_codes_and_one_document(stacks: list[str], code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sites, "hosts_of", FakeHosts)
    monkeypatch.setattr(package, "examine", reported)
    done = alone(cli.command, [*stacks, "--json"])
    assert done.exit_code == code, done.output
    document = json.loads(done.stdout)
    assert [each["ready"] for each in document["stacks"]] == [each == "ready" for each in stacks]


def test_a_stack_that_cannot_be_used_is_a_finding_and_hides_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    errors: dict[str, Exception] = {
        "wrong": DeclarationError([Mistake("nodes[0].address", "[x]", "an address", 3)], "stacks/Pulumi.wrong.yaml"),
        "secret": StackTrouble("no such secret"),
        "broken": Refused("not now", remedy="wait"),
    }

    def hosts_of(stack: str) -> FakeHosts:
        if stack in errors:
            raise errors[stack]
        return FakeHosts(stack)

    async def looked_at(cluster: object, site: object, stack: str) -> Report:
        if stack == "odd":
            raise ZeroDivisionError
        if stack == "locked":
            raise StackTrouble("incorrect passphrase")
        return REPORTS[stack].model_copy(update={"stack": stack})

    monkeypatch.setattr(sites, "hosts_of", hosts_of)
    monkeypatch.setattr(package, "examine", looked_at)
    named = ["ready", *errors, "odd", "locked", "gone"]
    assert alone(cli.command, ["ready", "broken"]).exit_code == 5
    assert alone(cli.command, ["ready", "broken", "gone"]).exit_code == 4
    done = alone(cli.command, [*named, "--json"])
    assert done.exit_code == 1, done.output
    reports = json.loads(done.stdout)["stacks"]
    assert [(each["stack"], each["findings"][0]["check"]) for each in reports] == [
        (name, {"ready": "disk", "gone": "ssh"}.get(name, "stack")) for name in named
    ]
    shown = alone(cli.command, named).stdout
    for text in ("found:    [x]", "no such secret", "→ wait", "not understood: ZeroDivisionError", "ready for `pulumi"):
        assert text in shown, text
    (locked,) = [each["findings"][0] for each in reports if each["stack"] == "locked"]
    assert locked["sentence"] == "incorrect passphrase"
    assert isinstance(alone(cli.command, ["wrong"]).exception, DeclarationError), "one alone ends as other commands do"


def test_several_stacks_are_looked_at_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    both = asyncio.Barrier(2)

    async def looked_at(cluster: object, site: object, stack: str) -> Report:
        async with asyncio.timeout(10):
            await both.wait()
        return REPORTS[stack]

    monkeypatch.setattr(sites, "hosts_of", FakeHosts)
    monkeypatch.setattr(package, "examine", looked_at)
    assert alone(cli.command, ["ready", "problem"]).stdout.count("not understood") == 0


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_reaches_every_stack_that_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pressed while nodes are asked that do not answer, it is not waited for until they have been given up."""
    begun, ended = list[str](), list[str]()

    async def looked_at(cluster: object, site: object, stack: str) -> Report:
        begun.append(stack)
        if len(begun) == 2:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        try:
            await asyncio.sleep(20)
        finally:
            ended.append(stack)
        return REPORTS[stack]

    monkeypatch.setattr(sites, "hosts_of", FakeHosts)
    monkeypatch.setattr(package, "examine", looked_at)
    began = time.monotonic()
    assert alone(cli.command, ["ready", "problem"]).exit_code == 130
    assert sorted(ended) == ["problem", "ready"]
    assert time.monotonic() - began < 10


def test_the_table_says_what_to_do() -> None:
    console = Console(width=120, record=True)
    for report in REPORTS.values():
        console.print(render(report))
    shown = console.export_text()
    for text in ("[red]x", "→ wipe it", "ready for `pulumi up`", "not ready, 1 problem", "no node can be reached"):
        assert text in shown
