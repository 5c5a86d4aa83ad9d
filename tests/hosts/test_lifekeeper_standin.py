"""The stand-in for LifeKeeper on a pair of containers: real addresses, a real Squid, no mirror.

The tests build on each other, in this order.
"""

import asyncio
import json
import shlex
import time
from collections.abc import Awaitable, Callable

import pytest
import pytest_asyncio

from lab import control, lifekeeper
from lab.shell import Result
from providers.lifekeeper import alerts

pytestmark = [pytest.mark.spare, pytest.mark.asyncio(loop_scope="module")]

A, B = "qsp-a", "qsp-b"
ADDRESSES = {A: ("192.0.2.11", "172.16.77.11"), B: ("192.0.2.12", "172.16.77.12")}
BIN = "/opt/LifeKeeper/bin"
LOOK = "/root/lifekeeper-look"
VIP = "192.0.2.10"
SETTINGS = "LKCHECKINTERVAL=1\nLCMHBEATTIME=1\nLCMNUMHBEATS=8\n"
REQUEST = f"""
import urllib.request
opener = urllib.request.build_opener(urllib.request.ProxyHandler({{"http": "http://{VIP}:3128"}}))
with opener.open("http://192.0.2.1/", timeout=10) as answer:
    print(answer.status, answer.headers["Via"])
"""


class LifeKeeper:
    """The commands on both nodes."""

    def __init__(self, pair) -> None:
        self.pair = pair

    async def run(self, node: str, line: str) -> Result:
        return await self.pair.run(node, f"sudo -n {BIN}/{line}")

    async def ok(self, node: str, line: str) -> str:
        done = await self.run(node, line)
        assert done.code == 0, done
        return done.out

    async def fails(self, node: str, line: str, code: int, words: str = "") -> Result:
        done = await self.run(node, line)
        assert done.code == code, done
        assert words in done.err + done.out
        return done

    async def states(self, node: str) -> dict[str, str]:
        rows = [line.split("\x01") for line in (await self.ok(node, "ins_list")).splitlines()]
        return {row[3]: row[6] for row in rows}

    async def failovers(self, node: str) -> list[str]:
        """What the alerts' look on a node has found since the last one."""
        words = f"node={A} node={B} service=vip member=vip member=squid"
        told = await self.pair.sudo(node, f"mkdir -p {LOOK}.d; sh {LOOK} {LOOK}.d {words}")
        assert "split_brain" not in told
        return [line.removeprefix("failover now ") for line in told.splitlines()]

    async def switch(self, node: str, **switches) -> None:
        text = shlex.quote(json.dumps(switches))
        await self.pair.sudo(node, f"printf %s {text} > /opt/LifeKeeper/config/stand-in.json")


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not await condition():
        assert time.monotonic() < deadline, f"not so within {seconds:g} s"
        await asyncio.sleep(0.1)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(pair) -> LifeKeeper:
    async def prepare(node: str) -> None:
        await pair.sudo(node, "apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -qy install squid", 240)
        await pair.sudo(
            node,
            "printf 'http_access allow all\\nshutdown_lifetime 1 seconds\\n' > /etc/squid/conf.d/all.conf;"
            " systemctl restart squid; systemctl disable -q squid",
        )
        await pair.sudo(node, f"printf %s {shlex.quote(alerts.look())} > {LOOK}")
        await lifekeeper.provide(node)
        assert "not SIOS LifeKeeper" in await pair.sudo(node, f"{lifekeeper.MEDIA}/setup")
        await pair.sudo(node, f"printf '{SETTINGS}' > /etc/default/LifeKeeper")

    await asyncio.gather(prepare(A), prepare(B))
    return LifeKeeper(pair)


def via() -> str:
    """The node whose Squid answers at the virtual address, or nothing."""
    answer = control.call("run", namespace="client", argv=["python3", "-c", REQUEST])
    words = answer["out"].split()
    return words[2] if words[:1] == ["200"] else ""


