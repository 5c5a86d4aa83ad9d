"""Lines are said one at a time in a cluster, when nobody changes a hierarchy, and again where that is safe."""

import asyncio
import os
import subprocess
from pathlib import Path

import pytest

from providers.connection.command import Result
from providers.connection.errors import CommandFailed, TimedOut, Unknown, Unreachable
from providers.connection.fake import FakeNode, fake_cluster
from providers.lifekeeper import grammar, speaking
from providers.lifekeeper.speaking import Line
from tests.unit.lifekeeper.fake import Pair
from tests.unit.lifekeeper.test_providers import differences, fresh, members, up

A, B = "proxy-a", "proxy-b"
FLAG = "!action!123!456!proxy-b:create"
TIE = Line(A, "dep_create", "", {"parent": "a", "child": "b"})
UNTIE = Line(A, "dep_remove", "", {"parent": "a", "child": "b"})
SWITCHBACK = Line(A, "ins_setas", "", {"tag": "a", "switchback": "INTELLIGENT"})
SILENT = [
    Unreachable("no route to host", node=B),
    TimedOut("`flg_list` did not finish within 60 s", node=B),
    (1, "", "LifeKeeper is not running"),
    (127, "", "not found"),
]


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(speaking, "BUSY_LIMIT", 0.0)
    monkeypatch.setattr(speaking, "PEER_LIMIT", 0.05)


def lines(pair):
    """What was said, by node and program."""
    return [(node, line.split()[0].rsplit("/", 1)[-1]) for node, line in pair.said]


def say(pair, *said):
    async def all_of_them():
        for line in said:
            await speaking.say(pair.cluster(), line)

    asyncio.run(all_of_them())


# Somebody else's change


@pytest.mark.parametrize("line", [TIE, Line(A, "perform_action", "", {"tag": "a", "action": "restore"})])
def test_a_change_that_was_begun_on_the_other_node_is_waited_for_and_named(line):
    pair = Pair()
    pair.lcds[B].flags.append(FLAG)
    with pytest.raises(TimedOut, match=r"proxy-b: somebody else .*!action!123"):
        say(pair, line)
    assert pair.said == []


def test_a_change_on_the_other_node_that_ends_is_only_waited_for(monkeypatch):
    monkeypatch.setattr(speaking, "BUSY_LIMIT", 5.0)
    pair, answers = Pair(), [f"{FLAG}\n"]
    monkeypatch.setattr(pair, "flg_list", lambda name, _: (0, answers.pop() if name == B and answers else ""))
    say(pair, TIE)
    assert (lines(pair), answers) == ([(A, "dep_create")], [])


@pytest.mark.parametrize("answer", SILENT, ids=str)
def test_a_node_that_cannot_tell_holds_up_nothing_on_the_other_one(answer, monkeypatch):
    pair = Pair()

    def flags(name, _values):
        if name == B and isinstance(answer, Exception):
            raise answer
        return answer if name == B else (0, "")

    monkeypatch.setattr(pair, "flg_list", flags)
    say(pair, TIE)
    assert lines(pair) == [(A, "dep_create")]
    with pytest.raises(type(answer) if isinstance(answer, Exception) else Unknown, match=B):
        say(pair, Line(B, "dep_create", "", {"parent": "a", "child": "b"}))
    assert lines(pair) == [(A, "dep_create")]


@pytest.mark.parametrize(("limit", "asked"), [(60.0, 1), (0.0, 2)])
def test_a_lost_node_is_not_waited_for_before_every_line(limit, asked, monkeypatch):
    monkeypatch.setattr(speaking, "SILENT_FOR", limit)
    pair, seen = Pair(), []

    def flags(name, _values):
        seen.append(name)
        if name == B:
            raise Unreachable("no route to host", node=B)
        return 0, ""

    monkeypatch.setattr(pair, "flg_list", flags)
    say(pair, TIE, UNTIE)
    assert (seen.count(A), seen.count(B)) == (2, asked)


class Meeting(FakeNode):
    """Answers what only reads when the other node is asked, too."""

    def __init__(self, name, asked):
        super().__init__(name)
        self.asked = asked

    async def run(self, command):
        if not command.writes:
            await asyncio.wait_for(self.asked.wait(), 5)
        return await super().run(command)


def test_all_nodes_are_asked_at_once():
    async def at_once():
        asked = asyncio.Barrier(2)
        await speaking.say(fake_cluster(Meeting(A, asked), Meeting(B, asked)), TIE)

    asyncio.run(at_once())


# One at a time


class Slow(FakeNode):
    """Notes where more than one line is under way in the cluster."""

    def __init__(self, name, under_way):
        super().__init__(name)
        self.under_way = under_way

    async def run(self, command):
        if command.writes:
            self.under_way.append(str(command))
            assert len(self.under_way) == 1, self.under_way
            await asyncio.sleep(0)
            self.under_way.remove(str(command))
        return await super().run(command)


def test_nothing_else_is_said_in_the_cluster_while_the_configuration_is_written_to_disk():
    under_way: list[str] = []
    nodes = [Slow(A, under_way), Slow(B, under_way)]
    cluster = fake_cluster(*nodes)

    async def together():
        said = speaking.sync(cluster, [A, B]), speaking.say(cluster, TIE), speaking.sync(cluster, [B])
        await asyncio.wait_for(asyncio.gather(*said), 5)

    asyncio.run(together())
    assert [len(node.written) for node in nodes] == [2, 2]


# The other node cannot be reached by LifeKeeper


