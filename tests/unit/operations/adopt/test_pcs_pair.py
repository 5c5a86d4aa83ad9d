"""A Pacemaker pair that somebody built with pcs: described with its own names, and nothing in it is made anew."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from blueprint.engines.pacemaker.found import mirror_resource
from blueprint.site import things
from declaration.errors import DeclarationError
from declaration.load import read
from operations.adopt.describe import describe
from operations.adopt.model import Draft, NodeFacts
from providers.connection.command import Result, command
from providers.pacemaker import definition, found, found_options
from providers.pacemaker.cib import Cib
from tests.support import pcs_pair
from tests.support.phases import example
from tests.unit.operations.adopt.test_round_trip import OWNER, facts_of

SSH = {"user": "ops"}
SITE = read(example(3), "the example")


def node(name: str, **answers: str) -> NodeFacts:
    """A node of a pair with the example's Squid, and a cluster made by hand."""
    deployed = facts_of(SITE, name)
    told = {"cib": pcs_pair.CIB, "mirrors": pcs_pair.DIGESTS, "dump": pcs_pair.DUMP, **answers}
    results = {key: Result(command("true"), 0, text, "") for key, text in told.items()}
    files = {path: text for path, text in deployed.files.items() if "drbd" not in path and "sbd" not in path}
    files = {path: text.replace("/mnt/mirror/squid/", "/srv/proxy/log/") for path, text in files.items()}
    return replace(deployed, answers=results, files=files)


def described(**answers: str) -> Draft:
    return describe([node(name.name, **answers) for name in SITE.nodes], SSH)


def names() -> tuple[str, str]:
    first, second = SITE.nodes
    return first.name, second.name


def test_its_members_stay_under_their_own_names():
    draft = described()
    members = draft.site["pacemaker"]["adopted"]["members"]
    assert {name: each["id"] for name, each in members.items()} == {
        "mirror": "drbd_logs", "filesystem": "fs_logs", "squid": "proxy", "address": "vip",
    }  # fmt: skip
    assert draft.site["virtual_ip"] == "192.0.2.10"
    assert draft.site["mirror"]["mount_point"] == "/srv/proxy"
    assert draft.site["mirror"]["filesystem"] == "ext4"
    assert (draft.site["log"]["access"], draft.site["log"]["mirror_directory"]) == ("both", "log")
    assert draft.site["pacemaker"]["adopted"]["mirror"] == {"resource": "r0", "sha256": pcs_pair.DIGEST}


def test_options_that_are_set_stay_and_no_others_are_made():
    draft = described()
    assert draft.site["pacemaker"]["adopted"]["options"] == {
        "no-quorum-policy": "ignore", "stonith-enabled": "false", "resource-stickiness": "1",
    }  # fmt: skip
    made = {thing.name: thing for thing in things(read(draft.site, "found"), OWNER)}
    wanted = made["found-options"].inputs
    assert isinstance(wanted, found_options.Wanted)
    assert {name: value for name, value in wanted.properties.items() if value} == {
        "no-quorum-policy": "ignore", "stonith-enabled": "false",
    }  # fmt: skip
    assert wanted.properties["stonith-timeout"] is None, "one that is set later has to be seen"
    assert wanted.operation_defaults == {"timeout": None}


def test_what_the_site_is_made_of_names_the_found_and_makes_none_of_its_own():
    site = read(described().site, "found")
    made = {thing.name: thing for thing in things(site, OWNER)}
    members = ("found-tree-mirror", "found-tree-filesystem", "found-tree-squid", "found-tree-address")
    assert {made[name].kind for name in members} == {"pacemaker.found"}
    assert made["found-mirror"].kind == "storage.found"
    assert not {"mirror", "tree-squid", "tree-address", "options"} & set(made), "each has a journal of its own"
    assert "filesystem" not in made
    assert "reachability" not in made
    inputs = made["found-tree-squid"].inputs
    assert isinstance(inputs, found.Wanted)
    assert inputs.definition == definition.digest(Cib.parse(pcs_pair.CIB), "proxy")
    assert mirror_resource(site) == "r0"


def test_what_the_cluster_runs_besides_is_listed():
    assert [each for each in described().notes if "mail" in each.place]


