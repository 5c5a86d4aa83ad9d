"""Pairs that somebody has built with pcs or crm: as these tools write a configuration, and as crm_mon tells of it."""

from __future__ import annotations

from providers.pacemaker.cib import Cib
from tests.unit.pacemaker.tools import recorded

DRBD = (
    '<primitive class="ocf" id="drbd_logs" provider="linbit" type="drbd">'
    '<instance_attributes id="drbd_logs-instance_attributes">'
    '<nvpair id="drbd_logs-instance_attributes-drbd_resource" name="drbd_resource" value="r0"/>'
    "</instance_attributes></primitive>"
)
CLONE = (
    f'<clone id="drbd_logs-clone">{DRBD}<meta_attributes id="drbd_logs-clone-meta_attributes">'
    '<nvpair id="drbd_logs-clone-meta_attributes-promotable" name="promotable" value="true"/>'
    '<nvpair id="drbd_logs-clone-meta_attributes-notify" name="notify" value="true"/></meta_attributes></clone>'
)
FS_LOGS = (
    '<primitive class="ocf" id="fs_logs" provider="heartbeat" type="Filesystem">'
    '<instance_attributes id="fs_logs-instance_attributes">'
    '<nvpair id="fs_logs-instance_attributes-device" name="device" value="/dev/drbd1"/>'
    '<nvpair id="fs_logs-instance_attributes-directory" name="directory" value="/srv/proxy"/>'
    '<nvpair id="fs_logs-instance_attributes-fstype" name="fstype" value="ext4"/>'
    "</instance_attributes></primitive>"
)
PROXY = '<primitive class="systemd" id="proxy" type="squid"/>'
VIP = '<primitive class="ocf" id="vip" provider="heartbeat" type="IPaddr2"/>'
FENCE = '<primitive class="stonith" id="ipmi-a" type="fence_ipmilan"/>'
GROUP = f'<group id="proxy-group">{FS_LOGS}{PROXY}{VIP}</group>'
WITH_PROMOTED = (
    '<rsc_colocation id="colocation-proxy-group-drbd_logs-clone-INFINITY" rsc="proxy-group" rsc-role="Started" '
    'score="INFINITY" with-rsc="drbd_logs-clone" with-rsc-role="Promoted"/>'
)
AFTER_PROMOTED = (
    '<rsc_order first="drbd_logs-clone" first-action="promote" id="order-drbd_logs-clone-proxy-group-mandatory" '
    'then="proxy-group" then-action="start"/>'
)
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
