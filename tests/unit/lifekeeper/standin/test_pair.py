"""Two systems of the stand-in in one process: real databases, commands, decisions; kits that note what they do."""

import asyncio
import json
import shlex
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from lab.lifekeeper.node import address, daemon, kits, mirror, monitor, service, settings
from lab.lifekeeper.node.lcd import CommPath, Instance
from lab.lifekeeper.node.lists import key
from lab.lifekeeper.node.operations import Operations
from lab.lifekeeper.node.shell import Done, Failed
from lab.lifekeeper.node.system import System
from providers.lifekeeper import grammar

pytestmark = pytest.mark.thorough

A, B = "qsp-a", "qsp-b"
BOTH = {A: "192.0.2.11", B: "192.0.2.12"}


class Pair:
    """The two systems with a wire between them that can be cut; ``acts`` is what the kits did, in order."""

    def __init__(self, folder: Path, acts: list[str]) -> None:
        self.acts, self.cut = acts, False
        self.switches = folder / "stand-in.json"
        self.systems = {name: System(name, folder / f"{name}.json", folder / name) for name in BOTH}
        for name, system in self.systems.items():
            other = B if name == A else A
            system.lcd.systems.append(other)
            system.lcd.paths.append(CommPath(other, BOTH[name], BOTH[other]))
            Operations(system)
            self._wire(system, self.systems[other])

    def _wire(self, system: System, other: System) -> None:
        async def call(name: str, op: str, /, **values: Any) -> dict[str, Any]:
            if self.cut or name != other.lcd.name:
                raise Failed(9, f"{name} is out of service")
            said = json.loads(json.dumps(values))
            return json.loads(json.dumps(await other.operations[op](system.lcd.name, **said) or {}))

        system.links.call = call
        system.links.alive = lambda system: not self.cut and system == other.lcd.name
        system.links.states = lambda: {key(path): "DEAD" if self.cut else "ALIVE" for path in system.lcd.paths}

    def beat(self) -> None:
        """One heartbeat each way."""
        for name, other in ((A, B), (B, A)):
            self.systems[name].links.heard[other] = self.systems[other].told()
            monitor._learn(self.systems[name])

    async def run(self, name: str, line: str) -> tuple[int, str]:
        self.beat()
        call = grammar.parse(shlex.split(line))
        told = await daemon.execute(self.systems[name], call.command, dict(call.values), 1)
        self.beat()
        return told.code, told.out + told.err

    async def ok(self, name: str, line: str) -> str:
        code, text = await self.run(name, line)
        assert code == 0, text
        return text

    def states(self, name: str) -> dict[str, str]:
        return {tag: each.state for tag, each in self.systems[name].lcd.instances.items()}


@pytest.fixture
def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pair:  # noqa: C901 - a list of fakes
    acts: list[str] = []

    def noted(what: str) -> Callable[[Instance], Awaitable[None]]:
        async def act(each: Instance) -> None:
            acts.append(f"{what} {each.tag}")

        return act

    async def done(*_words: str, **_times: float) -> Done:
        return Done(1, "")

    async def interface(_address: str) -> tuple[str, str]:
        return "eth0", "255.255.255.0"

    async def true(*_names: object) -> bool:
        return True

    async def false(*_names: object) -> bool:
        return False

    async def nothing(*_names: object, **_more: object) -> None:
        return None

    async def size(_device: str) -> int:
        return 5 * 2**30

    for name in ("start", "stop", "recover"):
        monkeypatch.setattr(kits, name, noted(name))
    monkeypatch.setattr(kits, "healthy", true)
    monkeypatch.setattr(address, "interface_for", interface)
    monkeypatch.setattr(address, "is_here", false)
    monkeypatch.setattr(address, "in_use", false)
    monkeypatch.setattr(service, "running", true)
    monkeypatch.setattr(service, "exists", true)
    monkeypatch.setattr(mirror, "size", size)
    for name in ("ready", "create", "start", "stop", "offer", "withdraw", "attach", "detach", "forget"):
        monkeypatch.setattr(mirror, name, nothing)
    monkeypatch.setattr(mirror, "synchronised", lambda _kit: True)
    monkeypatch.setattr("lab.lifekeeper.node.creating.call", _exists)
    monkeypatch.setattr("lab.lifekeeper.node.operations.run", done)
    pair = Pair(tmp_path, acts)
    monkeypatch.setattr(settings, "SWITCHES", pair.switches)
    for module in ("context", "daemon", "system"):
        monkeypatch.setattr(f"lab.lifekeeper.node.{module}.switches", lambda: settings.switches(pair.switches))
    return pair


