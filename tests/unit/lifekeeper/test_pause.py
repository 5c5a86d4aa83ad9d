"""LifeKeeper's checks paused around package changes, on nodes that are functions."""

import base64
from collections.abc import Callable

import pytest

from providers.connection.command import Command, Result
from providers.connection.errors import CommandFailed, Refused, Unreachable
from providers.connection.fake import FakeJournals, FakeNode, fake_cluster
from providers.host import maintenance
from providers.lifekeeper.defaults import PATH
from providers.lifekeeper.pause import MARK, changed, interval

DECLARED = "# LifeKeeper\nLKCHECKINTERVAL=60\nLCMHBEATTIME=5\n"
PAUSED = DECLARED.replace("=60", "=0")


class Machine:
    """A node with LifeKeeper: ``text`` is its file of settings, ``checks`` the interval that lkcheck has read."""

    def __init__(self, text: str | None = DECLARED, *, runs: str = "runs", kind: str = "file") -> None:
        self.text, self.runs, self.kind = text, runs, kind
        self.checks = interval(text or "")
        self.silent: Callable[[Command], bool] = lambda _command: False
        self.attributes: tuple[str, ...] = ()

    def __call__(self, command: Command) -> Result | str:
        if self.silent(command):
            raise Unreachable("does not answer")
        words = str(command)
        if words.startswith("lktest"):
            return f"{self.runs}\n" if self.runs else ""
        if words == f"read {PATH}":
            return self._read()
        if words == f"write {PATH}":
            self.text, self.attributes = (command.stdin or b"").decode("latin-1"), command.argv[5:7]
        if words == "killall lkcheck" and self.runs:
            self.checks = interval(self.text or "")
        return ""

    def _read(self) -> str:
        if self.text is None:
            return "absent - - -\n\n"
        return f"{self.kind} 640 0:0 root:adm\n{base64.b64encode(self.text.encode('latin-1')).decode()}\n"


def at_work(a: Machine, b: Machine):
    journals = FakeJournals()
    told: list[str] = []
    nodes = [FakeNode("a", a), FakeNode("b", b)]
    return fake_cluster(*nodes, journals=journals, thing="packages", progress=told.append), journals, told


def marks(journals: FakeJournals) -> dict[str, str]:
    return {name: each.values[MARK] for (name, _), each in journals.opened.items() if MARK in each.values}


async def nothing() -> None:
    pass


async def cut() -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("text", "paused"),
    [
        (DECLARED, PAUSED),
        ("", "LKCHECKINTERVAL=0\n"),
        ("A=1\n", "A=1\nLKCHECKINTERVAL=0\n"),
        ("# caf\xe9\nexport LKCHECKINTERVAL='60' # ours\nA=1", "# caf\xe9\nexport LKCHECKINTERVAL=0\nA=1"),
        ("LKCHECKINTERVAL=0\n", "LKCHECKINTERVAL=0\n"),
        ("# LKCHECKINTERVAL=9\nLKCHECKINTERVAL=60", "# LKCHECKINTERVAL=9\nLKCHECKINTERVAL=0"),
    ],
)
def test_the_interval_is_set_and_set_back_and_all_else_stays_as_it_is(text, paused):
    assert changed(text, "0") == paused
    assert changed(paused, interval(text)) == text
    assert interval(paused) == "0"


def test_of_several_lines_the_last_one_counts_and_none_is_left_that_would_go_on():
    text = "LKCHECKINTERVAL=60\nLKCHECKINTERVAL=30\n"
    assert interval(text) == "30"
    assert changed(text, "0") == "LKCHECKINTERVAL=0\nLKCHECKINTERVAL=0\n"


@pytest.mark.parametrize("text", [DECLARED, "A=1\n", PAUSED])
async def test_the_checks_rest_while_packages_change_and_go_on_as_before(text):
    a, b = Machine(text), Machine(text)
    cluster, journals, told = at_work(a, b)
    seen: list[object] = []

    async def work() -> None:
        seen.append((a.checks, interval(a.text or ""), b.checks, marks(journals)))

    await maintenance.held(cluster, ["a"], work)
    assert seen == [("0", "0", interval(text), {"a": interval(text)})]
    assert (a.text, a.checks, b.text, marks(journals)) == (text, interval(text), text, {})
    assert a.attributes in ((), ("0640", "root:adm")), "another mode or owner than the file had"
    assert told == ["a: LifeKeeper checks nothing while packages change; the service runs on"]


@pytest.mark.parametrize("names", [[], ["a", "b"]])
async def test_where_lifekeeper_is_stopped_or_nothing_changes_it_is_left_alone(names):
    """Stopped also by `squid-ha maintenance on`, which a package change must not end."""
    a, b = Machine(runs="" if names else "runs"), Machine(runs="" if names else "runs")
    cluster, journals, told = at_work(a, b)
    await maintenance.held(cluster, names, nothing)
    assert (a.text, b.text, marks(journals), told) == (DECLARED, DECLARED, {}, [])
    written = [command for node in cluster.nodes.values() if isinstance(node, FakeNode) for command in node.written]
    assert written == []


