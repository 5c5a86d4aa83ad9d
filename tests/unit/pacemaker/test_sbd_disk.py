"""SBD's disk: only a blank one is written, and each disk is looked at for itself."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from providers.connection.command import Command, Result
from providers.connection.errors import Refused
from providers.connection.fake import FakeJournals, FakeNode, fake_cluster
from providers.contract import Absent
from providers.host.settings import FileState, NodeSettings
from providers.pacemaker import sbd, sbd_conf

DUMP = "Header version     : 2.1\nUUID               : {uuid}\nTimeout (watchdog) : 10\nTimeout (msgwait)  : 20\n"


@dataclass
class Disks:
    """Shared disks by path: "" is blank, "data" somebody's, anything else the UUID of a header."""

    found: dict[str, str] = field(default_factory=dict[str, str])

    def answer(self, command: Command) -> Result:
        said, code = "", 0
        words = [str(word) for word in command.argv]
        text = " ".join(words)
        (disk,) = [each for each in self.found if each in words] or [""]
        if "sbd -d" in text and "dump" in text:
            held = self.found[disk]
            said = "none" if held in ("", "data") else DUMP.format(uuid=held)
        elif "cmp -s" in text:
            said = "" if self.found[disk] == "" else "its beginning is not empty"
        elif words[-1] == "create":
            self.found[disk] = f"uuid of {disk}"
        elif "dd if=/dev/zero" in text:
            self.found[disk] = ""
        elif "is-active" in text:
            code = 3
        return Result(command, code, said, "")


def wanted(device: str) -> sbd.Wanted:
    text = sbd_conf.render(sbd_conf.SbdConf(device, "/dev/watchdog", 10, delay_start=False))
    settings = NodeSettings(files={sbd_conf.PATH: FileState(content=text)})
    return sbd.Wanted(device=device, watchdog_timeout="10", message_timeout="20", nodes={"a": settings, "b": settings})


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


async def up(disks: Disks, journals: FakeJournals, device: str) -> None:
    await sbd.converge(cluster(disks, journals), wanted(device), Absent())


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
