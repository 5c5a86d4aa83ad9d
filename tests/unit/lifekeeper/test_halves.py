"""Which mirror is looked at where a hierarchy has more than one filesystem or mirror."""

import asyncio

import pytest

from providers.connection.errors import Refused
from providers.connection.fake import FakeNode, fake_cluster
from providers.lifekeeper import runtime
from tests.unit.lifekeeper.test_plan_and_runtime import IN_SYNC
from tests.unit.lifekeeper.test_providers import fresh, members, up

BROKEN = IN_SYNC.replace("[UU]", "[U_]").replace("md0", "md9")


def pair_up():
    pair = fresh()
    up(pair, members())
    for lcd in pair.lcds.values():
        lcd.mdstat = IN_SYNC
    pair.said.clear()
    return pair


def add(pair, tag, kind, *ties):
    """One more resource of the service, first in every list."""
    app, identity = ("scsi", f"/dev/{tag}") if kind == "netraid" else ("gen", tag)
    for name, lcd in pair.lcds.items():
        state = "ISP" if name == "proxy-a" else "OSU"
        lcd.instances = {tag: [app, kind, identity, "", state, "intelligent"], **lcd.instances}
        lcd.priorities[tag] = 1
        lcd.ties = [*ties, *lcd.ties]


def second_mirror(pair, *ties):
    add(pair, "datarep-a", "netraid")
    add(pair, "/a-cache", "filesys", ("/a-cache", "datarep-a"), *ties)


def asked(cluster):
    """Mount points whose device was looked for."""
    return [
        each.argv[-1] for node in cluster.nodes.values() for each in node.commands if "mirror's state" in each.label
    ]


def saved_from(cluster, name):
    """The mount point below which a folder was copied."""
    (copy,) = [each for each in cluster.nodes[name].commands if each.label.startswith("copy ")]
    return copy.argv[-3]


def test_a_filesystem_that_lies_on_no_mirror_is_not_taken_for_the_mirrors():
    pair = pair_up()
    add(pair, "/a-local-disk", "filesys", ("qsp-squid", "/a-local-disk"))
    cluster = pair.cluster()
    found = asyncio.run(runtime.mirror(cluster))
    assert all(view.whole for view in found.values())
    assert asked(cluster) == ["/mnt/mirror"]
    asyncio.run(runtime.save_logs(cluster, "proxy-a", "squid", "/var/saved"))
    assert saved_from(cluster, "proxy-a") == "/mnt/mirror"


def test_of_two_mirrors_it_is_the_one_that_squid_stands_on():
    pair = pair_up()
    add(pair, "an-app", "app")
    second_mirror(pair, ("an-app", "/a-cache"), ("ip-192.0.2.10", "an-app"))
    cluster = pair.cluster()
    assert all(view.whole for view in asyncio.run(runtime.mirror(cluster)).values())
    assert asked(cluster) == ["/mnt/mirror"]
    assert asyncio.run(runtime.split_brain(cluster)) is None, "two mirrors on one node are none"


def test_where_squid_stands_on_two_they_are_named_and_nothing_is_moved():
    pair = pair_up()
    second_mirror(pair, ("qsp-squid", "/a-cache"))
    found = asyncio.run(runtime.mirror(pair.cluster()))
    assert all("datarep-a and datarep-mirror" in view.trouble for view in found.values())
    with pytest.raises(Refused, match=r"proxy-b: .*datarep-a and datarep-mirror"):
        asyncio.run(runtime.switchover(pair.cluster(), "proxy-b"))
    with pytest.raises(Refused, match=r"datarep-a and datarep-mirror"):
        asyncio.run(runtime.save_logs(pair.cluster(), "proxy-a", "squid", "/var/saved"))
    assert pair.said == []


def test_another_services_mounted_filesystem_is_not_saved_for_this_ones():
    pair = pair_up()
    add(pair, "/foreign", "filesys")
    pair.lcds["proxy-b"].instances["/foreign"][4] = "ISP"
    cluster = pair.cluster()
    asyncio.run(runtime.save_logs(cluster, "proxy-b", "squid", "/var/saved"))
    assert saved_from(cluster, "proxy-b") == "/mnt/mirror"


# Who has to be heard for the other half to be known


def known_too(pair, name="witness"):
    """A system of LifeKeeper's that none of the service's resources is extended to, and nobody hears."""
    for lcd in pair.lcds.values():
        lcd.systems.append(name)


def test_a_system_that_the_mirror_is_not_extended_to_need_not_be_heard():
    pair = pair_up()
    known_too(pair)
    found = asyncio.run(runtime.mirror(pair.cluster()))
    assert {view.connection for view in found.values()} == {"connected"}
    assert all(view.whole for view in found.values())
    asyncio.run(runtime.switchover(pair.cluster(), "proxy-b"))
    assert asyncio.run(runtime.active_node(pair.cluster())) == "proxy-b"


def test_a_node_that_the_mirror_is_extended_to_has_to_be_heard_though_it_is_declared_away():
    pair = pair_up()
    known_too(pair)
    pair.lcds["proxy-b"].running = False
    left = fake_cluster(FakeNode("proxy-a", lambda command: pair.answer("proxy-a", command)))
    (found,) = asyncio.run(runtime.mirror(left)).values()
    assert (found.connected, found.connection) == (False, "connected, but proxy-b is not heard")
