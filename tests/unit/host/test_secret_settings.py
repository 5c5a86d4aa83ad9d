"""Files and units of which some files are secrets: a unit notices what changed together with a secret."""

from __future__ import annotations

import grp
import os
import pwd
from dataclasses import replace
from pathlib import Path

import pytest

from providers.connection.cluster import Cluster
from providers.connection.errors import Unreachable
from providers.connection.fake import FakeJournals, fake_cluster
from providers.contract import Absent
from providers.host import changes, secret_settings
from providers.host.secret_files import UNSEALED, SecretFile
from providers.host.settings import FileState, NodeSettings, UnitState
from tests.unit.host.systemd import Systemd
from tests.unit.local import LocalNode

OWNER = f"{pwd.getpwuid(os.getuid()).pw_name}:{grp.getgrgid(os.getgid()).gr_name}"
UNIT = "alerts.timer"


class Host:
    """A folder as a host, with a unit file beside a secret in a directory that both come with."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.systemd = Systemd(folder)
        self.secret = folder / "etc/token"
        self.unit = self.systemd.units / UNIT
        self.systemd.reads(UNIT, str(self.unit))
        self.journals = FakeJournals()
        monkeypatch.setattr(changes, "_UNIT_PLACES", (str(self.systemd.units),))

    def cluster(self, secret: str, cut_after: int | None = None) -> Cluster:
        node = LocalNode(path=str(self.systemd.tools), cut_after=cut_after)
        return replace(fake_cluster(node, journals=self.journals, thing="alerts"), secret={"token": secret}.get)

    def wanted(self, text: str, secret: str) -> secret_settings.Wanted:
        path = str(self.secret)
        settings = NodeSettings(
            directories={str(self.secret.parent): f"0755 {OWNER}"},
            files={
                path: FileState(content=UNSEALED, mode="0600", owner=OWNER),
                str(self.unit): FileState(content=text, mode="0644", owner=OWNER),
            },
            units={UNIT: UnitState(enabled="enabled", active="active", restart_on=[str(self.unit)])},
        )
        made = secret_settings.Wanted(nodes={"qsp-a": settings}, secrets={path: SecretFile(name="token", form="line")})
        return secret_settings.sealed(made, {"token": secret}.get)

    async def converge(self, text: str, secret: str, cut_after: int | None = None) -> int:
        """Returns how many commands changed something."""
        cluster = self.cluster(secret, cut_after)
        await secret_settings.converge(cluster, self.wanted(text, secret), Absent())
        node = cluster.node("qsp-a")
        assert isinstance(node, LocalNode)
        return len(node.written)

    @property
    def marks(self) -> list[str]:
        return [name for name in self.journals.opened["qsp-a", "alerts"].values if name.startswith("pending")]


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(tmp_path, monkeypatch)


async def test_a_unit_whose_file_changes_together_with_a_secret_is_started_anew(host: Host):
    await host.converge("old\n", "one")
    host.systemd.log()
    await host.converge("new\n", "two")
    assert host.secret.read_text() == "two\n"
    log = host.systemd.log()
    assert log.count("daemon-reload") == log.count(f"restart {UNIT}") == 1
    assert log.index("daemon-reload") < log.index(f"restart {UNIT}")
    assert host.systemd.running(UNIT) == "new\n"
    assert host.marks == []


async def test_a_start_that_a_cut_left_open_is_made_also_where_a_secret_changes_by_then(host: Host):
    await host.converge("old\n", "one")
    await host.cluster("one").journal("qsp-a").put({f"pending {UNIT}": "restart"})
    host.systemd.log()
    await host.converge("old\n", "two")
    assert f"restart {UNIT}" in host.systemd.log()
    assert host.marks == []


@pytest.mark.thorough
async def test_cut_at_any_command_and_run_again_the_unit_has_read_its_file(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
):
    whole = Host(tmp_path_factory.mktemp("host"), monkeypatch)
    await whole.converge("old\n", "one")
    for number in range(1, await whole.converge("new\n", "two") + 1):
        host = Host(tmp_path_factory.mktemp("host"), monkeypatch)
        await host.converge("old\n", "one")
        with pytest.raises(Unreachable):
            await host.converge("new\n", "two", cut_after=number)
        await host.converge("new\n", "two")
        assert (host.systemd.running(UNIT), host.secret.read_text()) == ("new\n", "two\n"), number
        assert host.marks == []
