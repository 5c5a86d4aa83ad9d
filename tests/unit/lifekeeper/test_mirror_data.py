"""No data of this site's, or of anybody's, is formatted, overwritten or deleted on a guess."""

import asyncio
import copy
import dataclasses
import re
from typing import Any

import pytest

from blueprint.site import things
from declaration.load import read
from providers.connection.errors import Refused
from providers.lifekeeper import split
from tests.unit.lifekeeper.fake import Cut
from tests.unit.lifekeeper.sites import settings
from tests.unit.lifekeeper.test_providers import OWNER, down, fresh, members, restore, up

A, B = "proxy-a", "proxy-b"
MIRROR, FILESYSTEM = "datarep-mirror", "/mnt/mirror"
DEVICE = "/dev/disk/by-id/scsi-0EXAMPLE_data"
KITS_OWN = "/opt/LifeKeeper/lkadm/subsys/scsi/netraid/bin/create"


def until_mirror(listed):
    """The things up to the mirror, which is the last."""
    return listed[: 1 + next(at for at, each in enumerate(listed) if each.kind == "lifekeeper.mirror")]


def without_b():
    raw = settings()
    raw["nodes"][1]["away"] = True
    made: list[Any] = [each for each in things(read(raw, "test"), OWNER) if each.kind.startswith("lifekeeper.")]
    for each in made:
        if each.kind == "lifekeeper.mirror":
            each.inputs.mount_points.clear()
    return made


def mount_as_told(pair):
    """A filesystem that is mounted by hand is, until the mirror's kit unmounts it for its creation."""

    def mounts(node, line):
        if line.startswith("mount "):
            pair.lcds[node].mounted = FILESYSTEM
        elif "create dk" in line:
            pair.lcds[node].mounted = ""

    pair.after = mounts


def removed_with_data_kept(active=A):
    """A pair whose site was taken back; both halves have its data."""
    pair = fresh()
    up(pair, members())
    asyncio.run(restore(pair, active))
    pair.lcds[A].signatures = pair.lcds[B].signatures = '{"signatures": [{"type": "ext3", "label": ""}]}'
    down(pair, members())
    pair.said.clear()

    mount_as_told(pair)
    return pair


def deleted_by_hand(pair):
    """The whole hierarchy, on both nodes; the disks are as they were."""
    for lcd in pair.lcds.values():
        for table in (lcd.instances, lcd.priorities, lcd.ties):
            table.clear()
    pair.said.clear()


def created(pair):
    return [(node, line) for node, line in pair.said if "create dk" in line]


def sources(pair):
    return [name for name in pair.names if f"source of {DEVICE}" in pair.journals.opened[name, "kept"].values]


def test_the_newest_half_is_taken_over():
    pair = removed_with_data_kept(active=B)
    assert sources(pair) == [B]
    up(pair, until_mirror(members()))
    assert [node for node, _ in created(pair)] == [B]
    assert "--hierarchy existing" in created(pair)[0][1]
    assert pair.journals.opened[A, "kept"].values == pair.journals.opened[B, "kept"].values == {}


def give_up(pair, name):
    """As the end of a split brain marks its victim."""
    asyncio.run(pair.journals(pair.cluster().node(name), "kept").put(dict.fromkeys(split.MARKS, A)))


def marked(pair):
    """Nodes whose half was given up at the end of a split brain."""
    return [name for name in pair.names if {*split.MARKS} & {*pair.journals.opened[name, "kept"].values}]


def test_of_a_mirror_that_is_removed_the_newest_half_is_known_and_none_is_given_up():
    pair = fresh()
    up(pair, members())
    give_up(pair, B)
    down(pair, members())
    assert (sources(pair), marked(pair)) == ([A], [])


@pytest.mark.parametrize(
    ("effect", "line"),
    [
        ("before", f"perform_action -t {FILESYSTEM} -a remove"),
        ("before", f"delete --tag {FILESYSTEM}"),
        ("after", f"delete --tag {FILESYSTEM}"),
    ],
)
def test_a_half_that_was_given_up_stays_so_where_the_removal_of_its_mirror_was_cut_off(effect, line):
    pair = fresh()
    up(pair, members())
    give_up(pair, B)

    def cut(_node, said):
        if line in said:
            raise Cut

    setattr(pair, effect, cut)
    with pytest.raises(Cut):
        down(pair, members())
    assert (sources(pair), marked(pair)) == ([A], [B])
    setattr(pair, effect, lambda _node, _said: None)
    down(pair, members())
    assert (sources(pair), marked(pair)) == ([A], [])


