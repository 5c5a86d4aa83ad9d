"""A configuration that did not serve: what was taken back on the way to it comes back too, for real files."""

from __future__ import annotations

import grp
import os
import pwd
from pathlib import Path

import pytest

from providers.connection.cluster import Node
from providers.connection.errors import NotVerified
from providers.connection.fake import FakeJournals, fake_cluster
from providers.host.settings import FileState, NodeSettings, converge_settings, prune_settings, remove_settings
from providers.squid import kernel, rollback
from tests.unit.local import LocalNode

OWNER = f"{pwd.getpwuid(os.getuid()).pw_name}:{grp.getgrgid(os.getgid()).gr_name}"
BIND = "net.ipv4.ip_nonlocal_bind"


def file(content: str) -> FileState:
    return FileState(content=content, mode="0640", owner=OWNER)


async def test_what_the_new_declaration_no_longer_named_is_there_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    conf, users, folder, bind = (str(tmp_path / name) for name in ("squid.conf", "d/users", "d", "bind"))
    Path(bind).write_text("0\n")
    monkeypatch.setattr(kernel, "_path", lambda _name: bind)
    node, journals = LocalNode(), FakeJournals()
    cluster = fake_cluster(node, thing="squid-config", journals=journals)
    old = NodeSettings(files={conf: file("old"), users: file("secret")}, directories={folder: f"0755 {OWNER}"})
    new = NodeSettings(files={conf: file("new")})
    await converge_settings(cluster, node, old, NodeSettings(), changed=[conf])
    await kernel.converge(cluster, node, {BIND: "1"})
    recorded = dict(journals.opened["qsp-a", "squid-config"].values)

    before = await rollback.read(node, new, [], recorded)
    await kernel.converge(cluster, node, {})
    await converge_settings(cluster, node, new, NodeSettings(), changed=[conf])
    await prune_settings(cluster, node, new)
    assert not Path(users).exists()
    assert Path(bind).read_text() == "0\n"

    async def at_rest(_node: Node, _unit: str) -> bool:
        return False

    monkeypatch.setattr(rollback, "_runs", at_rest)
    failure = NotVerified("Squid does not serve", node=node.name)
    with pytest.raises(NotVerified, match="the old configuration is back on qsp-a"):
        await rollback.roll_back(
            cluster, "squid.service", "3128", "http://x/", {node.name: before}, [], {node.name: False}, failure
        )
    assert (Path(conf).read_text(), Path(users).read_text(), Path(bind).read_text()) == ("old", "secret", "1\n")
    assert Path(users).stat().st_mode & 0o777 == 0o640

    await remove_settings(cluster, node, old)
    await kernel.restore(cluster, node)
    assert (Path(users).exists(), Path(folder).exists(), Path(bind).read_text()) == (False, False, "0\n")
