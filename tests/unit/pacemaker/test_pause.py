"""Pacemaker's maintenance mode around package changes, on nodes that are functions."""

from dataclasses import replace

import pytest

from providers.connection.cluster import Journal, Node
from providers.connection.command import Command, Result
from providers.connection.errors import CommandFailed, TimedOut, Unknown, Unreachable
from providers.connection.fake import FakeJournals, FakeNode, fake_cluster
from providers.connection.journal import NodeJournal
from providers.host import maintenance
from providers.pacemaker import pause
from providers.pacemaker.pause import MARK


class Pair:
    """Two nodes of one cluster; ``mode`` is the property, ``gone`` are nodes that the cluster does not see, ``joining``
    those that are not in it yet."""

    def __init__(self, mode: str | None = None, *, runs: bool = True) -> None:
        self.mode, self.runs, self.gone, self.joining = mode, runs, set[str](), set[str]()
        self.history: list[str | None] = []

    def __call__(self, command: Command) -> Result | str:
        words = list(command.argv)
        if str(command).startswith("crm_mon"):
            return self._view() if self.runs else ""
        if words[0] == "crm_attribute" and "--query" in words:
            return self.mode + "\n" if self.mode else Result(command, 105, "", "no such attribute")
        if words[0] == "crm_attribute":
            self.mode = None if "--delete" in words else words[-1]
            self.history.append(self.mode)
        return ""

    def _view(self) -> str:
        nodes = "".join(
            f'<node name="{name}" online="{yes(name not in self.gone)}" pending="{yes(name in self.joining)}"/>'
            for name in "ab"
        )
        attributes = '<node name="a"><attribute name="reachable" value="1"/></node>'
        return (
            f"<pacemaker-result><summary/><nodes>{nodes}</nodes><node_attributes>{attributes}</node_attributes>"
            "</pacemaker-result>"
        )


def yes(so: bool) -> str:
    return str(so).lower()


def at_work(pair: Pair):
    journals = FakeJournals()
    nodes = [FakeNode("a", pair), FakeNode("b", pair)]
    return fake_cluster(*nodes, journals=journals, thing="packages"), journals


def marks(journals: FakeJournals) -> set[str]:
    return {name for (name, _), journal in journals.opened.items() if MARK in journal.values}


async def nothing() -> None:
    pass


async def cut() -> None:
    raise KeyboardInterrupt


@pytest.fixture(autouse=True)
def _soon(monkeypatch):
    monkeypatch.setattr(pause, "BACK_WITHIN", 0.0)
    monkeypatch.setattr(pause, "ATTRIBUTES_WITHIN", 0.0)


@pytest.mark.parametrize(
    ("before", "history"), [(None, ["true", None]), ("false", ["true", "false"]), ("true", ["true"])]
)
async def test_it_is_entered_before_and_left_as_it_was(before, history):
    pair = Pair(before)
    cluster, journals = at_work(pair)
    seen: list[object] = []

    async def work() -> None:
        seen.append((pair.mode, marks(journals)))

    await maintenance.held(cluster, ["a", "b"], work)
    assert seen == [("true", {"a", "b"})]
    assert (pair.mode, pair.history) == (before, history)
    assert marks(journals) == set()


@pytest.mark.parametrize("names", [[], ["a"]])
async def test_without_a_running_cluster_or_a_change_it_is_left_alone(names):
    pair = Pair(runs=not names)
    cluster, journals = at_work(pair)
    done: list[int] = []

    async def work() -> None:
        done.append(1)

    await maintenance.held(cluster, names, work)
    assert (done, pair.history, marks(journals)) == ([1], [], set())


async def test_a_change_that_fails_leaves_it_too_and_tells_of_the_change():
    pair = Pair()
    cluster, journals = at_work(pair)

    async def work() -> None:
        raise CommandFailed("a", "apt-get install", 100, "E: no")

    with pytest.raises(CommandFailed, match="apt-get install"):
        await maintenance.held(cluster, ["a"], work)
    assert (pair.mode, marks(journals)) == (None, set())


