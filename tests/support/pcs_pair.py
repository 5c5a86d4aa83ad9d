"""A cluster as people make it with pcs: a group on top of a promotable clone, other names and agents."""

from __future__ import annotations

import re

from providers.pacemaker.cib import Cib

CIB = """\
<cib have-quorum="1"><configuration>
<crm_config><cluster_property_set id="cib-bootstrap-options">
<nvpair id="cib-bootstrap-options-have-watchdog" name="have-watchdog" value="false"/>
<nvpair id="cib-bootstrap-options-stonith-enabled" name="stonith-enabled" value="false"/>
<nvpair id="cib-bootstrap-options-no-quorum-policy" name="no-quorum-policy" value="ignore"/>
</cluster_property_set></crm_config>
<nodes><node id="1" uname="qsp-a"/><node id="2" uname="qsp-b"/></nodes>
<resources>
<clone id="drbd_logs-clone"><primitive class="ocf" id="drbd_logs" provider="linbit" type="drbd">
<instance_attributes id="drbd_logs-instance_attributes">
<nvpair id="drbd_logs-instance_attributes-drbd_resource" name="drbd_resource" value="r0"/></instance_attributes>
<operations><op id="drbd_logs-monitor-interval-29s" interval="29s" name="monitor" role="Promoted" timeout="20s"/>
<op id="drbd_logs-monitor-interval-31s" interval="31s" name="monitor" role="Unpromoted" timeout="20s"/></operations>
</primitive><meta_attributes id="drbd_logs-clone-meta_attributes">
<nvpair id="drbd_logs-clone-meta_attributes-promotable" name="promotable" value="true"/>
<nvpair id="drbd_logs-clone-meta_attributes-notify" name="notify" value="true"/></meta_attributes></clone>
<group id="proxy-group">
<primitive class="ocf" id="fs_logs" provider="heartbeat" type="Filesystem">
<instance_attributes id="fs_logs-instance_attributes">
<nvpair id="fs_logs-instance_attributes-device" name="device" value="/dev/drbd0"/>
<nvpair id="fs_logs-instance_attributes-directory" name="directory" value="/srv/proxy"/>
<nvpair id="fs_logs-instance_attributes-fstype" name="fstype" value="ext4"/></instance_attributes>
<operations><op id="fs_logs-monitor-interval-20s" interval="20s" name="monitor" timeout="40s"/></operations></primitive>
<primitive class="systemd" id="proxy" type="squid">
<operations><op id="proxy-monitor-interval-30s" interval="30s" name="monitor" timeout="60s"/></operations></primitive>
<primitive class="ocf" id="vip" provider="heartbeat" type="IPaddr2"><instance_attributes id="vip-instance_attributes">
<nvpair id="vip-instance_attributes-cidr_netmask" name="cidr_netmask" value="24"/>
<nvpair id="vip-instance_attributes-ip" name="ip" value="192.0.2.10"/></instance_attributes>
<operations><op id="vip-monitor-interval-10s" interval="10s" name="monitor" timeout="20s"/></operations></primitive>
</group>
<primitive class="ocf" id="mail" provider="heartbeat" type="MailTo"/>
</resources>
<constraints>
<rsc_colocation id="colocation-proxy-group-drbd_logs-clone-INFINITY" rsc="proxy-group" score="INFINITY"
 with-rsc="drbd_logs-clone" with-rsc-role="Promoted"/>
<rsc_order first="drbd_logs-clone" first-action="promote" id="order-drbd_logs-clone-proxy-group-mandatory"
 then="proxy-group" then-action="start"/>
</constraints>
<rsc_defaults><meta_attributes id="build-resource-defaults">
<nvpair id="build-resource-stickiness" name="resource-stickiness" value="1"/></meta_attributes></rsc_defaults>
</configuration></cib>
"""

WITHOUT_MIRROR = re.sub(
    r'<clone .*?</clone>|<primitive class="ocf" id="fs_logs".*?</primitive>|<rsc_(col|order).*?/>', "", CIB,
    flags=re.DOTALL,
)  # fmt: skip
"""The same of a pair whose logs are local."""

DUMP = """\
global {
}

common {
}

resource r0 {
 on qsp-a {
 device /dev/drbd0 minor 0;
 disk /dev/disk/by-id/virtio-data;
 meta-disk internal;
 address ipv4 172.16.77.11:7788;
 }
 on qsp-b {
 device /dev/drbd0 minor 0;
 disk /dev/disk/by-id/virtio-other;
 meta-disk internal;
 address ipv4 172.16.77.12:7788;
 }
 net {
 protocol C;
 }
}

"""
DIGEST = "a" * 64
DIGESTS = f"r0 {DIGEST}\n"


def changed(old: str, new: str) -> Cib:
    """The cluster with a change made by hand."""
    assert old in CIB, old
    return Cib.parse(CIB.replace(old, new))


def altered(*changes: tuple[str, str]) -> str:
    """The cluster's text with changes made by hand."""
    text = CIB
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return text


def primitive(name: str, agent: str, **parameters: str) -> str:
    """A resource more, such as ``ocf:heartbeat:IPaddr2`` or ``stonith:fence_sbd``."""
    kind, *provider, type_ = agent.split(":")
    provided = f' provider="{provider[0]}"' if provider else ""
    pairs = "".join(f'<nvpair id="{name}-{key}" name="{key}" value="{value}"/>' for key, value in parameters.items())
    attributes = f'<instance_attributes id="{name}-attributes">{pairs}</instance_attributes>'
    return f'<primitive class="{kind}" id="{name}"{provided} type="{type_}">{attributes}</primitive>'


COROSYNC = """\
totem {
    version: 2
    cluster_name: office
    transport: knet
    token: 3000
}
nodelist {
    node {
        ring0_addr: qsp-a
        name: qsp-a
        nodeid: 1
    }
    node {
        ring0_addr: qsp-b
        name: qsp-b
        nodeid: 2
    }
}
"""
"""As `pcs cluster setup` writes it where it is given no addresses."""
