"""What a scan makes of what hosts say: outcome, place and origin of each difference."""

from __future__ import annotations

import asyncio
import io
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from blueprint.site import things
from blueprint.thing import Thing
from declaration.load import read
from declaration.types import Secret
from operations.drift import Outcome, Subject, github, junit, prometheus, scan, show, worst
from providers import applied
from providers.connection.answers import not_understood
from providers.connection.cluster import Cluster
from providers.connection.errors import CommandFailed, HostKeyRefused, TimedOut, Unknown, Unreachable
from providers.connection.loop import run_sync
from providers.contract import Absent, Present
from providers.roles import Notice
from providers.squid import config
from tests.support.sites import lab_settings, lab_site
from tests.unit.operations.drift.conftest import NODES, FakeKind, Gone, OfCluster, OfNode, PerNode, World


def cases(report) -> dict[tuple[str, str], str]:
    return {(case.thing, case.node): case.outcome.value for case in report.sites[0].cases}


def found(report) -> list[tuple[str, str, str, str]]:
    return [(each.thing, each.node, each.property, each.origin) for each in report.sites[0].findings]


ALL_CLEAN = {
    ("node-1", "qsp-a"): "clean",
    ("node-2", "qsp-b"): "clean",
    ("files", "qsp-a"): "clean",
    ("files", "qsp-b"): "clean",
    ("options", ""): "clean",
}


def with_file(text: str | None, node: str = "qsp-b"):
    return lambda wanted: wanted.model_copy(update={"nodes": {**wanted.nodes, node: {"/etc/x": text}}})


def test_what_is_as_declared_is_clean_with_a_case_per_thing_and_node(world: World, look) -> None:
    world.deploy()
    report = look()
    assert (report.outcome, cases(report), found(report)) == (Outcome.CLEAN, ALL_CLEAN, [])


def test_a_change_on_a_host_is_named_with_its_node(world: World, look) -> None:
    world.deploy()
    world.live["files"] = with_file("one\nthree\n")
    world.live["options"] = lambda wanted: OfCluster(options={"stickiness": "0"})
    report = look()
    assert report.outcome == Outcome.DRIFT
    assert found(report) == [
        ("files", "qsp-b", 'nodes.qsp-b["/etc/x"]', "host"),
        ("options", "", "options.stickiness", "host"),
    ]
    assert cases(report) == {**ALL_CLEAN, ("files", "qsp-b"): "drift", ("options", ""): "drift"}


def test_what_was_edited_and_not_deployed_is_told_apart(world: World, look) -> None:
    world.deploy()
    old = PerNode.model_validate(world.things[2].inputs.model_dump())
    edited = PerNode(nodes={name: {"/etc/x": "new\n"} for name in ("qsp-a", "qsp-b")})
    world.things[2] = type(world.things[2])("files", "files", edited, "hosts")
    world.live["files"] = lambda wanted: old
    assert {origin for *_, origin in found(look())} == {"edited"}
    world.kinds.clear()
    world.live["files"] = lambda wanted: PerNode(nodes={**old.nodes, "qsp-b": {"/etc/x": "by hand\n"}})
    assert [each[1::2] for each in found(look())] == [("qsp-a", "edited"), ("qsp-b", "both")]


def test_an_edit_that_the_hosts_do_not_show_is_found_too(world: World, look) -> None:
    world.deploy()
    edited = PerNode(nodes={"qsp-a": {"/etc/x": "one\ntwo\n", "/etc/y": "y"}, "qsp-b": {}})
    world.things[2] = type(world.things[2])("files", "files", edited, "hosts")
    assert found(look()) == [
        ("files", "qsp-a", 'nodes.qsp-a["/etc/y"]', "edited"),
        ("files", "qsp-b", 'nodes.qsp-b["/etc/x"]', "edited"),
    ]


def test_a_thing_that_is_no_longer_declared_is_named_on_each_node(world: World, look) -> None:
    world.deploy()
    del world.things[2]
    report = look()
    assert found(report) == [("files", "qsp-a", "", "edited"), ("files", "qsp-b", "", "edited")]
    assert "pulumi up" in report.sites[0].findings[0].note


