"""The order in which Squid's configuration changes, on nodes that are functions."""

import base64
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from providers.connection.command import Command, Result
from providers.connection.errors import CommandFailed, NotVerified, Unreachable
from providers.connection.fake import FakeJournals, FakeNode, fake_cluster
from providers.contract import Absent, Present
from providers.host.settings import FileState, NodeSettings, UnitState
from providers.squid import config, loading

CONF = "/etc/squid/squid.conf"

CACHES = {
    "none": "none",
    "local": "cache_dir aufs /var/spool/squid 64 16 256",
    "mirror": "cache_dir aufs /mnt/mirror/cache 64 16 256",
    "larger": "cache_dir aufs /mnt/mirror/cache 128 16 256",
}


@dataclass
class Machine:
    """A node with one file and a Squid that serves what it has last read, unless that says ``silent``.

    ``story`` is shared by the nodes and tells what happened, in order.
    """

    name: str
    story: list[str]
    active: bool = False
    content: str | None = "old"
    rejects: str = "bad"
    serving: str = "old"
    reads: int = 0
    fail: set[str] = field(default_factory=set)
    enabled: str = "disabled"

    def __call__(self, command: Command) -> Result | str:  # noqa: PLR0911 - one case per command
        text = str(command)
        if text in self.fail:
            self.fail.discard(text)
            return Result(command, 1, "", "broken")
        if text.startswith("squid -k parse"):
            self.story.append(f"{self.name} parse {(command.stdin or b'').decode()}")
            said = "2026/01/01 10:00:00| FATAL: Bungled line 1: bad\n"
            return Result(command, 1, "", said) if self.bad(command) else ""
        if text == f"read {CONF}":
            return self.read()
        if text == f"write {CONF}":
            self.content = (command.stdin or b"").decode()
            self.story.append(f"{self.name} write {self.content}")
        if text.startswith("systemctl show"):
            state = "active" if self.active else "inactive"
            units = f"LoadState=loaded\nUnitFileState={self.enabled}\nActiveState={state}\n"
            return f"{units}SubState=x\nNeedDaemonReload=no\n"
        if text.startswith(("systemctl enable", "systemctl disable")):
            self.enabled = f"{text.split()[1]}d"
        if text.startswith(("systemctl reload", "systemctl restart")):
            self.serving, self.reads = self.content or "", self.reads + 1
            self.story.append(f"{self.name} {command.argv[1]} {self.serving}")
        if text.startswith("look who listens"):
            return str(self.reads)
        if text.startswith("ask Squid"):
            silent = self.serving.startswith("silent")
            return Result(command, 1, "", "nobody listens") if silent else "HTTP/1.1 403 Forbidden"
        return ""

    def bad(self, command: Command) -> bool:
        return (command.stdin or b"").decode() == self.rejects

    def read(self) -> str:
        if self.content is None:
            return "absent - - -\n\n"
        return f"file 644 0:0 root:root\n{base64.b64encode(self.content.encode()).decode()}\n"


def wanted(content: str) -> config.Wanted:
    file = FileState(content=content, mode="0644", owner="root:root", check=["squid", "-k", "parse", "-f", "{}"])
    settings = NodeSettings(files={CONF: file})
    return config.Wanted(
        nodes={"a": settings, "b": settings}, unit="squid.service", port="3128", probe_url="http://probe.invalid/"
    )


@dataclass
class Pair:
    active: str = "a"
    story: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.machines = {name: Machine(name, self.story, active=name == self.active) for name in ("a", "b")}
        self.journals = FakeJournals()
        self.nodes = [FakeNode(name, machine) for name, machine in self.machines.items()]
        self.cluster = fake_cluster(*self.nodes, journals=self.journals, thing="squid")

    async def converge(self, content: str) -> None:
        await config.converge(self.cluster, wanted(content), await config.observe(self.cluster, wanted(content)))

    @property
    def contents(self) -> list[str | None]:
        return [machine.content for machine in self.machines.values()]

    @property
    def pending(self) -> list[str]:
        return [node for (node, _), journal in self.journals.opened.items() if config.PENDING in journal.values]


@pytest.mark.parametrize(("active", "standby"), [("a", "b"), ("b", "a")])
async def test_all_validate_then_the_standby_then_the_active_which_reloads(active, standby):
    pair = Pair(active)
    await pair.converge("new")
    assert sorted(pair.story[:2]) == ["a parse new", "b parse new"]
    assert pair.story[2:] == [f"{standby} write new", f"{active} write new", f"{active} reload new"]
    assert pair.pending == []