def test_a_half_that_was_given_up_stays_so_where_nobody_knows_the_newest():
    pair = fresh()
    up(pair, members())
    for lcd in pair.lcds.values():
        for each in lcd.instances.values():
            each[4] = "OSU"
    give_up(pair, B)
    down(pair, members())
    assert (sources(pair), marked(pair)) == ([], [B])


def test_of_a_new_mirror_no_half_is_given_up_and_of_one_that_was_there_it_stays_so():
    pair = fresh()
    give_up(pair, B)
    up(pair, until_mirror(members()))
    assert marked(pair) == []
    give_up(pair, B)
    pair.lcds[B].priorities[MIRROR] = 20
    up(pair, until_mirror(members()))
    assert pair.lcds[B].priorities[MIRROR] != 20
    assert marked(pair) == [B]


@pytest.mark.thorough
@pytest.mark.parametrize("moment", ["half way", "mount", "create dk"])
def test_a_takeover_that_was_cut_off_is_still_one(moment):
    pair = removed_with_data_kept()
    mounts = pair.after

    def cut(node, line):
        mounts(node, line)
        if moment in line:
            raise Cut

    pair.after = cut
    with pytest.raises(Cut):
        up(pair, until_mirror(members()))
    pair.after = mounts
    if moment == "half way":
        pair.lcds[A].mounted = ""
    up(pair, until_mirror(members()))
    assert created(pair)
    assert all("--hierarchy existing" in line for _, line in created(pair))
    assert pair.lcds[B].instances.keys() == {MIRROR, FILESYSTEM}


@pytest.mark.parametrize(
    ("moment", "where"),
    [("before", KITS_OWN), ("after", KITS_OWN), ("after", "half way"), ("before", "extend dk"), ("after", "extend dk")],
)
def test_a_mirror_with_a_bitmap_of_its_own_is_made_whole_after_a_cut_too(moment, where):
    listed = until_mirror(members(replication={"bitmap": "/var/lib/bitmap"}))
    whole, pair = fresh(), fresh()
    up(whole, listed)
    assert [node for node, line in whole.said if line.startswith(KITS_OWN) and "-b /var/lib/bitmap" in line] == [A]

    def cut(_node, line):
        if where in line:
            raise Cut

    setattr(pair, moment, cut)
    with pytest.raises(Cut):
        up(pair, listed)
    pair.before = pair.after = lambda _node, _line: None
    up(pair, listed)
    assert pair.tables() == whole.tables()
    assert not any("resource create dk" in line for _, line in pair.said)


def test_data_that_was_kept_is_taken_over_by_lkcli_also_with_a_bitmap_of_its_own():
    """The kit's own script is known to format only."""
    pair = removed_with_data_kept()
    up(pair, until_mirror(members(replication={"bitmap": "/var/lib/bitmap"})))
    assert not any(KITS_OWN in line for _, line in pair.said)
    ((_, line),) = created(pair)
    assert "--hierarchy existing" in line
    assert "--bitmap /var/lib/bitmap" in line


def test_a_mirror_that_was_deleted_by_hand_is_not_made_anew_over_its_data():
    pair = fresh()
    up(pair, members())
    deleted_by_hand(pair)
    with pytest.raises(Refused, match="this site's own data") as refused:
        up(pair, until_mirror(members()))
    assert refused.value.node == A
    assert created(pair) == []


def test_nor_where_only_the_other_node_has_the_data():
    pair = fresh()
    up(pair, members())
    pair.lcds[B].signatures, pair.lcds[A].signatures = pair.lcds[A].signatures, ""
    deleted_by_hand(pair)
    with pytest.raises(Refused, match="this site's own data") as refused:
        up(pair, until_mirror(members()))
    assert refused.value.node == B
    assert created(pair) == []


def test_without_the_node_that_had_the_newest_data_nothing_is_made():
    pair = removed_with_data_kept(active=B)
    with pytest.raises(Refused, match="nobody can tell which half"):
        up(pair, until_mirror(without_b()))
    assert created(pair) == []


def sized(monkeypatch, pair, **sizes):
    """Bytes of the disk on each node, by its name with `_` for `-`."""
    run = pair.run

    def shown(name, command):
        result = run(name, command)
        if command.argv[0] != "lsblk":
            return result
        size = sizes[name.replace("-", "_")]
        return dataclasses.replace(result, stdout=result.stdout.replace('"size": 5', f'"size": {size}'))

    monkeypatch.setattr(pair, "run", shown)


