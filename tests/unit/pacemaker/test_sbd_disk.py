"""SBD's disk: only a blank one is written, and each disk is looked at for itself."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import cast

import pytest

from providers.connection.command import Command, Result, command
from providers.connection.errors import NotVerified, Refused
from providers.connection.fake import FakeJournal, FakeJournals, FakeNode, fake_cluster
from providers.contract import Absent
from providers.host.settings import FileState, NodeSettings
from providers.pacemaker import live, sbd, sbd_conf
from providers.pacemaker.cib import Cib
from providers.pacemaker.live import Live
from providers.pacemaker.model import Primitive
from tests.unit.pacemaker.tools import recorded

DUMP = (
    "Header version     : 2.1\nUUID               : {uuid}\nTimeout (watchdog) : 10\nTimeout (msgwait)  : {message}\n"
)


@dataclass
class Disks:
    """Shared disks by path: "" is blank, "data" somebody's, anything else the UUID of a header."""

    found: dict[str, str] = field(default_factory=dict[str, str])
    running: bool = False
    made: list[str] = field(default_factory=list[str])
    message: dict[str, str] = field(default_factory=dict[str, str])
    """The timeout in the header that was made on a disk; 20 s in any other."""
    listed: list[str] = field(default_factory=list[str])
    """The nodes that have a slot on any disk."""

    def answer(self, command: Command) -> Result:
        said, code = "", 0
        words = [str(word) for word in command.argv]
        text = " ".join(words)
        (disk,) = [each for each in self.found if each in words] or [""]
        if "sbd -d" in text and "dump" in text:
            held = self.found[disk]
            said = "none" if held in ("", "data") else DUMP.format(uuid=held, message=self.message.get(disk, "20"))
        elif "cmp -s" in text:
            said = "" if self.found[disk] == "" else "its beginning is not empty"
        elif words[-1] == "list":
            said = "".join(f"{number}\t{name}\tclear\t\n" for number, name in enumerate(self.listed))
        elif words[-1] == "create":
            self.found[disk] = f"uuid of {disk}" + " again" * self.made.count(disk)
            self.message[disk] = words[-2]
            self.made.append(disk)
        elif "dd if=/dev/zero" in text:
            self.found[disk] = ""
        elif "is-active" in text:
            code = 0 if self.running else 3
        return Result(command, code, said, "")


def wanted(device: str, message: str = "20") -> sbd.Wanted:
    text = sbd_conf.render(sbd_conf.SbdConf(device, "/dev/watchdog", 10, delay_start=0))
    settings = NodeSettings(files={"/etc/default/sbd": FileState(content=text)})
    return sbd.Wanted(
        device=device, watchdog_timeout="10", message_timeout=message, nodes={"a": settings, "b": settings}
    )


@pytest.fixture
def disks(monkeypatch: pytest.MonkeyPatch) -> Disks:
    async def nothing(*_args: object, **_named: object) -> None:
        pass

    async def as_wanted(_node: object, settings: NodeSettings) -> NodeSettings:
        return settings

    async def not_interrupted(_cluster: object) -> bool:
        return False

    for name in ("converge_settings", "remove_settings"):
        monkeypatch.setattr(sbd, name, nothing)
    monkeypatch.setattr(sbd, "read_settings", as_wanted)
    monkeypatch.setattr(sbd.stack, "interrupted", not_interrupted)
    return Disks({"/dev/one": "", "/dev/two": "data", "/dev/three": ""})


@pytest.fixture
def journals() -> FakeJournals:
    return FakeJournals()


async def up(disks: Disks, journals: FakeJournals, device: str, message: str = "20") -> None:
    await sbd.converge(cluster(disks, journals), wanted(device, message), Absent())


async def down(disks: Disks, journals: FakeJournals, device: str) -> None:
    await sbd.remove(cluster(disks, journals), wanted(device))


def cluster(disks: Disks, journals: FakeJournals):
    return fake_cluster(FakeNode("a", disks.answer), FakeNode("b", disks.answer), thing="sbd", journals=journals)


async def test_another_disk_with_data_is_refused_although_the_first_one_was_blank(disks: Disks, journals: FakeJournals):
    await up(disks, journals, "/dev/one")
    with pytest.raises(Refused, match="/dev/two is not blank"):
        await up(disks, journals, "/dev/two")
    assert disks.found["/dev/two"] == "data"