async def test_after_a_cut_the_next_run_leaves_it():
    pair = Pair()
    cluster, journals = at_work(pair)

    with pytest.raises(KeyboardInterrupt):
        await maintenance.held(cluster, ["a"], cut)
    assert (pair.mode, marks(journals)) == ("true", {"a", "b"})
    assert MARK.startswith("pending"), "else nothing would call converge again"
    await maintenance.held(cluster, [], nothing)
    assert (pair.mode, marks(journals)) == (None, set())


@pytest.mark.parametrize("noted", [{"b": ""}, {"a": "true", "b": ""}, {"a": ""}])
@pytest.mark.parametrize("names", [[], ["a", "b"], ["a"], ["b"]])
async def test_what_any_node_has_noted_before_a_cut_counts_whichever_nodes_change_next(noted, names):
    """As where the first run changes one node only, or a node is replaced by a blank one in between."""
    pair = Pair("true")
    cluster, journals = at_work(pair)
    for name, value in noted.items():
        await cluster.journal(name).record({MARK: value})
    await maintenance.held(cluster, names, nothing)
    assert (pair.mode, marks(journals)) == (None, set())


async def test_a_cut_on_a_node_that_is_away_next_is_made_good_by_what_the_other_has_noted():
    pair = Pair()
    cluster, journals = at_work(pair)
    with pytest.raises(KeyboardInterrupt):
        await maintenance.held(cluster, ["b"], cut)
    alone = replace(cluster, nodes={"a": cluster.node("a")})
    await maintenance.held(alone, [], nothing)
    assert (pair.mode, marks(journals)) == (None, {"b"})


@pytest.mark.parametrize("names", [[], ["a"]])
@pytest.mark.parametrize(("mode", "noted", "told"), [("true", "", 1), ("true", "true", 0), (None, "", 0)])
async def test_where_an_earlier_runs_mark_ends_the_mode_it_is_told_whose_mark(mode, noted, told, names):
    """A node that was away while the mark was struck off has it still, and the mode may be a person's."""
    cluster, _ = at_work(Pair(mode))
    lines: list[str] = []
    cluster = replace(cluster, progress=lines.append)
    await cluster.journal("b").record({MARK: noted})
    await maintenance.held(cluster, names, nothing)
    lines = [line for line in lines if "cut off" in line]
    assert len(lines) == told
    assert all(line.startswith("b: ") and "`squid-ha maintenance on` again" in line for line in lines)


async def test_of_its_own_mark_a_run_tells_nothing():
    cluster, _ = at_work(Pair())
    lines: list[str] = []
    await maintenance.held(replace(cluster, progress=lines.append), ["a"], nothing)
    assert not any("cut off" in line for line in lines)


@pytest.mark.parametrize("names", [[], ["a"]])
async def test_a_mode_that_a_person_has_ended_since_a_cut_is_not_entered_for_good(names):
    pair = Pair("true")
    cluster, journals = at_work(pair)
    with pytest.raises(KeyboardInterrupt):
        await maintenance.held(cluster, ["a"], cut)
    pair.mode = None
    await maintenance.held(cluster, names, nothing)
    assert (pair.mode, marks(journals)) == (None, set())


async def test_while_a_node_cannot_say_what_it_has_noted_nothing_is_entered():
    def silent(_command: Command) -> Result:
        raise Unreachable("does not answer")

    pair = Pair("true")
    b = FakeNode("b", silent)
    journals = FakeJournals()

    def opened(node: Node, thing: str) -> Journal:
        return NodeJournal(node, "lab", thing) if node is b else journals(node, thing)

    cluster = fake_cluster(FakeNode("a", pair), b, journals=opened, thing="packages")
    with pytest.raises(Unreachable):
        await maintenance.held(cluster, ["a"], nothing)
    assert (pair.history, marks(journals)) == ([], set())


