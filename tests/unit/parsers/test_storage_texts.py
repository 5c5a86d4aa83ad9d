"""Whatever lsblk, wipefs, drbdsetup and the readings of this program's own say is understood, or said not to be."""

from __future__ import annotations

import json
import re

from hypothesis import example, given
from hypothesis import strategies as st

from providers.connection.errors import Unknown
from providers.host.settings import FileState
from providers.storage import configuration, device, found, mount_point, resource_file, status, volume
from providers.storage.configuration import Configuration
from providers.storage.device import Disk, Identity, Signature
from providers.storage.mount_point import MountPoint
from providers.storage.resource_file import ResourceFile, ResourceHost
from providers.storage.status import Status
from providers.storage.volume import Mount
from tests.unit.parsers.texts import any_json_like, any_like, line, mangled, recorded, told

EVENTS = recorded("storage/events2-*.txt")
LISTED = recorded("storage/lsblk-*.json")
SIGNED = recorded("storage/wipefs-*.json")
SIGNATURES = [text for text in SIGNED if '"type"' in text]
DEVICE, VOLUME = "/dev/disk/by-id/virtio-data", "/dev/drbd0"
word = st.from_regex(r"[A-Za-z0-9_.-]{1,12}", fullmatch=True)


# DRBD's events


@given(any_like(EVENTS), st.sampled_from(["r0", "squid-ha", ""]))
@example("exists device name:r0 size:", "r0")
@example("exists peer-device name:r0 out-of-sync:1.5", "r0")
@example("exists device name:r0 size:4 out-of-sync:-1", "r0")
@example("exists resource name:r0\nexists connection name:r0 connection:Connected\nexists device name:r0 size:4", "r0")
@example(
    "exists connection name:r0 connection:Connected\nexists device name:r0 size:4\n"
    "exists peer-device name:r0 peer-disk:Inconsistent out-of-sync:8",
    "r0",
)
def test_whatever_drbd_says_is_a_state_and_a_share_only_where_the_peer_is_seen(text, resource):
    seen = told(lambda: status.parse(text, resource), Unknown)
    if seen is not None and seen.in_sync:
        assert seen.connected
        assert seen.peer_disk
        assert 0 <= float(seen.in_sync) <= 100
        assert not seen.in_sync.startswith("-")


states = ("role", "disk", "connection", "replication", "peer_role", "peer_disk")
kib = st.integers(0, 2**50)
statuses = st.builds(Status, configured=st.just(True), size=kib, out_of_sync=kib, **dict.fromkeys(states, word))


def events(name: str, said: Status) -> str:
    """As drbdsetup events2 prints it."""
    return (
        f"exists resource name:{name} role:{said.role} suspended:no\n"
        f"exists connection name:{name} peer-node-id:0 conn-name:x connection:{said.connection} role:{said.peer_role}\n"
        f"exists device name:{name} volume:0 minor:0 disk:{said.disk} size:{said.size} read:0\n"
        f"exists peer-device name:{name} peer-node-id:0 volume:0 replication:{said.replication} "
        f"peer-disk:{said.peer_disk} out-of-sync:{said.out_of_sync} pending:0\n"
    )


@given(st.dictionaries(word, statuses, min_size=1, max_size=3), st.randoms(use_true_random=False))
def test_each_resource_reads_back_from_among_others_events(wanted, dice):
    rows = [row for name, each in wanted.items() for row in events(name, each).splitlines()]
    dice.shuffle(rows)
    text = "\n".join([*rows, "exists -", ""])
    assert {name: status.parse(text, name) for name in wanted} == wanted


# Disks


def disk(listed: str, signatures: str) -> Disk | None:
    return told(lambda: device.parse(DEVICE, VOLUME, listed, signatures), Unknown)


@given(any_like(LISTED) | any_json_like(LISTED), any_like(SIGNED) | any_json_like(SIGNED))
@example("x", "")
@example("[]", "")
@example('{"blockdevices": null}', "")
@example('{"blockdevices": [{}]}', "")
@example('{"blockdevices": [{"size": 1, "serial": 7}]}', "")
@example('{"blockdevices": [{"size": 1, "mountpoints": "/"}]}', "")
@example('{"blockdevices": [{"size": 1, "children": [{"name": "/dev/vdb1"}]}]}', "")
@example(LISTED[0], "lost connection")
@example(LISTED[0], '{"signatures": [{"label": "x"}]}')
def test_whatever_lsblk_and_wipefs_say_is_a_disk_or_unknown(listed, signatures):
    found = disk(listed, signatures)
    if found is not None and found.identity is not None:
        assert int(found.identity.size) >= 0
        assert all(isinstance(use, str) for use in found.uses)


