import hashlib
import json
import stat
from dataclasses import replace
from urllib.parse import quote

import pytest

from providers import reconcile
from providers.connection.errors import CommandFailed, Refused, Unknown, Unreachable
from providers.connection.fake import FakeNode, fake_cluster
from providers.connection.files import Found
from providers.connection.journal import NodeJournal
from providers.contract import Present, State
from providers.host import changes
from providers.host.settings import (
    FileState,
    NodeSettings,
    UnitState,
    converge_settings,
    prune_settings,
    read_settings,
    remove_settings,
)
from providers.reconcile import apply, remove
from tests.support.cuts import drawn
from tests.unit.host.systemd import Systemd
from tests.unit.local import LocalNode

# It changes a real folder by real shells.
pytestmark = pytest.mark.thorough


class Wanted(State):
    settings: NodeSettings


class Kind:
    """The simplest kind on top of settings, on one node."""

    Wanted = Wanted

    async def observe(self, cluster, wanted):
        return Present(Wanted(settings=await read_settings(cluster.nodes["qsp-a"], wanted.settings)))

    async def converge(self, cluster, wanted, observed):
        node = cluster.nodes["qsp-a"]
        await converge_settings(cluster, node, wanted.settings, observed.values.settings)
        await prune_settings(cluster, node, wanted.settings)

    async def remove(self, cluster, wanted):
        await remove_settings(cluster, cluster.nodes["qsp-a"], wanted.settings)


class Host:
    """A folder as a host: /etc with a service's file, a unit that reads it, and one unit that does not exist yet."""

    def __init__(self, folder, monkeypatch):
        self.folder = folder
        self.etc = folder / "etc"
        self.etc.mkdir()
        (self.etc / "old.conf").write_text("old\n")
        (self.etc / "old.conf").chmod(0o640)
        (self.etc / "gone.conf").symlink_to("old.conf")
        self.systemd = Systemd(folder)
        self.systemd.unit("old.service", reads=str(self.etc / "old.conf"))
        self.systemd.unit("noise.service")
        monkeypatch.setattr(changes, "_UNIT_PLACES", (str(self.systemd.units),))

    def node(self, **cuts):
        return LocalNode(path=str(self.systemd.tools), **cuts)

    def cluster(self, node):
        cluster = fake_cluster(node)
        journal = str(self.folder / "journal")
        return replace(cluster, open_journal=lambda node, thing: NodeJournal(node, "lab", thing, root=journal))

    def wanted(self):
        old, new = str(self.etc / "old.conf"), str(self.etc / "new.d" / "new.conf")
        unit = str(self.systemd.units / "new.service")
        self.systemd.reads("new.service", new)
        return Wanted(
            settings=NodeSettings(
                directories={str(self.etc / "new.d"): "0750 root:daemon"},
                files={
                    old: FileState(content="changed\n", mode="0644", owner="root:root"),
                    new: FileState(content="new\n", mode="0600", check=["grep", "-q", "new", "{}"]),
                    unit: FileState(content="[Unit]\n", mode="0644"),
                    str(self.etc / "gone.conf"): FileState(),
                },
                units={
                    "old.service": UnitState(enabled="enabled", active="active", restart_on=[old]),
                    "new.service": UnitState(enabled="enabled", active="active", restart_on=[new]),
                    "noise.service": UnitState(enabled="masked", active="inactive"),
                },
            )
        )

    def manifest(self):
        """All files but the log of the stand-in, and what the daemons run with."""
        entries = {}
        for path in sorted(self.folder.rglob("*")):
            if path.name in ("log", "loaded", "new.service.reads") or "tools" in path.parts:
                continue
            status = path.lstat()
            content = str(path.readlink()) if path.is_symlink() else path.read_text() if path.is_file() else ""
            name = str(path.relative_to(self.folder)).replace(quote(str(self.folder), safe=""), "HOST")
            entries[name] = (stat.filemode(status.st_mode), path.lstat().st_gid, content)
        return entries


