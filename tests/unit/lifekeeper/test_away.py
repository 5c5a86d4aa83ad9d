"""A node that is declared away is neither asked nor waited for, and what was cut off is ended without it."""

import asyncio
from typing import Any

from blueprint.site import things
from declaration.load import read
from providers import reconcile
from providers.connection.fake import FakeNode, fake_cluster
from tests.unit.lifekeeper.sites import settings
from tests.unit.lifekeeper.test_providers import OWNER, fresh, members, up

A, B = "proxy-a", "proxy-b"


def without_b(phase: int = 2) -> list[Any]:
    raw = settings(phase)
    raw["nodes"][1]["away"] = True
    return [each for each in things(read(raw, "test"), OWNER) if each.kind.startswith("lifekeeper.")]


def up_alone(pair, listed):
    """On the node that is left, and nobody ever asks the other one."""
    for thing in listed:
        node = FakeNode(A, lambda command: pair.answer(A, command))
        cluster = fake_cluster(node, thing=thing.name, journals=pair.journals)
        asyncio.run(reconcile.apply(thing.kind, cluster, thing.inputs))


def out_of_service(pair, name, tag):
    pair.lcds[name].instances[tag][4] = "OSU"


def pending(pair, thing):
    """A run was cut off at it."""
    pair.journals.opened[A, thing].values["pending"] = "qsp-squid"


def restored(pair):
    return [line for _, line in pair.said if "perform_action" in line]


def test_a_resource_that_a_cut_left_out_of_service_is_put_in_service_without_the_other_node():
    pair, listed = fresh(), without_b()
    up_alone(pair, listed)
    assert not pair.lcds[B].instances
    out_of_service(pair, A, "qsp-squid")
    pending(pair, "tree-squid")
    pair.said.clear()
    up_alone(pair, listed)
    assert restored(pair) == ["/opt/LifeKeeper/bin/perform_action -t qsp-squid -a restore"]
    assert pair.lcds[A].instances["qsp-squid"][4] == "ISP"


def test_what_an_operator_took_out_of_service_stays_so_when_the_other_node_has_it_too():
    pair = fresh()
    up(pair, members(2))
    out_of_service(pair, A, "qsp-squid")
    pending(pair, "tree-squid")
    pair.said.clear()
    up_alone(pair, without_b())
    assert restored(pair) == []
    assert pair.lcds[A].instances["qsp-squid"][4] == "OSU"
