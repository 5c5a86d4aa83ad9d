"""What is refused before anything is changed, on both nodes."""

from __future__ import annotations

import pytest

from blueprint.site import things
from blueprint.thing import Thing
from declaration.load import read
from providers import binding, reconcile, wire
from providers.connection.errors import HostError, NotVerified, Refused, Unknown
from providers.contract import Absent, Present
from providers.storage import filesystem, link, mirror
from tests.support.phases import example
from tests.unit.storage.model import FILESYSTEM, HALF, MIRROR, PATH, Cut, World
from tests.unit.storage.test_cut_off import down, up


async def refused(world: World, match: str, *, kind: type[HostError] = Refused, takeover: bool = False) -> None:
    world.cut = Cut()
    with pytest.raises(kind, match=match):
        await mirror.converge(world.cluster("mirror", takeover=takeover), MIRROR, Absent())
    assert world.cut.changes == 0


async def test_content_on_the_second_node_leaves_the_first_untouched():
    world = World()
    world.boxes["qsp-b"].content = ("ext4", "home")
    await refused(world, "qsp-b: .*not blank: it carries ext4")
    await refused(world, "not blank", takeover=True)


@pytest.mark.parametrize(
    "line",
    [
        f"r0 /dev/drbd7 /dev/drbd7\nr0 {MIRROR.volume} {MIRROR.volume}",
        f"r0 {MIRROR.device} /dev/vdb",
        f"r0 /dev/vdb {MIRROR.device}",
    ],
)
async def test_a_resource_of_others_on_the_same_disk_or_volume_is_never_written_beside(line: str):
    """Drbdadm takes no command at all with two of them, the monitor of the one that runs included."""
    world = World()
    world.boxes["qsp-b"].others = f"{line}\n"
    await refused(world, "qsp-b: DRBD's resource r0 uses", takeover=True)
    world.boxes["qsp-b"].others = "r0 /dev/drbd7 /dev/drbd7\nr0 /dev/disk/by-id/other /dev/vdc\n"
    await up(world)


async def test_a_volume_that_cannot_be_read_is_never_taken_for_a_blank_one():
    world = World()
    await up(world)
    world.boxes["qsp-a"].unreadable = world.boxes["qsp-b"].unreadable = True
    world.boxes["qsp-a"].directories.clear()
    with pytest.raises(HostError, match="Input/output error"):
        await up(world)
    with pytest.raises(HostError, match="Input/output error"):
        await filesystem.converge(world.cluster("filesystem"), FILESYSTEM, Absent())
    assert world.boxes["qsp-a"].content == ("ext3", "squid-mirror")
    assert world.boxes["qsp-a"].directories == {}, "nothing was made on it"


def test_another_type_or_place_of_the_filesystem_is_refused_at_the_preview():
    assert filesystem.refusal(FILESYSTEM, FILESYSTEM) is None
    for changed, named in (({"type": "xfs"}, "type ext3"), ({"mount_point": "/mnt/other"}, "/mnt/other")):
        assert named in (filesystem.refusal(FILESYSTEM, FILESYSTEM.model_copy(update=changed)) or "")


async def test_foreign_metadata_needs_a_takeover():
    world = World()
    for box in world.boxes.values():
        box.generation, box.content = 3, ("ext3", "squid-mirror")
    await refused(world, "did not make")
    await mirror.converge(world.cluster("mirror", takeover=True), MIRROR, Absent())
    assert [box.generation for box in world.boxes.values()] == [3, 3]
    await mirror.remove(world.cluster("mirror"), MIRROR.model_copy(update={"on_remove": "wipe"}))
    assert world.boxes["qsp-a"].content == ("ext3", "squid-mirror"), "found, not made: never wiped"


async def test_a_foreign_resource_file_is_kept_aside_and_brought_back():
    world = World()
    world.boxes["qsp-a"].file = ("resource squid-ha {}\n", "theirs")
    with pytest.raises(Refused, match="did not write it"):
        await mirror.converge(world.cluster("mirror"), MIRROR, Absent())
    assert world.boxes["qsp-a"].generation is None
    await mirror.converge(world.cluster("mirror", takeover=True), MIRROR, Absent())
    await mirror.remove(world.cluster("mirror"), MIRROR)
    assert world.boxes["qsp-a"].file == ("resource squid-ha {}\n", "theirs")


async def test_no_mirror_is_made_by_one_node():
    wanted = MIRROR.model_copy(update={"nodes": {"qsp-a": HALF}, "connected": "no"})
    world = World()
    with pytest.raises(Refused, match="while the other node is away"):
        await mirror.converge(world.cluster("mirror"), wanted, Absent())


async def test_pacemaker_that_does_not_answer_is_not_taken_for_no():
    world = World()
    world.boxes["qsp-b"].managed = "unknown"
    await refused(world, "Pacemaker does not say", kind=Unknown)