@pytest.fixture
def host(tmp_path, monkeypatch):
    return Host(tmp_path, monkeypatch)


async def test_made_then_unchanged_then_taken_back(host):
    wanted, node = host.wanted(), host.node()
    before = host.manifest()
    assert (await apply(Kind(), host.cluster(node), wanted)).values == wanted
    assert host.systemd.running("old.service") == "changed\n"
    assert host.systemd.running("new.service") == "new\n"
    log = host.systemd.log()
    assert log.count("daemon-reload") == 1
    assert log.index("daemon-reload") < log.index("enable new.service") < log.index("start new.service")
    assert log.index("stop noise.service") < log.index("mask noise.service")

    again = host.node()
    await apply(Kind(), host.cluster(again), wanted)
    assert again.written == []
    assert host.systemd.log() == []

    await remove(Kind(), host.cluster(node), wanted)
    assert host.manifest() == before
    await remove(Kind(), host.cluster(again), wanted)
    assert again.written == []


async def test_a_new_unit_whose_enablement_differs_is_repaired_alone(host):
    wanted = host.wanted()
    await apply(Kind(), host.cluster(host.node()), wanted)
    host.systemd.log()
    (host.systemd.state / "new.service.enabled").unlink()
    await apply(Kind(), host.cluster(host.node()), wanted)
    assert host.systemd.log() == ["enable new.service"]


# After command N on a host is the same as before N + 1, so one of the two is enough here.
@pytest.mark.timeout(300)
async def test_cut_at_any_command_and_run_again_it_converges_and_can_be_taken_back(host, tmp_path_factory, monkeypatch):
    whole = host.node()
    await apply(Kind(), host.cluster(whole), host.wanted())
    made = host.manifest()
    journalled = {name: text for name, text in made.items() if name.startswith("journal")}
    for number in drawn(len(whole.written), 4):
        other = Host(tmp_path_factory.mktemp("host"), monkeypatch)
        wanted, before = other.wanted(), other.manifest()
        with pytest.raises(Unreachable):
            await apply(Kind(), other.cluster(other.node(cut_after=number)), wanted)
        await apply(Kind(), other.cluster(other.node()), wanted)
        found = other.manifest()
        assert {name for name in found if name.startswith("journal")} == set(journalled)
        assert {n: v[:2] for n, v in found.items()} == {n: v[:2] for n, v in made.items()}
        assert other.systemd.running("old.service") == "changed\n"
        assert other.systemd.running("new.service") == "new\n"
        await remove(Kind(), other.cluster(other.node()), wanted)
        assert other.manifest() == before


@pytest.mark.timeout(300)
async def test_a_removal_cut_at_any_command_and_run_again_is_complete(host, tmp_path_factory, monkeypatch):
    await apply(Kind(), host.cluster(host.node()), host.wanted())
    whole = host.node()
    await remove(Kind(), host.cluster(whole), host.wanted())
    for number in drawn(len(whole.written), 4):
        other = Host(tmp_path_factory.mktemp("host"), monkeypatch)
        wanted, before = other.wanted(), other.manifest()
        await apply(Kind(), other.cluster(other.node()), wanted)
        with pytest.raises(Unreachable):
            await remove(Kind(), other.cluster(other.node(cut_after=number)), wanted)
        await remove(Kind(), other.cluster(other.node()), wanted)
        assert other.manifest() == before


async def test_what_was_found_as_wanted_is_left_on_removal(host):
    wanted = Wanted(settings=NodeSettings(files={str(host.etc / "old.conf"): FileState(content="old\n", mode="0640")}))
    await apply(Kind(), host.cluster(host.node()), wanted)
    await remove(Kind(), host.cluster(host.node()), wanted)
    assert (host.etc / "old.conf").read_text() == "old\n"