async def test_another_blank_disk_is_taken_and_is_the_one_that_is_emptied_at_the_end(
    disks: Disks, journals: FakeJournals
):
    await up(disks, journals, "/dev/one")
    await up(disks, journals, "/dev/three")
    await down(disks, journals, "/dev/three")
    assert disks.found == {"/dev/one": "uuid of /dev/one", "/dev/two": "data", "/dev/three": ""}


async def test_a_disk_whose_header_somebody_replaced_by_data_is_not_emptied(disks: Disks, journals: FakeJournals):
    await up(disks, journals, "/dev/one")
    disks.found["/dev/one"] = "data"
    await down(disks, journals, "/dev/one")
    assert disks.found["/dev/one"] == "data"


async def test_nor_is_it_written_over(disks: Disks, journals: FakeJournals):
    await up(disks, journals, "/dev/one")
    disks.found["/dev/one"] = "data"
    with pytest.raises(Refused, match="/dev/one is not blank"):
        await up(disks, journals, "/dev/one")
    assert disks.found["/dev/one"] == "data"


async def test_a_header_that_somebody_else_has_made_since_is_neither_emptied_nor_written_over(
    disks: Disks, journals: FakeJournals
):
    await up(disks, journals, "/dev/one")
    disks.found["/dev/one"] = "another cluster's"
    with pytest.raises(Refused, match=r"another SBD header on /dev/one \(UUID another cluster's\).*not written over"):
        await up(disks, journals, "/dev/one", "30")
    await down(disks, journals, "/dev/one")
    assert disks.found["/dev/one"] == "another cluster's"


async def test_one_with_the_timeouts_that_are_declared_is_used_as_found(disks: Disks, journals: FakeJournals):
    await up(disks, journals, "/dev/one")
    disks.found["/dev/one"] = "by hand"
    await up(disks, journals, "/dev/one")
    with pytest.raises(Refused, match="/dev/one is not blank"):
        await up(disks, journals, "/dev/one", "30")
    await down(disks, journals, "/dev/one")
    assert disks.found["/dev/one"] == "by hand"


@pytest.mark.parametrize("used_first", [False, True])
async def test_a_header_made_by_hand_gets_the_declared_timeouts_by_what_the_refusal_says(
    disks: Disks, journals: FakeJournals, used_first: bool
):
    """Made with `sbd create` and its defaults, refused as it is, or used for a time because these were declared."""
    await up(disks, journals, "/dev/one", "30")
    disks.found["/dev/one"], disks.message["/dev/one"] = "by hand", "20"
    if used_first:
        await up(disks, journals, "/dev/one", "20")
    with pytest.raises(Refused) as refused:
        await up(disks, journals, "/dev/one", "30")
    assert "stop the cluster on both nodes" in refused.value.remedy
    (typed,) = re.findall(r"`(sbd [^`]* create)`", refused.value.remedy)
    assert typed == "sbd -d /dev/one -1 10 -4 30 create"
    disks.answer(command(*typed.split()))
    disks.running = True
    await up(disks, journals, "/dev/one", "30")
    assert {each.values["found header"] for each in journals.opened.values()} == {"there"}


async def test_a_disk_without_a_header_is_not_said_to_be_the_clusters(disks: Disks, journals: FakeJournals):
    with pytest.raises(Refused) as refused:
        await up(disks, journals, "/dev/two")
    assert "create" not in refused.value.remedy


async def test_the_header_that_was_written_here_gets_other_timeouts_and_is_emptied_at_the_end(
    disks: Disks, journals: FakeJournals
):
    await up(disks, journals, "/dev/one")
    for message in ("30", "40"):
        await up(disks, journals, "/dev/one", message)
    assert disks.found["/dev/one"] == "uuid of /dev/one again again"
    await down(disks, journals, "/dev/one")
    assert disks.found["/dev/one"] == ""


async def test_a_header_that_was_written_and_not_noted_is_ours(disks: Disks, journals: FakeJournals):
    await up(disks, journals, "/dev/one")

    def cut(command: Command) -> Result:
        done = disks.answer(command)
        if "create" in command.argv:
            raise ConnectionError
        return done

    broken = fake_cluster(FakeNode("a", cut), FakeNode("b", cut), thing="sbd", journals=journals)
    with pytest.raises(ConnectionError):
        await sbd.converge(broken, wanted("/dev/one", "30"), Absent())
    await up(disks, journals, "/dev/one", "40")
    await down(disks, journals, "/dev/one")
    assert disks.found["/dev/one"] == ""


