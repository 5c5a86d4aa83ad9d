"""Pacemaker's maintenance mode around package changes, on nodes that are functions."""

from pathlib import Path

import pytest

from providers.connection.command import Command, Result
from providers.connection.errors import CommandFailed, TimedOut
from providers.connection.fake import FakeJournals, FakeNode, fake_cluster
from providers.host import maintenance
from providers.host.maintenance import pacemaker
from providers.host.maintenance.pacemaker import MARK, Standing, parse

RECORDED = Path(__file__).parents[2] / "recorded/pacemaker"


class Pair:
    """Two nodes of one cluster; ``mode`` is the property, ``gone`` are nodes that the cluster does not see."""

    def __init__(self, mode: str | None = None, *, runs: bool = True) -> None:
        self.mode, self.runs, self.gone = mode, runs, set[str]()
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
            f'<node name="{name}" id="1" online="{str(name not in self.gone).lower()}" standby="false"/>'
            for name in "ab"
        )
        attributes = '<node name="a">\n<attribute name="reachable" value="1"/></node>'
        return f"<result><nodes>{nodes}</nodes><node_attributes>{attributes}</node_attributes></result>"


def at_work(pair: Pair):
    journals = FakeJournals()
    nodes = [FakeNode("a", pair), FakeNode("b", pair)]
    return fake_cluster(*nodes, journals=journals, thing="packages"), journals


def marks(journals: FakeJournals) -> set[str]:
    return {name for (name, _), journal in journals.opened.items() if MARK in journal.values}


@pytest.fixture(autouse=True)
def _soon(monkeypatch):
    monkeypatch.setattr(pacemaker, "BACK_WITHIN", 0.0)
    monkeypatch.setattr(pacemaker, "ATTRIBUTES_WITHIN", 0.0)


def test_what_pacemaker_says_of_nodes_and_attributes():
    found = parse((RECORDED / "crm_mon-tree.xml").read_text())
    assert found is not None
    assert found.online == {"qsp-a", "qsp-b"}
    assert ("qsp-a", "master-mirror") in found.attributes
    assert parse("") is None
    assert parse("<pacemaker-result/>") is None


@pytest.mark.parametrize(
    ("before", "history"), [(None, ["true", None]), ("false", ["true", "false"]), ("true", ["true"] * 2)]
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

    async def cut() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await maintenance.held(cluster, ["a"], cut)
    assert (pair.mode, marks(journals)) == ("true", {"a"})
    assert MARK.startswith("pending"), "else nothing would call converge again"

    async def nothing() -> None:
        pass

    await maintenance.held(cluster, [], nothing)
    assert (pair.mode, marks(journals)) == (None, set())


async def test_while_a_node_is_missing_it_stays_and_says_so():
    pair = Pair()
    cluster, journals = at_work(pair)

    async def work() -> None:
        pair.gone.add("b")

    with pytest.raises(TimedOut, match=r"stays in maintenance mode; missing: b"):
        await maintenance.held(cluster, ["a"], work)
    assert (pair.mode, marks(journals)) == ("true", {"a"})


async def test_where_pacemaker_is_gone_only_the_mark_is_dropped():
    pair = Pair(runs=False)
    cluster, journals = at_work(pair)
    await cluster.journal("a").record({MARK: ""})
    await maintenance.give_up(cluster)
    assert (pair.history, marks(journals)) == ([], set())
    assert Standing().online == frozenset()