def test_a_change_that_was_begun_and_never_finished_is_drift_although_all_is_as_declared(world: World, look) -> None:
    """As a maintenance mode that a run which was cut off has left on: nothing that is declared shows it."""
    world.deploy()
    world.begun = {"qsp-a": "files/pending-maintenance\nfiles/file %2Fetc%2Fx\noptions/pending\nnode-1/found\n"}
    report = look()
    assert found(report) == [("files", "qsp-a", "", "begun"), ("options", "", "", "begun")]
    assert all("never finished" in each.note for each in report.sites[0].findings)


def test_what_a_failed_run_began_and_nobody_declares_any_more_is_named(world: World, look) -> None:
    world.deploy()
    world.begun = {"qsp-b": "kept/%2Fdev%2Fsdb\napplied/files\nfirewall/file %2Fetc%2Fx\nfirewall/unit y\n"}
    report = look()
    assert found(report) == [("firewall", "qsp-b", "", "begun")]
    assert "begun and never finished" in report.sites[0].findings[0].note


@pytest.mark.parametrize(("deployed", "origin"), [(True, "host"), (False, "edited")])
def test_a_thing_that_is_not_there_was_removed_or_never_made(world: World, look, deployed, origin) -> None:
    if deployed:
        world.deploy()
    world.live["files"] = lambda wanted: None
    assert found(look()) == [("files", "qsp-a", "", origin), ("files", "qsp-b", "", origin)]


def reinstalled(world: World, node: str = "qsp-b") -> None:
    """Nothing is noted there any more."""
    world.journals.opened = {key: each for key, each in world.journals.opened.items() if key[0] != node}


def test_a_node_that_was_installed_anew_was_changed_and_not_the_declaration(world: World, look) -> None:
    """What the other node has noted tells that it was deployed; `pulumi up` alone would find nothing to do."""
    world.deploy()
    reinstalled(world)
    world.live["host.node"] = lambda wanted: None if wanted.node == "qsp-b" else wanted
    world.live["files"] = with_file(None)
    world.live["options"] = lambda wanted: OfCluster(options={"stickiness": "0"})
    assert found(look()) == [
        ("node-2", "qsp-b", "", "host"),
        ("files", "qsp-b", 'nodes.qsp-b["/etc/x"]', "host"),
        ("options", "", "options.stickiness", "host"),
    ]
    world.kinds.clear()
    world.live["files"] = lambda wanted: None
    assert found(look())[1:3] == [("files", "qsp-a", "", "host"), ("files", "qsp-b", "", "host")]
    world.live["host.node"] = lambda wanted: OfNode(node=wanted.node, owner="" if wanted.node == "qsp-b" else "x")
    world.kinds.clear()
    assert ("node-2", "qsp-b", "owner", "host") in found(look())


def test_what_was_edited_since_is_told_apart_on_a_node_that_was_installed_anew(world: World, look) -> None:
    world.deploy()
    reinstalled(world)
    edited = PerNode(nodes={name: {"/etc/x": "new\n"} for name in NODES})
    world.things[2] = type(world.things[2])("files", "files", edited, "hosts")
    world.live["files"] = lambda wanted: PerNode(nodes={"qsp-a": {"/etc/x": "one\ntwo\n"}, "qsp-b": {"/etc/x": None}})
    assert [each[1::2] for each in found(look())] == [("qsp-a", "edited"), ("qsp-b", "both")]


def test_a_node_that_was_never_deployed_is_an_edit(world: World, look) -> None:
    """The second node of a site that had one."""
    both = list(world.things)
    world.things = [both[0], Thing("files", "files", PerNode(nodes={"qsp-a": {"/etc/x": "one\ntwo\n"}}), "hosts")]
    world.deploy()
    world.things = both
    world.live["host.node"] = lambda wanted: None if wanted.node == "qsp-b" else wanted
    world.live["files"] = with_file(None)
    assert [each for each in found(look()) if each[1] == "qsp-b"] == [
        ("node-2", "qsp-b", "", "edited"),
        ("files", "qsp-b", 'nodes.qsp-b["/etc/x"]', "edited"),
    ]


def test_while_the_node_is_silent_that_could_tell_nobody_says_who_took_it_away(world: World, look) -> None:
    world.deploy()
    reinstalled(world)
    world.silent = ["qsp-a"]
    world.live["host.node"] = lambda wanted: None
    assert found(look()) == [("node-2", "qsp-b", "", "unknown")]


