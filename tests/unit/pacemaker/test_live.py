"""Reading from a node that knows, and pushing: the script for real, with Pacemaker's own tools on a file."""

from pathlib import Path

import pytest

from providers.connection.answers import NotUnderstood
from providers.connection.command import Command, Result
from providers.connection.errors import (
    HostKeyRefused,
    NotVerified,
    Refused,
    SudoRefused,
    TimedOut,
    Unknown,
    Unreachable,
)
from providers.connection.fake import FakeNode, fake_cluster
from providers.pacemaker import live, service, stack
from providers.pacemaker.cib import Cib
from providers.pacemaker.model import Clone, Colocation, Order, Primitive
from tests.unit.local import LocalNode
from tests.unit.pacemaker.tools import Tools, recorded

BACKUP = '<primitive id="backup" class="systemd" type="backup"/>'
BACKUP2 = BACKUP.replace("backup", "backup2")
CIB, MON = recorded("cib-tree.xml"), recorded("crm_mon-tree.xml")


def running(command: Command) -> str:
    return {"cibadmin": CIB, "crm_mon": MON}.get(command.argv[0], "")


def stopped(command: Command) -> Result:
    return Result(command, 102, "", "Connection refused")


def gone(command: Command) -> Result:
    raise Unreachable("no route to host", node="qsp-a")


def hung(command: Command) -> Result:
    raise TimedOut("`cibadmin --query` did not finish within 60 s", node="qsp-a")


def broken(command: Command) -> Result:
    return Result(command, 1, "", "out of memory")


def rootless(command: Command) -> Result:
    raise SudoRefused("user ops may not become root by sudo: a password is required", node="qsp-a")


def garbled(command: Command) -> str:
    return running(command).replace("</", "<")


@pytest.mark.parametrize("first", [stopped, gone, hung, broken, rootless, garbled])
async def test_any_node_that_knows_is_asked(first):
    found = await live.read(fake_cluster(FakeNode("qsp-a", first), FakeNode("qsp-b", running)))
    assert found.node.name == "qsp-b"


def alone(command: Command) -> str:
    return running(command).replace('have-quorum="1"', 'have-quorum="0"')


def starting(command: Command) -> str:
    return recorded("crm_mon-starting.xml") if command.argv[0] == "crm_mon" else running(command)


@pytest.mark.parametrize(
    "answer", [stopped, gone, alone, starting, rootless, garbled], ids=lambda answer: answer.__name__
)
async def test_where_nobody_can_tell_nothing_is_said_to_be_absent(answer):
    with pytest.raises(Unknown, match="no node can tell"):
        await live.read(fake_cluster(FakeNode("qsp-a", answer), FakeNode("qsp-b", stopped)))


async def test_where_no_node_answers_each_reason_says_what_to_do_and_no_start_is_advised():
    def refused(command: Command) -> Result:
        raise HostKeyRefused("the host key has changed", node="qsp-b", remedy="`ssh-keygen -R qsp-b`")

    with pytest.raises(Unknown) as told:
        await live.read(fake_cluster(FakeNode("qsp-a", gone), FakeNode("qsp-b", refused)))
    assert str(told.value).endswith("qsp-a: no route to host; qsp-b: the host key has changed → `ssh-keygen -R qsp-b`")


async def test_where_all_nodes_print_what_is_not_understood_that_is_told_and_no_start_is_advised():
    with pytest.raises(NotUnderstood, match=r"qsp-a: what the cluster says .* is not understood") as told:
        await live.read(fake_cluster(FakeNode("qsp-a", garbled), FakeNode("qsp-b", garbled)))
    assert "start" not in told.value.remedy


async def test_where_no_node_lets_anybody_be_root_that_is_told():
    with pytest.raises(SudoRefused, match="qsp-a: user ops may not become root"):
        await live.read(fake_cluster(FakeNode("qsp-a", rootless), FakeNode("qsp-b", rootless)))


async def test_a_patch_that_no_longer_fits_is_made_anew_and_not_for_ever():
    answers = iter([91, 91, 0])

    def busy(command: Command) -> Result | str:
        return Result(command, next(answers, 91), "", "") if command.writes else running(command)

    def edit(now: live.Live) -> Cib:
        return now.cib.without_constraints(["squid-with-filesystem"])

    node = FakeNode("qsp-a", busy)
    await live.change(fake_cluster(node), edit)
    assert len(node.written) == 3
    with pytest.raises(NotVerified, match="under our hands"):
        await live.change(fake_cluster(node), edit)


async def test_nothing_is_sent_where_nothing_changes():
    node = FakeNode("qsp-a", running)
    await live.change(fake_cluster(node), lambda now: now.cib)
    assert node.written == []


@pytest.fixture
def pushed(tools: Tools, tmp_path: Path) -> tuple[LocalNode, Path]:
    """A node whose `cibadmin` works on a file."""
    file = tmp_path / "cib.xml"
    file.write_text(recorded("cib-tree.xml"))
    for name in ("crm_verify", "crm_diff", "cibadmin"):
        stand_in = tmp_path / "bin" / name
        stand_in.parent.mkdir(exist_ok=True)
        stand_in.write_text(tools.wrapper(name, {"CIB_file": str(file)}))
        stand_in.chmod(0o755)
    return LocalNode(path=str(tmp_path / "bin")), file