async def test_without_a_licence_it_does_not_start(cluster) -> None:
    await cluster.fails(A, "lkcli start", 1, "license")
    await cluster.fails(A, "lktest", 1)
    await cluster.fails(A, "ins_list", 1, "not running")
    await cluster.fails(A, "lkkeyins /etc/hostname", 5, "FEATURE lklc")
    for node in (A, B):
        await cluster.ok(node, f"lkkeyins {lifekeeper.LICENCE}")
        await cluster.ok(node, "lkcli start")
        assert (await cluster.pair.run(node, "test -e /opt/LifeKeeper/config/LK_INITDONE")).code == 0
    await cluster.ok(A, "lktest")


async def test_it_says_what_it_is(cluster) -> None:
    for line in ("lkcli --version", "lcdstatus", "lcdstatus -q", "lkcli resource create ip --help"):
        assert "stand-in of the squid-ha lab, not SIOS LifeKeeper" in await cluster.ok(A, line)


async def test_what_the_grammar_does_not_know_fails(cluster) -> None:
    await cluster.fails(A, "lkcli resource format --tag x", 2, "unknown subcommand")
    await cluster.fails(A, "lkcli resource create ip --tag x --address 192.0.2.10", 2, "Unknown option: address")
    await cluster.fails(A, "ins_list --tag x", 2, "Unknown option")


async def test_a_path_lives_when_both_sides_have_it(cluster) -> None:
    for priority, ends in enumerate(zip(ADDRESSES[A], ADDRESSES[B], strict=True), 1):
        path = f"--laddr {ends[0]} --raddr {ends[1]} --dest {B}"
        await cluster.ok(A, f"lkcli commpath create {path} --priority {priority}")
        await cluster.fails(A, f"lkcli commpath create {path}", 4)
    assert (await cluster.ok(A, f"sys_getst -s {B}")).strip() == "DEAD"
    await cluster.ok(B, f"sys_create -s {A}")
    for mine, theirs in zip(ADDRESSES[B], ADDRESSES[A], strict=True):
        await cluster.ok(B, f"net_create -n TCP -r {theirs} -l {mine} -s {A}")

    async def alive() -> bool:
        return not any(["DEAD" in await cluster.ok(node, "lcdstatus") for node in (A, B)])

    await until(alive)
    assert (await cluster.ok(B, f"sys_getst -s {A}")).strip() == "ALIVE"
    rows = [line.split(":")[:2] for line in (await cluster.ok(A, "net_list -f:")).splitlines()]
    assert rows == [[B, "192.0.2.11/192.0.2.12"], [B, "172.16.77.11/172.16.77.12"]]


async def test_a_command_runs_on_the_other_system_with_its_exit_code(cluster) -> None:
    assert (await cluster.ok(A, f"lcdremexec -d {B} -- uname -n")).strip() == B
    await cluster.fails(A, f"lcdremexec -d {B} -- exit 77", 77)
    assert (await cluster.ok(A, "lcduname")).strip() == A


async def test_a_hierarchy_of_address_and_squid_is_created(cluster) -> None:
    await cluster.pair.sudo(A, "systemctl stop squid")
    await cluster.fails(A, "lkcli resource create qsp --tag squid --service squid", 5, "not running")
    await cluster.pair.sudo(A, "systemctl start squid")
    await cluster.pair.sudo(B, "systemctl stop squid")
    await cluster.ok(A, "lkcli resource create qsp --tag squid --service squid")
    await cluster.fails(A, "lkcli resource create qsp --tag squid --service squid", 4, "exists")
    await cluster.fails(A, f"lkcli resource create ip --tag vip --ipaddr {ADDRESSES[B][0]}", 5, "in use")
    out = await cluster.ok(A, f"lkcli resource create ip --tag vip --ipaddr {VIP}")
    assert 'END successful create of "vip".' in out
    assert f"{VIP}/24" in await cluster.pair.sudo(A, "ip -o address show dev eth0")
    await cluster.ok(A, "lkcli dependency create --parent vip --child squid")
    await cluster.fails(A, "lkcli dependency create --parent vip --child squid", 4)
    await cluster.fails(A, "lkcli dependency create --parent squid --child vip", 5, "circle")
    assert await cluster.states(A) == {"squid": "ISP", "vip": "ISP"}
    assert via() == A