def test_without_a_record_nobody_can_tell_who_made_a_difference(world: World, look) -> None:
    world.live["files"] = with_file("x")
    assert found(look()) == [("files", "qsp-b", 'nodes.qsp-b["/etc/x"]', "unknown")]


def test_a_silent_node_is_unreachable_and_the_other_one_is_looked_at(world: World, look) -> None:
    world.deploy()
    world.silent = ["qsp-b"]
    # What the two have between them is not known while one is silent; what is wrong on the other one is.
    world.live["files"] = lambda wanted: PerNode(nodes={"qsp-a": {"/etc/x": "by hand"}}, joined="no")
    report = look()
    assert report.outcome == Outcome.UNREACHABLE
    assert cases(report) == {
        ("node-1", "qsp-a"): "clean",
        ("node-2", "qsp-b"): "unreachable",
        ("files", "qsp-a"): "drift",
        ("files", "qsp-b"): "unreachable",
        ("options", ""): "clean",
    }
    assert found(report) == [("files", "qsp-a", 'nodes.qsp-a["/etc/x"]', "host")]
    assert world.kinds["files"].asked == [["qsp-a"]]


def mirror_with_a_disk_of_its_own_on_each_node(engine: str, kind: str) -> Thing:
    raw = lab_settings(engine=engine)
    raw["nodes"][1]["mirror_device"] = "/dev/disk/by-id/of-b"
    return next(each for each in things(read(raw, "test"), "squid-ha/lab") if each.kind == kind)


@pytest.mark.parametrize("kind", ["storage.mirror", "lifekeeper.mirror"])
def test_of_the_mirrors_disks_only_those_of_the_nodes_that_answer_are_looked_for(world: World, look, kind: str) -> None:
    engine = "lifekeeper" if kind.startswith("lifekeeper") else "pacemaker"
    thing = mirror_with_a_disk_of_its_own_on_each_node(engine, kind)
    wanted: Any = thing.inputs
    own = wanted.devices["qsp-a"]
    world.things = [thing]
    world.deploy()
    assert cases(look()) == {(thing.name, "qsp-a"): "clean", (thing.name, "qsp-b"): "clean"}
    assert world.kinds[kind].looked_for[-1].devices == {"qsp-a": own, "qsp-b": "/dev/disk/by-id/of-b"}
    world.silent = ["qsp-b"]
    assert cases(look()) == {(thing.name, "qsp-a"): "clean", (thing.name, "qsp-b"): "unreachable"}
    assert world.kinds[kind].looked_for[-1].devices == {"qsp-a": own}
    # What was seen there is the answering node's, and nothing is said of the other one's disk.
    world.live[kind] = lambda seen: seen.model_copy(update={"devices": dict.fromkeys(seen.devices, "/dev/sdz")})
    world.kinds.clear()
    assert found(look()) == [(thing.name, "qsp-a", "devices.qsp-a", "host")]


def test_a_site_that_is_silent_or_wrong_hides_no_other(world: World, look) -> None:
    world.silent = ["qsp-a", "qsp-b"]
    report = look(Subject("lyon", message="stacks/Pulumi.lyon.yaml: 1 mistake"))
    assert [site.outcome for site in report.sites] == [Outcome.UNREACHABLE, Outcome.ERROR]
    assert set(cases(report).values()) == {"unreachable"}
    assert report.outcome == Outcome.ERROR


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (Unknown("nobody can tell"), "unreachable"),
        (not_understood("what `lkcli` says"), "error"),
        (Unreachable("gone", node="qsp-b"), "unreachable"),
        (CommandFailed("qsp-b", "cat", 1, "no"), "error"),
    ],
)
def test_what_cannot_be_read_is_never_clean(world: World, look, error, outcome) -> None:
    def raising(wanted):
        raise error

    world.live["files"] = raising
    report = look()
    assert report.outcome.value == outcome
    assert cases(report)["files", "qsp-b"] == outcome
    assert cases(report)["files", "qsp-a"] == outcome


def silent_nodes(report) -> set[str]:
    return {case.silent for case in report.sites[0].cases if case.silent}


@pytest.mark.parametrize(
    "error",
    [
        Unknown("LifeKeeper does not run, so it cannot tell about SSH", node="qsp-a"),
        TimedOut("`drbdadm` did not finish within 60 s", node="qsp-b"),
        not_understood("what `lkcli` says"),
    ],
)
def test_a_node_that_answers_and_cannot_tell_of_one_thing_is_not_counted_as_silent(world: World, look, error) -> None:
    def raising(wanted: object) -> None:
        raise error

    world.live["options"] = raising
    report = look()
    assert report.outcome in {Outcome.UNREACHABLE, Outcome.ERROR}
    assert silent_nodes(report) == set()
    assert 'nodes_unreachable{stack="lab"} 0' in prometheus.render(report)