def reread(file: Path) -> Cib:
    return Cib.parse(file.read_text())


async def test_a_change_arrives_and_leaves_the_rest(pushed):
    node, file = pushed
    old = reread(file)
    new = old.with_member(Primitive(id="new", agent="ocf:pacemaker:Dummy"), None)
    assert await live._pushed(node, old.text(), new.text(), verify=True)
    assert reread(file).find("new").primitive == Primitive(id="new", agent="ocf:pacemaker:Dummy")
    assert reread(file).find("squid") == old.find("squid")
    assert "lrm_resource" in file.read_text(), "the status section is not ours to touch"


async def test_a_fault_is_refused_before_it_is_loaded(pushed):
    node, file = pushed
    old = reread(file)
    new = old.with_constraints({"x": Order(first="not-there", then="squid")})
    with pytest.raises(Refused, match="not-there"):
        await live._pushed(node, old.text(), new.text(), verify=True)
    assert reread(file).text() == old.text()


async def test_a_fault_that_was_there_before_stops_nobody(pushed):
    node, file = pushed
    faulty = reread(file).with_options("crm_config", "cib-bootstrap-options", {"stonith-enabled": "true"})
    file.write_text(
        file.read_text().replace('name="stonith-enabled" value="false"', 'name="stonith-enabled" value="true"')
    )
    new = faulty.with_member(Primitive(id="new", agent="ocf:pacemaker:Dummy"), None)
    assert await live._pushed(node, faulty.text(), new.text(), verify=True)


async def test_a_patch_made_from_something_else_does_not_fit(pushed):
    node, file = pushed
    before = file.read_text()
    old = reread(file).with_member(Primitive(id="ghost", agent="ocf:pacemaker:Dummy"), None)
    new = old.with_meta("ghost", "target-role", "Stopped")
    assert not await live._pushed(node, old.text(), new.text(), verify=True)
    assert file.read_text() == before


async def test_input_that_ends_early_changes_nothing(pushed):
    node, file = pushed
    old = reread(file).text()
    broken = live.script(live._PUSH, str(len(old)), "trust", "99999", stdin=old + old[:40], ok=None)
    result = await node.run(broken)
    assert result.exit_code == 1
    assert "ended early" in result.stderr


async def test_the_software_is_not_started_anew_while_a_node_of_the_cluster_takes_no_part():
    one, two = FakeNode("qsp-a", running), FakeNode("qsp-b", running)
    await stack.refuse_alone(fake_cluster(one, two))
    with pytest.raises(Refused, match=r"qsp-a would have no quorum.*until qsp-b is back"):
        await stack.refuse_alone(fake_cluster(one))
    await stack.refuse_alone(fake_cluster(FakeNode("qsp-a", stopped)))


def test_the_lowest_member_is_what_moves_all():
    tree = Cib.parse(recorded("cib-tree.xml"))
    assert service.base(tree) == ("mirror-clone", True)
    assert list(service.service(tree)) == ["mirror", "filesystem", "squid", "address"]
    added_last = tree.without("mirror", []).with_member(*_member(tree, "mirror"))
    assert list(added_last.primitives())[-1] == "mirror"
    assert next(iter(service.service(added_last))) == "mirror"
    without = tree.without_constraints(["filesystem-with-mirror-clone"]).without("mirror", [])
    assert service.base(without) == ("filesystem", False)


def test_what_the_cluster_runs_besides_is_no_part_of_the_service():
    tree = Cib.parse(recorded("cib-tree.xml"))
    ours = ["mirror", "filesystem", "squid", "address"]
    backup = Primitive(id="backup", agent="systemd:backup")
    first = Cib.parse(recorded("cib-tree.xml").replace("<resources>", f"<resources>{BACKUP}"))
    for besides in (tree.with_member(backup, None), first):
        assert list(service.service(besides)) == ours
        assert service.base(besides) == ("mirror-clone", True)
    apart = {"apart": Colocation(resource="backup", with_resource="squid", score="-INFINITY")}
    assert list(service.service(first.with_constraints(apart))) == ours
    tied = {"tied": Colocation(resource="backup", with_resource="address")}
    assert list(service.service(first.with_constraints(tied))) == [*ours, "backup"]


def test_a_group_and_a_tie_of_sets_stand_together():
    grouped = recorded("cib-tree.xml").replace("<resources>", f'<resources><group id="g">{BACKUP}{BACKUP2}</group>')
    tie = (
        '<rsc_colocation id="t" score="INFINITY"><resource_set id="s"><resource_ref id="g"/><resource_ref id="squid"/>'
    )
    tied = grouped.replace("<constraints>", f"<constraints>{tie}</resource_set></rsc_colocation>")
    assert "backup" not in service.service(Cib.parse(grouped))
    assert {"backup", "backup2"} <= set(service.service(Cib.parse(tied)))


def _member(tree: Cib, name: str) -> tuple[Primitive, Clone | None]:
    found = tree.find(name)
    assert found.primitive is not None
    return found.primitive, found.clone
