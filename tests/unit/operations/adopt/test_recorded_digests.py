"""Digests that stand in people's stack files and in the journals on their nodes, held to what they were when written.

Computed otherwise, by a change here or by another release of lxml, each of them would make drift of every adopted
resource, which `up` refuses to repair, or of what nobody has edited. Where one of these has to change, what is recorded
by earlier releases has to count on beside it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import Field

from operations.adopt.compare import Outcome, _note_file
from providers import applied
from providers.connection.files import Found
from providers.contract import State
from providers.host import digest
from providers.pacemaker import definition
from providers.pacemaker.cib import Cib
from providers.squid import includes
from providers.storage import found
from tests.unit.local import LocalNode

CIB = """
<cib validate-with="pacemaker-3.9" epoch="7" num_updates="2" admin_epoch="0" have-quorum="1">
  <configuration>
    <crm_config/>
    <nodes/>
    <resources>
      <clone id="mirror-clone">
        <meta_attributes id="mirror-clone-meta">
          <nvpair id="mirror-clone-promotable" name="promotable" value="true"/>
          <nvpair id="mirror-clone-notify" name="notify" value="true"/>
        </meta_attributes>
        <primitive id="mirror" class="ocf" provider="linbit" type="drbd">
          <instance_attributes id="mirror-attributes">
            <nvpair id="mirror-drbd_resource" name="drbd_resource" value="r0"/>
          </instance_attributes>
          <operations>
            <op id="mirror-monitor-29s" name="monitor" interval="29s" role="Promoted"/>
            <op id="mirror-monitor-31s" name="monitor" interval="31s" role="Unpromoted"/>
          </operations>
        </primitive>
      </clone>
      <group id="proxy-group">
        <primitive id="logs" class="ocf" provider="heartbeat" type="Filesystem">
          <instance_attributes id="logs-attributes">
            <nvpair id="logs-fstype" name="fstype" value="ext3"/>
            <nvpair id="logs-device" name="device" value="/dev/drbd0"/>
            <nvpair id="logs-directory" name="directory" value="/mnt/mirror"/>
          </instance_attributes>
          <meta_attributes id="logs-meta"><nvpair id="logs-role" name="target-role" value="Started"/></meta_attributes>
        </primitive>
        <primitive id="proxy" class="systemd" type="squid">
          <operations><op id="proxy-monitor" name="monitor" interval="60s" timeout="100s"/></operations>
        </primitive>
      </group>
      <primitive id="vip" class="ocf" provider="heartbeat" type="IPaddr2">
        <instance_attributes id="vip-attributes">
          <nvpair id="vip-ip" name="ip" value="192.0.2.10"/><nvpair id="vip-netmask" name="cidr_netmask" value="24"/>
        </instance_attributes>
        <meta_attributes id="vip-meta"><nvpair id="vip-managed" name="is-managed" value="true"/></meta_attributes>
      </primitive>
    </resources>
    <constraints>
      <rsc_colocation id="with-mirror" rsc="proxy-group" with-rsc="mirror-clone" with-rsc-role="Promoted"
        score="INFINITY"/>
      <rsc_order id="after-mirror" first="mirror-clone" first-action="promote" then="proxy-group" then-action="start"/>
      <rsc_colocation id="vip-with-proxy" rsc="vip" with-rsc="proxy-group" score="INFINITY"/>
      <rsc_location id="prefers" rsc="vip" node="qsp-a" score="50"/>
      <rsc_location id="cli-ban-vip-on-qsp-b" rsc="vip" node="qsp-b" score="-INFINITY"/>
      <rsc_location id="by-pattern" rsc-pattern="^lo" node="qsp-b" score="0"/>
    </constraints>
  </configuration>