@pytest.mark.parametrize("error", [Unreachable("no SSH connection"), TimedOut("`ls` did not finish within 60 s")])
def test_a_node_that_says_nothing_at_all_is_counted_as_silent(world: World, look, error, monkeypatch) -> None:
    async def hangs(self: Gone) -> dict[str, str]:
        raise type(error)(error.message, node=self.name)

    monkeypatch.setattr(Gone, "entries", hangs)
    world.silent = ["qsp-b"]
    report = look()
    assert (report.outcome, silent_nodes(report)) == (Outcome.UNREACHABLE, {"qsp-b"})
    assert 'nodes_unreachable{stack="lab"} 1' in prometheus.render(report)
    remedies = {case.remedy.partition(",")[0] for case in report.sites[0].cases if case.node == "qsp-b"}
    assert remedies == {"see whether the node hangs" if isinstance(error, TimedOut) else ""}


def test_what_of_one_node_is_not_foreseen_hides_nothing_of_the_other(world: World, look, monkeypatch) -> None:
    """As a journal in which a person has written."""

    async def odd(self: Gone) -> dict[str, str]:
        raise ValueError("geheim")

    world.deploy()
    monkeypatch.setattr(Gone, "entries", odd)
    world.silent = ["qsp-b"]
    world.live["files"] = lambda wanted: PerNode(nodes={"qsp-a": {"/etc/x": "by hand"}})
    report = look()
    assert cases(report) == {
        **ALL_CLEAN, ("node-2", "qsp-b"): "error", ("files", "qsp-a"): "drift", ("files", "qsp-b"): "error",
    }  # fmt: skip
    assert (report.outcome, silent_nodes(report)) == (Outcome.ERROR, set())
    (case,) = [case for case in report.sites[0].cases if case.thing == "node-2"]
    assert "ValueError (test_scan.py line" in case.message
    assert "report it" in case.remedy
    assert "geheim" not in report.model_dump_json()
    world.silent = NODES
    world.things = world.things[-1:]
    (case,) = look().sites[0].cases
    assert case.message.startswith("qsp-a: "), "of the cluster as a whole it is said which node's it is"


def test_notices_that_are_not_foreseen_hide_nothing(world: World, look) -> None:
    world.deploy()
    world.live["files"] = with_file("by hand")
    world.notices = KeyError("geheim")
    report = look()
    assert cases(report) == {**ALL_CLEAN, ("files", "qsp-b"): "drift"}
    (notice,) = report.sites[0].notices
    assert "KeyError (conftest.py line" in notice
    assert "geheim" not in notice


def test_what_to_do_about_a_node_that_refuses_is_said_without_secrets(world: World, site, monkeypatch) -> None:
    async def refused(self: Gone) -> dict[str, str]:
        raise HostKeyRefused("the host key has changed", node=self.name, remedy="`ssh-keygen -R of-a-secret`")

    monkeypatch.setattr(Gone, "entries", refused)
    world.silent, world.secrets = ["qsp-b"], {"sudo": "of-a-secret"}
    ssh = site.ssh.model_copy(update={"sudo_password": Secret(secret="sudo")})
    subject = Subject("lab", "squid-ha/lab", site.model_copy(update={"ssh": ssh}), world.cluster)
    report = run_sync(scan([subject]))
    assert {case.remedy for case in report.sites[0].cases if case.node == "qsp-b"} == {"`ssh-keygen -R [secret]`"}


def test_a_connection_that_breaks_names_its_node_also_where_the_thing_is_the_clusters(world: World, look) -> None:
    def raising(wanted: object) -> None:
        raise Unreachable("the connection broke", node="qsp-b")

    world.live["options"] = raising
    assert silent_nodes(look()) == {"qsp-b"}


