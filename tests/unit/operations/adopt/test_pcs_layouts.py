"""Pairs that people build with pcs in other ways: what is taken for the service, and what is refused, and why."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import pytest

from blueprint.platforms import PLATFORMS
from blueprint.site import things
from declaration.load import read
from operations.adopt import site as adoption
from operations.adopt.compare import Outcome
from operations.adopt.describe import describe
from operations.adopt.model import Draft, NodeFacts
from providers.connection.errors import Refused
from providers.connection.fake import FakeNode, fake_cluster
from tests.support import pcs_pair
from tests.support.pcs_pair import altered, primitive
from tests.unit.lifekeeper.fake import Pair
from tests.unit.lifekeeper.sites import site as lifekeeper_site
from tests.unit.lifekeeper.test_providers import fresh, members, up
from tests.unit.operations.adopt.test_lifekeeper import facts
from tests.unit.operations.adopt.test_pcs_pair import SITE, SSH, names, node
from tests.unit.operations.adopt.test_round_trip import OWNER

SQUID_CONF = "/etc/squid/squid.conf"
GROUP_END = "</group>"
VIP_BEGIN = '<primitive class="ocf" id="vip"'
FENCED = ('name="stonith-enabled" value="false"', 'name="stonith-enabled" value="true"')
SBD = PLATFORMS["debian-12"].sbd_defaults
SHARED = "/dev/disk/by-id/virtio-shared"


def pair(files: dict[str, str] | None = None, /, **answers: str) -> list[NodeFacts]:
    """Both nodes, with files besides."""
    nodes = [node(each.name, **answers) for each in SITE.nodes]
    return [replace(each, files={**each.files, **(files or {})}) for each in nodes]


def described(files: dict[str, str] | None = None, /, **answers: str) -> Draft:
    draft = describe(pair(files, **answers), SSH)
    read(draft.site, "found")
    return draft


def with_squid_conf(change: tuple[str, str], **answers: str) -> Draft:
    nodes = pair(**answers)
    assert all(change[0] in each.files[SQUID_CONF] for each in nodes)
    conf = {each.name: each.files[SQUID_CONF].replace(*change) for each in nodes}
    return describe([replace(each, files={**each.files, SQUID_CONF: conf[each.name]}) for each in nodes], SSH)


def told(draft: Draft, word: str) -> list[str]:
    return [str(each) for each in draft.notes if word in each.place]


def test_a_corosync_conf_with_hosts_names_leaves_the_addresses_that_the_nodes_bear() -> None:
    draft = described({"/etc/corosync/corosync.conf": pcs_pair.COROSYNC})
    assert [each["address"] for each in draft.site["nodes"]] == [str(each.address) for each in SITE.nodes]


def test_sbds_device_by_the_agent_of_pcs_is_fencing_by_sbd_kept_as_found() -> None:
    device = primitive("shoot", "stonith:fence_sbd", devices=SHARED)
    conf = f'SBD_DEVICE="{SHARED}"\nSBD_WATCHDOG_DEV=/dev/watchdog\n'
    draft = described({SBD: conf}, cib=altered(FENCED, ("</resources>", f"{device}</resources>")))
    assert draft.site["pacemaker"]["fencing"]["sbd"]["device"] == SHARED
    assert draft.site["pacemaker"]["adopted"]["members"]["fencing"]["id"] == "shoot"
    assert "options" in draft.site["pacemaker"]["adopted"]
    assert {"squid", "address", "mirror"} < set(draft.site["pacemaker"]["adopted"]["members"])
    assert not told(draft, "shoot"), "it is in the file"
    made = {each.name: each.kind for each in things(read(draft.site, "found"), OWNER)}
    assert "pacemaker.found" in {kind for name, kind in made.items() if name.endswith("fencing")}


def test_sbds_device_that_only_the_resource_names_is_known() -> None:
    device = primitive("fencing", "stonith:fence_sbd", devices=SHARED)
    draft = described(cib=altered(FENCED, ("</resources>", f"{device}</resources>")))
    assert draft.site["pacemaker"]["fencing"]["sbd"] == {"device": SHARED}
    assert draft.site["pacemaker"]["adopted"]["members"]["fencing"]["id"] == "fencing", "it has another agent"


def test_other_fencing_is_not_taken_for_none() -> None:
    devices = "".join(primitive(name, "stonith:fence_ipmilan", ip="192.0.2.5") for name in ("ipmi-a", "ipmi-b"))
    draft = described(cib=altered(FENCED, ("</resources>", f"{devices}</resources>")))
    assert draft.site["pacemaker"]["fencing"]["none"] == (
        "fenced by ipmi-a (stonith:fence_ipmilan) and ipmi-b (stonith:fence_ipmilan), which squid-ha adopt left as it "
        "was found"
    )
    assert len(told(draft, "ipmi-a")) == 1
    assert "fences" in told(draft, "ipmi-a")[0]
    assert not told(draft, "fencing"), "it is there"


def test_fencing_that_the_cluster_has_switched_off_is_not_called_fencing() -> None:
    device = primitive("ipmi", "stonith:fence_ipmilan", ip="192.0.2.5")
    draft = described(cib=altered(("</resources>", f"{device}</resources>")))
    assert "without fencing" in draft.site["pacemaker"]["fencing"]["none"]
    assert "stonith-enabled: false" in told(draft, "ipmi")[0]


def test_sbd_on_several_disks_is_kept_like_other_fencing() -> None:
    device = primitive("fencing", "stonith:external/sbd")
    draft = described(
        {SBD: 'SBD_DEVICE="/dev/sdx;/dev/sdy"\n'}, cib=altered(FENCED, ("</resources>", f"{device}</resources>"))
    )
    assert draft.site["pacemaker"]["fencing"]["none"].startswith("fenced by fencing (stonith:external/sbd)")
    assert "several disks (/dev/sdx, /dev/sdy)" in told(draft, "fencing")[0]


def ip(name: str, address: str) -> str:
    return primitive(name, "ocf:heartbeat:IPaddr2", ip=address)


FURTHER = {
    "in another network": (VIP_BEGIN, ip("inside", "172.16.77.9") + VIP_BEGIN),
    "further above Squid": (GROUP_END, ip("second", "192.0.2.19") + GROUP_END),
    "below Squid": (
        '<primitive class="ocf" id="fs_logs"',
        ip("below", "192.0.2.19") + '<primitive class="ocf" id="fs_logs"',
    ),
}


@pytest.mark.parametrize("where", FURTHER)
def test_of_several_addresses_the_clients_one_next_to_squid_is_taken_and_the_others_are_told(where: str) -> None:
    draft = described(cib=altered(FURTHER[where]))
    assert draft.site["virtual_ip"] == "192.0.2.10"
    assert draft.site["pacemaker"]["adopted"]["members"]["address"]["id"] == "vip"
    (name,) = re.findall(r'id="(inside|second|below)"', FURTHER[where][1])
    assert told(draft, name)[0].endswith("is a further member of the service; it stays as it is")


def mounted(name: str, device: str, directory: str, kind: str = "ext4") -> str:
    return primitive(name, "ocf:heartbeat:Filesystem", device=device, directory=directory, fstype=kind)


def test_the_filesystem_on_drbd_is_the_mirrors_and_another_one_is_told() -> None:
    before = '<primitive class="ocf" id="fs_logs"'
    draft = described(cib=altered((before, mounted("pages", "/dev/vg0/pages", "/srv/pages") + before)))
    assert draft.site["mirror"]["mount_point"] == "/srv/proxy"
    assert draft.site["pacemaker"]["adopted"]["members"]["filesystem"]["id"] == "fs_logs"
    assert told(draft, "pages")[0].endswith("is a further member of the service; it stays as it is")
    assert draft.changes == []


NOT_TIED = (r'<primitive class="ocf" id="vip".*?</primitive>', r"</group>")


def untied(constraint: str = "", *more: str) -> str:
    """The address outside of the group."""
    text = pcs_pair.CIB
    (vip,) = re.findall(NOT_TIED[0], text, re.DOTALL)
    text = text.replace(vip, "").replace(GROUP_END, GROUP_END + vip + "".join(more))
    return text.replace("<constraints>", f"<constraints>{constraint}")


def cloned() -> str:
    squid = '<primitive class="systemd" id="proxy" type="squid"/>'
    text = re.sub(r'<primitive class="systemd" id="proxy".*?</primitive>', "", untied(), flags=re.DOTALL)
    return text.replace(GROUP_END, f'{GROUP_END}<clone id="proxy-clone">{squid}</clone>')


def without_squid() -> str:
    return re.sub(r'<primitive class="systemd" id="proxy".*?</primitive>', "", pcs_pair.CIB, flags=re.DOTALL)


FINITE = '<rsc_colocation id="c" rsc="vip" with-rsc="proxy-group" score="500"/>'
REFUSED = {
    "a cloned Squid": (cloned(), r"as the clone proxy-clone, and only .*vip .*pcs resource unclone proxy"),
    "an address by a finite score": (untied(FINITE), r"vip \(192\.0\.2\.10\) .* finite score .* INFINITY"),
    "an address by itself": (untied(), r"vip \(192\.0\.2\.10\) .*not tied at all.* add vip with proxy"),
    "no resource for Squid": (without_squid(), r"no resource for Squid .* INFINITY"),
    "no address": (
        re.sub(NOT_TIED[0], "", pcs_pair.CIB, flags=re.DOTALL),
        r"no address that moves with proxy.*INFINITY",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_does_not_move_together_is_refused_in_a_sentence(what: str) -> None:
    cib, sentence = REFUSED[what]
    with pytest.raises(ValueError, match=sentence):
        describe(pair(cib=cib), SSH)


FS_TYPE = 'name="fstype" value="ext4"'
UNLIKE: dict[str, tuple[dict[str, str], str]] = {
    "a type without a word": ({"cib": altered((FS_TYPE, FS_TYPE.replace("ext4", "btrfs")))}, "`btrfs`"),
    "a filesystem on something else": ({"cib": altered(("/dev/drbd0", "/dev/vg0/logs"))}, "mounts /dev/vg0/logs"),
    "a resource that drbdadm does not show": ({"dump": ""}, "drbdadm dump"),
    "a resource that is unknown": ({"mirrors": ""}, "not known on qsp-a and qsp-b"),
    "DRBD alone": (
        {
            "cib": re.sub(r'<primitive class="ocf" id="fs_logs".*?</primitive>', "", pcs_pair.CIB, flags=re.DOTALL)
        },
        "no filesystem of the service lies on it",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", UNLIKE)
def test_a_mirror_that_cannot_be_declared_is_a_change_and_its_members_are_listed(what: str) -> None:
    answers, reason = UNLIKE[what]
    draft = describe(pair(**answers), SSH)
    (change,) = draft.changes
    assert change.startswith("mirror: is there, and the file would have none of it (drbd_logs (ocf:linbit:drbd)")
    assert reason in change
    assert "mirror" not in draft.site
    assert "mirror" not in draft.site["pacemaker"]["adopted"]
    assert told(draft, "drbd_logs")


def test_a_filesystem_with_squids_logs_that_is_not_tied_to_squid_is_a_change() -> None:
    found = re.search(r'<primitive class="ocf" id="fs_logs".*?</primitive>', pcs_pair.CIB, re.DOTALL)
    assert found is not None
    loose = pcs_pair.CIB.replace(found[0], "").replace(GROUP_END, GROUP_END + found[0])
    loose = loose.replace('rsc="proxy-group"', 'rsc="fs_logs"').replace('then="proxy-group"', 'then="fs_logs"')
    (change,) = describe(pair(cib=loose), SSH).changes
    assert "fs_logs mounts /srv/proxy, where Squid's logs lie" in change


async def test_what_cannot_be_declared_is_told_beside_what_up_would_change(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = names()
    nodes = pair()
    nodes[1] = node(second, mirrors=f"r0 {'b' * 64}\n")

    async def found(*_given: object) -> Sequence[NodeFacts]:
        return nodes

    async def compared(*_given: object) -> Outcome:
        return Outcome(["packages: more"], {})

    monkeypatch.setattr(adoption, "read", found)
    monkeypatch.setattr(adoption.compare, "compare", compared)
    cluster = fake_cluster(FakeNode(first, lambda _: ""), FakeNode(second, lambda _: ""))
    adopted = await adoption.adopt(cluster, "x", {}, SSH)
    assert [each.partition(":")[0] for each in adopted.changes] == ["mirror", "packages"]
    nodes[1] = node(second, cib=cloned())
    nodes[0] = node(first, cib=cloned())
    with pytest.raises(Refused, match="as the clone proxy-clone"):
        await adoption.adopt(cluster, "x", {}, SSH)


async def test_the_rotation_of_an_adopted_mirror_is_left_out_beside_what_else_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def found(*_given: object) -> Sequence[NodeFacts]:
        return pair()

    async def compared(*_given: object) -> Outcome:
        return Outcome([], {"things": ["squid-profile"], "without": ["/etc/x"]})

    monkeypatch.setattr(adoption, "read", found)
    monkeypatch.setattr(adoption.compare, "compare", compared)
    adopted = await adoption.adopt(fake_cluster(*(FakeNode(name, lambda _: "") for name in names())), "x", {}, SSH)
    assert adopted.site.adopted is not None
    assert list(adopted.site.adopted.things) == ["rotation", "squid-profile"]
    assert list(adopted.site.adopted.without) == ["/etc/x"]


def test_a_log_by_squids_usual_module_is_declared_and_its_module_told() -> None:
    nodes = pair()
    conf = re.sub(r"^access_log .*\n", "", nodes[0].files[SQUID_CONF], flags=re.MULTILINE)
    lines = (
        "access_log /srv/proxy/log/squid.log squid\naccess_log daemon:/var/log/squid/all.txt\n"
        "access_log /srv/proxy/log/squid.log.errors squid\n"
    )
    draft = describe([replace(each, files={**each.files, SQUID_CONF: conf + lines}) for each in nodes], SSH)
    log = read(draft.site, "found").log
    assert (log.access, log.mirror_directory, log.mirror_file) == ("mirror", "log", "squid.log")
    assert [each for each in told(draft, SQUID_CONF) if "/srv/proxy/log/squid.log " in each and "`daemon`" in each]
    assert not log.additional, "names that the declaration refuses"
    assert [each for each in told(draft, SQUID_CONF) if "all.txt" in each and "does not end in `.log`" in each]
    assert [each for each in told(draft, SQUID_CONF) if "errors" in each and "begins like `squid.log`" in each]


def test_logs_in_the_mount_point_itself_are_declared_so_where_the_mirror_is_adopted() -> None:
    draft = with_squid_conf(("/srv/proxy/log/", "/srv/proxy/"))
    assert draft.site["log"]["mirror_directory"] == "."
    assert read(draft.site, "found").log.access == "both"


def test_logs_in_the_mount_point_of_lifekeepers_mirror_are_told() -> None:
    declared, found = lifekeeper_site(3), fresh()
    up(found, members(3))
    draft = describe(_moved(found, declared, "/mnt/mirror/squid/", "/mnt/mirror/"), {"user": "root"})
    assert "mirror_directory" not in draft.site["log"]
    assert [each for each in told(draft, SQUID_CONF) if "/mnt/mirror itself" in each]
    read(draft.site, "found")


def _moved(found: Pair, declared: object, old: str, new: str) -> list[NodeFacts]:
    return [
        replace(each, files={**each.files, SQUID_CONF: each.files[SQUID_CONF].replace(old, new)})
        for each in facts(found, declared)
    ]


@pytest.mark.parametrize(
    "line", ["access_log stdio:/srv/proxy/more/x.log squid", "cache_log /srv/proxy/more/cache.log"]
)
def test_a_further_directory_of_squids_logs_on_the_mirror_is_told(line: str) -> None:
    draft = with_squid_conf(
        ("http_port", f"{line}\nhttp_port") if line[0] == "c" else ("cache_log", f"{line}\ncache_log")
    )
    assert draft.site["log"]["mirror_directory"] == "log"
    assert [each for each in told(draft, SQUID_CONF) if "logs in /srv/proxy/more too" in each]


@pytest.mark.parametrize("folder", ["/srv/proxy/", "/srv/proxy/a/b/"])
def test_the_cache_on_the_mirror_is_found_wherever_the_logs_lie(folder: str) -> None:
    nodes = pair()
    cache = "cache_dir aufs /srv/proxy/cache 1024 16 256\n"
    conf = {each.name: cache + each.files[SQUID_CONF].replace("/srv/proxy/log/", folder) for each in nodes}
    draft = describe([replace(each, files={**each.files, SQUID_CONF: conf[each.name]}) for each in nodes], SSH)
    assert draft.site["squid"]["cache"]["disk"] == {"size": "1024M", "where": "mirror"}