def test_a_second_disk_that_is_smaller_is_refused_before_anything_is_formatted(monkeypatch):
    pair = fresh()
    sized(monkeypatch, pair, proxy_a=2000, proxy_b=1999)
    with pytest.raises(Refused, match=f"{DEVICE} has 1999 bytes, and {DEVICE} on {A} 2000") as refused:
        up(pair, until_mirror(members()))
    assert refused.value.node == B
    assert "`mirror_device` of this node" in refused.value.remedy
    assert created(pair) == []
    assert "pending create" not in pair.journals.opened[A, "tree-mirror"].values


def test_a_second_disk_of_the_same_size_or_larger_is_taken(monkeypatch):
    for size in (2000, 2001):
        pair = fresh()
        sized(monkeypatch, pair, proxy_a=2000, proxy_b=size)
        up(pair, until_mirror(members()))
        assert pair.lcds[B].instances.keys() == {MIRROR, FILESYSTEM}


def test_a_smaller_disk_of_a_node_that_comes_back_is_refused_by_both_sizes(monkeypatch):
    pair = fresh()
    up(pair, until_mirror(without_b()))
    sized(monkeypatch, pair, proxy_a=2000, proxy_b=1000)
    pair.said.clear()
    with pytest.raises(Refused, match=f"{DEVICE} has 1000 bytes, and {DEVICE} on {A} 2000") as refused:
        up(pair, until_mirror(members()))
    assert refused.value.node == B
    assert not any("extend" in line for _, line in pair.said)


def test_a_half_with_the_newest_data_is_not_overwritten_by_a_mirror_made_without_it():
    pair = removed_with_data_kept(active=B)
    # A is a blank machine now, and B comes back to what was made meanwhile.
    pair.journals.opened[A, "kept"].values.clear()
    pair.lcds[A].signatures = ""
    up(pair, until_mirror(without_b()))
    for _ in range(2):
        with pytest.raises(Refused, match="the newest data of this site") as refused:
            up(pair, until_mirror(members()))
        assert refused.value.node == B
    assert pair.lcds[B].instances == {}


def test_another_disk_where_the_newest_data_was_kept_is_not_taken_for_it():
    pair = removed_with_data_kept()
    kept = pair.journals.opened[A, "kept"].values
    kept[DEVICE] = kept[DEVICE].replace(A, "elsewhere")
    with pytest.raises(Refused, match="another disk is there"):
        up(pair, until_mirror(members()))
    assert created(pair) == []


def test_a_mirror_that_somebody_made_without_a_filesystem_is_not_deleted():
    pair = fresh()
    up(pair, until_mirror(members())[:-1])
    pair.lcds[A].instances[MIRROR] = ["scsi", "netraid", DEVICE, "", "ISP", "intelligent"]
    pair.lcds[A].priorities[MIRROR] = 1
    before = copy.deepcopy(pair.tables())
    with pytest.raises(Refused, match="no run of this site was making them"):
        up(pair, until_mirror(members()))
    assert pair.tables() == before


def test_a_removal_that_was_cut_off_still_knows_who_had_the_newest_data():
    pair = fresh()
    up(pair, members())
    asyncio.run(restore(pair, B))

    def cut(_node, line):
        if "perform_action" in line and "remove" in line and FILESYSTEM in line:
            raise Cut

    pair.after = cut
    with pytest.raises(Cut):
        down(pair, members())
    pair.after = lambda _node, _line: None
    down(pair, members())
    assert sources(pair) == [B]


def test_data_is_taken_over_where_it_is_or_not_at_all():
    pair = removed_with_data_kept(active=A)
    up(pair, members(2))
    asyncio.run(restore(pair, B))
    with pytest.raises(Refused, match=f"the service runs on {B}, and the newest data"):
        up(pair, until_mirror(members()))
    assert created(pair) == []


# A filesystem that the site declares as `existing`


XFS = '{"signatures": [{"type": "xfs", "label": ""}]}'
ARRAY = '{"name": "/dev/md0", "type": "raid1"}'