async def _exists(*_words: str, **_times: float) -> Done:
    return Done(0, "")


EXTEND = f"--dest {B} --switchback intelligent --target_priority 10"
DK = "lkcli resource create dk --tag datarep --mode synchronous --device /dev/sdb --fstype ext3"
SERVICE = (
    f"{DK} --mount_point /mnt/mirror --fstag /mnt/mirror --hierarchy new",
    f"lkcli resource extend dk --tag datarep --mode synchronous --laddr {BOTH[A]} --raddr {BOTH[B]} {EXTEND}",
    "lkcli resource create qsp --tag squid --service squid",
    f"lkcli resource extend qsp --tag squid {EXTEND}",
    "dep_create -p squid -c /mnt/mirror",
    f"dep_create -d {B} -p squid -c /mnt/mirror",
    "lkcli resource create ip --tag vip --ipaddr 192.0.2.10 --netmask 255.255.255.0 --device eth0",
    f"lkcli resource extend ip --tag vip {EXTEND}",
    "lkcli dependency create --parent vip --child squid",
)
TREE = ["datarep", "/mnt/mirror", "squid", "vip"]
IN, OUT = dict.fromkeys(TREE, "ISP"), dict.fromkeys(TREE, "OSU")


async def built(pair: Pair) -> Pair:
    for line in SERVICE:
        await pair.ok(A, line)
    return pair


async def test_the_reference_service_is_the_same_hierarchy_on_both(pair: Pair):
    await built(pair)
    assert (pair.states(A), pair.states(B)) == (IN, OUT)
    one, two = (pair.systems[name].lcd for name in (A, B))
    assert sorted(one.dependencies) == sorted(two.dependencies)
    assert {(e.tag, e.priority, e.other_priority) for e in one.equivalencies} == {(tag, 1, 10) for tag in TREE}
    assert {(e.tag, e.priority, e.other_priority) for e in two.equivalencies} == {(tag, 10, 1) for tag in TREE}
    assert one.flags == two.flags == []


async def test_the_kits_own_script_makes_what_lkcli_makes_with_the_bitmap_that_it_is_given(pair: Pair):
    parts = "-n /mnt/mirror -x '' -e '' -f /mnt/mirror -y ext3 -a synchronous -b /var/lib/bitmap -z no -w ''"
    script = "/opt/LifeKeeper/lkadm/subsys/scsi/netraid/bin/create"
    await pair.ok(A, f"{script} -t datarep -s intelligent -p /dev/sdb -h 'Replicate New Filesystem' {parts}")
    for line in SERVICE[1:]:
        await pair.ok(A, line)
    assert (pair.states(A), pair.states(B)) == (IN, OUT)
    assert pair.systems[A].lcd.instances["datarep"].kit["bitmap"] == "/var/lib/bitmap"


async def test_in_service_elsewhere_goes_down_here_from_the_top_and_up_there_from_the_bottom(pair: Pair):
    await built(pair)
    pair.acts.clear()
    await pair.ok(B, "perform_action -t vip -a restore")
    assert (pair.states(A), pair.states(B)) == (OUT, IN)
    downs = ["stop vip", "stop squid", "stop /mnt/mirror", "stop datarep"]
    # The mirror itself is not noted: its start is more than its kit's.
    assert pair.acts == [*downs, "start /mnt/mirror", "start squid", "start vip"]
    pair.acts.clear()
    await pair.ok(B, "perform_action -t vip -a restore")
    assert pair.acts == []


