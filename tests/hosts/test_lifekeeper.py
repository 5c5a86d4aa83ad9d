"""The engine `lifekeeper` against the lab's stand-in on a pair of containers: phase 2, real addresses and a real Squid.

The tests build on each other, in this order.
"""

import asyncio
import contextlib
import time

import pytest

from blueprint.site import things
from declaration.load import read
from lab import lifekeeper
from providers.connection.errors import HostError, Refused
from providers.connection.loop import run_sync
from providers.lifekeeper import paths, runtime
from tests.support.by_hand import try_out
from tests.support.lifekeeper_changes import PHASE_2
from tests.support.lifekeeper_lists import differing, lists
from tests.support.sites import on_lifekeeper, with_all_of_lifekeeper
from tests.support.things import OWNER, Site, down, site, up

pytestmark = pytest.mark.long

A, B = "qsp-a", "qsp-b"
BIN = "/opt/LifeKeeper/bin"
SQUID_TAG, OTHERS = "qsp-squid", "/srv/other"
SQUID = "printf 'http_access allow all\\nshutdown_lifetime 1 seconds\\n' > /etc/squid/conf.d/all.conf; \
systemctl disable -q --now squid"


@pytest.fixture(scope="module")
def nodes(pair) -> Site:
    async def prepare() -> None:
        for node in (A, B):
            install = "apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -qy install squid"
            await pair.sudo(node, install, 240)
            await pair.sudo(node, SQUID)
            await lifekeeper.provide(node)

    asyncio.run(prepare())
    return site(pair)


@pytest.fixture(scope="module")
def listed(pair):
    declared = things(read(with_all_of_lifekeeper(on_lifekeeper(pair.directory)), "test"), OWNER)
    return [each for each in declared if each.kind.startswith("lifekeeper.")]


@pytest.mark.timeout(900)
def test_the_service_is_built_and_reads_back_as_declared(nodes, listed):
    up(nodes, listed)
    assert nodes.findings(listed) == set()
    assert "192.0.2.10" in nodes.sh(A, "ip -br address show dev eth0")
    assert nodes.sh(A, "systemctl is-active squid").strip() == "active"
    assert nodes.sh(B, "systemctl is-active squid || true").strip() == "inactive"
    told = len(nodes.told)
    up(nodes, listed)
    assert nodes.told[told:] == []


def test_the_service_moves_on_purpose(nodes, listed):
    run_sync(runtime.switchover(nodes.cluster, B))
    assert run_sync(runtime.active_node(nodes.cluster)) == B
    assert nodes.findings(listed) == set()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("what", PHASE_2)
def test_what_is_changed_by_hand_is_named_and_repaired(nodes, listed, monkeypatch, what):
    monkeypatch.setattr(paths, "ALIVE_LIMIT", 15.0)
    try:
        try_out(nodes, listed, PHASE_2[what])
    except (Exception, pytest.fail.Exception):
        # What one test leaves behind is no other's trouble.
        with contextlib.suppress(HostError):
            up(nodes, listed)
        raise


def tags(nodes: Site, node: str) -> list[str]:
    return sorted(nodes.sh(node, f"{BIN}/ins_list -f: | cut -d: -f4").split())


def test_a_node_with_somebody_elses_address_in_service_is_not_put_aside(nodes):
    nodes.sh(
        A, f"{BIN}/lkcli resource create ip --tag ip-other --ipaddr 192.0.2.99 --netmask 255.255.255.0 --device eth0"
    )
    before = run_sync(runtime.active_node(nodes.cluster))
    with pytest.raises(Refused, match="ip-other"):
        run_sync(runtime.aside(nodes.cluster, A))
    assert run_sync(runtime.active_node(nodes.cluster)) == before
    nodes.sh(A, f"{BIN}/lktest")
    assert "192.0.2.99" in nodes.sh(A, "ip -br address show dev eth0")


def test_somebody_elses_filesystem_that_squid_was_tied_to_is_not_deleted_with_squid(nodes, listed):
    for name in (A, B):
        nodes.sh(name, f"{BIN}/ins_create -a gen -r filesys -t {OTHERS} -i {OTHERS}")
        nodes.sh(name, f"{BIN}/dep_create -p {SQUID_TAG} -c {OTHERS}")
    address, squid = (next(each for each in listed if each.kind == f"lifekeeper.{kind}") for kind in ("ip", "service"))
    nodes.remove(address.kind, address.name, address.inputs)
    before = tags(nodes, A), tags(nodes, B)
    for _ in range(2):
        with pytest.raises(Refused, match=f"{SQUID_TAG} on {OTHERS}"):
            nodes.remove(squid.kind, squid.name, squid.inputs)
        assert (tags(nodes, A), tags(nodes, B)) == before
    assert run_sync(runtime.active_node(nodes.cluster)) is not None
    for name in (A, B):
        nodes.sh(name, f"{BIN}/dep_remove -p {SQUID_TAG} -c {OTHERS}")
    nodes.remove(squid.kind, squid.name, squid.inputs)
    assert all(OTHERS in left and SQUID_TAG not in left for left in (tags(nodes, A), tags(nodes, B)))
    for name in (A, B):
        nodes.sh(name, f"{BIN}/ins_remove -t {OTHERS}")


def test_removing_leaves_what_somebody_else_made(nodes, listed):
    down(nodes, listed)
    assert tags(nodes, A) == ["ip-other"]
    assert "192.0.2.10/" not in nodes.sh(B, "ip -br address show dev eth0")


# A path over addresses of its own; resources that are tied and on both nodes; a flag; a setting.
SOMEBODY_ELSES = """
set -e
cd {bin}
ip address add {own}/24 dev eth0
echo REMOTETIMEOUT=800 >>/etc/default/LifeKeeper
./lktest >/dev/null || ./lkcli start
./sys_create -s {peer}
./net_create -s {peer} -n TCP -l {own} -r {far} -p 42
for tag in other-app other-data; do
    ./ins_create -a gen -r app -t $tag -i $tag
    ./eqv_create -t $tag -p {priority} -S {peer} -r {other_priority} -o $tag -e SHARED
done
./dep_create -p other-app -c other-data
./flg_create -f other-flag
"""


@pytest.fixture
def somebody_elses(nodes) -> dict[str, list[str]]:
    """What LifeKeeper tells of a pair that somebody else has configured, with both its sides heard."""
    ends, priorities = {A: "192.0.2.21", B: "192.0.2.22"}, {A: 5, B: 6}
    for name, peer in ((A, B), (B, A)):
        values = {"own": ends[name], "far": ends[peer], "peer": peer}
        values |= {"priority": priorities[name], "other_priority": priorities[peer]}
        nodes.sh(name, SOMEBODY_ELSES.format(bin=BIN, **values))
    return settled(nodes)


def settled(nodes: Site) -> dict[str, list[str]]:
    """The lists, once all communication paths are heard."""
    deadline = time.monotonic() + 60
    while True:
        found = lists(nodes)
        if not any(line.endswith(":DEAD") for told in found.values() for line in told):
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.5)


@pytest.mark.timeout(900)
def test_a_site_beside_somebody_elses_is_removed_to_the_last_line_and_nothing_else(nodes, listed, somebody_elses):
    for name, far in ((A, "192.0.2.21/192.0.2.22"), (B, "192.0.2.22/192.0.2.21")):
        assert any(far in line for line in somebody_elses[name]), "there is no path of somebody else's"
    up(nodes, listed)
    assert nodes.findings(listed) == set()
    assert differing(somebody_elses, lists(nodes)) != []
    down(nodes, listed)
    assert differing(somebody_elses, settled(nodes)) == []
