"""Mirror and filesystem on the pair: real disks, real DRBD, the product's own SSH."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab.manifest import differences
from providers.connection.errors import Refused
from providers.connection.loop import run_sync
from providers.connection.pool import close_all
from providers.contract import State
from providers.host.settings import FileState, NodeSettings
from providers.storage import filesystem, mirror
from providers.storage.resource_file import ResourceFile, ResourceHost, render
from tests.support.things import site

if TYPE_CHECKING:
    from tests.cluster.conftest import Machines

pytestmark = pytest.mark.long

NODES = ("qsp-a", "qsp-b")
RESOURCE, VOLUME, DEVICE = "squid-ha", "/dev/drbd0", "/dev/disk/by-id/virtio-data"
TEXT = render(
    ResourceFile(
        resource=RESOURCE, volume=VOLUME, device=DEVICE, fencing=True,
        hosts=[ResourceHost(name=name, address=f"172.16.77.{11 + number}") for number, name in enumerate(NODES)],
    )
)  # fmt: skip
HALF = mirror.NodeMirror(
    settings=NodeSettings(
        files={
            f"/etc/drbd.d/{RESOURCE}.res": FileState(content=TEXT, mode="0600", owner="root:root"),
            "/etc/modules-load.d/squid-ha-drbd.conf": FileState(content="drbd\n", mode="0644", owner="root:root"),
        }
    )
)
MIRROR = mirror.Wanted(resource=RESOURCE, volume=VOLUME, device=DEVICE, nodes=dict.fromkeys(NODES, HALF))
FILESYSTEM = filesystem.Wanted(
    resource=RESOURCE,
    volume=VOLUME,
    type="ext3",
    label="squid-mirror",
    mount_point="/mnt/mirror",
    mount_points=dict.fromkeys(NODES, "0000 root:root i"),
    directories={"squid": "0750 proxy:proxy", "rotation": "0700 root:root"},
)


class Pair:
    """The volume on the pair, one thing after the other."""

    def __init__(self, machines: Machines) -> None:
        self.site = site(machines)

    def up(self) -> None:
        self.site.apply("storage.mirror", "mirror", MIRROR)
        self.site.apply("storage.filesystem", "filesystem", FILESYSTEM)

    def down(self, on_remove: str) -> None:
        self.site.remove("storage.filesystem", "filesystem", FILESYSTEM)
        self.site.remove("storage.mirror", "mirror", MIRROR.model_copy(update={"on_remove": on_remove}))

    def drift(self, kind: str, wanted: State) -> list[str]:
        return self.site.drift(kind, kind.removeprefix("storage."), wanted)

    def sh(self, node: str, text: str) -> str:
        return self.site.sh(node, text)


@pytest.fixture
def pair(prepared_pair: Machines) -> Pair:
    """Blank disks and DRBD's tools."""
    run_sync(close_all())  # connections, and the lock, from before a restore lead nowhere
    return Pair(prepared_pair)


async def test_made_kept_adopted_and_wiped(pair: Pair, machines: Machines) -> None:
    before = {name: await machines.manifest(name) for name in machines.names}

    pair.up()
    assert pair.drift("storage.mirror", MIRROR) == []
    assert pair.drift("storage.filesystem", FILESYSTEM) == []
    secrets = {pair.sh(name, f"grep shared-secret /etc/drbd.d/{RESOURCE}.res") for name in NODES}
    assert len(secrets) == 1
    assert "@secret@" not in secrets.pop()
    refused = pair.sh("qsp-b", "touch /mnt/mirror/lost 2>&1 || true")
    assert "not permitted" in refused

    mount = f"drbdadm primary {RESOURCE} && mount -t ext3 {VOLUME} /mnt/mirror"
    pair.sh("qsp-a", f"{mount}; echo a record > /mnt/mirror/squid/access.log; chmod 0777 /mnt/mirror/squid")
    assert pair.drift("storage.filesystem", FILESYSTEM) == ["directories.squid"]
    pair.up()
    assert pair.drift("storage.filesystem", FILESYSTEM) == []
    with pytest.raises(Refused, match="still mounted"):
        pair.down("keep")

    pair.sh("qsp-b", f"drbdadm disconnect {RESOURCE}; sed -i 's/ping-int 10/ping-int 9/' /etc/drbd.d/{RESOURCE}.res")
    drift = pair.drift("storage.mirror", MIRROR)
    assert "connected" in drift
    assert f'nodes.qsp-b.settings.files["/etc/drbd.d/{RESOURCE}.res"].content' in drift
    pair.up()
    assert pair.drift("storage.mirror", MIRROR) == []

    pair.sh("qsp-a", f"umount /mnt/mirror; drbdadm secondary {RESOURCE}")
    pair.down("keep")
    assert "squid-mirror" in pair.sh("qsp-b", f"blockdev --flushbufs {DEVICE}; wipefs --no-act {DEVICE}")
    pair.up()
    assert pair.sh("qsp-b", f"{mount}; cat /mnt/mirror/squid/access.log") == "a record\n"
    pair.sh("qsp-b", f"umount /mnt/mirror; drbdadm secondary {RESOURCE}")

    pair.down("wipe")
    assert pair.sh("qsp-a", f"wipefs --no-act {DEVICE}") == ""
    for name in machines.names:
        assert list(differences(before[name], await machines.manifest(name))) == [], f"left behind on {name}"


async def test_a_disk_with_data_on_the_other_node_stops_everything(pair: Pair) -> None:
    pair.sh("qsp-b", f"mkfs.ext4 -q -L home {DEVICE}")
    with pytest.raises(Refused, match=r"qsp-b: .*not blank: it carries ext4 \(label home\)"):
        pair.up()
    assert pair.sh("qsp-a", f"wipefs --no-act {DEVICE}; ls /etc/drbd.d") == "global_common.conf\n"
    assert "home" in pair.sh("qsp-b", f"blkid -p {DEVICE}")


async def test_a_split_brain_is_named_and_left(pair: Pair) -> None:
    pair.up()
    for name in NODES:
        pair.sh(name, f"drbdadm disconnect {RESOURCE}")
    for name in NODES:
        pair.sh(
            name,
            "drbdsetup primary 0 --force; dd if=/dev/urandom of=/dev/drbd0 bs=4k count=4 seek=200000 oflag=direct; "
            f"udevadm settle; drbdadm secondary {RESOURCE}",
        )
    generations = [pair.sh(name, "drbdsetup get-gi 0")[:16] for name in NODES]
    assert generations[0] != generations[1]
    with pytest.raises(Refused, match="split brain"):
        pair.up()
    assert [pair.sh(name, "drbdsetup get-gi 0")[:16] for name in NODES] == generations