def reading_fails_for(node: str, error: Exception):
    """A kind whose reading fails as soon as it has to do with ``node``, as all of `Cluster.each` does."""

    def observed(wanted: Any) -> Any:
        if node in wanted.nodes:
            raise error
        return wanted.model_copy(update={"nodes": {name: {"/etc/x": "by hand"} for name in wanted.nodes}})

    return observed


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (CommandFailed("qsp-b", "cat", 1, "no"), "error"),
        (Unreachable("gone", node="qsp-b"), "unreachable"),
        (TimedOut("`cat` did not finish within 60 s", node="qsp-b"), "unreachable"),
    ],
)
def test_a_reading_that_fails_on_one_node_hides_nothing_of_the_other(world: World, look, error, outcome) -> None:
    world.deploy()
    world.live["files"] = reading_fails_for("qsp-b", error)
    report = look()
    assert cases(report) == {**ALL_CLEAN, ("files", "qsp-a"): "drift", ("files", "qsp-b"): outcome}
    assert found(report) == [("files", "qsp-a", 'nodes.qsp-a["/etc/x"]', "host")]
    assert world.kinds["files"].asked == [["qsp-a", "qsp-b"], ["qsp-a"]]
    assert world.kinds["options"].asked == [["qsp-a", "qsp-b"]], "only what failed is looked at once more"
    (message,) = {case.message for case in report.sites[0].cases if case.message}
    assert message == error.message


def test_what_fails_because_of_a_node_says_so_where_it_is_not_that_nodes_own(world: World, look) -> None:
    def raising(wanted: object) -> None:
        raise CommandFailed("qsp-b", "crm_mon", 1, "no")

    world.live |= {"files": raising, "options": raising}
    said = {(case.thing, case.node): case.message for case in look().sites[0].cases if case.message}
    assert set(said) == {("files", "qsp-a"), ("files", "qsp-b"), ("options", "")}
    assert said["files", "qsp-a"].startswith("because of qsp-b: `crm_mon` ended with exit code 1")
    assert said["files", "qsp-b"].startswith("`crm_mon` ended")
    assert said["options", ""].startswith("qsp-b: `crm_mon` ended")


def test_each_of_two_nodes_that_cannot_be_read_has_its_own_reason(world: World, look) -> None:
    def raising(wanted: Any) -> None:
        name = list(wanted.nodes)[-1]
        raise CommandFailed(name, f"cat on {name}", 1, "no")

    world.live["files"] = raising
    said = {case.node: case.message for case in look().sites[0].cases if case.thing == "files"}
    assert {name: f"cat on {name}" in message for name, message in said.items()} == {"qsp-a": True, "qsp-b": True}


def test_what_nobody_foresaw_is_an_error_of_one_thing_or_one_site_and_tells_nothing_of_what_was_read(
    world: World, look
) -> None:
    def unforeseen(wanted: object) -> None:
        raise ValueError("geheim")

    def broken() -> Any:
        raise KeyError("geheim")

    world.live["files"] = unforeseen
    report = look(Subject("lyon", site=lab_site(), cluster=broken))
    assert cases(report)["files", "qsp-a"] == "error"
    assert cases(report)["options", ""] == "clean"
    (message,) = {case.message for case in report.sites[0].cases if case.outcome == Outcome.ERROR}
    assert "ValueError (test_scan.py line" in message
    assert report.sites[1].outcome == Outcome.ERROR
    assert "KeyError" in report.sites[1].message
    assert "geheim" not in report.model_dump_json()


@pytest.mark.parametrize("without_lost", [True, False])
def test_a_reader_that_would_write_is_refused_the_lock_whichever_it_asks_for(
    world: World, look, without_lost: bool
) -> None:
    class Writing(FakeKind):
        async def observe(self, cluster: Cluster, wanted: Any) -> Present[Any] | Absent:
            await cluster.hold(without_lost=without_lost)
            return await super().observe(cluster, wanted)

    world.kinds["options"] = Writing(lambda wanted: wanted)
    (said,) = {case.message for case in look().sites[0].cases if case.message}
    assert said == "looking for drift changes nothing, so it takes no lock"


def test_what_the_engine_noted_for_a_while_is_a_notice_and_no_drift(world: World, look) -> None:
    world.deploy()
    world.notices = [Notice("constraint", "cli-ban-squid keeps squid off qsp-b")]
    report = look()
    assert (report.outcome, list(report.sites[0].notices)) == (Outcome.CLEAN, ["cli-ban-squid keeps squid off qsp-b"])
    world.notices = Unknown("no node can tell")
    assert list(look().sites[0].notices) == ["no node can tell"]