async def test_what_one_node_rejects_reaches_none():
    pair = Pair()
    pair.machines["a"].rejects = "nothing"
    with pytest.raises(CommandFailed, match=r"^b: `squid -k parse .* exit code 1\n    FATAL: Bungled line 1: bad\n"):
        await pair.converge("bad")
    assert pair.contents == ["old", "old"]
    assert pair.pending == []


async def test_a_squid_that_does_not_serve_gets_its_old_file_back_everywhere():
    pair = Pair()
    with pytest.raises(NotVerified, match=r"nobody listens; the old configuration is back on a, b and Squid serves"):
        await pair.converge("silent")
    assert pair.contents == ["old", "old"]
    assert pair.machines["a"].serving == "old"
    assert pair.story[-1] == "a reload old"


async def test_a_file_that_cannot_be_written_is_taken_back_from_the_other_node():
    pair = Pair()
    pair.machines["a"].fail.add(f"write {CONF}")
    with pytest.raises(NotVerified, match=r"`write /etc/squid/squid.conf` ended with exit code 1"):
        await pair.converge("new")
    assert pair.contents == ["old", "old"]


async def test_old_files_that_do_not_serve_either_are_told_with_the_first_reason():
    pair = Pair()
    for machine in pair.machines.values():
        machine.content = "silent before"
    with pytest.raises(
        NotVerified, match=r"nobody listens; bringing the old configuration back failed as well: a: Squid"
    ):
        await pair.converge("silent")
    assert pair.contents == ["silent before", "silent before"]


def lost(pair: Pair, name: str, *, once: Callable[[Command], bool]) -> None:
    """Nobody reaches this node any more from the moment of a command of the other node that ``once`` is true for."""
    gone = False

    def answering(node: FakeNode) -> Callable[[Command], Result | str]:
        answer = node.answer

        def tell(command: Command) -> Result | str:
            nonlocal gone
            gone = gone or (node.name != name and once(command))
            if gone and node.name == name:
                raise Unreachable("no answer", node=name)
            return answer(command)

        return tell

    for node in pair.nodes:
        node.answer = answering(node)


def reloads(command: Command) -> bool:
    return str(command).startswith("systemctl reload")


async def test_a_standby_lost_while_the_active_one_reads_takes_nothing_back_from_it():
    pair = Pair()
    lost(pair, "b", once=reloads)
    with pytest.raises(loading.NotSeen, match=r"b: no answer; the new .* stays on all nodes, .* serves with it on a"):
        await pair.converge("new")
    assert pair.contents == ["new", "new"]
    assert pair.machines["a"].serving == "new"
    assert pair.pending == ["b"], "the next run looks again"


async def test_a_start_of_the_active_one_is_not_made_again_for_a_standby_that_was_lost_meanwhile():
    pair = Pair()
    lost(pair, "b", once=lambda command: str(command).startswith("systemctl restart"))
    with pytest.raises(loading.NotSeen):
        await pair.converge(CACHES["mirror"])
    assert pair.story[-1] == f"a restart {CACHES['mirror']}"
    for node in pair.nodes:
        node.answer = pair.machines[node.name]
    pair.story.clear()
    await pair.converge(CACHES["mirror"])
    assert pair.story == []
    assert pair.pending == []


async def test_a_standby_lost_meanwhile_keeps_no_old_file_from_an_active_one_that_does_not_serve():
    pair = Pair()
    lost(pair, "b", once=reloads)
    with pytest.raises(
        NotVerified, match=r"nobody listens; bringing .* as well: b: no answer; .* is back on a and Squid serves"
    ):
        await pair.converge("silent")
    assert pair.contents == ["old", "silent"]
    assert pair.machines["a"].serving == "old"
    assert pair.story[-1] == "a reload old"


async def test_a_standby_lost_before_the_active_one_is_touched_disturbs_its_squid_by_nothing():
    pair = Pair()
    machine = pair.machines["b"]

    def answer(command: Command) -> Result | str:
        if f"write {CONF}" == str(command) or "b write" in pair.story:
            pair.story.append("b write")
            raise Unreachable("no answer", node="b")
        return machine(command)

    pair.nodes[1].answer = answer
    with pytest.raises(NotVerified, match=r"no answer; bringing .* as well: b: no answer; .* is back on a and Squid"):
        await pair.converge(CACHES["mirror"])
    assert pair.contents == ["old", "old"]
    assert not any(line.startswith("a re") for line in pair.story)


def taken_over(pair: Pair) -> None:
    """Squid on ``a`` ends when it reads what is new, and the cluster starts it on ``b`` with what is there."""
    first, second = pair.machines.values()

    def answer(command: Command) -> Result | str:
        if str(command).startswith(("systemctl reload", "systemctl restart")):
            first.active, second.active, second.serving = False, True, second.content or ""
            return Result(command, 1, "", "")
        return first(command)

    pair.nodes[0].answer = answer