@given(mangled(SIGNATURES), st.data())
@example('{"blockdevices": []}', None)
@example("{}", None)
def test_a_disk_is_blank_only_where_wipefs_says_that_it_has_no_signatures(text, data):
    cut = text if data is None else text[: data.draw(st.integers(1, max(len(text), 1)))]
    found = told(lambda: device.parse_signatures(cut), Unknown)
    if found == () and cut.strip():
        assert json.loads(cut)["signatures"] == []


names = st.from_regex(r"/dev/[a-z0-9/]{1,8}", fullmatch=True)
children = st.lists(
    st.fixed_dictionaries({"name": names, "type": st.sampled_from(["part", "crypt", "disk"])}), max_size=2
)


@given(
    st.integers(0, 2**60),
    st.none() | line,
    st.booleans(),
    st.lists(st.none() | st.just("[SWAP]") | line.map("/{}".format), max_size=2),
    children,
    st.lists(st.builds(Signature, line, line), max_size=2),
)
def test_a_disk_reads_back_with_everything_that_sits_on_it(size, serial, locked, places, holders, signatures):
    row = {"size": size, "serial": serial, "ro": locked, "mountpoints": places, "children": holders}
    signed = [{"type": each.type, "label": each.label or None} for each in signatures]
    found = disk(json.dumps({"blockdevices": [row]}), json.dumps({"signatures": signed}))
    assert found is not None
    assert found.identity == Identity(device=DEVICE, size=str(size), serial=(serial or "").strip())
    assert list(found.signatures) == signatures
    others = [each for each in holders if each["name"] != VOLUME]
    assert len(found.uses) == locked + len([place for place in places if place]) + len(others)


# Mounts

ROOT = {"target": "/", "source": "/dev/vda1", "fstype": "ext4", "options": "rw,relatime"}
MIRROR = {"target": "/mnt/mirror", "source": "/dev/drbd0", "fstype": "ext3", "options": None}
MOUNTED = [json.dumps({"filesystems": [ROOT, MIRROR]})]


@given(any_like(MOUNTED) | any_json_like(MOUNTED))
@example("findmnt: can't read /proc/mounts")
@example("[]")
@example("{}")
@example('{"filesystems": null}')
@example('{"filesystems": [{}]}')
@example('{"filesystems": [{"target": "/", "source": 1, "fstype": "ext4"}]}')
def test_whatever_findmnt_says_are_mounts_or_unknown(text):
    for each in told(lambda: volume.parse_mounts(text), Unknown) or ():
        assert all(isinstance(value, str) for value in vars(each).values())


@given(st.lists(st.builds(Mount, line, line, line, line), max_size=3))
def test_mounts_read_back(wanted):
    rows = [{"target": m.target, "source": m.source or None, "fstype": m.type, "options": m.options} for m in wanted]
    assert list(volume.parse_mounts(json.dumps({"filesystems": rows}))) == wanted


# Readings of our own scripts

CONFIGURED = ["", "0600 root:root\nnone\n", "0600 root:root\nabc\nresource r0 {\n}\n"]
owners = st.from_regex(r"[a-z]{1,6}:[a-z]{1,6}", fullmatch=True)
modes = st.from_regex(r"[0-7]{4}", fullmatch=True)


@given(any_like(CONFIGURED))
@example("0600 root:root")
@example("0600\nnone\n")
@example("\nnone\n")
def test_whatever_is_said_of_the_resource_file_is_a_file_or_none_or_unknown(text):
    seen = told(lambda: configuration.parse(text), Unknown)
    assert seen is None or seen.file.content is not None or seen == Configuration(FileState())


@given(modes, owners, st.text("0123456789abcdef", max_size=64), st.text())
def test_the_resource_file_reads_back_whatever_stands_in_it(mode, owner, secret, content):
    state = FileState(content=content, mode=mode, owner=owner)
    assert configuration.parse(f"{mode} {owner}\n{secret or 'none'}\n{content}") == Configuration(state, secret)


BENEATH = ["missing /mnt/mirror\n", "0000 root:root\ni\n", "0755 root:root\n\nfile\n"]


@given(any_like(BENEATH))
@example("")
@example("\ni\n")
@example("missing \n")
def test_whatever_is_said_of_the_bare_directory_is_one_or_none_or_unknown(text):
    seen = told(lambda: mount_point.parse(text), Unknown)
    if seen is not None:
        assert seen.missing is not None if seen.state is None else len(seen.state.split()) >= 2


