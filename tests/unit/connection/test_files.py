import os
import stat

import pytest

from providers.connection.errors import CommandFailed
from providers.connection.files import (
    Found,
    parse_files,
    read_files,
    remove_file,
    restore_file,
    set_attributes,
    write_file,
)
from tests.unit.local import LocalNode

EVERY_BYTE = bytes(range(256)) * 3


@pytest.fixture
def node():
    return LocalNode()


def mode(path):
    return oct(stat.S_IMODE(path.stat().st_mode))


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_an_owner_without_a_name_is_its_number_and_a_name_may_have_blanks():
    answer = "file 644 1000:100513 UNKNOWN:domain users\n\nfile 644 0:77 root:UNKNOWN\n\n"
    found = parse_files(answer, ["/a", "/b"])
    assert [each.owner for each in found.values()] == ["1000:domain users", "root:77"]


async def test_reading_tells_apart_what_stands_there(node, tmp_path):
    (tmp_path / "a file").write_bytes(EVERY_BYTE)
    (tmp_path / "a file").chmod(0o4751)
    (tmp_path / "empty").touch(0o600)
    (tmp_path / "link").symlink_to("a file")
    (tmp_path / "folder").mkdir(0o700)
    os.mkfifo(tmp_path / "pipe")
    paths = [str(tmp_path / name) for name in ("a file", "empty", "link", "folder", "pipe", "none")]
    found = await read_files(node, paths)
    assert [each.kind for each in found.values()] == ["file", "file", "link", "directory", "other", "absent"]
    assert found[paths[0]] == Found(paths[0], "file", EVERY_BYTE, "4751", "root:root")
    assert found[paths[2]].content == b"a file"
    assert [Found.from_text(path, each.to_text()) for path, each in found.items()] == list(found.values())


async def test_writing_replaces_whole_and_leaves_nothing_else(node, tmp_path):
    path = tmp_path / "it's a file"
    (tmp_path / f".{path.name}.squid-ha.abcdef").write_text("of an interrupted run")
    await write_file(node, str(path), EVERY_BYTE, mode="0640", owner="root:daemon")
    assert (path.read_bytes(), mode(path), path.group()) == (EVERY_BYTE, "0o640", "daemon")
    await write_file(node, str(path), "")
    assert names(tmp_path) == [path.name]
    assert len(node.written) == 2


async def test_the_check_sees_the_new_file_with_its_mode(node, tmp_path):
    path = tmp_path / "x"
    check = [
        "sh",
        "-c",
        'grep -q good "${1#file=}" && stat -c %a "${1#file=}" >"$2"',
        "sh",
        "file={}",
        f"{tmp_path}/seen",
    ]
    await write_file(node, str(path), "good", mode="0600", check=check)
    assert (tmp_path / "seen").read_text() == "600\n"
    with pytest.raises(CommandFailed, match=r"(?s)exit code 7.*bad line.*was left as it was"):
        await write_file(node, str(path), "new", check=["sh", "-c", "echo bad line >&2; exit 7", "sh", "{}"])
    assert path.read_text() == "good"
    assert names(tmp_path) == ["seen", "x"]


async def test_input_that_ended_early_is_not_taken_for_the_file(node, tmp_path):
    path = tmp_path / "x"
    await write_file(node, str(path), "whole content")
    (write,) = node.written
    with pytest.raises(CommandFailed, match="input ended early"):
        await node.run(type(write)(write.argv, b"whole c", write.ok))
    assert path.read_text() == "whole content"
    assert names(tmp_path) == ["x"]


async def test_what_stood_there_comes_back(node, tmp_path):
    for name in ("file", "link", "none"):
        path = tmp_path / name
        if name == "file":
            path.write_bytes(EVERY_BYTE)
            path.chmod(0o604)
        if name == "link":
            path.symlink_to("somewhere")
        before = (await read_files(node, [str(path)]))[str(path)]
        await write_file(node, str(path), "ours")
        await restore_file(node, before)
        assert (await read_files(node, [str(path)]))[str(path)] == before
    await remove_file(node, str(tmp_path / "none"))
    await remove_file(node, str(tmp_path / "no folder" / "none"))
    await set_attributes(node, str(tmp_path / "file"), mode="0600", owner="daemon:daemon")
    assert ((tmp_path / "file").owner(), mode(tmp_path / "file")) == ("daemon", "0o600")
    assert names(tmp_path) == ["file", "link"]