@pytest.mark.parametrize("missing", ["gone", "joining"])
async def test_while_a_node_is_missing_it_stays_and_says_so(missing):
    pair = Pair()
    cluster, journals = at_work(pair)

    async def work() -> None:
        getattr(pair, missing).add("b")

    with pytest.raises(TimedOut, match=r"stays in maintenance mode; missing: b"):
        await maintenance.held(cluster, ["a"], work)
    assert (pair.mode, marks(journals)) == ("true", {"a", "b"})


def with_stopped(pair: Pair, stopped: str):
    """Marked by a run that was cut off; Pacemaker is ``stopped`` on one node, of which the other can tell."""
    pair.gone.add(stopped)

    def off(command: Command) -> Result | str:
        return "" if str(command).startswith("crm_mon") else pair(command)

    journals = FakeJournals()
    nodes = [FakeNode(name, off if name == stopped else pair) for name in "ab"]
    return fake_cluster(*nodes, journals=journals, thing="packages"), journals


@pytest.mark.parametrize("leaves", ["no change", "change on both", "change on the other", "give up"])
@pytest.mark.parametrize("stopped", ["a", "b"])
async def test_a_marked_node_whose_pacemaker_is_stopped_is_named_with_how_to_start_it(stopped, leaves):
    """It stays in maintenance mode: what was left running there would be started on the other node once more."""
    (other,) = {"a", "b"} - {stopped}
    pair = Pair("true")
    cluster, journals = with_stopped(pair, stopped)
    for name in "ab":
        await cluster.journal(name).record({MARK: ""})
    names = {"no change": [], "change on both": ["a", "b"], "change on the other": [other]}
    with pytest.raises(TimedOut, match=rf"missing: {stopped}; Pacemaker does not answer on {stopped}\n") as timed_out:
        await (maintenance.held(cluster, names[leaves], nothing) if leaves in names else maintenance.give_up(cluster))
    assert f"`systemctl start corosync pacemaker` on {stopped}, then run again" in timed_out.value.remedy
    assert (pair.mode, marks(journals)) == ("true", {"a", "b"})


@pytest.mark.parametrize("first", ["a", "b"])
async def test_a_node_that_the_other_has_not_missed_yet_is_not_back(first, monkeypatch):
    """Its Pacemaker is being restarted: it gives no view for a moment, while the other still counts it in."""
    monkeypatch.setattr(pause, "BACK_WITHIN", 5.0)
    pair = Pair("true")
    asked: list[str] = []

    def starting(command: Command) -> Result | str:
        if str(command).startswith("crm_mon"):
            asked.append(pair.mode or "")
            return "" if len(asked) < 2 else pair(command)
        return pair(command)

    journals = FakeJournals()
    nodes = [FakeNode(name, starting if name == first else pair) for name in "ab"]
    cluster = fake_cluster(*nodes, journals=journals, thing="packages")
    for name in "ab":
        await cluster.journal(name).record({MARK: ""})
    await maintenance.held(cluster, [], nothing)
    assert asked[:2] == ["true", "true"]
    assert (pair.mode, marks(journals)) == (None, set())


async def test_where_pacemaker_is_gone_only_the_mark_is_dropped():
    pair = Pair(runs=False)
    cluster, journals = at_work(pair)
    await cluster.journal("a").record({MARK: ""})
    await maintenance.give_up(cluster)
    assert (pair.history, marks(journals)) == ([], set())


async def test_what_cannot_be_understood_of_a_cluster_is_not_taken_for_none():
    done: list[int] = []

    async def work() -> None:
        done.append(1)

    node = FakeNode("a", lambda command: "<html/>" if str(command).startswith("crm_mon") else "")
    with pytest.raises(Unknown, match=r"^a: .*crm_mon"):
        await maintenance.held(fake_cluster(node), ["a"], work)
    assert done == []