async def test_extending_dies_between_two_steps_and_is_told_apart_from_success(cluster) -> None:
    line = f"lkcli resource extend ip --tag vip --dest {B} --switchback intelligent --target_priority 10"
    await cluster.switch(A, die={"command": "lkcli resource extend ip", "step": 3})
    assert (await cluster.run(A, line)).code not in (0, 1, 2)
    assert await cluster.states(B) == {"squid": "OSU"}
    assert (await cluster.run(A, "eqv_list -t vip")).code == 7
    await cluster.switch(A)
    assert "!action!" not in await cluster.ok(B, "flg_list")
    await cluster.ok(A, line)
    assert await cluster.states(B) == {"squid": "OSU", "vip": "OSU"}
    await cluster.fails(A, line, 4, "extended")
    status = await cluster.ok(A, "lcdstatus")
    assert "Local priority = 1" in status
    assert f'SHARED equivalency with "vip" on "{B}", priority = 10' in status
    assert "FAILOVER ALLOWED" in status
    assert "depends on resources: squid" in await cluster.ok(B, "lcdstatus")


async def test_in_service_on_the_other_node_moves_address_and_service(cluster) -> None:
    await cluster.ok(B, "perform_action -t vip -a restore")
    assert await cluster.states(B) == {"squid": "ISP", "vip": "ISP"}
    assert await cluster.states(A) == {"squid": "OSU", "vip": "OSU"}
    assert via() == B
    assert VIP not in await cluster.pair.sudo(A, "ip -o address show")
    assert (await cluster.pair.run(A, "systemctl is-active squid")).out.strip() == "inactive"
    await cluster.ok(B, "perform_action -t vip -a restore")
    await cluster.ok(A, "perform_action -t vip -a restore")
    assert via() == A


async def test_an_extension_needs_the_hierarchy_in_service(cluster) -> None:
    await cluster.ok(A, "ins_create -a gen -r app -t other -i other")
    await cluster.fails(A, f"lkcli resource extend gen --tag other --dest {B}", 5, "not in service")
    await cluster.fails(A, f"lkcli resource extend gen --tag missing --dest {B}", 7)
    await cluster.ok(A, "ins_remove -t other")


async def test_switches_make_it_misbehave(cluster) -> None:
    await cluster.switch(A, busy=600)
    assert "!action!" in await cluster.ok(A, "flg_list")
    await cluster.fails(A, "lkcli dependency delete --parent vip --child squid", 1, "Admin Lock")
    await cluster.switch(A)
    assert "!action!" not in await cluster.ok(A, "flg_list")
    failure = {"code": 1, "text": "ERROR 104052: Cannot get the hardware ID of the device"}
    await cluster.switch(A, errors={"lkcli resource create dk": failure})
    line = "lkcli resource create dk --tag d --mode synchronous --device /dev/sdb --hierarchy none"
    await cluster.fails(A, line, 1, "ERROR 104052")
    await cluster.switch(A, help={"lkcli resource create ip": {"--ipaddr": "--ip"}})
    assert "--ip <ipaddr>" in await cluster.ok(A, "lkcli resource create ip --help")
    await cluster.fails(A, f"lkcli resource create ip --tag x --ipaddr {VIP}", 2, "Unknown option: ipaddr")
    await cluster.switch(A, slow=1)
    began = time.monotonic()
    await cluster.ok(A, "sys_list")
    assert time.monotonic() - began > 1
    await cluster.switch(A)


async def test_a_generic_application_runs_its_scripts_on_both_nodes(cluster) -> None:
    script = "#!/bin/sh\\necho $0 $* >> /run/generic\\n"
    await cluster.pair.sudo(A, f"for each in restore remove; do printf '{script}' > /root/$each; done")
    await cluster.ok(A, "lkcli resource create gen --tag job --restore /root/restore --remove /root/remove")
    await cluster.ok(A, f"lkcli resource extend gen --tag job --dest {B} --target_priority 10")
    await cluster.ok(B, "perform_action -t job -a restore")
    place = "/opt/LifeKeeper/subsys/gen/resources/app/actions"
    assert await cluster.pair.sudo(A, "cat /run/generic") == (
        f"{place}/!restore/job -t job -i job\n{place}/!remove/job -t job -i job\n"
    )
    assert await cluster.pair.sudo(B, "cat /run/generic") == f"{place}/!restore/job -t job -i job\n"
    await cluster.ok(A, "lkcli resource delete --tag job")
    assert "job" not in {**await cluster.states(A), **await cluster.states(B)}