</cib>
"""
MEMBERS = {
    "mirror": "7091c9fa729efd6049e0f9cb3bdd02afd120d8fc8c6c6ea97eb42cb5ee52c65b",
    "logs": "6f3ec88bd6e79b0886ad333751bded8a97d0c199e92628f577f24586ea90129f",
    "proxy": "883d82143dac6be22d42288f84b66f9558b44c1b27e2e309843f01cd5ddf144e",
    "vip": "efbf0b0945a9d727edde8ea611b67d0c36c4f33f5d72e2584133a94a1eda2244",
}


@pytest.mark.parametrize(("member", "recorded"), MEMBERS.items())
def test_the_definition_of_an_adopted_member_has_the_digest_that_was_recorded(member: str, recorded: str) -> None:
    assert definition.digest(Cib.parse(CIB), member) == f"as-found:{recorded}"


DRBDADM = r"""#!/bin/sh
[ "$1" = sh-resources ] && { echo 'r0 other'; exit 0; }
cat <<END
# resource $2 on qsp-a: not ignored, not stacked
# defined at /etc/drbd.d/$2.res:1
resource $2 {
    on qsp-a {
        node-id 0;
        device           /dev/drbd0 minor 0;
        disk             /dev/vdb;
        meta-disk        internal;
        address          ipv4 198.51.100.11:7789;
    }
    net {
        protocol           C;
        cram-hmac-alg    sha256;
        shared-secret    "secret-$$";
	after-sb-0pri    disconnect;
    }
}

END
"""


async def test_the_configuration_of_an_adopted_mirror_has_the_digest_that_was_recorded(tmp_path: Path) -> None:
    (tmp_path / "drbdadm").write_text(DRBDADM)
    (tmp_path / "drbdadm").chmod(0o755)
    told = await LocalNode(path=str(tmp_path)).run(found.DIGESTS)
    assert found.digests(told.stdout) == {
        "r0": "183695f9dbcccf9b4041996faca1b59ae14e5169a13bbac259f5f3de3c5a5ea4",
        "other": "1fdf277295234f3052be37f587aa6a4f1b87951a0cb38155aae7c18509680198",
    }


def test_a_file_that_is_kept_has_the_digest_that_was_recorded() -> None:
    outcome, content = Outcome(), "http_port 3128\n# Wächter\n".encode()
    assert _note_file(outcome, "qsp-a", Found("/etc/squid/squid.conf", "file", content, "0640", "root:proxy"))
    (entry,) = outcome.adopted["files"]
    assert entry["sha256"] == "ecc57c4bf65cee95ce9957fee3def24acae10c9ba194d6112661cd99986f7b4e"
    assert digest.like(content, "as-found:0") == f"as-found:{entry['sha256']}"


class Node(State):
    mode: str | None
    lines: list[str]
    files: dict[str, dict[str, Any]]


class Wanted(State):
    nodes: dict[str, Node]
    port: int
    on: bool
    nothing: list[str] = Field(default_factory=list[str])


def test_what_was_last_applied_has_the_digests_that_were_recorded() -> None:
    node = Node(mode=None, lines=["a", "ü"], files={"/etc/x": {"content": "text\n", "owner": "root:root", "check": []}})
    assert applied.digests(Wanted(nodes={"qsp-a": node}, port=3128, on=True)) == {
        'nodes.qsp-a.files["/etc/x"].content': "ea39a77e5a211db0",
        'nodes.qsp-a.files["/etc/x"].owner': "6c9f9871a7b36ae4",
        "nodes.qsp-a.lines": "a33e1303ca266b0c",
        "port": "82af498652ef4124",
        "on": "b5bea41b6c623f7c",
    }


def test_a_file_that_squid_includes_has_the_digest_that_was_recorded() -> None:
    text = "# which clients\nacl  ours src 192.0.2.0/24 # the office\n\nhttp_access allow ours\n"
    assert includes.digest(text) == "76f43ddc61db8d32d113dd6ebd642574ec003e75d98ec37b59c62b32b74d35b5"


@pytest.mark.parametrize(
    ("wanted", "recorded"),
    [
        ("sha256:0", "sha256:6925206c07480b9f5e44eb427c0f0daf37b9afa0eb0178ab45ed080a64027f25"),
        (
            "scrypt:/etc/squid/peers:0",
            "scrypt:/etc/squid/peers:ec50fad7f2340eccbeb83dd8c4849507d75595270196987d2a84046d24f4ceba",
        ),
    ],
)
def test_what_a_secret_file_is_held_against_has_the_digest_that_was_recorded(wanted: str, recorded: str) -> None:
    assert digest.like("login proxy:pässwort\n".encode(), wanted) == recorded