def test_what_is_secret_is_never_shown_even_if_the_host_shows_it(world: World, site) -> None:
    ssh = site.ssh.model_copy(update={"sudo_password": Secret(secret="sudo")})
    world.secrets = {"sudo": "marker-of-a-secret"}
    world.live["files"] = with_file("pass marker-of-a-secret\n")
    subject = Subject("lab", "squid-ha/lab", site.model_copy(update={"ssh": ssh}), world.cluster)
    report = run_sync(scan([subject]))
    assert report.outcome == Outcome.DRIFT
    assert "marker-of-a-secret" not in report.model_dump_json()
    assert "[secret]" in report.model_dump_json()


def test_a_line_of_a_secret_of_several_lines_is_not_shown_either(world: World, site) -> None:
    ssh = site.ssh.model_copy(update={"sudo_password": Secret(secret="users")})
    world.secrets = {"users": "joe:$apr1$one\nada:$apr1$two\n"}
    world.live["files"] = with_file("one\nada:$apr1$two # by hand\n")
    report = run_sync(scan([Subject("lab", "squid-ha/lab", site.model_copy(update={"ssh": ssh}), world.cluster)]))
    assert report.outcome == Outcome.DRIFT
    assert {each.live for each in report.sites[0].findings} == {"one\n[secret] # by hand\n"}


PEER = "via on\ncache_peer up login=joe:{}\n"


class OfSquid(FakeKind):
    without_passwords = staticmethod(config.without_passwords)


def test_a_password_in_a_file_of_squid_is_in_no_output(world: World, look) -> None:
    world.kinds["files"] = OfSquid(with_file("one\ncache_peer up parent 3128 0 login=joe:S3cret\n"))
    report = look()
    assert {each.live for each in report.sites[0].findings} == {"one\ncache_peer up parent 3128 0 login=joe:…\n"}
    text = Console(file=io.StringIO(), record=True, width=200)
    text.print(show.render(report))
    outputs = [
        report.model_dump_json(), junit.render(report).decode(), *github.marks(report), github.page(report),
        text.export_text(),
    ]  # fmt: skip
    assert not [each for each in outputs if "S3cret" in each]


def test_another_password_is_drift_that_is_seen(world: World, look) -> None:
    old = PerNode(nodes={name: {"/etc/x": PEER.format("old")} for name in NODES})
    world.things[2] = replace(world.things[2], inputs=old)
    world.kinds["files"] = OfSquid(with_file(PEER.format("new")))
    report = look()
    assert report.outcome == Outcome.DRIFT
    assert {show.described(each)[1:] for each in report.sites[0].findings} == {
        ('"cache_peer up login=joe:…\\n"', '"cache_peer up login=joe:… (what is hidden differs)\\n"')
    }


def test_the_worst_counts() -> None:
    assert worst([]) == Outcome.CLEAN
    assert [worst(list(Outcome)[: number + 1]) for number in range(4)] == [
        Outcome.CLEAN, Outcome.DRIFT, Outcome.UNREACHABLE, Outcome.ERROR,
    ]  # fmt: skip


def test_a_node_that_belongs_to_another_is_drift_of_that_node(world: World, look) -> None:
    world.live["host.node"] = lambda wanted: OfNode(node=wanted.node, owner="squid-ha/other")
    assert [each[:3] for each in found(look())] == [("node-1", "qsp-a", "owner"), ("node-2", "qsp-b", "owner")]


@pytest.mark.parametrize(("failing", "slow"), [("look", "_notices"), ("journalled", "applied")])
def test_a_site_that_cannot_be_read_leaves_nothing_under_way(
    world: World, look, monkeypatch: pytest.MonkeyPatch, failing: str, slow: str
) -> None:
    begun, ended = list[str](), list[str]()

    async def fails(*_given: Any) -> None:
        raise ValueError("not foreseen")

    async def takes_a_while(*_given: Any) -> dict[str, Any]:
        begun.append(slow)
        await asyncio.sleep(0.05)
        ended.append(slow)
        return {}

    monkeypatch.setitem(scan.__globals__, failing, fails)
    if slow == "applied":
        monkeypatch.setattr(applied, "read", takes_a_while)
    else:
        monkeypatch.setitem(scan.__globals__, slow, takes_a_while)
    world.deploy()
    assert look().sites[0].outcome == "error"
    assert begun == ended != []