@dataclass
class Cut:
    """Where the connection breaks: at the n-th change, before or after it takes effect."""

    at: int
    after: bool
    changes: int = 0

    def begin(self) -> None:
        self.changes += 1
        if self.changes == self.at and not self.after:
            raise ConnectionError

    def end(self) -> None:
        if self.changes == self.at:
            raise ConnectionError


async def up_cut(cut: Cut, disks: Disks, journals: FakeJournals, device: str, message: str) -> bool:
    """Whether it was cut off."""

    def answer(command: Command) -> Result:
        if not command.writes:
            return disks.answer(command)
        cut.begin()
        done = disks.answer(command)
        cut.end()
        return done

    put = FakeJournal.put

    async def cut_put(self: FakeJournal, values: Mapping[str, str]) -> None:
        cut.begin()
        await put(self, values)
        cut.end()

    broken = fake_cluster(FakeNode("a", answer), FakeNode("b", answer), thing="sbd", journals=journals)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(FakeJournal, "put", cut_put)
        try:
            await sbd.converge(broken, wanted(device, message), Absent())
        except ConnectionError:
            return True
    return False


def copied(disks: Disks, journals: FakeJournals) -> tuple[Disks, FakeJournals]:
    opened = {key: FakeJournal(dict(each.values)) for key, each in journals.opened.items()}
    there = replace(disks, found=dict(disks.found), made=list(disks.made), message=dict(disks.message))
    return there, FakeJournals(opened)


STEPS = [("/dev/one", "20"), ("/dev/one", "30"), ("/dev/three", "30")]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("step", range(len(STEPS)))
async def test_cut_off_at_any_change_and_run_again_the_header_is_this_clusters(
    disks: Disks, journals: FakeJournals, step: int, after: bool
):
    for each in STEPS[:step]:
        await up(disks, journals, *each)
    cut, device = Cut(1, after), STEPS[step][0]
    while await up_cut(cut, *(now := copied(disks, journals)), *STEPS[step]):
        for then in (STEPS[step][1], "40"):
            there = copied(*now)
            await up(*there, device, then)
            await up(*there, device, "50")
            assert {each.values["found header"] for each in there[1].opened.values()} == {"blank"}
            assert {each.values["uuid"] for each in there[1].opened.values()} == {there[0].found[device]}
            await down(*there, device)
            assert there[0].found[device] == ""
        await down(*now, device)
        assert now[0].found[device] == ""
        cut = Cut(cut.at + 1, after)
    assert cut.at > 5


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("step", range(len(STEPS)))
@pytest.mark.parametrize(("message", "listed"), [("99", []), ("30", ["A", "web-1"]), ("20", ["web-1"])])
async def test_a_header_that_somebody_else_writes_after_a_cut_is_neither_written_over_nor_emptied(
    disks: Disks, journals: FakeJournals, step: int, after: bool, message: str, listed: list[str]
):
    for each in STEPS[:step]:
        await up(disks, journals, *each)
    cut, device, refusals = Cut(1, after), STEPS[step][0], 0
    while await up_cut(cut, *(now := copied(disks, journals)), *STEPS[step]):
        now[0].found[device], now[0].message[device], now[0].listed = "another cluster's", message, listed
        for then in ("30", "40"):
            there = copied(*now)
            try:
                await up(*there, device, then)
            except Refused as refused:
                refusals += "about to write" in str(refused)
            await down(*there, device)
            assert there[0].found[device] == "another cluster's"
        await down(*now, device)
        assert now[0].found[device] == "another cluster's"
        cut = Cut(cut.at + 1, after)
    assert refusals


async def test_a_header_that_was_begun_and_cannot_be_told_is_used_when_it_is_made_by_hand_as_declared(
    disks: Disks, journals: FakeJournals
):
    await up_cut(Cut(3, after=False), disks, journals, "/dev/one", "20")
    disks.found["/dev/one"], disks.message["/dev/one"], disks.listed = "unknown", "99", ["a", "b"]
    with pytest.raises(Refused, match="its timeouts are not those that were asked for") as refused:
        await up(disks, journals, "/dev/one", "30")
    (typed,) = re.findall(r"`(sbd [^`]* create)`", refused.value.remedy)
    disks.answer(command(*typed.split()))
    await up(disks, journals, "/dev/one", "30")
    await down(disks, journals, "/dev/one")
    assert disks.found["/dev/one"] == "uuid of /dev/one"


