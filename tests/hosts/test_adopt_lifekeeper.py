"""A LifeKeeper pair that somebody built command by command is taken over: nothing on it changes, and no diff is left.

On the lab's stand-in, phase 2; tags and priorities are the builder's own. The tests build on each other, in this order.
"""

from __future__ import annotations

import asyncio
import json

import pytest

from lab import lifekeeper
from tests.hosts.test_adopt import BY_HAND, CHRONY, adopt, files_of, fresh, written
from tests.support.lifekeeper_lists import differing, lists
from tests.support.stack import Run, Stack
from tests.support.things import Site, difference, site

pytestmark = [pytest.mark.long, pytest.mark.timeout(1200)]

A, B = "qsp-a", "qsp-b"
NODES = f"{A}=ops@192.0.2.11,{B}=ops@192.0.2.12"
NAME = "test-adopt-lifekeeper"
BIN = "/opt/LifeKeeper/bin"
PACKAGES = "squid chrony logrotate"
ON_BOTH = f"""
cat >/etc/squid/squid.conf <<'END'
{BY_HAND}END
cat >/etc/chrony/chrony.conf <<'END'
{CHRONY}END
systemctl restart squid chrony; systemctl enable -q chrony; systemctl disable -q squid
chronyc waitsync 60 0.5 0 1
{lifekeeper.MEDIA}/setup
printf '%s\\n' LKCHECKINTERVAL=5 LCMHBEATTIME=1 LCMNUMHBEATS=8 NOBCASTPING=1 REMOTETIMEOUT=800 >/etc/default/LifeKeeper
{BIN}/lkkeyins {lifekeeper.LICENCE}
{BIN}/lkstart
"""
PATHS = """
lkcli commpath create --laddr 192.0.2.1{own} --raddr 192.0.2.1{far} --dest {peer} --priority 3
lkcli commpath create --laddr 172.16.77.1{own} --raddr 172.16.77.1{far} --dest {peer} --priority 7
lkcli commpath create --laddr 192.0.2.2{own} --raddr 192.0.2.2{far} --dest {peer} --priority 42
"""
HIERARCHY = f"""
lkcli resource create qsp --tag office-squid --service squid --switchback intelligent
lkcli resource extend qsp --tag office-squid --dest {B} --switchback intelligent --target_priority 20
lkcli resource create ip --tag office-ip --ipaddr 192.0.2.10 --netmask 255.255.255.0 --device eth0
lkcli resource extend ip --tag office-ip --dest {B} --switchback intelligent --target_priority 20
lkcli dependency create --parent office-ip --child office-squid
lkcli resource create gen --tag office-app --restore /root/app --remove /root/app
lkcli resource extend gen --tag office-app --dest {B} --switchback intelligent --target_priority 20
lkcli dependency create --parent office-squid --child office-app
lkcli resource create ip --tag office-second-ip --ipaddr 192.0.2.77 --netmask 255.255.255.0 --device eth0
lkcli resource extend ip --tag office-second-ip --dest {B} --switchback intelligent --target_priority 20
lkcli dependency create --parent office-second-ip --child office-squid
lkcli resource create ip --tag somebody-elses --ipaddr 192.0.2.99 --netmask 255.255.255.0 --device eth0
flg_create -f office-flag
"""
LISTS = f"for list in ins_list dep_list eqv_list net_list; do {BIN}/$list -f: | sort; done; {BIN}/lcdstatus"


AGAIN = f"""
lkcli dependency delete --parent office-ip --child office-squid
lkcli dependency delete --parent office-second-ip --child office-squid
lkcli dependency delete --parent office-squid --child office-app
lkcli resource delete --tag office-squid
lkcli resource create gen --tag office-squid --restore /root/up --remove /root/down --quickCheck /root/look
lkcli resource extend gen --tag office-squid --dest {B} --switchback intelligent --target_priority 20
lkcli dependency create --parent office-ip --child office-squid
lkcli dependency create --parent office-second-ip --child office-squid
lkcli dependency create --parent office-squid --child office-app
"""
"""The same with Squid as a Generic Application."""
THEIRS = {"up": "systemctl start squid", "down": "systemctl stop squid", "look": "systemctl is-active squid"}


def say(hosts: Site, node: str, lines: str) -> None:
    for line in lines.strip().splitlines():
        hosts.sh(node, f"{BIN}/{line}")


@pytest.fixture(scope="module")
def hosts(pair) -> Site:
    """The pair, as its builder left it."""
    there = site(pair, name=NAME)
    for node in (A, B):
        install = f"apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qqy install {PACKAGES} >/dev/null"
        asyncio.run(pair.sudo(node, install, timeout=900))
        asyncio.run(lifekeeper.provide(node))
        there.sh(node, ON_BOTH)
        there.sh(node, "printf '#!/bin/sh\\nexit 0\\n' >/root/app")
        there.sh(node, f"ip address add 192.0.2.2{1 + (A, B).index(node)}/24 dev eth0")
    say(there, A, PATHS.format(own=1, far=2, peer=B))
    say(there, B, PATHS.format(own=2, far=1, peer=A))
    there.sh(A, f"for i in $(seq 300); do {BIN}/lcdstatus | grep -q DEAD || exit 0; sleep 0.1; done; exit 1")
    there.sh(B, "systemctl stop squid")
    say(there, A, HIERARCHY)
    return there