def answering(*codes):
    """A node on which a line that writes ends with these codes in turn; what it has to say to the person as well."""
    left, told = list(codes), []

    def answer(asked):
        return Result(asked, left.pop(0) if asked.writes else 0, "", "no answer")

    node = FakeNode(A, answer)
    return node, fake_cluster(node, progress=told.append), told


def test_a_line_is_repeated_until_lifekeeper_reaches_the_other_node():
    node, cluster, told = answering(9, 9, 0)
    asyncio.run(speaking.say(cluster, TIE))
    assert len(node.written) == 3
    assert told[0].startswith("proxy-a: LifeKeeper cannot reach the other node yet: waiting")


@pytest.mark.parametrize("code", [0, 4])
def test_before_a_line_is_repeated_nobody_else_must_be_changing_a_hierarchy(code, monkeypatch):
    pair, codes = Pair(), [code, 9]

    def begin(_node, _line):
        pair.lcds[B].flags.append(FLAG)

    pair.after = begin
    monkeypatch.setattr(pair, "dep_create", lambda _name, _values: (codes.pop(),))
    with pytest.raises(TimedOut, match="!action!123"):
        say(pair, TIE)
    assert lines(pair) == [(A, "dep_create")]


def test_a_peer_that_lifekeeper_does_not_reach_in_time_is_told_with_the_line_and_the_way_out(monkeypatch):
    monkeypatch.setattr(speaking, "PEER_LIMIT", 0.0)
    _, cluster, _ = answering(9, 9)
    with pytest.raises(TimedOut, match=r"proxy-a: `/opt/LifeKeeper/bin/dep_create -p a -c b` was not done") as ended:
        asyncio.run(speaking.say(cluster, TIE))
    assert "exit code 9" in str(ended.value)
    assert "lcdstatus" in ended.value.remedy


@pytest.mark.parametrize(("line", "code"), [(TIE, 4), (UNTIE, 7)])
def test_what_a_line_did_before_it_was_repeated_is_no_error(line, code):
    _, cluster, _ = answering(9, code)
    asyncio.run(speaking.say(cluster, line))
    _, cluster, _ = answering(code)
    with pytest.raises(CommandFailed, match=f"exit code {code}"):
        asyncio.run(speaking.say(cluster, line))


@pytest.mark.parametrize(("line", "code"), [(TIE, 7), (UNTIE, 4), (SWITCHBACK, 4)])
def test_another_failure_of_a_repeated_line_is_one(line, code):
    _, cluster, _ = answering(9, code)
    with pytest.raises(CommandFailed, match=f"exit code {code}"):
        asyncio.run(speaking.say(cluster, line))


@pytest.mark.parametrize(
    "line",
    [
        Line(A, "perform_action", "", {"tag": "a", "action": "restore"}),
        Line(A, "mirror_action", "", {"tag": "a", "action": "fullresync", "source": A, "targets": [B]}),
        Line(A, "lkstop", "", {"running": True}),
        Line(A, "lcdsync", ""),
        Line(A, "lkcli resource delete", "", {"tag": "a"}),
        Line(A, "lkcli dependency create", "", {"parent": "a", "child": "b"}),
        speaking.system(A, "", "mount", "/mnt/mirror"),
    ],
    ids=lambda line: line.name or line.argv[0],
)
def test_what_may_have_been_done_in_part_is_said_once(line):
    node, cluster, _ = answering(9)
    with pytest.raises(CommandFailed, match="exit code 9"):
        asyncio.run(speaking.say(cluster, line))
    assert len(node.written) == 1


def test_only_lines_whose_codes_are_those_of_the_database_are_repeated():
    assert {grammar.load().command(name).codes for name in speaking._REPEATED} == {"lcdi"}


@pytest.mark.parametrize("name", ["sys_create", "net_create", "dep_create"])
def test_a_pair_is_made_whole_though_lifekeeper_does_not_reach_the_other_node_at_first(name, monkeypatch):
    pair, did = fresh(), getattr(Pair, name)
    heard: set[str] = set()

    def late(node, values):
        result = did(pair, node, values)
        if node in heard:
            return result
        heard.add(node)
        return 9, "", "no answer"

    monkeypatch.setattr(pair, name, late)
    up(pair, members())
    assert [differences(pair, thing) for thing in members()] == [[] for _ in members()]


TALKS = 'echo begins; sleep 0.3; echo goes on; sleep 0.1; echo more >&2; echo done >"$1"'
"""Ended by what it says in its middle where nobody reads that any more."""


@pytest.mark.parametrize("kept", [True, False])
def test_a_line_is_carried_out_whole_though_the_connection_breaks_meanwhile(tmp_path: Path, kept: bool) -> None:
    line = ["sh", "-c", TALKS, "sh", str(tmp_path / "end")]
    argv = ["sh", "-c", speaking.TO_ITS_END, "sh", *line] if kept else line
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        process.stderr.close()
        process.wait(20)
    assert (tmp_path / "end").exists() == kept
    assert {each.name for each in tmp_path.iterdir()} <= {"end"}, "files of the line's are left"


def test_what_a_line_says_and_its_exit_code_come_back(tmp_path: Path) -> None:
    argv = ["sh", "-c", speaking.TO_ITS_END, "sh", "sh", "-c", "echo out; echo error >&2; exit 3"]
    done = subprocess.run(
        argv, env={**os.environ, "TMPDIR": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (3, "out\n", "error\n")
    assert list(tmp_path.iterdir()) == []