async def test_what_a_new_declaration_no_longer_names_comes_back(host):
    old = host.wanted()
    await apply(Kind(), host.cluster(host.node()), old)
    path = str(host.etc / "old.conf")
    kept = {name: file for name, file in old.settings.files.items() if name != path}
    new = Wanted(settings=NodeSettings(directories=old.settings.directories, files=kept, units=old.settings.units))
    await apply(Kind(), host.cluster(host.node()), new, previous=old)
    assert (host.etc / "old.conf").read_text() == "old\n"
    assert (host.etc / "new.d" / "new.conf").read_text() == "new\n"
    assert host.systemd.running("old.service") == "old\n", "the unit that stays has not read what came back"
    pending = await reconcile.look(Kind(), host.cluster(host.node()), new)
    assert not pending[1]


async def test_a_change_that_reloads_and_one_of_mode_alone(host):
    path = str(host.etc / "old.conf")
    units = {"old.service": UnitState(active="active", reload_on=[path])}
    for content, mode in (("two\n", "0640"), ("two\n", "0600")):
        wanted = Wanted(settings=NodeSettings(files={path: FileState(content=content, mode=mode)}, units=units))
        await apply(Kind(), host.cluster(host.node()), wanted)
        assert host.systemd.log() == ["reload old.service"]


def told_only(host, **unit):
    path = str(host.etc / "old.conf")
    units = {"old.service": UnitState(reload_on=[path], **unit)}
    return Wanted(settings=NodeSettings(files={path: FileState(content="two\n")}, units=units))


async def test_a_unit_that_is_only_told_of_changes_stays_as_its_administrator_wants_it(host):
    (host.systemd.state / "old.service.enabled").unlink()
    (host.systemd.state / "old.service.active").unlink()
    await apply(Kind(), host.cluster(host.node()), told_only(host))
    assert "unit old.service" not in await host.cluster(host.node()).journal("qsp-a").entries()
    host.systemd.unit("old.service")
    host.systemd.log()
    await remove(Kind(), host.cluster(host.node()), told_only(host))
    assert host.systemd.log() == ["reload old.service"]
    assert host.systemd.running("old.service") == "old\n"


async def test_what_an_earlier_release_recorded_of_such_a_unit_is_dropped(host):
    cluster = host.cluster(host.node())
    await apply(Kind(), cluster, told_only(host))
    earlier = json.dumps({"exists": True, "enabled": "disabled", "active": "inactive"})
    await cluster.journal("qsp-a").put({"unit old.service": earlier})
    host.systemd.log()
    await remove(Kind(), cluster, told_only(host))
    assert host.systemd.log() == ["reload old.service"]
    assert await cluster.journal("qsp-a").entries() == {}


async def test_a_unit_that_is_declared_later_comes_back_to_how_it_was_then(host):
    cluster = host.cluster(host.node())
    await apply(Kind(), cluster, told_only(host))
    (host.systemd.state / "old.service.enabled").unlink()
    declared = told_only(host, enabled="enabled", active="active")
    await apply(Kind(), cluster, declared, previous=told_only(host))
    assert (host.systemd.state / "old.service.enabled").exists()
    await remove(Kind(), cluster, declared)
    assert not (host.systemd.state / "old.service.enabled").exists()
    assert host.systemd.running("old.service") == "old\n"


def sharing(host, name):
    shared = host.etc / "shared"
    files = {str(shared / name): FileState(content="x\n")}
    return Wanted(settings=NodeSettings(directories={str(shared): "0750 root:root"}, files=files))


async def test_a_directory_that_another_thing_has_just_made_is_taken(host):
    shared = host.etc / "shared"
    found = {str(shared): Found(str(shared), "absent")}
    for _ in range(2):
        await changes.make_directories(host.node(), {str(shared): "0750 root:root"}, found)
    assert stat.filemode(shared.stat().st_mode) == "drwxr-x---"
    (host.etc / "file").touch()
    with pytest.raises(CommandFailed, match="File exists"):
        await changes.make_directories(
            host.node(),
            {str(host.etc / "file"): "0750 root:root"},
            {str(host.etc / "file"): Found(str(host.etc / "file"), "absent")},
        )