async def test_out_of_service_takes_along_what_depends_on_it(pair: Pair):
    await built(pair)
    await pair.ok(A, "perform_action -t squid -a remove")
    assert pair.states(A) == {**IN, "squid": "OSU", "vip": "OSU"}


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("lkcli resource create qsp --tag squid --service squid", 4),
        (f"lkcli resource extend qsp --tag squid {EXTEND}", 4),
        ("lkcli resource delete --tag squid", 8),
        ("lkcli resource delete --tag datarep", 8),
        ("lkcli resource delete --tag missing", 7),
        ("perform_action -t missing -a restore", 7),
        ("dep_create -p vip -c squid", 4),
        ("ins_setas -t vip -s AUTOMATIC", 5),
        ("sys_create -s qsp-b", 4),
        ("sys_remove -s qsp-b", 8),
        ("hry_setpri -t vip -p 10", 5),
        ("eqv_list -t missing", 7),
        ("ins_list -R missing", 7),
        (f"lkcli resource unextend --tag vip --dest {A}", 7),
        (f"lkcli resource extend ip --tag vip --dest {A}", 7),
        ("lcdsync -d qsp-c", 9),
    ],
)
async def test_what_does_not_fit_fails_with_its_code_and_changes_nothing(pair: Pair, line: str, code: int):
    await built(pair)
    before = [pair.systems[name].told() for name in (A, B)]
    assert (await pair.run(A, line))[0] == code
    assert [pair.systems[name].told() for name in (A, B)] == before
    assert pair.systems[A].lcd.flags == pair.systems[B].lcd.flags == []


async def test_without_the_other_system_nothing_is_extended_or_deleted(pair: Pair):
    await built(pair)
    pair.cut = True
    assert (await pair.run(A, "lkcli resource delete --tag vip"))[0] == 9
    await pair.ok(A, "lkcli resource create qsp --tag other --service other")
    assert (await pair.run(A, f"lkcli resource extend qsp --tag other {EXTEND}"))[0] == 9
    assert pair.states(A) == {**IN, "other": "ISP"}


async def test_an_extension_needs_the_whole_hierarchy_in_service(pair: Pair):
    await pair.ok(A, "lkcli resource create qsp --tag squid --service squid")
    await pair.ok(A, "perform_action -t squid -a remove")
    code, text = await pair.run(A, f"lkcli resource extend qsp --tag squid {EXTEND}")
    assert (code, pair.states(B)) == (5, {})
    assert "not in service" in text


async def test_a_hierarchy_on_a_mirror_is_extended_by_the_mirror(pair: Pair):
    for line in (SERVICE[0], SERVICE[2], SERVICE[4]):
        await pair.ok(A, line)
    code, text = await pair.run(A, f"lkcli resource extend qsp --tag squid {EXTEND}")
    assert code == 5
    assert "resource extend dk" in text
    await pair.ok(A, SERVICE[1])
    assert pair.states(B) == dict.fromkeys(TREE[:3], "OSU")


CANEXTEND = "/opt/LifeKeeper/lkadm/subsys/gen/qsp/bin/canextend"


async def test_a_kit_tells_on_the_target_whether_its_resource_can_be_extended(pair: Pair):
    await pair.ok(A, "lkcli resource create qsp --tag squid --service squid")
    await pair.ok(B, f"{CANEXTEND} {A} squid")
    pair.cut = True
    assert (await pair.run(B, f"{CANEXTEND} {A} squid"))[0] == 9
    pair.cut = False
    assert (await pair.run(B, f"{CANEXTEND} {A} missing"))[0] == 7
    await pair.ok(A, "perform_action -t squid -a remove")
    code, text = await pair.run(B, f"{CANEXTEND} {A} squid")
    assert (code, "not in service" in text) == (5, True)
    await pair.ok(A, "perform_action -t squid -a restore")
    await pair.ok(A, f"lkcli resource extend qsp --tag squid {EXTEND}")
    assert (await pair.run(B, f"{CANEXTEND} {A} squid"))[0] == 4


async def test_a_line_that_is_run_on_the_other_system_ends_as_it_does_there(pair: Pair, monkeypatch):
    ran = []

    async def run(*argv: str, seconds: float) -> Done:
        ran.append((argv, seconds))
        return Done(3, "no\n")

    monkeypatch.setattr("lab.lifekeeper.node.operations.run", run)
    assert await pair.run(A, f"lcdremexec -d {B} -- {CANEXTEND} {A} squid") == (3, "no\n")
    assert ran == [(("/bin/sh", "-c", f"{CANEXTEND} {A} squid"), 900)]


