"""What another resource uses already is not given to one of this program's beside it."""

from __future__ import annotations

import pytest

from providers.pacemaker.cib import Cib
from providers.pacemaker.model import Primitive
from providers.pacemaker.rivals import rival, squid_of_others
from tests.support import pcs_pair
from tests.unit.pacemaker.tools import recorded

BUILT = Cib.parse(pcs_pair.CIB)


def of(agent: str, **parameters: str) -> Primitive:
    return Primitive(id="ours", agent=agent, parameters={**parameters})


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (of("ocf:heartbeat:IPaddr2", ip="192.0.2.10"), "vip"),
        (of("ocf:heartbeat:Filesystem", directory="/srv/proxy"), "fs_logs"),
        (of("ocf:linbit:drbd", drbd_resource="r0"), "drbd_logs"),
        (of("ocf:squid-ha:squid", unit="squid.service", port="3128"), "proxy"),
        (of("ocf:heartbeat:IPaddr2", ip="192.0.2.11"), ""),
        (of("ocf:heartbeat:Filesystem", directory="/mnt/mirror"), ""),
        (of("ocf:squid-ha:squid", unit="squid@other.service", port="3129"), ""),
        (of("ocf:pacemaker:ping", host_list="192.0.2.1"), ""),
    ],
)
def test_a_rival_is_found_by_what_it_uses(ours, theirs):
    assert rival(BUILT, ours) == theirs


def test_a_squid_that_is_somebody_elses_is_told_whatever_runs_it():
    assert squid_of_others(BUILT) == "proxy"
    assert squid_of_others(Cib.parse(pcs_pair.CIB.replace('type="squid"', 'type="squid@other"'))) == ""
    ours = Cib.parse(recorded("cib-tree.xml"))
    assert squid_of_others(ours) == ""


def test_a_resource_is_no_rival_of_its_own():
    assert rival(BUILT, BUILT.primitives()["vip"]) == ""


def test_the_same_address_by_the_older_agent_and_the_same_port_by_another_count():
    made = Cib.parse(pcs_pair.CIB.replace('type="IPaddr2"', 'type="IPaddr"'))
    assert rival(made, of("ocf:heartbeat:IPaddr2", ip="192.0.2.10")) == "vip"
    squid = of("ocf:heartbeat:Squid", squid_port="3128").model_copy(update={"id": "theirs"})
    assert rival(made.with_member(squid, None), of("ocf:squid-ha:squid", unit="other.service", port="3128")) == "theirs"