class Existing:
    """A pair whose first node has a filesystem mounted, which the creation unmounts.

    ``assembled``: an array that lsblk shows on the disk; ``sticks``: it cannot be stopped; ``fstab``: node → what its
    own fstab says of it.
    """

    def __init__(self, monkeypatch, **replication):
        self.pair, self.assembled, self.sticks = fresh(), False, False
        self.listed = until_mirror(members(replication={"hierarchy": "existing", **replication}))
        self.fstab = {}
        self.lcd.mounted = FILESYSTEM
        self.lcd.signatures = '{"signatures": [{"type": "ext3", "label": ""}]}'
        run = self.pair.run
        monkeypatch.setattr(self.pair, "run", lambda name, command: self.shown(name, command, run(name, command)))
        self.pair.after = self.mounts

    @property
    def lcd(self):
        return self.pair.lcds[A]

    def shown(self, name, command, result):
        if command.label.startswith("take apart") and not self.sticks:
            self.assembled = False
        if command.label == f"look for {DEVICE} and {FILESYSTEM} in /etc/fstab":
            result = dataclasses.replace(result, stdout=self.fstab.get(name, ""))
        if command.argv[0] == "lsblk" and name == A and self.assembled:
            result = dataclasses.replace(result, stdout=result.stdout.replace("}]}", f', "children": [{ARRAY}]}}]}}'))
        return result

    def mounts(self, node, line):
        if line.startswith("mount "):
            assert (self.assembled, self.lcd.mounted) == (False, "")
            self.pair.lcds[node].mounted = FILESYSTEM
        elif "create dk" in line or line == "half way":
            self.pair.lcds[node].mounted = ""

    def dies(self, moment, where, *, assembled=False):
        """In the creation, as ``where`` is said, which has unmounted the filesystem then."""

        def cut(node, line):
            self.mounts(node, line)
            if where in line:
                self.assembled = assembled
                raise Cut

        setattr(self.pair, moment, cut)
        with pytest.raises(Cut):
            up(self.pair, self.listed)
        self.pair.before, self.pair.after = lambda _node, _line: None, self.mounts
        self.pair.said.clear()

    def unmounted(self, *, assembled=False):
        """Died in the creation before LifeKeeper knew the mirror, whose array may be there."""
        self.dies("before", "create dk", assembled=assembled)
        assert (self.lcd.mounted, self.lcd.instances) == ("", {})

    def mirror_lines(self):
        """What is said until the mirror is made, after the last thing before it."""
        said = [line for node, line in self.pair.said if node == A]
        at = next(index for index, line in enumerate(said) if "create dk" in line)
        return [line for line in said[: at + 1] if not line.startswith("/opt/LifeKeeper") or "resource" in line]

    def whole(self):
        return all(lcd.instances.keys() == {MIRROR, FILESYSTEM} for lcd in self.pair.lcds.values())

    def begun(self):
        return self.pair.journals.opened[A, "tree-mirror"].values.get("pending create")


@pytest.mark.parametrize("bitmap", [None, "/var/lib/bitmap"])
def test_a_filesystem_that_is_mounted_is_taken_over_by_one_line_as_it_is(monkeypatch, bitmap):
    site = Existing(monkeypatch, **({"bitmap": bitmap} if bitmap else {}))
    up(site.pair, site.listed)
    (line,) = site.mirror_lines()[-1:]
    assert created(site.pair) == [(A, line)]
    assert line.startswith(f"/opt/LifeKeeper/bin/lkcli resource create dk --tag {MIRROR} --mode synchronous")
    assert f"--device {DEVICE} --fstype ext3 --mount_point {FILESYSTEM} --fstag {FILESYSTEM}" in line
    assert "--hierarchy existing" in line
    assert ("--bitmap /var/lib/bitmap" in line) == bool(bitmap)
    assert not any(line.startswith("mount ") for _, line in site.pair.said)
    assert site.whole()
    assert site.begun() is None


def test_without_a_mounted_filesystem_there_is_none_to_take_over(monkeypatch):
    site = Existing(monkeypatch)
    site.lcd.mounted = ""
    with pytest.raises(Refused, match=f"{DEVICE} is not mounted at {FILESYSTEM}, so there is no filesystem") as refused:
        up(site.pair, site.listed)
    assert refused.value.node == A
    assert "mount it there" in refused.value.remedy
    assert created(site.pair) == []
    assert not any(line.startswith(("mount ", "take apart")) for _, line in site.pair.said)
    assert site.begun() is None


@pytest.mark.parametrize(("where", "options"), [(A, "defaults"), (B, "rw,nofail")])
def test_a_filesystem_that_a_boot_would_mount_is_not_taken_over(monkeypatch, where, options):
    site = Existing(monkeypatch)
    site.fstab[where] = f"UUID=1-2 {FILESYSTEM} {options}\n"
    with pytest.raises(Refused, match=f"/etc/fstab has UUID=1-2 mounted at {FILESYSTEM}: a boot would") as refused:
        up(site.pair, site.listed)
    assert refused.value.node == where
    assert "`noauto`" in refused.value.remedy
    assert "systemctl daemon-reload" in refused.value.remedy
    assert created(site.pair) == []
    assert site.begun() is None