async def test_a_dead_service_is_recovered_on_the_spot(cluster) -> None:
    await cluster.pair.sudo(A, "systemctl kill --signal=KILL squid")

    async def again() -> bool:
        return (await cluster.pair.run(A, "systemctl is-active squid")).out.strip() == "active"

    await until(again)
    assert (await cluster.states(A))["squid"] == "ISP"


async def test_a_service_that_cannot_be_recovered_moves(cluster) -> None:
    assert [await cluster.failovers(node) for node in (A, B)] == [[], []]
    await cluster.pair.sudo(A, "mv /usr/sbin/squid /usr/sbin/squid.gone; systemctl kill --signal=KILL squid")

    async def moved() -> bool:
        return await cluster.states(B) == {"squid": "ISP", "vip": "ISP"}

    await until(moved, 60)
    assert (await cluster.states(A))["squid"] == "OSF"
    assert via() == B
    assert await cluster.failovers(B) == [f"the service failed over from {A} to {B}: squid has failed there"]
    assert await cluster.failovers(A) == []
    await cluster.pair.sudo(A, "mv /usr/sbin/squid.gone /usr/sbin/squid")
    await cluster.ok(A, "perform_action -t vip -a restore")
    assert [await cluster.failovers(node) for node in (A, B)] == [[], []], "somebody moved it back"


async def test_a_node_without_power_is_taken_over_and_comes_back_as_standby(cluster) -> None:
    assert via() == A
    control.call("kill", host=A)

    async def taken() -> bool:
        return await cluster.states(B) == {"squid": "ISP", "vip": "ISP"}

    await until(taken)
    assert via() == B
    assert await cluster.failovers(B) == [f"the service failed over from {A} to {B}: {A} was lost"]
    await cluster.fails(B, "lkcli resource delete --tag vip", 9, "out of service")
    assert "FAILOVER INHIBITED" in await cluster.ok(B, "lcdstatus")
    control.call("start", host=A)

    async def back() -> bool:
        return (await cluster.run(A, "lktest")).code == 0

    await until(back, 60)
    assert await cluster.states(A) == {"squid": "OSU", "vip": "OSU"}
    assert via() == B
    assert [await cluster.failovers(node) for node in (A, B)] == [[], []]


async def test_deletion_minds_what_stands_above_and_all_systems(cluster) -> None:
    await cluster.fails(B, "lkcli resource delete --tag squid", 8, "depends")
    await cluster.fails(B, "lkcli resource delete --tag missing", 7)
    await cluster.ok(B, "lkcli resource delete --tag vip")
    assert await cluster.states(A) == {"squid": "OSU"}
    await cluster.ok(B, f"lkcli resource unextend --tag squid --dest {A}")
    assert await cluster.states(A) == {}
    await cluster.ok(B, "lkcli resource delete --tag squid")
    assert (await cluster.pair.run(B, "systemctl is-active squid")).out.strip() == "active"


async def test_a_stop_in_order_takes_nothing_over(cluster) -> None:
    await cluster.ok(B, "lkcli resource create qsp --tag squid --service squid")
    await cluster.ok(B, f"lkcli resource extend qsp --tag squid --dest {A} --target_priority 10")
    await cluster.ok(B, "lkcli stop")
    assert (await cluster.pair.run(B, "systemctl is-active squid")).out.strip() == "inactive"
    assert f"!nofailover!{B}" in await cluster.ok(A, "flg_list")
    assert await cluster.states(A) == {"squid": "OSU"}
    await cluster.ok(B, "lkstart")
    assert await cluster.states(B) == {"squid": "ISP"}