async def test_a_header_is_ours_where_the_journal_of_a_node_that_was_away_meanwhile_names_the_one_before(
    disks: Disks, journals: FakeJournals
):
    await up(disks, journals, "/dev/one")
    away = dict(journals.opened["b", "sbd"].values)
    await up(disks, journals, "/dev/one", "30")
    journals.opened["b", "sbd"].values = away
    await up(disks, journals, "/dev/one", "40")
    await down(disks, journals, "/dev/one")
    assert disks.found["/dev/one"] == ""


@dataclass
class TwoPaths(Disks):
    """/dev/one is /dev/also-one too."""

    def answer(self, command: Command) -> Result:
        argv = tuple("/dev/one" if word == "/dev/also-one" else word for word in command.argv)
        return super().answer(replace(command, argv=argv))


@pytest.mark.usefixtures("disks")
async def test_a_header_that_was_written_here_is_ours_by_another_path_of_the_same_disk(journals: FakeJournals):
    both = TwoPaths({"/dev/one": ""})
    await up(both, journals, "/dev/one")
    await up(both, journals, "/dev/also-one")
    await up(both, journals, "/dev/also-one", "30")
    await down(both, journals, "/dev/also-one")
    assert (both.made, both.found) == (["/dev/one", "/dev/one"], {"/dev/one": ""})


@pytest.mark.usefixtures("disks")
async def test_so_it_is_where_path_and_timeouts_change_in_a_run_that_is_cut_off(journals: FakeJournals):
    both = TwoPaths({"/dev/one": ""})
    await up(both, journals, "/dev/one")

    def cut(command: Command) -> Result:
        done = both.answer(command)
        if "create" in command.argv:
            raise ConnectionError
        return done

    broken = fake_cluster(FakeNode("a", cut), FakeNode("b", cut), thing="sbd", journals=journals)
    with pytest.raises(ConnectionError):
        await sbd.converge(broken, wanted("/dev/also-one", "30"), Absent())
    await up(both, journals, "/dev/also-one", "40")
    await down(both, journals, "/dev/also-one")
    assert both.found == {"/dev/one": ""}


@pytest.mark.usefixtures("disks")
async def test_a_node_that_was_away_meanwhile_and_names_the_path_declared_now_makes_it_nobody_elses(
    journals: FakeJournals,
):
    both = TwoPaths({"/dev/one": ""})
    await up(both, journals, "/dev/one")
    away = dict(journals.opened["b", "sbd"].values)
    await up(both, journals, "/dev/also-one")
    await up(both, journals, "/dev/also-one", "30")
    journals.opened["b", "sbd"].values = away
    await up(both, journals, "/dev/one", "40")
    await down(both, journals, "/dev/one")
    assert both.found == {"/dev/one": ""}


async def test_what_a_release_before_noted_tells_no_header_so_what_is_there_is_ours_from_then_on(
    disks: Disks, journals: FakeJournals
):
    disks.found["/dev/one"] = "ours"
    for name in ("a", "b"):
        noted = {"found header": "blank", "disk": "/dev/one"}
        await cluster(disks, journals).journal(cluster(disks, journals).node(name)).record(noted)
    await up(disks, journals, "/dev/one")
    assert {each.values["uuid"] for each in journals.opened.values()} == {"ours"}
    disks.found["/dev/one"] = "another cluster's"
    await down(disks, journals, "/dev/one")
    assert disks.found["/dev/one"] == "another cluster's"


async def test_a_header_that_is_gone_is_not_made_anew_under_a_running_cluster(disks: Disks, journals: FakeJournals):
    await up(disks, journals, "/dev/one")
    disks.found["/dev/one"], disks.running = "", True
    with pytest.raises(Refused, match="bears no SBD header any more"):
        await up(disks, journals, "/dev/one")
    assert disks.found["/dev/one"] == ""