def test_one_that_a_boot_leaves_alone_is_taken_over(monkeypatch):
    site = Existing(monkeypatch)
    site.fstab = dict.fromkeys((A, B), f"{DEVICE} {FILESYSTEM} rw,noauto\n")
    up(site.pair, site.listed)
    assert site.whole()


@pytest.mark.parametrize(
    ("moment", "where", "assembled"),
    [
        ("before", "create dk", False),
        ("before", "create dk", True),
        ("after", "half way", False),
        ("after", "create dk", False),
        ("after", "mount ", False),
    ],
)
def test_a_takeover_of_what_is_there_that_died_is_gone_on_with_by_the_next_run(monkeypatch, moment, where, assembled):
    site = Existing(monkeypatch)
    if where == "mount ":
        site.unmounted()
    site.dies(moment, where, assembled=assembled)
    up(site.pair, site.listed)
    assert site.whole()
    assert site.begun() is None
    assert all("--hierarchy existing" in line for _, line in created(site.pair))


def test_what_it_left_assembled_is_taken_apart_before_it_is_mounted_and_taken_over(monkeypatch):
    site = Existing(monkeypatch)
    site.unmounted(assembled=True)
    up(site.pair, site.listed)
    apart, mount, create = site.mirror_lines()[-3:]
    assert apart == f"take apart what was left assembled on {DEVICE}"
    assert mount == f"mount -t ext3 {DEVICE} {FILESYSTEM}"
    assert "create dk" in create


def test_a_run_that_died_before_anything_was_unmounted_mounts_nothing(monkeypatch):
    site = Existing(monkeypatch)
    site.unmounted()
    site.lcd.mounted = FILESYSTEM
    up(site.pair, site.listed)
    assert site.whole()
    assert not any(line.startswith("mount ") for _, line in site.pair.said)


def other_disk(site):
    journal = site.pair.journals.opened[A, "tree-mirror"].values
    journal["disk"] = journal["disk"].replace(A, "elsewhere")


def other_content(site):
    site.lcd.signatures = XFS


def no_content(site):
    site.lcd.signatures = ""


def other_declaration(site):
    mirror = site.listed[-1]
    site.listed[-1] = dataclasses.replace(mirror, inputs=mirror.inputs.model_copy(update={"fstype": "xfs"}))
    site.lcd.signatures = XFS


def no_note(site):
    del site.pair.journals.opened[A, "tree-mirror"].values["pending create"]


def of_formatting(site):
    site.pair.journals.opened[A, "tree-mirror"].values["pending create"] = "new"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (other_disk, "another disk is there"),
        (other_content, "taking over ext3 there, and it carries xfs now"),
        (no_content, "taking over ext3 there, and it carries nothing now"),
        (other_declaration, r"taking over another one there \(existing ext3\)"),
        (no_note, "no filesystem to take over$"),
        (of_formatting, "no filesystem to take over$"),
    ],
)
def test_what_is_not_known_to_be_what_a_cut_off_run_was_taking_over_is_neither_mounted_nor_taken(
    monkeypatch, change, told
):
    site = Existing(monkeypatch)
    site.unmounted(assembled=True)
    change(site)
    with pytest.raises(Refused) as refused:
        up(site.pair, site.listed)
    assert re.search(told, refused.value.message)
    assert created(site.pair) == []
    assert not any(line.startswith(("mount ", "take apart")) for _, line in site.pair.said)


def test_an_array_that_does_not_stop_or_that_lifekeeper_knows_is_left_and_named(monkeypatch):
    site = Existing(monkeypatch)
    site.unmounted(assembled=True)
    site.sticks = True
    with pytest.raises(Refused, match="it is in use, raid1 /dev/md0") as refused:
        up(site.pair, site.listed)
    assert "mdadm --stop" in refused.value.remedy
    site.sticks = False
    site.lcd.instances["of-another"] = ["scsi", "netraid", DEVICE, "", "ISP", "intelligent"]
    site.lcd.priorities["of-another"] = 1
    site.pair.said.clear()
    with pytest.raises(Refused, match="it is in use, raid1 /dev/md0"):
        up(site.pair, site.listed)
    assert not any(line.startswith(("mount ", "take apart")) for _, line in site.pair.said)


def test_data_that_was_kept_is_not_mounted_a_second_time_while_somebody_looks_at_it_elsewhere():
    pair = removed_with_data_kept()
    pair.lcds[A].mounted = "/mnt/looked-at"
    with pytest.raises(Refused, match="it is in use, mounted at /mnt/looked-at"):
        up(pair, until_mirror(members()))
    assert created(pair) == []