def test_a_mirror_that_differs_between_the_nodes_is_not_adopted_and_the_reason_is_told():
    first, second = names()
    pair = [node(first), node(second, mirrors=f"r0 {'b' * 64}\n")]
    draft = describe(pair, SSH)
    assert "mirror" not in draft.site
    assert [each for each in draft.changes if "r0" in each and "otherwise" in each]
    assert set(draft.site["pacemaker"]["adopted"]["members"]) == {"squid", "address"}


def test_a_pair_without_a_mirror_is_described_too():
    draft = described(cib=pcs_pair.WITHOUT_MIRROR, mirrors="", dump="")
    assert set(draft.site["pacemaker"]["adopted"]["members"]) == {"squid", "address"}
    assert "mirror" not in draft.site
    assert things(read(draft.site, "found"), OWNER)


@pytest.mark.parametrize("member", ["squid", "address", "filesystem", "mirror"])
def test_a_service_that_is_adopted_in_part_is_refused(member):
    draft = described()
    del draft.site["pacemaker"]["adopted"]["members"][member]
    with pytest.raises(DeclarationError, match=rf"pacemaker\.adopted\.m\w+(\.{member})?"):
        read(draft.site, "found")


STOPPED = '<meta_attributes id="m"><nvpair id="t" name="target-role" value="Stopped"/></meta_attributes>'
CHANGES: dict[str, tuple[str, str, set[str]]] = {
    "another parameter": ('name="ip" value="192.0.2.10"', 'name="ip" value="192.0.2.99"', {"vip"}),
    "another limit": ('name="monitor" timeout="60s"', 'name="monitor" timeout="9s"', {"proxy"}),
    "stopped by hand, which is told by what runs": (
        '<primitive class="systemd" id="proxy" type="squid">',
        f'<primitive class="systemd" id="proxy" type="squid">{STOPPED}',
        set(),
    ),
    "an empty set that a tool has left": (
        '<primitive class="systemd" id="proxy" type="squid">',
        '<primitive class="systemd" id="proxy" type="squid"><meta_attributes id="m"/>',
        set(),
    ),
    "another member at the end of the group": (
        "</group>",
        '<primitive class="ocf" id="more" provider="heartbeat" type="MailTo"/></group>',
        set(),
    ),
    "pinned to a node by a pattern": (
        "<constraints>",
        '<constraints><rsc_location id="p" rsc-pattern="^vi" node="qsp-a" score="INFINITY"/>',
        {"vip"},
    ),
    "untied from the mirror": ('with-rsc="drbd_logs-clone"', 'with-rsc="drbd_other-clone"', {"fs_logs"}),
    "another order": ('first-action="promote"', 'first-action="start"', {"fs_logs"}),
    "a clone that is not told of moves": ('name="notify" value="true"', 'name="notify" value="false"', {"drbd_logs"}),
}  # fmt: skip
ALL = ("drbd_logs", "fs_logs", "proxy", "vip")


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_of_what_was_found_is_told_of_its_own_member(what):
    old, new, expected = CHANGES[what]
    before, after = Cib.parse(pcs_pair.CIB), pcs_pair.changed(old, new)
    assert {name for name in ALL if definition.digest(before, name) != definition.digest(after, name)} == expected


@pytest.mark.parametrize(
    "mark",
    [
        '<rsc_location id="cli-prefer-vip" rsc="vip" role="Started" node="qsp-a" score="INFINITY"/>',
        '<rsc_location id="drbd-fence-by-handler-r0-drbd_logs-clone" rsc="drbd_logs-clone"/>',
    ],
)
def test_marks_of_tools_are_no_change(mark):
    before, after = Cib.parse(pcs_pair.CIB), pcs_pair.changed("<constraints>", f"<constraints>{mark}")
    assert [definition.digest(after, name) for name in ALL] == [definition.digest(before, name) for name in ALL]


def test_a_member_that_moved_to_the_other_place_in_its_group_is_told():
    text: Any = pcs_pair.CIB
    start, end = text.index('<primitive class="ocf" id="vip"'), text.index("</group>")
    moved = text[:start] + text[end:]
    moved = moved.replace('<group id="proxy-group">', '<group id="proxy-group">' + text[start:end])
    before, after = Cib.parse(text), Cib.parse(moved)
    assert definition.digest(before, "vip") != definition.digest(after, "vip")
    assert definition.digest(after, "gone") is None