@pytest.mark.parametrize("found", ["", "uuid of /dev/one"])
async def test_where_the_cluster_has_to_be_stopped_it_is_said_how_it_starts_again(
    disks: Disks, journals: FakeJournals, found: str
):
    """The header alone is changed then: nothing else of the site has a reason to start Corosync and Pacemaker."""
    await up(disks, journals, "/dev/one")
    disks.found["/dev/one"], disks.running = found, True
    slower = wanted("/dev/one").model_copy(update={"watchdog_timeout": "15", "message_timeout": "30"})
    with pytest.raises(Refused) as refused:
        await sbd.converge(cluster(disks, journals), slower, Absent())
    assert "without `--refresh`" in refused.value.remedy
    assert "then `systemctl start corosync pacemaker` on both nodes at once" in refused.value.remedy


async def test_a_change_to_another_disk_that_was_cut_off_goes_on_while_the_cluster_runs(
    disks: Disks, journals: FakeJournals, monkeypatch: pytest.MonkeyPatch
):
    await up(disks, journals, "/dev/one")

    async def still_one(_node: object, _settings: NodeSettings) -> NodeSettings:
        return wanted("/dev/one").nodes["a"]

    async def done(_cluster: object, *_between: object) -> None:
        pass

    monkeypatch.setattr(sbd, "read_settings", still_one)
    for name in ("restart", "refuse_alone"):
        monkeypatch.setattr(sbd.stack, name, done)
    disks.running = True
    for node in ("a", "b"):
        noted = {"found header": "blank", "disk": "/dev/three"}
        await cluster(disks, journals).journal(cluster(disks, journals).node(node)).put(noted)
    await up(disks, journals, "/dev/three")
    assert disks.found["/dev/three"] == "uuid of /dev/three"


def test_a_disk_that_cannot_be_read_is_not_one_without_a_header():
    for said in ("missing\n", "unreadable\n"):
        with pytest.raises(ValueError, match=r"there is no such|cannot be read"):
            sbd.parse(said)


async def test_what_a_release_before_wrote_down_names_no_disk_and_is_trusted_where_there_is_a_header(
    disks: Disks, journals: FakeJournals
):
    disks.found["/dev/one"] = "ours"
    for name in ("a", "b"):
        await cluster(disks, journals).journal(cluster(disks, journals).node(name)).record({"found header": "blank"})
    with pytest.raises(Refused, match="/dev/two is not blank"):
        await up(disks, journals, "/dev/two")
    await up(disks, journals, "/dev/one")
    await down(disks, journals, "/dev/one")
    assert disks.found["/dev/one"] == ""


async def test_a_run_that_was_cut_off_before_the_header_goes_on(disks: Disks, journals: FakeJournals):
    def cut(command: Command) -> Result:
        if "create" in command.argv:
            raise ConnectionError
        return disks.answer(command)

    broken = fake_cluster(FakeNode("a", cut), FakeNode("b", cut), thing="sbd", journals=journals)
    with pytest.raises(ConnectionError):
        await sbd.converge(broken, wanted("/dev/one"), Absent())
    await up(disks, journals, "/dev/one")
    assert disks.found["/dev/one"] == "uuid of /dev/one"


async def test_fencing_writes_to_another_disk_before_anything_is_managed_on_it(
    disks: Disks, journals: FakeJournals, monkeypatch: pytest.MonkeyPatch
):
    """To the disk that no daemon watches any more it would succeed and stop nobody."""
    await up(disks, journals, "/dev/one")
    by_disk = Primitive(id="fencing", agent=sbd.AGENT, parameters={"sbd_device": "/dev/one"})
    by_file, other = Primitive(id="by-file", agent=sbd.AGENT), Primitive(id="ipmi", agent="stonith:external/ipmi")
    cib = Cib.parse(recorded("cib-fresh.xml"))
    for primitive in (by_disk, by_file, other):
        cib = cib.with_member(primitive, None)
    done = list[str]()

    async def change(_cluster: object, edit: Callable[[Live], Cib], **_named: object) -> None:
        nonlocal cib
        cib = edit(Live(node=FakeNode("a"), cib=cib, monitor=cast("live.Monitor", None)))
        done.append("changed")

    async def restart(_cluster: object, before_managed: Callable[[], Awaitable[None]]) -> None:
        await before_managed()
        done.append("managed")

    async def stays(_cluster: object) -> None:
        pass

    async def before(_node: object, _settings: NodeSettings) -> NodeSettings:
        return wanted("/dev/one").nodes["a"]

    monkeypatch.setattr(live, "change", change)
    monkeypatch.setattr(sbd.stack, "restart", restart)
    monkeypatch.setattr(sbd.stack, "refuse_alone", stays)
    monkeypatch.setattr(sbd, "read_settings", before)
    disks.running = True
    await up(disks, journals, "/dev/three")
    assert done == ["changed", "managed"]
    found = cib.primitives()
    assert found["fencing"].parameters == {"sbd_device": "/dev/three"}
    assert (found["by-file"].parameters, found["ipmi"].parameters) == ({}, {})