@pytest.mark.parametrize("step", range(1, 9))
async def test_an_extension_killed_anywhere_can_be_done_again(pair: Pair, step: int):
    for line in (SERVICE[2], SERVICE[6], SERVICE[8]):
        await pair.ok(A, line)
    line = f"lkcli resource extend ip --tag vip {EXTEND}"
    pair.switches.write_text(json.dumps({"die": {"command": "lkcli resource extend ip", "step": step}}))
    killed, _ = await pair.run(A, line)
    pair.switches.unlink()
    assert killed == (daemon.KILLED if step <= 7 else 0)
    assert pair.systems[A].lcd.flags == pair.systems[B].lcd.flags == []
    again, _ = await pair.run(A, line)
    # Once its equivalency is there it counts as extended, whatever else is missing.
    assert again == (0 if step <= 5 else 4)


async def test_a_deletion_is_for_all_systems_and_takes_filesystem_and_mirror_along(pair: Pair):
    await built(pair)
    await pair.ok(A, "lkcli resource delete --tag vip")
    assert pair.states(B) == {tag: "OSU" for tag in TREE if tag != "vip"}
    pair.acts.clear()
    await pair.ok(A, "lkcli resource delete --tag squid")
    assert (pair.states(A), pair.states(B)) == ({}, {})
    assert pair.acts == ["stop /mnt/mirror", "stop datarep"]
    assert pair.systems[A].lcd.dependencies == pair.systems[B].lcd.equivalencies == []


async def test_a_lost_system_is_taken_over_unless_it_left_in_order(pair: Pair):
    await built(pair)
    pair.beat()
    pair.cut = True
    await monitor._gone(pair.systems[B], A)
    assert pair.states(B) == IN
    pair.cut = False
    await pair.ok(A, "perform_action -t vip -a remove")
    pair.beat()


async def test_a_system_that_left_in_order_is_not_taken_over(pair: Pair):
    await built(pair)
    await pair.ok(A, "lkcli stop")
    assert pair.states(A) == OUT
    assert pair.systems[B].lcd.flags == [f"!nofailover!{A}"]
    pair.cut = True
    await monitor._gone(pair.systems[B], A)
    assert pair.states(B) == OUT


async def test_with_the_strategy_switchover_a_stop_in_order_moves_the_service(pair: Pair):
    await built(pair)
    await pair.ok(A, "flg_create -f shutdown_switchover")
    await pair.ok(A, "lkcli stop")
    assert (pair.states(A), pair.states(B)) == (OUT, IN)


async def test_a_mirror_that_is_not_in_step_is_neither_moved_nor_taken_over(pair: Pair, monkeypatch):
    await built(pair)
    monkeypatch.setattr(mirror, "synchronised", lambda _kit: False)
    code, text = await pair.run(B, "perform_action -t vip -a restore")
    assert code == 1
    assert "still being synchronised" in text
    assert pair.states(A) == IN
    monitor._learn(pair.systems[B])
    pair.cut = True
    await monitor._gone(pair.systems[B], A)
    assert pair.states(B)["datarep"] == "OSF"
    assert "not in step" in pair.systems[B].lcd.instances["datarep"].reason


async def test_a_node_that_is_behind_brings_nothing_into_service_that_is_out_of_it_elsewhere(pair: Pair):
    await built(pair)
    await pair.ok(A, "perform_action -t vip -a remove")
    await pair.ok(A, "perform_action -t datarep -a remove")
    pair.beat()
    target = pair.systems[B]
    target.lcd.instances["datarep"].kit["insync"] = "no"
    with pytest.raises(Failed, match="not in step"):
        await target.restore("vip", lambda _text: None)


async def test_what_the_source_says_counts_when_the_service_moves(pair: Pair):
    await built(pair)
    pair.beat()
    target = pair.systems[B]
    target.lcd.instances["datarep"].kit["insync"] = "no"
    await target.restore("vip", lambda _text: None)
    assert (pair.states(A), pair.states(B)) == (OUT, IN)


