"""Pairs that somebody has built with pcs or crm: as these tools write a configuration, and as crm_mon tells of it."""

from __future__ import annotations

import re

from providers.pacemaker.cib import Cib
from tests.support import pcs_pair
from tests.unit.pacemaker.tools import recorded


def part(name: str) -> str:
    """A resource or a constraint of the pair that pcs built, by its id."""
    found = re.search(rf'<(\w+) [^>]*?\bid="{name}"[^>]*?(/>|>.*?</\1>)', pcs_pair.CIB, re.DOTALL)
    assert found, name
    return found[0]


CLONE, GROUP = part("drbd_logs-clone"), part("proxy-group")
FS_LOGS, PROXY, VIP = part("fs_logs"), part("proxy"), part("vip")
FENCE = pcs_pair.primitive("ipmi-a", "stonith:fence_ipmilan")
# The upper one's role may stand there too.
WITH_PROMOTED = part("colocation-proxy-group-drbd_logs-clone-INFINITY").replace(
    ' rsc="proxy-group"', ' rsc="proxy-group" rsc-role="Started"'
)
AFTER_PROMOTED = part("order-drbd_logs-clone-proxy-group-mandatory")
MEMBERS = ["drbd_logs", "fs_logs", "proxy", "vip"]


def text(resources: str, constraints: str) -> str:
    """The whole configuration of two nodes on which nothing runs yet."""
    fresh = recorded("cib-fresh.xml").replace("<resources/>", f"<resources>{resources}</resources>")
    return fresh.replace("<constraints/>", f"<constraints>{constraints}</constraints>")


GROUPED = text(FENCE + GROUP + CLONE, WITH_PROMOTED + AFTER_PROMOTED)
"""With pcs: a group on a promotable clone."""


def cib(resources: str, constraints: str) -> Cib:
    """The same, read."""
    return Cib.parse(text(resources, constraints))


def _resource(name: str, agent: str, role: str, node: str) -> str:
    return (
        f'<resource id="{name}" resource_agent="{agent}" role="{role}" active="true" orphaned="false" blocked="false" '
        f'managed="true" failed="false" failure_ignored="false" nodes_running_on="1">'
        f'<node name="{node}" id="1" cached="true"/></resource>'
    )


MON = (
    '<pacemaker-result api-version="2.25" request="crm_mon"><summary>'
    '<current_dc present="true" name="qsp-a" id="1" with_quorum="true"/>'
    '<cluster_options stonith-enabled="true" maintenance-mode="false"/></summary><nodes>'
    + "".join(
        f'<node name="{name}" id="{number}" online="true" standby="false" standby_onfail="false" maintenance="false" '
        'pending="false" unclean="false" shutdown="false" expected_up="true" is_dc="false" resources_running="1" '
        'type="member"/>'
        for number, name in enumerate(("qsp-a", "qsp-b"), 1)
    )
    + "</nodes><resources>"
    + _resource("ipmi-a", "stonith:fence_ipmilan", "Started", "qsp-b")
    + '<group id="proxy-group" number_resources="3" maintenance="false" managed="true" disabled="false">'
    + _resource("fs_logs", "ocf:heartbeat:Filesystem", "Started", "qsp-a")
    + _resource("proxy", "systemd:squid", "Started", "qsp-a")
    + _resource("vip", "ocf:heartbeat:IPaddr2", "Started", "qsp-a")
    + '</group><clone id="drbd_logs-clone" multi_state="true" unique="false" managed="true" failed="false">'
    + _resource("drbd_logs", "ocf:linbit:drbd", "Promoted", "qsp-a")
    + _resource("drbd_logs", "ocf:linbit:drbd", "Unpromoted", "qsp-b")
    + "</clone></resources><failures></failures>"
    '<status code="0" message="OK"/></pacemaker-result>'
)
"""The pair of `GROUPED` as crm_mon tells of it (its schema crm_mon-2.25): all of it on `qsp-a`."""