async def test_a_change_that_fails_lets_the_checks_go_on_and_tells_of_the_change():
    a, b = Machine(), Machine()
    cluster, journals, _ = at_work(a, b)

    async def work() -> None:
        raise CommandFailed("a", "apt-get install", 100, "E: no")

    with pytest.raises(CommandFailed, match="apt-get install"):
        await maintenance.held(cluster, ["a", "b"], work)
    assert (a.text, a.checks, b.text, b.checks, marks(journals)) == (DECLARED, "60", DECLARED, "60", {})


async def test_a_node_that_is_lost_meanwhile_does_not_leave_the_other_without_checks():
    a, b = Machine(), Machine()
    cluster, journals, _ = at_work(a, b)

    async def work() -> None:
        b.silent = lambda _command: True
        raise Unreachable("does not answer", node="b")

    with pytest.raises(Unreachable):
        await maintenance.held(cluster, ["a", "b"], work)
    assert (a.text, a.checks) == (DECLARED, "60")
    assert marks(journals) == {"b": "60"}


async def test_a_pause_that_is_entered_on_one_node_only_is_left_there_and_nothing_is_changed():
    a, b = Machine(), Machine()
    b.silent = lambda command: str(command) == f"write {PATH}"
    cluster, journals, _ = at_work(a, b)
    done: list[int] = []

    async def work() -> None:
        done.append(1)

    with pytest.raises(Unreachable):
        await maintenance.held(cluster, ["a", "b"], work)
    assert (done, a.text, a.checks, marks(journals)) == ([], DECLARED, "60", {})


@pytest.mark.parametrize("names", [[], ["a"]])
async def test_after_a_cut_the_next_run_has_the_checks_go_on_as_before_the_first(names):
    a, b = Machine(), Machine()
    cluster, journals, _ = at_work(a, b)
    with pytest.raises(KeyboardInterrupt):
        await maintenance.held(cluster, ["a", "b"], cut)
    assert (a.checks, marks(journals)) == ("0", {"a": "60", "b": "60"})
    assert MARK.startswith("pending"), "else nothing would call converge again"
    await maintenance.held(cluster, names, nothing)
    assert (a.text, a.checks, b.text, b.checks, marks(journals)) == (DECLARED, "60", DECLARED, "60", {})


async def test_a_cut_before_the_interval_is_read_anew_is_made_good():
    a, b = Machine(), Machine()
    cluster, journals, _ = at_work(a, b)
    await cluster.journal("a").record({MARK: "60"})
    a.checks = "0"
    await maintenance.held(cluster, [], nothing)
    assert (a.text, a.checks, marks(journals)) == (DECLARED, "60", {})


@pytest.mark.parametrize("names", [[], ["a"]])
async def test_what_somebody_has_set_since_a_cut_stays(names):
    a, b = Machine(), Machine()
    cluster, journals, _ = at_work(a, b)
    with pytest.raises(KeyboardInterrupt):
        await maintenance.held(cluster, ["a"], cut)
    a.text = DECLARED.replace("60", "30")
    await maintenance.held(cluster, names, nothing)
    assert (interval(a.text), a.checks, marks(journals)) == ("30", "30", {})


async def test_maintenance_that_somebody_entered_after_a_cut_is_not_ended():
    a, b = Machine(), Machine()
    cluster, journals, _ = at_work(a, b)
    with pytest.raises(KeyboardInterrupt):
        await maintenance.held(cluster, ["a"], cut)
    a.runs = ""
    await maintenance.held(cluster, [], nothing)
    assert (a.text, marks(journals)) == (DECLARED, {})
    node = cluster.node("a")
    assert isinstance(node, FakeNode)
    assert not [command for command in node.written if "start" in str(command)]


@pytest.mark.parametrize(
    ("machine", "words"),
    [(Machine(runs="runs, no killall"), "neither killall nor pkill"), (Machine(kind="link"), "no regular file")],
)
async def test_where_the_checks_cannot_be_paused_nothing_is_changed(machine, words):
    cluster, journals, _ = at_work(Machine(), machine)
    done: list[int] = []

    async def work() -> None:
        done.append(1)

    with pytest.raises(Refused, match=words):
        await maintenance.held(cluster, ["a", "b"], work)
    assert (done, marks(journals), machine.text) == ([], {}, DECLARED)


@pytest.mark.parametrize("runs", ["", "runs"])
async def test_before_packages_are_taken_away_the_interval_is_set_back(runs):
    a, b = Machine(PAUSED, runs=runs), Machine(None, runs="")
    cluster, journals, _ = at_work(a, b)
    await cluster.journal("a").record({MARK: "60"})
    await cluster.journal("b").record({MARK: "60"})
    await maintenance.give_up(cluster)
    assert (a.text, b.text, marks(journals)) == (DECLARED, None, {})
