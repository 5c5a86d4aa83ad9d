"""What is left as found: out of the site's things, compared by digest, and never brought back by a guess."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from blueprint.adopted import settings_of
from blueprint.site import things
from declaration.errors import DeclarationError
from declaration.load import read
from operations.adopt.compare import Outcome, _judge
from operations.adopt.describe import describe
from operations.adopt.model import NodeFacts
from operations.cli.adopt import parse_nodes
from operations.trouble import Misused
from providers import reconcile
from providers.connection.errors import Refused
from providers.connection.fake import FakeNode, fake_cluster
from providers.connection.files import Found
from providers.contract import Absent, Present
from providers.host import settings_kind
from providers.host.settings import FileState, NodeSettings, read_settings
from tests.support.phases import example

CONF = "/etc/squid/squid.conf"
DROP_IN = "/etc/systemd/system/squid.service.d/squid-ha.conf"
ENTRY = {"path": CONF, "node": "qsp-a", "sha256": "a" * 64, "mode": "0644", "owner": "root:root"}


def site(**adopted: Any):
    return read(example(1) | {"adopted": adopted}, "the test")


def test_what_is_kept_is_wanted_by_its_digest_and_the_rest_is_not_wanted() -> None:
    made = {each.name: each for each in things(site(files=[ENTRY], without=[DROP_IN], things=["squid-profile"]), "x/y")}
    assert "squid-profile" not in made
    files = settings_of(made["squid-config"].inputs)["qsp-a"].files
    assert files == {CONF: FileState(content=f"as-found:{'a' * 64}", mode="0644", owner="root:root")}


@pytest.mark.parametrize("owner", ["root:domain users", "EXAMPLE\\admin:1000", "proxy:Domänen-Benutzer"])
async def test_a_file_of_a_directory_services_group_is_seen_kept_and_given_back_to_it(owner: str) -> None:
    made = {each.name: each for each in things(site(files=[ENTRY | {"owner": owner}]), "x/y")}
    wanted = settings_of(made["squid-config"].inputs)["qsp-a"].files[CONF]
    assert wanted.owner == owner
    node = FakeNode("qsp-a", lambda _command: f"file {'640' if node.written else '644'} 0:7 {owner}\n\n")
    seen = await read_settings(node, NodeSettings(files={CONF: wanted}))
    assert seen.files[CONF].owner == owner
    before = NodeSettings(files={CONF: FileState(content="", mode="0640", owner=owner)})
    await reconcile.apply(settings_kind, fake_cluster(node), settings_kind.Wanted(nodes={"qsp-a": before}))
    assert [each.argv[-2:] for each in node.written] == [("0640", owner)]


@pytest.mark.parametrize("owner", ["root", "root:a:b", "root: users", "root:users ", "root:a  b", ":users"])
def test_what_is_no_owner_and_group_is_refused(owner: str) -> None:
    with pytest.raises(DeclarationError, match="a user and a group, such as"):
        site(files=[ENTRY | {"owner": owner}])


def including(**more: Any) -> dict[str, Any]:
    raw = example(2) | more
    return raw | {"squid": raw["squid"] | {"include": ["/etc/squid/conf.d/*.conf"]}}


def test_what_a_kept_squid_conf_includes_is_not_looked_into() -> None:
    def included(**more: Any) -> list[str]:
        made = things(read(including(**more), "the test"), "x/y")
        inputs: Any = next(each.inputs for each in made if each.name == "squid-config")
        return list(inputs.included)

    assert included() == ["qsp-a", "qsp-b"]
    assert included(adopted={"files": [ENTRY]}) == ["qsp-b"]
    assert included(adopted={"without": [CONF]}) == []


def test_what_up_would_not_look_at_is_not_said_to_be_changed() -> None:
    declared, outcome = read(including(), "the test"), Outcome()
    thing = next(each for each in things(declared, "x/y") if each.name == "squid-config")
    wanted: Any = thing.inputs
    node = wanted.nodes["qsp-a"]
    files = node.files | {CONF: FileState(content="x", mode="0644", owner="root:root")}
    nodes = wanted.nodes | {"qsp-a": node.model_copy(update={"files": files})}
    seen = wanted.model_copy(update={"nodes": nodes, "included": {"qsp-a": "refused: x", "qsp-b": "refused: y"}})
    found = {"qsp-a": {CONF: Found(CONF, "file", b"x", "0644", "root:root")}, "qsp-b": {}}
    _judge(outcome, declared, thing, Present(seen), found)
    assert [each for each in outcome.changes if "included" in each] == [
        'squid-config: included.qsp-b: wanted "as accepted", found "refused: y"'
    ]


def test_without_the_section_nothing_differs() -> None:
    assert things(site(), "x/y") == things(read(example(1), "the test"), "x/y")


async def test_a_kept_file_that_changed_is_refused_before_anything_is_written() -> None:
    node = FakeNode("qsp-a", lambda command: "file 644 0:0 root:root\nbmV3\n")
    digest = hashlib.sha256(b"old").hexdigest()
    file = FileState(content=f"as-found:{digest}", mode="0644", owner="root:root")
    wanted = settings_kind.Wanted(nodes={"qsp-a": NodeSettings(files={CONF: file})})
    with pytest.raises(Refused, match="adopted as it was found"):
        await reconcile.apply(settings_kind, fake_cluster(node), wanted)
    assert not node.written
    same = FileState(content=f"as-found:{hashlib.sha256(b'new').hexdigest()}", mode="0644", owner="root:root")
    wanted = settings_kind.Wanted(nodes={"qsp-a": NodeSettings(files={CONF: same})})
    await reconcile.apply(settings_kind, fake_cluster(node), wanted)


def judged(name: str, observed: Any, found: dict[str, Found] | None = None) -> Outcome:
    declared = site()
    outcome = Outcome()
    thing = next(each for each in things(declared, "x/y") if each.name == name)
    _judge(outcome, declared, thing, observed(thing.inputs), {"qsp-a": found or {}})
    return outcome


def test_what_up_would_change_is_told() -> None:
    assert judged("packages", lambda wanted: Absent()).changes == ["packages: is not there, and would be made"]
    less = judged("packages", lambda wanted: Present(wanted.model_copy(update={"nodes": {"qsp-a": {}}})))
    assert any("squid" in each for each in less.changes)
    assert judged("packages", Present) == Outcome()
    assert judged("squid-profile", lambda wanted: Absent()).adopted == {"things": ["squid-profile"]}


def test_another_text_is_kept_and_a_unit_that_does_not_run_is_told() -> None:
    def by_hand(wanted: Any) -> Present[Any]:
        node = wanted.nodes["qsp-a"]
        files = node.files | {
            CONF: FileState(content="x", mode="0640", owner="root:proxy", check=node.files[CONF].check)
        }
        off = {name: unit.model_copy(update={"active": "inactive"}) for name, unit in node.units.items()}
        seen = node.model_copy(update={"files": files, "units": off})
        return Present(wanted.model_copy(update={"nodes": {"qsp-a": seen}}))

    outcome = judged("squid-config", by_hand, {CONF: Found(CONF, "file", b"x", "0640", "root:proxy")})
    (entry,) = outcome.adopted["files"]
    assert (entry["sha256"], entry["mode"]) == (hashlib.sha256(b"x").hexdigest(), "0640")
    assert [each for each in outcome.changes if "squid.service" in each and "inactive" in each], outcome
    assert not [each for each in outcome.changes if CONF in each]


def facts(text: str, **more: Any) -> NodeFacts:
    given: dict[str, Any] = {
        "name": "qsp-a",
        "platform": "debian-12",
        "hostname": "qsp-a",
        "addresses": {"eth0": {"192.0.2.11": 24}},
        "files": {CONF: text},
        "connect_to": "192.0.2.11",
    }
    return NodeFacts(**(given | more))


LOST = {
    "delay_pools 1": "delay_pools 1",
    "access_log daemon:/var/log/squid/access.log squid": "module `daemon`",
    "access_log syslog:local4 squid": "a log to syslog:local4",
    "acl bad url_regex evil\nhttp_access deny bad": "the access list bad of the kind url_regex",
    'acl bad dstdomain "/etc/squid/bad"\nhttp_access deny bad': 'list bad in a file of its own, "/etc/squid/bad"',
    'acl my_ports port "/etc/squid/ports"\nhttp_access deny !my_ports': "a condition that must not hold",
    "cache_peer up.example.org parent 3128 0 login=ops:hidden": "its login, without which this parent is declared",
    "acl a src 192.0.2.0/24\nhttp_access deny !a\nhttp_access deny all": "a condition that must not hold",
    "auth_param basic program /usr/lib/squid/basic_ncsa_auth /etc/squid/passwd": "auth_param basic program",
}


@pytest.mark.parametrize("text", LOST)
def test_what_has_no_words_is_named_with_its_line(text: str) -> None:
    draft = describe([facts(f"http_port 3128\n{text}\n")], {"user": "ops"})
    assert [each for each in draft.notes if LOST[text] in each.what and "squid.conf line" in each.place], draft.notes


SECRETS = {
    "cachemgr_passwd hidden all": "cachemgr_passwd … all",
    "cache_peer up.example.org parent 3128 0 login=ops:hidden": "cache_peer up.example.org parent 3128 0 login=ops:…",
    "cache_peer up.example.org sibling 3128 0 login=ops:hidden": "login=ops:…",
    "auth_param basic program /usr/lib/squid/basic_db_auth --user squid --password hidden --persist": "--password … -",
    "auth_param basic program /usr/lib/squid/basic_ldap_auth -b dc=x -D cn=y -w hidden ldap.example.org": "-w … ldap",
    "auth_param basic program /usr/lib/squid/basic_radius_auth -h r -whidden": "-h r -w…",
    "wccp2_service dynamic 80 password=hidden": "password=…",
    "acl readers snmp_community hidden": "acl readers snmp_community …",
}


@pytest.mark.parametrize("text", SECRETS)
def test_no_password_is_said_again(text: str) -> None:
    draft = describe([facts(f"http_port 3128\n{text}\n")], {"user": "ops"})
    assert [each for each in draft.notes if SECRETS[text] in each.what], draft.notes
    assert "hidden" not in str(draft.notes) + str(draft.site)


def test_what_cannot_be_described_at_all_is_said() -> None:
    with pytest.raises(ValueError, match="there is no Squid to adopt"):
        describe([facts("", files={})], {})
    with pytest.raises(ValueError, match="the nodes run fedora-41"):
        describe([facts("", platform="fedora-41")], {})
    with pytest.raises(ValueError, match="no engine"):
        describe([facts(""), facts("", name="qsp-b")], {})


def test_an_engine_that_is_stopped_on_one_node_is_told_with_the_node_on_which_to_start_it() -> None:
    running = frozenset({"corosync.service", "pacemaker.service"})
    with pytest.raises(ValueError, match="pacemaker runs on qsp-b, and not on qsp-a: start it there"):
        describe([facts(""), facts("", name="qsp-b", active=running)], {})


def test_nodes_on_the_command_line() -> None:
    assert parse_nodes("qsp-a=ops@192.0.2.11:2222,qsp-b=ops@[2001:db8::1]:2222") == {
        "qsp-a": ("ops", "192.0.2.11", 2222),
        "qsp-b": ("ops", "2001:db8::1", 2222),
    }
    for wrong in ("qsp-a", "qsp-a=x@1.2.3.4,qsp-b=y@1.2.3.5", "a=h,a=h", "a=h,b=h,c=h"):
        with pytest.raises(Misused):
            parse_nodes(wrong)


@pytest.mark.parametrize("engine", ["pacemaker", "lifekeeper"])
def test_a_mount_point_and_a_rotation_that_are_left_as_found_ask_for_nothing_on_the_mirror(engine: str) -> None:
    raw = example(3) | {"engine": engine}
    mirror = {"pacemaker": "filesystem", "lifekeeper": "tree-mirror"}[engine]
    files = {"pacemaker": "filesystem", "lifekeeper": "tree-filesystem"}[engine]
    by_name: dict[str, Any] = {each.name: each.inputs for each in things(read(raw, "the test"), "x/y")}
    assert set(by_name[mirror].mount_points.values()) == {"0000 root:root i"}
    assert "rotation" in by_name[files].directories
    left = raw | {"adopted": {"things": ["rotation", "mount-point"]}}
    by_name = {each.name: each.inputs for each in things(read(left, "the test"), "x/y")}
    assert by_name[mirror].mount_points == {}
    assert set(by_name[files].directories) == {"squid"}
    assert "rotation" not in by_name


def test_a_mount_point_that_anybody_could_write_to_is_left_as_found() -> None:
    declared = read(example(3), "the test")
    (thing,) = (each for each in things(declared, "x/y") if each.name == "filesystem")
    wanted: Any = thing.inputs
    seen = wanted.model_copy(update={"mount_points": dict.fromkeys(wanted.mount_points, "0755 root:root")})
    outcome = Outcome()
    _judge(outcome, declared, thing, Present(seen), {})
    assert (outcome.changes, outcome.adopted) == ([], {"things": ["mount-point"]})