async def test_a_directory_goes_back_to_a_group_with_blanks_in_its_name():
    node = FakeNode("qsp-a")
    await changes.make_directories(node, {"/a": "0750 root:domain users"}, {"/a": Found("/a", "absent")})
    assert node.written[0].argv[-3:] == ("/a", "0750", "root:domain users")


@pytest.mark.parametrize("order", ["ab", "ba"])
async def test_a_directory_of_two_things_goes_with_the_last_of_them(host, order):
    before = host.manifest()
    cluster = host.cluster(host.node())
    for thing in "ab":
        await apply(Kind(), cluster.of(thing), sharing(host, thing))
    first, last = order
    await remove(Kind(), cluster.of(first), sharing(host, first))
    assert [path.name for path in (host.etc / "shared").iterdir()] == [last]
    await remove(Kind(), cluster.of(last), sharing(host, last))
    assert host.manifest() == before


async def test_a_directory_that_was_there_before_both_stays(host):
    (host.etc / "shared").mkdir(mode=0o700)
    before = host.manifest()
    cluster = host.cluster(host.node())
    for thing in "ab":
        await apply(Kind(), cluster.of(thing), sharing(host, thing))
    for thing in "ba":
        await remove(Kind(), cluster.of(thing), sharing(host, thing))
    assert host.manifest() == before


async def test_a_unit_that_does_not_start_says_why(host):
    host.systemd.flag("new.service", "fails")
    with pytest.raises(CommandFailed, match=r"(?s)systemctl start new.service.*Job for.*failed.*it says why"):
        await apply(Kind(), host.cluster(host.node()), host.wanted())
    (host.systemd.state / "new.service.fails").unlink()
    await apply(Kind(), host.cluster(host.node()), host.wanted())
    assert host.systemd.running("new.service") == "new\n"


async def test_a_content_that_the_check_rejects_changes_nothing(host):
    path = str(host.etc / "old.conf")
    wanted = Wanted(settings=NodeSettings(files={path: FileState(content="bad\n", check=["grep", "good", "{}"])}))
    with pytest.raises(CommandFailed, match="was left as it was"):
        await apply(Kind(), host.cluster(host.node()), wanted)
    assert (host.etc / "old.conf").read_text() == "old\n"


async def test_a_directory_where_a_file_shall_be_is_refused(host):
    wanted = Wanted(settings=NodeSettings(files={str(host.etc): FileState(content="x")}))
    with pytest.raises(Refused, match="is a directory"):
        await apply(Kind(), host.cluster(host.node()), wanted)


async def test_reading_has_the_shape_of_what_is_wanted(host):
    path, none = str(host.etc / "old.conf"), str(host.etc / "none")
    (host.etc / "old.conf").write_bytes(b"\xff\n")
    host.systemd.flag("old.service", "moving")
    wanted = NodeSettings(
        directories={str(host.etc): "0755 root:root", none: "0755 root:root"},
        files={path: FileState(content="x"), none: FileState(content="x", mode="0644")},
        units={
            "old.service": UnitState(enabled="disabled"),
            "none.service": UnitState(enabled="disabled", active="active"),
        },
    )
    node = host.node()
    live = await read_settings(node, wanted)
    assert live == NodeSettings(
        directories={str(host.etc): "0755 root:root"},
        files={path: FileState(content="\\xff\n"), none: FileState()},
        units={"old.service": UnitState(enabled="enabled"), "none.service": UnitState(active="inactive")},
    )
    hidden = FileState(content="sha256:00")
    read = await read_settings(node, NodeSettings(files={path: hidden}))
    assert read.files[path].content == "sha256:" + hashlib.sha256(b"\xff\n").hexdigest()
    assert node.written == []


async def test_a_unit_in_transition_is_unknown(host, monkeypatch):
    (host.systemd.state / "old.service.active").write_text("activating\n")
    wanted = NodeSettings(units={"old.service": UnitState(active="active")})
    monkeypatch.setattr("providers.host.settings.TRANSITION_WITHIN", 0.0)
    with pytest.raises(Unknown, match=r"old\.service is activating"):
        await read_settings(host.node(), wanted)