async def test_what_was_in_service_comes_back_at_the_start_unless_it_is_elsewhere(pair: Pair, monkeypatch):
    await built(pair)
    pair.beat()
    lcd = pair.systems[A].lcd
    lcd.save(pair.systems[A].file)
    await monitor.begin(pair.systems[A])
    assert pair.states(A) == IN
    for each in pair.systems[B].lcd.instances.values():
        each.state = "ISP"
    pair.beat()
    await monitor.begin(pair.systems[A])
    assert pair.states(A) == OUT


async def both_lose_their_power(pair: Pair, name: str) -> System:
    """Only ``name`` comes back, which hears nobody."""
    await built(pair)
    pair.beat()
    pair.cut = True
    system = pair.systems[name]
    system.links.heard.clear()
    await monitor.begin(system)
    return system


async def meet(pair: Pair) -> None:
    """The other one comes back, too."""
    pair.cut = False
    await monitor.begin(pair.systems[B])
    pair.beat()
    for name, other in ((B, A), (A, B)):
        await monitor._back(pair.systems[name], other)


async def test_the_last_source_that_hears_nobody_comes_up_when_it_is_forced(pair: Pair):
    system = await both_lose_their_power(pair, A)
    assert pair.states(A)["datarep"] == "OSF"
    assert system.notes.owned("datarep")
    assert system.notes.doubted("datarep")
    code, text = await pair.run(A, "perform_action -t vip -a restore")
    assert (code, "qsp-b has to be back first" in text) == (1, True)
    await pair.ok(A, "mirror_action datarep force")
    await pair.ok(A, "perform_action -t vip -a restore")
    assert pair.states(A) == IN
    assert not system.notes.doubted("datarep")
    await meet(pair)
    assert (pair.states(A), pair.states(B)) == (IN, OUT)


async def test_the_last_source_comes_up_by_itself_once_its_target_is_heard(pair: Pair):
    await both_lose_their_power(pair, A)
    await meet(pair)
    assert (pair.states(A), pair.states(B)) == (IN, OUT)


async def test_a_target_that_hears_nobody_does_not_come_up_with_what_may_be_older(pair: Pair):
    system = await both_lose_their_power(pair, B)
    assert pair.states(B) == OUT
    assert not system.notes.owned("datarep")
    code, text = await pair.run(B, "perform_action -t vip -a restore")
    assert (code, "qsp-a has to be back first" in text) == (1, True)
    assert "vip" not in [tag for tag, state in pair.states(B).items() if state == "ISP"]


async def test_a_source_that_finds_another_one_is_the_last_no_more(pair: Pair):
    await built(pair)
    pair.beat()
    pair.cut = True
    await monitor._gone(pair.systems[B], A)
    assert [system.notes.owned("datarep") for system in pair.systems.values()] == [True, True]
    await pair.systems[A].leave(lambda _text: None, keep=False)
    pair.cut = False
    pair.beat()
    await pair.systems[B].reattach(pair.systems[B].lcd.instances["datarep"], A)
    assert [system.notes.owned("datarep") for system in pair.systems.values()] == [False, True]


async def test_two_that_were_the_last_source_are_brought_into_service_by_people_only(pair: Pair):
    await built(pair)
    pair.systems[B].notes.own("datarep")
    pair.beat()
    await monitor.begin(pair.systems[A])
    assert pair.states(A) == OUT
    await pair.ok(A, "perform_action -t vip -a restore")
    assert pair.states(A) == IN


async def test_what_cannot_be_repaired_here_goes_to_the_other_system(pair: Pair, monkeypatch):
    await built(pair)
    pair.beat()

    async def healthy(each: Instance) -> bool:
        return each.type != "qsp"

    monkeypatch.setattr(kits, "healthy", healthy)
    await monitor._check(pair.systems[A], pair.systems[A].lcd.instances["squid"])
    assert pair.states(B) == IN
    assert pair.states(A) == {**OUT, "squid": "OSF"}
    assert "recover squid" in pair.acts