async def test_halves_that_refuse_each_other_are_left_alone(monkeypatch: pytest.MonkeyPatch):
    world = World()
    await up(world)
    generations = [box.generation for box in world.boxes.values()]
    monkeypatch.setattr(World, "connected", lambda self, box: False)
    monkeypatch.setattr(World, "pending", lambda self, box, command: "connect\n")
    monkeypatch.setattr(World, "synchronise", lambda self: [setattr(b, "alone", True) for b in self.boxes.values()])
    world.boxes["qsp-b"].alone = True
    observed = await mirror.observe(world.cluster("mirror"), MIRROR)
    assert isinstance(observed, Present)
    assert observed.values.connected == "no"
    with pytest.raises(Refused, match="refuse each other"):
        await mirror.converge(world.cluster("mirror"), MIRROR, observed)
    assert [box.generation for box in world.boxes.values()] == generations


async def test_data_that_nobody_has_is_not_made_up(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(link, "SOURCE_LIMIT", 0.0)
    world = World()
    await up(world)
    for box in world.boxes.values():
        box.generation = 0
    with pytest.raises(NotVerified, match="no node has up-to-date data"):
        await mirror.converge(world.cluster("mirror"), MIRROR, Absent())


async def test_remove_while_mounted_or_managed_is_refused():
    world = World()
    await up(world)
    box = world.boxes["qsp-a"]
    box.role, box.mounted = "Primary", "/mnt/mirror"
    with pytest.raises(Refused, match="still mounted"):
        await down(world)
    with pytest.raises(Refused, match="is mounted at"):
        await mirror.remove(world.cluster("mirror"), MIRROR)
    box.role, box.mounted, box.managed = "Secondary", "", "yes"
    with pytest.raises(Refused, match="Pacemaker still manages"):
        await mirror.remove(world.cluster("mirror"), MIRROR)
    assert box.up


async def test_a_filesystem_that_is_not_the_declared_one_is_left():
    world = World()
    await up(world)
    for box in world.boxes.values():
        box.content = ("ext3", "other")
    world.cut = Cut()
    with pytest.raises(Refused, match="it is left as it is"):
        await filesystem.converge(world.cluster("filesystem"), FILESYSTEM, Absent())
    assert world.cut.changes == 0


async def test_an_unfinished_filesystem_of_somebody_else_is_left():
    world = World()
    await reconcile.apply(mirror, world.cluster("mirror"), MIRROR)
    for box in world.boxes.values():
        box.content = ("ext3", "sqha-making")
    with pytest.raises(Refused, match="it is left as it is"):
        await filesystem.converge(world.cluster("filesystem"), FILESYSTEM, Absent())


async def test_unknown_is_not_absent():
    world = World()
    await up(world)
    for box in world.boxes.values():
        box.up = False
    with pytest.raises(Unknown, match="no node has an up-to-date half"):
        await filesystem.observe(world.cluster("filesystem"), FILESYSTEM)


async def test_directories_are_fixed_where_the_volume_is_mounted():
    world = World()
    await up(world)
    box = world.boxes["qsp-b"]
    box.role, box.mounted, box.managed = "Primary", "/mnt/mirror", "yes"
    box.directories["squid"] = "0777 proxy:proxy"
    await reconcile.apply(filesystem, world.cluster("filesystem"), FILESYSTEM)
    assert box.directories["squid"] == "0750 proxy:proxy"
    assert box.mounted


async def test_a_log_of_another_mode_is_drift_and_fixed_where_it_is_mounted():
    world = World()
    await up(world)
    box = world.boxes["qsp-a"]
    box.role, box.mounted, box.managed = "Primary", "/mnt/mirror", "yes"
    box.directories["squid/access.log"] = "0644 root:root"
    cluster = world.cluster("filesystem")
    found = await filesystem.observe(cluster, FILESYSTEM)
    assert isinstance(found, Present)
    assert [each.path for each in reconcile.differences(FILESYSTEM, found.values)] == ['files["squid/access.log"]']
    await reconcile.apply(filesystem, cluster, FILESYSTEM)
    assert box.directories["squid/access.log"] == "0640 proxy:proxy"


@pytest.mark.parametrize(("wanted", "then"), [("sync", "rw,relatime,sync"), ("commit=1", "rw,relatime,commit=1")])
async def test_how_it_is_mounted_is_drift_and_changed_without_unmounting(wanted: str, then: str):
    world = World()
    await up(world)
    declared = FILESYSTEM.model_copy(update={"options": wanted})
    cluster = world.cluster("filesystem")
    at_rest = await filesystem.observe(cluster, declared)
    assert isinstance(at_rest, Present)
    assert at_rest.values == declared, "how it would be mounted cannot be seen at rest"
    box = world.boxes["qsp-b"]
    box.role, box.mounted, box.managed = "Primary", "/mnt/mirror", "yes"
    for state, options in ((declared, then), (FILESYSTEM, "rw,relatime")):
        found = await filesystem.observe(cluster, state)
        assert isinstance(found, Present)
        assert [each.path for each in reconcile.differences(state, found.values)] == ["options"]
        await reconcile.apply(filesystem, cluster, state)
        assert (box.options, box.mounted, box.role) == (options, "/mnt/mirror", "Primary")


async def test_a_managed_volume_that_is_not_mounted_is_not_promoted():
    world = World()
    await up(world)
    for box in world.boxes.values():
        box.managed, box.directories = "yes", {}
    with pytest.raises(Refused, match="Pacemaker manages"):
        await reconcile.apply(filesystem, world.cluster("filesystem"), FILESYSTEM)


async def test_a_mirror_is_not_moved_to_another_disk_in_place():
    world = World()
    await up(world)
    world.cut = Cut()
    wanted = MIRROR.model_copy(update={"device": "/dev/disk/by-id/other"})
    with pytest.raises(Refused, match="lies on /dev/disk/by-id/virtio-data"):
        await mirror.converge(world.cluster("mirror"), wanted, Absent())
    assert world.cut.changes == 0


async def test_another_port_is_refused_before_the_file_is_written_while_the_volume_is_used():
    world = World()
    await up(world)
    text = HALF.settings.files[PATH].content
    assert text is not None
    file = HALF.settings.files[PATH].model_copy(update={"content": text.replace(":7789;", ":7790;")})
    half = HALF.model_copy(update={"settings": HALF.settings.model_copy(update={"files": {PATH: file}})})
    wanted = MIRROR.model_copy(update={"nodes": dict.fromkeys(MIRROR.nodes, half)})
    assert wanted != MIRROR
    world.boxes["qsp-a"].role = "Primary"
    world.cut = Cut()
    with pytest.raises(Refused, match=r"needs another connection.*while qsp-a uses(.|\n)*stop the service first"):
        await mirror.converge(world.cluster("mirror"), wanted, Absent())
    assert world.cut.changes == 0
    world.boxes["qsp-a"].role = "Secondary"
    await mirror.converge(world.cluster("mirror"), wanted, Absent())


async def test_a_disk_that_has_grown_under_a_running_mirror_is_still_this_sites():
    world = World()
    await up(world)
    world.boxes["qsp-a"].serial = "given by another hypervisor"
    await mirror.converge(world.cluster("mirror"), MIRROR, Absent())
    world.boxes["qsp-a"].up = False
    await mirror.converge(world.cluster("mirror"), MIRROR, Absent())
    world.boxes["qsp-a"].up, world.boxes["qsp-a"].serial = False, "another one again"
    await refused(world, r"not the disk that this site's was made on: it had .*serial number given by(.|\n)*drbdadm up")


ELSEWHERE = FILESYSTEM.model_copy(update={"mount_point": "/srv/logs"})


def test_a_mirror_is_not_mounted_elsewhere_in_place():
    """At the preview: nothing has been read or changed by then."""
    olds, news = (
        {binding.IDENTITY: "squid-ha/lab/filesystem", **wire.encode(each)} for each in (FILESYSTEM, ELSEWHERE)
    )
    (failure,) = binding.load("storage.filesystem").check(olds, news).failures
    assert "mounted at /mnt/mirror" in failure.reason
    assert "take `mirror` (and its `rotation`) out of the file" in failure.reason
    assert not binding.load("storage.filesystem").check(olds, olds).failures
    assert not binding.load("storage.filesystem").check({}, news).failures


async def test_the_way_that_is_told_instead_keeps_the_data():
    world = World()
    await up(world)
    before = [(box.generation, box.content) for box in world.boxes.values()]
    await down(world)
    await reconcile.apply(mirror, world.cluster("mirror"), MIRROR)
    await reconcile.apply(filesystem, world.cluster("filesystem"), ELSEWHERE)
    assert [(box.generation, box.content) for box in world.boxes.values()] == before


def test_nothing_that_a_mount_point_is_part_of_comes_before_the_refusal():
    """An `up` without a preview stops there, and must not have changed anything by then."""

    def made(mount_point: str) -> dict[str, Thing]:
        declared = example(3)
        declared["mirror"]["mount_point"] = mount_point
        return {thing.name: thing for thing in things(read(declared, "example"), "o/s")}

    here, there = made("/mnt/mirror"), made("/srv/logs")
    changed = {name for name in here if here[name].inputs != there[name].inputs}
    assert {"filesystem", "squid-config", "squid-profile", "rotation"} <= changed
    for name in changed - {"filesystem"}:
        assert "filesystem" in needs(here, name), f"{name} may be changed before the filesystem is refused"


def needs(by_name: dict[str, Thing], name: str) -> set[str]:
    """All that a thing comes after, however far."""
    return {each for after in by_name[name].after for each in (after, *needs(by_name, after))}
