"""Corosync, Pacemaker and SBD on the pair: real fencing hardware that must never be used on the way up or down."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from blueprint.platforms import PLATFORMS
from lab.manifest import differences
from providers.connection.errors import Refused
from providers.connection.loop import run_sync
from providers.connection.pool import close_all
from providers.contract import Absent, State
from providers.host.settings import FileState, NodeSettings, UnitState
from providers.kinds import load_kind
from providers.pacemaker import corosync_conf, live, member, membership, options, runtime, sbd, sbd_conf, stack
from providers.pacemaker.model import Colocation, Operation, Order, Primitive, keyed
from tests.support.things import site

if TYPE_CHECKING:
    from tests.cluster.conftest import Machines

pytestmark = pytest.mark.long

NODES = ("qsp-a", "qsp-b")
OF_ITS_OWN = ("/var/log", "/var/lib/pacemaker: owner")
"""What stays because services ran: their logs, and the folder that Pacemaker gives itself when it starts."""
DEVICE = "/dev/disk/by-id/virtio-sbd"


def _sbd() -> sbd.Wanted:
    text = sbd_conf.render(sbd_conf.SbdConf(DEVICE, "/dev/watchdog", 10, delay_start=0))
    settings = NodeSettings(
        files={PLATFORMS["debian-12"].sbd_defaults: FileState(content=text, mode="0644", owner="root:root")},
        units={"sbd.service": UnitState(enabled="enabled")},
    )
    return sbd.Wanted(device=DEVICE, watchdog_timeout="10", message_timeout="20", nodes=dict.fromkeys(NODES, settings))


def _membership(*, token: int = 6000, links: int = 2) -> membership.Wanted:
    nodes = [
        corosync_conf.CorosyncNode(
            name=name, nodeid=number, links=[f"192.0.2.{10 + number}", f"172.16.77.{10 + number}"][:links]
        )
        for number, name in enumerate(NODES, start=1)
    ]
    text = corosync_conf.render(corosync_conf.CorosyncConf(cluster_name="lab", nodes=nodes, token=token))
    settings = NodeSettings(
        files={corosync_conf.PATH: FileState(content=text, mode="0644", owner="root:root")},
        units={unit: UnitState(enabled="enabled", active="active") for unit in stack.UNITS},
    )
    return membership.Wanted(name="lab", nodes={name: membership.NodeMembership(settings=settings) for name in NODES})


FENCING = member.Wanted(
    primitive=Primitive(
        id="fencing",
        agent="stonith:external/sbd",
        parameters={"sbd_device": DEVICE},
        operations=keyed(
            Operation(name="start", timeout="60s"), Operation(name="monitor", interval="60s", timeout="60s")
        ),
    )
)
OPTIONS = options.Wanted(
    properties={"stonith-enabled": "true", "stonith-timeout": "60s", "no-quorum-policy": "stop"},
    resource_defaults={"resource-stickiness": "200"},
    operation_defaults={"timeout": "120s"},
)


def _service(name: str, below: str | None = None) -> member.Wanted:
    limits = keyed(
        Operation(name="start", timeout="60s"),
        Operation(name="stop", timeout="60s"),
        Operation(name="monitor", interval="20s", timeout="60s"),
    )
    primitive = Primitive(id=name, agent="ocf:pacemaker:Dummy", operations=limits)
    ties: dict = {}
    if below:
        ties[f"{name}-with-{below}"] = Colocation(resource=name, with_resource=below)
        ties[f"{name}-after-{below}"] = Order(first=below, then=name)
    return member.Wanted(primitive=primitive, constraints=ties)


THINGS: list[tuple[str, str, State]] = [
    ("pacemaker.sbd", "sbd", _sbd()),
    ("pacemaker.membership", "membership", _membership()),
    ("pacemaker.member", "fencing", FENCING),
    ("pacemaker.options", "options", OPTIONS),
    ("pacemaker.member", "lower", _service("lower")),
    ("pacemaker.member", "upper", _service("upper", "lower")),
]


class Pair:
    """The cluster on the pair, one thing after the other."""

    def __init__(self, machines: Machines) -> None:
        self.site = site(machines)
        self.cluster = self.site.cluster

    def apply(self, kind: str, thing: str, wanted: State, previous: State | None = None) -> None:
        self.site.apply(kind, thing, wanted, previous)

    def remove(self, kind: str, thing: str, wanted: State) -> None:
        self.site.remove(kind, thing, wanted)

    def drift(self, kind: str, thing: str, wanted: State) -> list[str]:
        return self.site.drift(kind, thing, wanted)

    def sh(self, node: str, text: str) -> str:
        return self.site.sh(node, text)

    def boots(self) -> list[str]:
        """Changes when a node was fenced."""
        return [self.sh(node, "cat /proc/sys/kernel/random/boot_id") for node in NODES]

    def started(self) -> str:
        """Changes when the service was started anew."""
        return "".join(
            self.sh(node, "stat -c '%n %y' /run/Dummy-upper.state /run/Dummy-lower.state 2>/dev/null || true")
            for node in NODES
        )


@pytest.fixture
def pair(prepared_pair: Machines) -> Pair:
    run_sync(close_all())  # connections, and the lock, from before a restore lead nowhere
    return Pair(prepared_pair)


async def test_a_cluster_with_fencing_is_made_changed_and_taken_back_and_fences_nobody(
    pair: Pair, machines: Machines
) -> None:
    before = {name: await machines.manifest(name) for name in machines.names}
    boots = pair.boots()

    for kind, thing, wanted in THINGS:
        pair.apply(kind, thing, wanted)
    for kind, thing, wanted in THINGS:
        assert pair.drift(kind, thing, wanted) == []
    assert pair.boots() == boots
    assert "2" in pair.sh("qsp-a", f"sbd -d {DEVICE} list | wc -l")

    pair.sh("qsp-a", "cibadmin --delete --xml-text '<rsc_order id=\"upper-after-lower\"/>'")
    assert pair.drift("pacemaker.member", "upper", THINGS[-1][2]) == ["constraints.upper-after-lower"]
    pair.apply("pacemaker.member", "upper", THINGS[-1][2])

    ran = pair.started()
    reloaded = _membership(token=7000)
    pair.apply("pacemaker.membership", "membership", reloaded, _membership())
    assert "= 7000" in pair.sh("qsp-b", "corosync-cmapctl -g runtime.config.totem.token")
    pair.apply("pacemaker.membership", "membership", _membership(token=7000, links=1), reloaded)
    pair.apply("pacemaker.membership", "membership", _membership(), reloaded)
    assert pair.started() == ran, "a change of the membership has restarted the service"
    assert pair.boots() == boots
    current = run_sync(live.read(pair.cluster))
    assert "maintenance-mode" not in current.cib.options("crm_config", "cib-bootstrap-options")

    home = run_sync(runtime.active_node(pair.cluster))
    away = next(name for name in NODES if name != home)
    for target in (away, home):
        run_sync(runtime.switchover(pair.cluster, str(target)))
        assert run_sync(runtime.active_node(pair.cluster)) == target
    left = run_sync(live.read(pair.cluster)).cib.constraints_on({"upper", "lower"})
    assert sorted(left) == ["upper-after-lower", "upper-with-lower"]

    with pytest.raises(Refused, match="still has resources"):
        pair.remove("pacemaker.membership", "membership", _membership())
    for kind, thing, wanted in reversed(THINGS):
        pair.remove(kind, thing, wanted)
    assert pair.boots() == boots
    assert pair.sh("qsp-b", f"cmp -n 8388608 {DEVICE} /dev/zero && echo empty") == "empty\n"
    for kind, thing, wanted in THINGS[:2]:
        assert run_sync(load_kind(kind).observe(pair.cluster.of(thing), wanted)) == Absent()
    after = {name: await machines.manifest(name) for name in machines.names}
    for name in machines.names:
        left = [str(line) for line in differences(before[name], after[name])]
        assert [line for line in left if not any(own in line for own in OF_ITS_OWN)] == []


async def test_a_header_is_written_only_to_a_blank_disk(pair: Pair) -> None:
    pair.sh("qsp-a", f"echo somebody | dd of={DEVICE} bs=512 seek=100 conv=sync,notrunc oflag=direct status=none")
    with pytest.raises(Refused, match="not blank"):
        pair.apply("pacemaker.sbd", "sbd", _sbd())