async def test_what_was_deleted_during_its_check_fails_nowhere(pair: Pair, monkeypatch):
    await built(pair)
    pair.beat()
    system = pair.systems[A]
    squid = system.lcd.instances["squid"]

    async def deleted_meanwhile(_each: Instance) -> bool:
        system.lcd.forget("squid")
        return False

    monkeypatch.setattr(kits, "healthy", deleted_meanwhile)
    await monitor._check(system, squid)
    assert pair.states(B) == OUT
    await monitor._check(system, squid)


async def test_an_equivalency_whose_resource_is_gone_stops_nobody(pair: Pair):
    await built(pair)
    pair.beat()
    lcd = pair.systems[B].lcd
    (left,) = [each for each in lcd.equivalencies if each.tag == "datarep"]
    lcd.forget("datarep")
    lcd.equivalencies.append(left)
    monitor._learn(pair.systems[B])
    pair.cut = True
    await monitor._back(pair.systems[B], A)
    await monitor._gone(pair.systems[B], A)
    assert pair.states(B)["vip"] == "ISP"


async def split(pair: Pair) -> list[str]:
    """Both take the other one for dead, and meet again; what is done to the mirror from then on."""
    await built(pair)
    pair.beat()
    pair.cut = True
    await monitor._gone(pair.systems[B], A)
    pair.cut = False
    pair.beat()
    for name, other in ((A, B), (B, A)):
        await monitor._back(pair.systems[name], other)
    assert pair.states(A) == pair.states(B) == IN, "it is logged, and nothing else is done"
    pair.acts.clear()
    return pair.acts


async def test_a_split_brain_is_ended_by_a_copy_of_everything_from_the_half_that_stays(pair: Pair, monkeypatch):
    acts = await split(pair)

    async def attach(_kit: dict[str, str], *, whole: bool = False) -> None:
        acts.append(f"attach {'whole' if whole else 'changes'}")

    monkeypatch.setattr(mirror, "attach", attach)
    line = f"mirror_action datarep fullresync {A} {B}"
    assert (await pair.run(A, line))[0] == 1, "two sources"
    await pair.ok(B, "perform_action -t datarep -a remove")
    acts.clear()
    await pair.ok(A, line)
    assert acts == ["attach whole"]
    assert pair.systems[B].lcd.instances["datarep"].kit["source"] == "no"


@pytest.mark.parametrize("ends", [f"{B} {A}", f"{A} {A}"])
async def test_a_copy_from_or_to_another_system_than_there_is_is_refused(pair: Pair, ends: str):
    await built(pair)
    assert (await pair.run(A, f"mirror_action datarep fullresync {ends}"))[0] == 5


async def test_no_check_of_the_health_brings_a_half_in_during_a_copy_of_everything(pair: Pair, monkeypatch):
    await built(pair)
    system, held = pair.systems[A], []

    async def detach(_kit: dict[str, str]) -> None:
        held.append(system.busy.locked())

    monkeypatch.setattr(mirror, "detach", detach)
    await pair.ok(A, "mirror_action datarep fullresync")
    assert held == [True]


async def test_a_lock_that_somebody_holds_is_told(pair: Pair):
    await built(pair)
    await pair.ok(B, "flg_create -f !action!7!1!qsp-b:other")
    code, text = await pair.run(A, "lkcli resource delete --tag vip")
    assert code == 1
    assert "Admin Lock" in text
    assert pair.states(A) == IN
    assert pair.systems[A].lcd.flags == []


async def test_errors_and_slowness_come_from_the_switches(pair: Pair):
    pair.switches.write_text(json.dumps({"slow": 0.05, "errors": {"sys_list": {"code": 3, "text": "broken"}}}))
    began = asyncio.get_running_loop().time()
    assert await pair.run(A, "sys_list") == (3, "broken\n")
    assert asyncio.get_running_loop().time() - began > 0.04


async def test_lists_of_another_system_come_from_there(pair: Pair):
    await built(pair)
    assert (await pair.ok(A, f"ins_list -d {B} -t vip -f:")).startswith(f"{B}:comm:ip:vip:IP-192.0.2.10:{B} eth0 ")