@pytest.mark.parametrize(("content", "act"), [("new", "reload"), (CACHES["mirror"], "restart")])
async def test_a_node_that_took_the_service_over_meanwhile_reads_its_old_file_again(content, act):
    pair = Pair()
    taken_over(pair)
    with pytest.raises(NotVerified, match=r"the old configuration is back on b"):
        await pair.converge(content)
    assert pair.contents == ["old", "old"]
    assert [line for line in pair.story if line.startswith("b re")] == [f"b {act} old"]
    assert pair.machines["b"].serving == "old"


async def test_a_node_that_took_the_service_over_and_does_not_serve_with_its_old_file_is_told():
    pair = Pair()
    pair.machines["b"].content = "silent before"
    taken_over(pair)
    with pytest.raises(
        NotVerified, match=r"(?s)failed as well: .*b: Squid does not serve with its old conf.*nobody listens"
    ):
        await pair.converge("new")


async def test_no_squid_runs_so_files_only():
    pair = Pair(active="neither")
    await pair.converge("silent")
    assert pair.contents == ["silent", "silent"]
    assert not any("reload" in line for line in pair.story)


async def test_a_run_cut_off_before_the_reload_reloads_in_the_next():
    pair = Pair()
    for machine in pair.machines.values():
        machine.content = "new"
        await pair.cluster.journal(machine.name).put({config.PENDING: CONF})
    await pair.converge("new")
    assert pair.story == ["a reload new"]
    assert pair.pending == []


@pytest.mark.parametrize("before", CACHES)
@pytest.mark.parametrize("after", CACHES)
async def test_a_cache_on_disk_that_comes_goes_moves_or_grows_starts_squid_once(before, after):
    pair = Pair()
    for machine in pair.machines.values():
        machine.content = machine.serving = CACHES[before]
    await pair.converge(CACHES[after])
    acts = [line for line in pair.story if " re" in line]
    assert acts == ([f"a restart {CACHES[after]}"] if before != after else [])
    assert pair.contents == [CACHES[after]] * 2


async def test_a_start_that_a_cut_left_open_is_made_by_the_next_run():
    """By then the files are as wanted, so they do not tell any more that a reload is not enough."""
    pair = Pair()
    for machine in pair.machines.values():
        machine.content = CACHES["mirror"]
        await pair.cluster.journal(machine.name).put({config.PENDING: CONF, config.RESTART: "yes"})
    await pair.converge(CACHES["mirror"])
    assert pair.story == [f"a restart {CACHES['mirror']}"]
    assert pair.pending == []


async def test_nothing_to_do_does_nothing():
    pair = Pair()
    await pair.converge("old")
    assert pair.story == []
    assert all(not node.written for node in pair.nodes)


async def test_absent_only_if_on_no_node():
    pair = Pair()
    pair.machines["a"].content = None
    observed = await config.observe(pair.cluster, wanted("new"))
    assert isinstance(observed, Present)
    assert observed.values.nodes["a"].files[CONF].content is None
    assert observed.facts == {"active": ["a"]}
    pair.machines["b"].content = None
    assert await config.observe(pair.cluster, wanted("new")) == Absent()


async def test_a_squid_that_the_boot_started_does_so_again_after_a_roll_back():
    pair = Pair()
    for machine in pair.machines.values():
        machine.enabled = "enabled"
    unit = {"squid.service": UnitState(enabled="disabled")}
    nodes = {name: settings.model_copy(update={"units": unit}) for name, settings in wanted("silent").nodes.items()}
    declared = wanted("silent").model_copy(update={"nodes": nodes})
    with pytest.raises(NotVerified, match="the old configuration is back"):
        await config.converge(pair.cluster, declared, Absent())
    assert [machine.enabled for machine in pair.machines.values()] == ["enabled", "enabled"]


async def test_a_removal_that_was_cut_off_before_the_restart_restarts():
    pair = Pair()
    caching = "cache_dir ufs /mnt/mirror/cache 100 16 256\n"
    await pair.converge(caching)
    pair.machines["a"].fail.add("systemctl restart -- squid.service")
    with pytest.raises(CommandFailed):
        await config.remove(pair.cluster, wanted(caching))
    pair.story.clear()
    await config.remove(pair.cluster, wanted(caching))
    assert pair.story == ["a restart old"]


async def test_removal_brings_back_what_was_there_and_reloads():
    pair = Pair()
    await pair.converge("new")
    await config.remove(pair.cluster, wanted("new"))
    assert pair.contents == ["old", "old"]
    assert pair.story[-1] == "a reload old"
