"""A service made by the stand-in's commands, read as drift and `adopt` read it: nothing of it is unlike a site's."""

from __future__ import annotations

from typing import Any

import pytest

from providers.connection.command import Result
from providers.connection.fake import FakeNode, fake_cluster
from providers.contract import Present
from providers.lifekeeper import filesystem, ip, members, mirror, mirror_info, service, views
from providers.lifekeeper.resource import Kit, Member, NodeMember
from tests.unit.lifekeeper.standin import test_pair as stand_in
from tests.unit.lifekeeper.standin.test_pair import BOTH, A, B, Pair, built

pytestmark = pytest.mark.thorough

pair = stand_in.pair
NODES = {A: NodeMember(priority="1", switchback="intelligent"), B: NodeMember(priority="10", switchback="intelligent")}
KITS = {"vip": ip.KIT, "squid": service.KIT, "/mnt/mirror": filesystem.KIT, "datarep": mirror.KIT}
HALF: dict[str, Any] = {
    "device": "/dev/sdb",
    "fstype": "ext3",
    "mount_point": "/mnt/mirror",
    "fstag": "/mnt/mirror",
    "mode": "synchronous",
    "hierarchy": "new",
    "addresses": BOTH,
    "mount_points": {},
}


ADDRESS: dict[str, Any] = {"address": "192.0.2.10", "netmask": "255.255.255.0", "interface": "eth0"}


def wanted(tag: str) -> Member:
    nodes: dict[str, NodeMember | None] = {**NODES}
    more: dict[str, dict[str, Any]] = {"datarep": HALF, "vip": ADDRESS}
    models: dict[str, type[Member]] = {"datarep": mirror.Wanted, "vip": ip.Wanted}
    return models.get(tag, Member)(tag=tag, nodes=nodes, **more.get(tag, {}))


async def shown(pair: Pair, tag: str, kit: Kit) -> dict[str, str]:
    """Node and property → what is shown of it although no site declares it."""
    told = {(name, query.argv): await pair.run(name, query.shell()) for name in BOTH for query in views.lists()}

    def node(name: str) -> FakeNode:
        return FakeNode(name, lambda asked: Result(asked, *told.get((name, asked.argv), (0, "")), ""))

    seen = await members.observe(fake_cluster(*map(node, BOTH)), wanted(tag), kit)
    assert isinstance(seen, Present)
    known = {"address", "interface", "netmask", "mount_point", "device"}
    live = {name: each.properties for name, each in seen.values.nodes.items() if each is not None}
    return {f"{name} {key}": value for name, each in live.items() for key, value in each.items() if key not in known}


@pytest.mark.parametrize("tag", KITS)
async def test_nothing_of_what_the_stand_in_makes_is_unlike_a_sites(pair: Pair, tag: str) -> None:
    assert await shown(await built(pair), tag, KITS[tag]) == {}


def told(peer: str, bitmap: str = "/opt/LifeKeeper/bitmap__mnt_mirror") -> str:
    words = f"0\x02/dev/sdb\x02{peer}\x02/dev/md0\x02{bitmap}\x02256K\x02synchronous"
    return f"ins_setinfo -t datarep -v '{words}'"


INFO = "qsp-b eth0 192.0.2.10 ffffff00"
ANEW = "eqv_remove -t squid -S qsp-a -e SHARED", "eqv_create -t squid -p 10 -S qsp-a -r {} -o squid -e SHARED"


@pytest.mark.parametrize(
    ("tag", "change", "found", "back"),
    [
        ("squid", ["ins_setinit -t squid -I INIT_OSU"], "initialize", ["ins_setinit -t squid -I AUTORES_ISP"]),
        ("squid", [each.format(77) for each in ANEW], "peer_priority", [each.format(1) for each in ANEW]),
        ("vip", [f"ins_setinfo -t vip -v '{INFO} eth1'"], "backup_interface", [f"ins_setinfo -t vip -v '{INFO} none'"]),
        (
            "datarep",
            ["ins_setinfo -t /mnt/mirror -v 'xfs rw 0'"],
            "filesystem_type",
            ["ins_setinfo -t /mnt/mirror -v 'ext3 rw 0'"],
        ),
        ("datarep", [told(BOTH[A], "/srv/bitmap")], "bitmap", [told(BOTH[A])]),
        ("datarep", [told("10.9.9.9")], "replication_address", [told(BOTH[A])]),
    ],
)
async def test_a_change_of_it_by_hand_is_shown_where_it_was_made_until_it_is_taken_back(
    pair: Pair, tag: str, change: list[str], found: str, back: list[str]
) -> None:
    await built(pair)
    for line in change:
        await pair.ok(B, line)
    assert set(await shown(pair, tag, KITS[tag])) == {f"{B} {found}"}
    for line in back:
        await pair.ok(B, line)
    assert await shown(pair, tag, KITS[tag]) == {}


async def test_a_priority_that_is_set_in_order_is_no_disagreement(pair: Pair) -> None:
    await built(pair)
    await pair.ok(B, "hry_setpri -t squid -p 77")
    assert await shown(pair, "squid", service.KIT) == {}


async def test_what_the_info_of_a_mirror_tells_is_read_of_both_halves_also_before_there_is_another_one(
    pair: Pair,
) -> None:
    first, *more = stand_in.SERVICE
    await pair.ok(A, first)
    alone = pair.systems[A].lcd.instances["datarep"]
    assert read(alone) == ([], ["/opt/LifeKeeper/bitmap__mnt_mirror"])
    for line in more:
        await pair.ok(A, line)
    halves = {name: pair.systems[name].lcd.instances["datarep"] for name in BOTH}
    assert {name: read(half)[0] for name, half in halves.items()} == {A: [BOTH[B]], B: [BOTH[A]]}


def read(half: Any) -> tuple[list[str], list[str]]:
    """The addresses and the bitmaps."""
    instance = views.Instance(half.app, half.type, half.tag, half.id, half.info, half.state)
    return mirror_info.addresses(instance), mirror_info.bitmaps(instance)