@given(modes, owners, st.sampled_from(["", "i"]), st.booleans())
def test_the_bare_directory_reads_back(mode, owner, flags, occupied):
    text = f"{mode} {owner}\n{flags}\n{'file' if occupied else ''}"
    assert mount_point.parse(text) == MountPoint(f"{mode} {owner} {flags}".strip(), occupied=occupied)


ENTRIES = ["0750 proxy:proxy squid\n0640 proxy:domain users squid/access.log\na symbolic-link rotation\n"]
INSIDE = ["squid", "squid/access.log", "rotation"]


@given(any_like(ENTRIES))
@example("0750 proxy:proxy")
@example("\n")
def test_whatever_is_said_of_the_directories_is_there_or_missing_or_unknown(text):
    seen = told(lambda: volume.parse_entries(text, INSIDE), Unknown)
    if seen is not None:
        assert list(seen) == INSIDE
        assert all(each is None or len(each.split(" ")) >= 2 for each in seen.values())


groups = st.lists(word, min_size=1, max_size=3).map(" ".join)


@given(st.dictionaries(word, st.tuples(modes, word, groups), max_size=3))
def test_directories_read_back_though_a_group_has_blanks(wanted):
    text = "".join(f"{mode} {user}:{group} {path}\n" for path, (mode, user, group) in wanted.items())
    assert volume.parse_entries(text, [*wanted, "/none"]) == {
        **{path: f"{mode} {user}:{group}" for path, (mode, user, group) in wanted.items()}, "/none": None
    }  # fmt: skip


@given(st.text() | mangled(["r0 abc\nr1 def\n"]))
def test_whatever_drbdadm_says_are_digests_of_resources(text):
    assert all(f"{name} {digest}" in text.splitlines() for name, digest in found.digests(text).items())


@given(st.dictionaries(word, word))
def test_digests_read_back(wanted):
    assert found.digests("".join(f"{name} {digest}\n" for name, digest in wanted.items())) == wanted


# The resource file that is written

_TOKEN = re.compile(r'"[^"\n]*"|[{};]|[^\s{};"]+|\s+|"')
free = st.sampled_from(["/dev/vdb", "/dev/disk/by-path/pci-0000:00:1f.2", "qsp-a", "7789"]) | mangled(["/dev/vdb"])


def tokens(text: str) -> list[str]:
    """As drbdadm reads the file: words, texts in quotes, and what ends settings and sections."""
    return [each for each in _TOKEN.findall(text) if not each.isspace()]


def shape(text: str) -> list[str]:
    return [each for each in tokens(text) if each in ("{", "}", ";")]


def written(resource: str, disk: str, other: str | None, host: str, address: str, port: str, told_by: str) -> str:
    hosts = [ResourceHost(name=host, address=address), ResourceHost(name="qsp-b", address="fd00::12", device=other)]
    return resource_file.render(
        ResourceFile(
            resource=resource, volume=VOLUME, device=disk, hosts=hosts, port=port, fencing=True, split_brain=told_by
        )
    )


@given(free, free, st.none() | free, free, free | st.ip_addresses().map(str), free, free)
@example("r0", '/dev/x"; on y {', None, "qsp-a", "192.0.2.1", "7789", "x")
@example("r0", "/dev/a\\", None, "qsp-a", "192.0.2.1", "7789", "x")
@example("r0", "/dev/@secret@:", None, "qsp-a", "192.0.2.1", "7789", "x")
@example("r0", "/dev/a\nb", "/dev/b", "qsp-a", "192.0.2.1", "7789", "x")
@example("r0;", "/dev/vdb", None, "qsp-a", "192.0.2.1", "7789", "x")
@example("r0", "/dev/vdb", None, "qsp-a {", "192.0.2.1", "7789", "x")
@example("r0", "/dev/vdb", None, "qsp-a", "192.0.2.1; }", "7789", "x")
@example("r0", "/dev/vdb", None, "qsp-a", "192.0.2.1", "7789;", "x")
@example("r0", "/dev/vdb", None, "qsp-a", "192.0.2.1", "7789", 'x"; }')
@example("r0", "/dev/vdb", "", "qsp-a", "192.0.2.1", "7789", "")
def test_no_value_breaks_out_of_its_place_in_the_resource_file(resource, disk, other, host, address, port, told_by):
    text = told(lambda: written(resource, disk, other, host, address, port, told_by), ValueError)
    if text is None:
        return
    plain = written("r", "/dev/a", None if other in (None, disk) else "/dev/b", "a", "192.0.2.1", "1", "x")
    assert shape(text) == shape(plain)
    assert {resource, disk, host, told_by} <= {each.strip('"') for each in tokens(text)}
    assert text.count(resource_file.SECRET) == 1
