"""Files of somebody else: what is not changed in them stays, byte for byte."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.connection.command import Command
from providers.connection.errors import Refused
from providers.connection.fake import FakeNode
from providers.host import foreign_file
from providers.lifekeeper.defaults import changed

PATH = "/etc/default/LifeKeeper"
# Shift-JIS, Latin-1, and a next line (0x85) that is part of a letter of UTF-8
ODD = b"# \x8f\x91\x82\xab caf\xe9 \xc3\x85\x0c\r\nLCMHBEATTIME=5\nOTHER=\xff # kept\n"


class Machine:
    def __init__(self, content: bytes, kind: str = "file") -> None:
        self.content, self.kind, self.attributes = content, kind, ("0640", "root:adm")

    def __call__(self, command: Command) -> str:
        if str(command) == f"write {PATH}":
            self.content, self.attributes = command.stdin or b"", command.argv[5:7]
            return ""
        return f"{self.kind} 640 0:0 root:adm\n{base64.b64encode(self.content).decode()}\n"


async def test_bytes_that_are_no_text_stay_and_so_do_mode_and_owner():
    machine = Machine(ODD)
    node = FakeNode("a", machine)
    file = await foreign_file.read(node, PATH)
    await file.write(node, changed(file.text, {"LCMHBEATTIME": "7"}))
    assert machine.content == ODD.replace(b"TIME=5", b"TIME=7")
    assert tuple(machine.attributes) == ("0640", "root:adm")


def test_of_a_line_that_is_changed_what_comes_before_the_key_stays():
    assert changed("  export LCMHBEATTIME=5\n", {"LCMHBEATTIME": "7"}) == "  export LCMHBEATTIME=7\n"


async def test_nothing_is_written_where_nothing_differs():
    node = FakeNode("a", Machine(ODD))
    file = await foreign_file.read(node, PATH)
    await file.write(node, changed(file.text, {"LCMHBEATTIME": "5"}))
    assert node.written == []


@pytest.mark.parametrize("kind", ["link", "directory", "other"])
async def test_what_is_no_regular_file_is_refused(kind: str):
    with pytest.raises(Refused, match="no regular file"):
        await foreign_file.read(FakeNode("a", Machine(b"/srv/LifeKeeper", kind)), PATH)


@given(st.binary(max_size=200).map(lambda each: each.replace(b"KEY=", b"")))
def test_a_key_that_is_set_and_taken_out_again_leaves_every_other_byte(content: bytes):
    text = foreign_file.text_of(content)
    ended = text if text.endswith("\n") or not text else f"{text}\n"
    assert changed(changed(text, {"KEY": "1"}), {"KEY": None}) == ended