@pytest.fixture(scope="module")
def stack(hosts, tmp_path_factory) -> Stack:
    return fresh(NAME, tmp_path_factory.mktemp("stack"))


@pytest.fixture(scope="module")
def adopted(stack, pair) -> Run:
    run = adopt(pair, NAME, NODES, stack)
    assert run.code == 0, run.output
    written(stack)
    return run


def test_the_hierarchy_is_described_with_its_own_tags(adopted, stack):
    assert stack.site["engine"] == "lifekeeper"
    assert stack.site["virtual_ip"] == "192.0.2.10"
    section = stack.site["lifekeeper"]
    assert section["tags"] == {"squid": "office-squid", "address": "office-ip"}
    assert section["priorities"] == [1, 20]
    text = "#!/bin/sh\nexit 0\n"
    assert section["generic"] == [{"tag": "office-app", "restore": text, "remove": text}]
    assert section["paths"] == [{"network": "public", "priority": 3}, {"network": "replication", "priority": 7}]
    assert (section["check_interval"], section["address"]) == ("5s", {"broadcast_ping": False})
    document = json.loads(adopted.output)
    assert document["would_change"] == []


@pytest.mark.parametrize(
    ("place", "nodes"),
    [
        ("resource somebody-elses (comm/ip, IP-192.0.2.99)", [A]),
        ("resource office-second-ip (comm/ip, IP-192.0.2.77)", [A, B]),
        ("resource office-app (gen/app)", [A]),
        (f"path 192.0.2.21/192.0.2.22 to {B}", [A]),
        (f"path 192.0.2.22/192.0.2.21 to {A}", [B]),
        ("flags", [A]),
        ("/etc/default/LifeKeeper", [A, B]),
    ],
)
def test_what_the_file_has_no_words_for_is_listed_with_its_node_and_what_up_does_about_it(adopted, place, nodes):
    notes = json.loads(adopted.output)["notes"]
    told = [each for each in notes if each["place"] == place]
    assert [each["node"] for each in told] == nodes, notes
    assert all("`up`" in each["what"] for each in told)


def test_up_changes_nothing_and_the_next_preview_is_empty(adopted, stack, hosts):
    before = {name: (files_of(hosts, name), hosts.sh(name, LISTS)) for name in (A, B)}
    process = hosts.sh(A, "systemctl show -P MainPID squid")
    stack.up()
    for name, (files, told) in before.items():
        assert difference(files, files_of(hosts, name)) == []
        assert hosts.sh(name, LISTS) == told
    assert hosts.sh(A, "systemctl show -P MainPID squid") == process, "Squid was started anew"
    assert "unchanged" in stack.preview("--expect-no-changes").output
    assert stack.drift().code == 0


def test_destroy_of_what_was_found_leaves_it(adopted, stack, hosts):
    before, process = lists(hosts), hosts.sh(A, "systemctl show -P MainPID squid")
    assert "office-flag" in before[A]
    stack.destroy()
    assert differing(before, lists(hosts)) == []
    assert hosts.sh(A, "systemctl show -P MainPID squid") == process, "Squid was started anew"


# The same pair, once its builder has put scripts in the place of Quick Service Protection


@pytest.fixture(scope="module")
def by_scripts(hosts, pair, tmp_path_factory) -> tuple[Stack, Run]:
    for name, line in THEIRS.items():
        for node in (A, B):
            hosts.sh(node, f"printf '#!/bin/sh\\n{line}\\n' >/root/{name} && chmod 0755 /root/{name}")
    say(hosts, A, AGAIN)
    stack = fresh(NAME, tmp_path_factory.mktemp("scripts"))
    return stack, adopt(pair, NAME, NODES, stack)


def test_scripts_of_squids_own_are_taken_into_the_file(by_scripts):
    stack, run = by_scripts
    assert run.code == 0, run.output
    assert json.loads(run.output)["would_change"] == []
    written(stack)
    section = stack.site["lifekeeper"]
    assert section["squid_kit"] == "generic"
    texts = {name: f"#!/bin/sh\n{line}\n" for name, line in THEIRS.items()}
    assert section["squid_scripts"] == {
        "restore": texts["up"], "remove": texts["down"], "quick_check": texts["look"]
    }  # fmt: skip
    assert section["tags"] == {"squid": "office-squid", "address": "office-ip"}


def test_up_leaves_what_lifekeeper_runs_and_the_next_preview_is_empty(by_scripts, hosts):
    stack, _ = by_scripts
    before, process = lists(hosts), hosts.sh(A, "systemctl show -P MainPID squid")
    stack.up()
    assert differing(before, lists(hosts)) == []
    assert hosts.sh(A, "systemctl show -P MainPID squid") == process, "Squid was started anew"
    assert hosts.sh(B, "cat /etc/squid-ha/lifekeeper/office-squid/restore") == f"#!/bin/sh\n{THEIRS['up']}\n"
    stack.preview("--expect-no-changes")
    assert stack.drift().code == 0
    stack.destroy()
    assert differing(before, lists(hosts)) == []
    assert hosts.sh(A, "ls -d /etc/squid-ha/lifekeeper 2>/dev/null || true") == ""