@pytest.fixture
def fencing(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The fencing resources of a running cluster."""
    names: list[str] = []

    class Told:
        def primitives(self) -> dict[str, Primitive]:
            return {name: Primitive(id=name, agent=sbd.AGENT) for name in names}

    async def read(_cluster: object) -> Live:
        return cast("Live", SimpleNamespace(cib=Told()))

    async def nothing(_cluster: object) -> None:
        pass

    monkeypatch.setattr(sbd.live, "read", read)
    monkeypatch.setattr(sbd.stack, "refuse_alone", nothing)
    return names


async def test_fencing_that_is_switched_off_leaves_a_cluster_that_started_anew_without_sbd(
    disks: Disks, journals: FakeJournals, fencing: list[str], monkeypatch: pytest.MonkeyPatch
):
    order: list[str] = []

    async def restart(_cluster: object) -> None:
        order.append(f"anew, with the header of {disks.found['/dev/one']}")
        disks.running = False

    monkeypatch.setattr(sbd.stack, "restart", restart)
    await up(disks, journals, "/dev/one")
    disks.running = True
    fencing.append("fencing")
    with pytest.raises(Refused, match="fences by SBD with fencing"):
        await down(disks, journals, "/dev/one")
    assert (order, disks.found["/dev/one"]) == ([], "uuid of /dev/one")
    fencing.clear()
    await down(disks, journals, "/dev/one")
    assert order == ["anew, with the header of uuid of /dev/one"]
    assert disks.found["/dev/one"] == ""


async def test_a_disk_that_a_daemon_still_watches_is_not_emptied(
    disks: Disks, journals: FakeJournals, fencing: list[str], monkeypatch: pytest.MonkeyPatch
):
    async def restart(_cluster: object) -> None:
        """It does not end."""

    monkeypatch.setattr(sbd.stack, "restart", restart)
    await up(disks, journals, "/dev/one")
    disks.running = True
    with pytest.raises(NotVerified, match="SBD still runs"):
        await down(disks, journals, "/dev/one")
    assert disks.found["/dev/one"] == "uuid of /dev/one"


def waiting(delay: int) -> NodeSettings:
    """What a node's daemons read, as a release wrote it whose nodes waited so long."""
    text = sbd_conf.render(sbd_conf.SbdConf("/dev/one", "/dev/watchdog", 10, delay))
    files = {"/etc/default/sbd": text, "/etc/systemd/system/sbd.service.d/squid-ha.conf": sbd_conf.patience(delay)}
    return NodeSettings(files={path: FileState(content=each) for path, each in files.items() if each})


@pytest.mark.parametrize(("delay", "anew"), [(44, False), (90, False), (None, True)])
async def test_another_wait_at_the_next_boot_starts_no_cluster_anew(
    delay: int | None, anew: bool, disks: Disks, journals: FakeJournals, monkeypatch: pytest.MonkeyPatch
) -> None:
    restarted: list[bool] = []

    async def restart(*_args: object) -> None:
        restarted.append(True)

    async def nothing(*_args: object) -> None:
        pass

    async def there(_node: object, _settings: NodeSettings) -> NodeSettings:
        return waiting(0)

    monkeypatch.setattr(sbd.stack, "restart", restart)
    monkeypatch.setattr(sbd.stack, "refuse_alone", nothing)
    monkeypatch.setattr(sbd, "read_settings", there)
    disks.running, disks.found["/dev/one"] = True, "uuid"
    now = wanted("/dev/two").nodes["a"] if delay is None else waiting(delay)
    disks.found["/dev/two"] = "uuid"
    device = "/dev/two" if delay is None else "/dev/one"
    both = sbd.Wanted(device=device, watchdog_timeout="10", message_timeout="20", nodes={"a": now, "b": now})
    await sbd.converge(cluster(disks, journals), both, Absent())
    assert bool(restarted) is anew


def test_systemd_waits_for_a_node_that_waits() -> None:
    assert sbd_conf.patience(37) == "", "systemd's own 90 s are enough"
    assert "TimeoutStartSec=252\n" in sbd_conf.patience(126)
