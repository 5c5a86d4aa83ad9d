"""What people set on a cluster by hand that keeps a node from taking over: it is drift, and the pair is not healthy."""

from __future__ import annotations

import itertools
from collections.abc import Collection
from pathlib import Path

import pytest
from lxml import etree

from blueprint.engines.pacemaker import cluster as blueprint_cluster
from blueprint.engines.pacemaker import tree
from operations.health import can_fail_over
from providers import reconcile
from providers.connection.errors import Refused
from providers.connection.fake import fake_cluster
from providers.contract import Absent, Present
from providers.pacemaker import bindings, live, member, options, rivals, runtime, undeclared
from providers.pacemaker.cib import Cib
from tests.support.sites import lab_site
from tests.unit.pacemaker.acting import Acting
from tests.unit.pacemaker.simulation import SimulatedCluster
from tests.unit.pacemaker.test_tree import TREE, converged, wanted, whole
from tests.unit.pacemaker.tools import Tools

SITE = lab_site()
BOTH = frozenset({"qsp-a", "qsp-b"})
REACHABLE = (
    '<rsc_location id="squid-reachable" rsc="squid"><rule id="r" score="1800" boolean-op="or">'
    '<expression id="e" attribute="squid-ha-reachable" operation="gte" value="1" type="number"/></rule></rsc_location>'
)
SET = (
    '<{tag} id="by-hand" {more}><resource_set id="s"><resource_ref id="squid"/><resource_ref id="db"/></resource_set>'
    "</{tag}>"
)
DATABASE = '<primitive id="db" class="ocf" provider="heartbeat" type="Dummy"/>'


def with_parts(*, constraints: str = "", resources: str = "", squid: str = "", defaults: str = "") -> Acting:
    """The recorded tree, active on `qsp-b`, with more in its configuration."""
    acting = Acting()
    text = acting.cib.replace("</constraints>", f"{constraints}</constraints>")
    text = text.replace("<resources>", f"<resources>{resources}", 1)
    acting.cib = text
    cib = Cib.parse(text)
    for option in filter(None, [squid]):
        name, _, value = option.partition("=")
        cib = cib.with_meta("squid", name, value)
    for option in filter(None, [defaults]):
        name, _, value = option.partition("=")
        section = "resource_defaults" if name in ("is-managed", "maintenance") else "properties"
        cib = cib.with_options(*options.SECTIONS[section], {name: value})
    acting.cib = cib.text()
    return acting


async def told(acting: Acting) -> tuple[bool, list[tuple[str, str, str]]]:
    """Whether the pair can fail over, and the notices: kind, node, member."""
    notices = await runtime.notices(fake_cluster(*acting.nodes()))
    able = can_fail_over(SITE, BOTH, [each.kind for each in notices])
    return able, [(each.kind, each.node, each.member) for each in notices]


def at(name: str, node: str, score: str, more: str = "") -> str:
    return f'<rsc_location id="by-hand" rsc="{name}" node="{node}" score="{score}" {more}/>'


def rule(score: str, *expressions: str, more: str = "") -> str:
    made = "".join(
        f'<expression id="e{number}" attribute="{attribute}" operation="{operation}" value="{value}"/>'
        for number, (attribute, operation, value) in enumerate(each.split() for each in expressions)
    )
    return f'<rsc_location id="by-hand" rsc="squid"><rule id="r" score="{score}" {more}>{made}</rule></rsc_location>'


# Health


@pytest.mark.parametrize("name", ["squid", "mirror-clone", "address"])
async def test_a_pair_that_a_constraint_keeps_on_one_node_is_not_ready_to_fail_over(name) -> None:
    assert await told(with_parts(constraints=at(name, "qsp-a", "-INFINITY"))) == (False, [("ban", "qsp-a", name)])


@pytest.mark.parametrize(
    "constraint",
    [
        at("squid", "qsp-b", "INFINITY"),
        at("squid", "qsp-b", "+INFINITY"),
        rule("INFINITY", "#uname eq qsp-b", more='role="Promoted"'),
    ],
)
async def test_one_that_draws_it_to_a_node_is_told_and_the_other_takes_over_all_the_same(constraint: str) -> None:
    """What `pcs constraint location squid prefers qsp-b` makes, as many pairs have it."""
    assert await told(with_parts(constraints=constraint)) == (True, [("constraint", "qsp-a", "squid")])


@pytest.mark.parametrize(
    "constraint",
    [
        rule("-INFINITY", "#uname eq qsp-a"),
        rule("-INFINITY", "#uname ne qsp-b"),
        rule("-INFINITY", "#uname eq qsp-a", "#uname eq qsp-c", more='boolean-op="or"'),
        '<rsc_location id="by-hand" rsc-pattern="^sq" node="qsp-a" score="-INFINITY"/>',
        SET.format(tag="rsc_location", more='node="qsp-a" score="-INFINITY"'),
    ],
)
async def test_however_the_constraint_is_written(constraint: str) -> None:
    acting = with_parts(constraints=constraint, resources=DATABASE)
    assert await told(acting) == (False, [("ban", "qsp-a", "squid")])


async def test_the_notice_says_which_constraint_and_how_to_delete_it() -> None:
    acting = with_parts(constraints=at("squid", "qsp-a", "-INFINITY"))
    (notice,) = await runtime.notices(fake_cluster(*acting.nodes()))
    assert notice.text == (
        "`by-hand` keeps squid off qsp-a, which cannot take over; to delete it: "
        "`cibadmin --delete --xml-text '<rsc_location id=\"by-hand\"/>'`, or `pcs constraint delete by-hand`"
    )


@pytest.mark.parametrize(
    "constraint",
    [
        at("address", "qsp-b", "10"),
        at("squid", "qsp-a", "999999"),
        REACHABLE,
        REACHABLE + at("squid", "qsp-a", "-1000"),
        at("db", "qsp-a", "-INFINITY"),
        rule("-INFINITY", "#uname eq qsp-a", "pingd lt 1", more='boolean-op="and"'),
        at("mirror-clone", "qsp-b", "INFINITY", 'role="Unpromoted"'),
        rule("INFINITY", "#uname eq qsp-b").replace("by-hand", "squid-ha-place-squid"),
        rule("INFINITY", "#uname eq qsp-a", "#uname eq qsp-b", more='boolean-op="or"'),
    ],
)
async def test_a_preference_and_what_is_about_others_keep_nobody_away(constraint: str) -> None:
    assert await told(with_parts(constraints=constraint, resources=DATABASE)) == (True, [])


async def test_what_is_tied_to_the_service_by_somebody_else_is_his_own_affair() -> None:
    acting = with_parts(
        constraints='<rsc_colocation id="by-hand" rsc="db" with-rsc="squid" score="500"/>'
        '<rsc_order id="then" first="squid" then="db"/>',
        resources=DATABASE,
    )
    assert await told(acting) == (True, [])
    assert await drift(acting) == []


async def test_a_negative_score_that_nothing_outweighs_forbids_the_node() -> None:
    """Pacemaker runs nothing where the sum is below zero."""
    assert await told(with_parts(constraints=at("address", "qsp-a", "-10"))) == (False, [("ban", "qsp-a", "address")])


@pytest.mark.parametrize("option", ["is-managed=false", "maintenance=true"])
@pytest.mark.parametrize("where", ["squid", "defaults"])
async def test_a_member_that_the_cluster_leaves_alone_does_not_fail_over(option: str, where: str) -> None:
    acting = with_parts(squid=option) if where == "squid" else with_parts(defaults=option)
    able, notices = await told(acting)
    assert not able
    members = ["squid"] if where == "squid" else list(TREE)
    assert notices == [("maintenance", "", name) for name in members]


@pytest.mark.parametrize("option", ["is-managed=true", "maintenance=false"])
async def test_a_member_that_the_cluster_looks_after_is_no_notice(option: str) -> None:
    assert await told(with_parts(squid=option)) == (True, [])


async def test_a_cluster_that_runs_only_what_is_allowed_does_not_fail_over_where_nothing_is() -> None:
    assert await told(with_parts(defaults="symmetric-cluster=false")) == (
        False,
        [("ban", "qsp-a", ""), ("ban", "qsp-b", "")],
    )
    every = ["mirror-clone", "filesystem", "squid", "address"]
    assert await told(with_parts(defaults="symmetric-cluster=false", constraints=allow(*every))) == (True, [])
    # One that may run there does not help the others.
    for left_out in every:
        some = allow(*(name for name in every if name != left_out)) + allow(left_out, on=["qsp-b"])
        assert await told(with_parts(defaults="symmetric-cluster=false", constraints=some)) == (
            False,
            [("ban", "qsp-a", "")],
        )


def allow(*names: str, on: Collection[str] = BOTH) -> str:
    return "".join(
        f'<rsc_location id="{name}-on-{node}" rsc="{name}" node="{node}" score="0"/>' for name in names for node in on
    )


@pytest.mark.parametrize(
    ("names", "grouped"),
    [*itertools.product([("squid", "address"), ("squid",), ("address",), ()], [False, True]), (("g",), True)],
)
async def test_what_it_calls_allowed_the_scheduler_runs(
    tools: Tools, tmp_path: Path, names: tuple[str, ...], *, grouped: bool
) -> None:
    simulated = await whole(tools, tmp_path, ("squid", "address"))
    document = etree.fromstring(simulated.file.read_bytes())
    resources, constraints = document.find(".//resources"), document.find(".//constraints")
    options_there = document.find(".//cluster_property_set")
    assert resources is not None
    assert constraints is not None
    assert options_there is not None
    if grouped:
        group = etree.SubElement(resources, "group", id="g")
        for name in ("squid", "address"):
            group.extend(resources.findall(f"primitive[@id='{name}']"))
        for each in constraints.findall("*"):
            constraints.remove(each)
    etree.SubElement(options_there, "nvpair", id="opt-in", name="symmetric-cluster", value="false")
    simulated.file.write_bytes(etree.tostring(document))
    put(simulated, allow(*names))
    running = (await live.read(simulated.cluster("look"))).monitor
    whole_service = all(running.running(name) for name in ("squid", "address"))
    notices = await runtime.notices(simulated.cluster("look"))
    assert [each.node for each in notices if each.kind == "ban"] == ([] if whole_service else sorted(BOTH))
    assert whole_service == (names in {("squid", "address"), ("g",)})


async def test_what_waits_for_a_node_that_was_shut_down_is_not_taken_over() -> None:
    assert await told(with_parts(defaults="shutdown-lock=true")) == (False, [("ban", "", "")])
    assert await told(with_parts(defaults="shutdown-lock=false")) == (True, [])


async def test_what_the_notices_call_forbidden_the_scheduler_does_not_run(tools: Tools, tmp_path: Path) -> None:
    for number, score in enumerate(("-INFINITY", "-10", "10")):
        simulated = await whole(tools, tmp_path / str(number), ("squid", "address"))
        (home,) = (await live.read(simulated.cluster("look"))).monitor.running("squid")
        other = next(name for name in BOTH if name != home)
        put(simulated, at("squid", other, score))
        notices = await runtime.notices(simulated.cluster("look"))
        put_aside(simulated, home)
        runs = (await live.read(simulated.cluster("look"))).monitor.running("squid") == [other]
        assert [each.kind for each in notices] == ([] if runs else ["ban"]), score
        assert runs == (score == "10")


TAGGED = '<tags><tag id="tagged"><obj_ref id="squid"/>{more}</tag></tags>'
TAG_IN_SET = (
    '<rsc_location id="by-hand" node="{node}" score="-INFINITY"><resource_set id="s"><resource_ref id="tagged"/>'
    "</resource_set></rsc_location>"
)


@pytest.mark.parametrize(
    ("constraint", "forbidden"),
    [
        (at("tagged", "NODE", "-INFINITY"), True),
        (TAG_IN_SET.format(node="NODE"), True),
        ('<rsc_location id="by-hand" rsc-pattern="!^address$" node="NODE" score="-INFINITY"/>', True),
        ('<rsc_location id="by-hand" rsc-pattern="!^(squid|address)$" node="NODE" score="-INFINITY"/>', False),
        ('<rsc_location id="by-hand" rsc-pattern="!squid" node="NODE" score="-INFINITY"/>', False),
        ('<rsc_location id="by-hand" rsc-pattern="^inside$" node="NODE" score="-INFINITY"/>', False),
    ],
)
async def test_it_is_forbidden_however_it_is_written_as_the_scheduler_has_it(
    tools: Tools, tmp_path: Path, constraint: str, *, forbidden: bool
) -> None:
    simulated = await whole(tools, tmp_path, ("squid",))
    (home,) = (await live.read(simulated.cluster("look"))).monitor.running("squid")
    other = next(name for name in BOTH if name != home)
    clone = '<clone id="squids"><primitive id="inside" class="ocf" provider="heartbeat" type="Dummy"/></clone>'
    text = simulated.file.read_text().replace("</configuration>", f"{TAGGED.format(more='')}</configuration>")
    simulated.file.write_text(text.replace("<resources>", f"<resources>{clone if 'inside' in constraint else ''}", 1))
    put(simulated, constraint.replace("NODE", other))
    cib = (await live.read(simulated.cluster("look"))).cib
    names = {"inside"} if "inside" in constraint else {"squid"}
    found = [(list(each.resources), list(each.off)) for each in cib.bindings(names, sorted(BOTH))]
    assert found == ([(["squid"], [other])] if forbidden else [])
    put_aside(simulated, home)
    running = (await live.read(simulated.cluster("look"))).monitor.running(*names)
    assert (other in running) != forbidden


def test_one_on_a_tag_that_others_resources_have_too_is_for_people_to_delete() -> None:
    for more, several in (('<obj_ref id="db"/>', True), ('<obj_ref id="address"/>', False)):
        acting = with_parts(constraints=at("tagged", "qsp-a", "-INFINITY"), resources=DATABASE)
        cib = Cib.parse(acting.cib.replace("</configuration>", f"{TAGGED.format(more=more)}</configuration>"))
        found = undeclared.undeclared(cib, "squid", as_it_is(acting).constraints)
        assert [undeclared.about_several(cib, text) for text in found.values()] == [several]


def put(simulated: SimulatedCluster, constraint: str) -> None:
    text = simulated.file.read_text().replace("<constraints/>", "<constraints></constraints>")
    simulated.file.write_text(text.replace("</constraints>", f"{constraint}</constraints>"))
    simulated.settle()


def put_aside(simulated: SimulatedCluster, node: str) -> None:
    document = etree.fromstring(simulated.file.read_bytes())
    found = document.find(f".//nodes/node[@uname='{node}']")
    assert found is not None
    pairs = etree.SubElement(found, "instance_attributes", id="aside")
    etree.SubElement(pairs, "nvpair", id="aside-standby", name="standby", value="on")
    simulated.file.write_bytes(etree.tostring(document))
    simulated.settle()


# Drift


def configuration(simulated: SimulatedCluster) -> bytes:
    found = etree.fromstring(Cib.parse(simulated.file.read_text()).text().encode()).find("configuration")
    assert found is not None
    return etree.tostring(found, method="c14n")


def as_it_is(acting: Acting, name: str = "squid") -> member.Wanted:
    """The member as the recorded tree has it."""
    cib = Cib.parse(Acting().cib)
    own = [each for each in cib.constraints_on({name}) if each.startswith(f"{name}-")]
    found = cib.find(name, own)
    return member.Wanted(primitive=found.primitive, clone=found.clone, constraints={**found.constraints})


async def drift(acting: Acting, name: str = "squid") -> list[str]:
    """The properties of a member that differ."""
    state = as_it_is(acting, name)
    seen = await member.observe(fake_cluster(*acting.nodes()), state)
    assert isinstance(seen, Present)
    return [each.path for each in reconcile.differences(state, seen.values)]


@pytest.mark.parametrize(
    "constraint",
    [
        at("squid", "qsp-a", "-INFINITY"),
        at("squid", "qsp-a", "10"),
        '<rsc_location id="by-hand" rsc-pattern="^squid$" node="qsp-a" score="0"/>',
        '<rsc_colocation id="by-hand" rsc="squid" with-rsc="db" score="-INFINITY"/>',
        '<rsc_order id="by-hand" first="db" then="squid"/>',
        '<rsc_ticket id="by-hand" rsc="squid" ticket="t" loss-policy="stop"/>',
    ],
)
async def test_a_constraint_about_a_member_that_nobody_declared_is_drift_of_that_member(constraint: str) -> None:
    acting = with_parts(constraints=constraint, resources=DATABASE)
    assert await drift(acting) == ["undeclared"]
    assert await drift(acting, "address") == []
    assert await drift(acting, "filesystem") == []


async def test_one_on_the_members_clone_is_drift_of_the_member() -> None:
    assert await drift(with_parts(constraints=at("mirror-clone", "qsp-a", "-INFINITY")), "mirror") == ["undeclared"]


@pytest.mark.parametrize(
    "constraint",
    [
        at("db", "qsp-a", "-INFINITY"),
        at("squid", "qsp-a", "-INFINITY").replace("by-hand", "cli-ban-squid-on-qsp-a"),
        at("squid", "qsp-a", "INFINITY").replace("by-hand", "squid-ha-place-squid"),
        REACHABLE,
        SET.format(tag="rsc_colocation", more='score="INFINITY"'),
        SET.format(tag="rsc_order", more=""),
    ],
)
async def test_what_is_about_others_left_by_tools_or_this_programs_own_is_no_drift(constraint: str) -> None:
    assert await drift(with_parts(constraints=constraint, resources=DATABASE)) == []


def test_of_resource_sets_those_are_meant_that_follow() -> None:
    def named(tag: str, *sets: str) -> set[str]:
        return bindings.subjects(etree.fromstring(f'<{tag} id="c">{"".join(sets)}</{tag}>'))

    def of(*names: str, more: str = "") -> str:
        inside = "".join(f"<resource_ref id='{each}'/>" for each in names)
        return f"<resource_set {more}>{inside}</resource_set>"

    loose = 'sequential="false"'
    assert named("rsc_colocation", of("a", "b"), of("c", "d")) == {"a", "b", "d"}
    assert named("rsc_colocation", of("a", "b", more=loose), of("c", "d", more=loose)) == {"a", "b"}
    assert named("rsc_order", of("a", "b"), of("c", "d")) == {"b", "c", "d"}
    assert named("rsc_order", of("a", "b", more=loose), of("c", "d", more=loose)) == {"c", "d"}
    assert named("rsc_location", of("a", "b")) == {"a", "b"}


def test_all_constraints_that_the_program_makes_are_known_as_its_own() -> None:
    made = [thing.inputs for thing in tree.things(SITE)]
    assert {name for each in made if isinstance(each, member.Wanted) for name in each.constraints} == undeclared.OWN


async def test_it_is_deleted_with_a_word_and_nothing_is_stopped(tools: Tools, tmp_path: Path) -> None:
    simulated = await whole(tools, tmp_path)
    (home,) = (await live.read(simulated.cluster("look"))).monitor.running("squid")
    other = next(name for name in BOTH if name != home)
    put(simulated, at("squid", other, "-INFINITY") + at("address", home, "INFINITY").replace("by-hand", "prefers"))
    simulated.actions.clear()
    await converged(simulated, "squid", wanted("squid", TREE))
    cib = (await live.read(simulated.cluster("look"))).cib
    assert "by-hand" not in cib.constraints_on({"squid"})
    assert "prefers" in cib.constraints_on({"address"}), "each thing has its own"
    assert simulated.stops() == []


async def test_one_that_may_bind_others_too_is_for_people_to_delete() -> None:
    acting = with_parts(constraints='<rsc_location id="by-hand" rsc-pattern="^s" node="qsp-a" score="-INFINITY"/>')
    state = as_it_is(acting)
    with pytest.raises(Refused, match=r"`by-hand` is about `squid`.*may be about other resources too") as refused:
        await reconcile.apply("pacemaker.member", fake_cluster(*acting.nodes(), thing="squid"), state)
    assert "cibadmin --delete --xml-text '<rsc_location id=\"by-hand\"/>'" in (refused.value.remedy or "")
    assert acting.said == []


@pytest.mark.parametrize("name", ["g", "g-clone"])
@pytest.mark.parametrize("beside", ["web", "address"])
async def test_one_on_a_group_that_others_resources_are_in_is_for_people_to_delete(name: str, beside: str) -> None:
    acting = Acting()
    cib = etree.fromstring(acting.cib.encode())
    squid = cib.find(".//resources/primitive[@id='squid']")
    resources = cib.find(".//resources")
    constraints = cib.find(".//constraints")
    assert squid is not None
    assert resources is not None
    assert constraints is not None
    clone = etree.SubElement(resources, "clone", id="g-clone")
    group = etree.SubElement(clone, "group", id="g")
    group.append(squid)
    other = cib.find(f".//resources/primitive[@id='{beside}']")
    group.append(etree.fromstring(DATABASE.replace("db", beside)) if other is None else other)
    constraints.append(etree.fromstring(at(name, "qsp-a", "-INFINITY")))
    acting.cib = etree.tostring(cib, encoding="unicode")
    found = undeclared.undeclared(Cib.parse(acting.cib), "squid", as_it_is(acting).constraints)
    assert [undeclared.about_several(Cib.parse(acting.cib), text) for text in found.values()] == [beside == "web"]
    if beside == "web":
        with pytest.raises(Refused, match=r"`by-hand` is about `squid`.*may be about other resources too"):
            await reconcile.apply("pacemaker.member", fake_cluster(*acting.nodes(), thing="squid"), as_it_is(acting))
        assert acting.said == []


def test_all_resources_that_the_program_makes_are_known_as_its_own() -> None:
    made = [thing.inputs for thing in (*tree.things(SITE), *blueprint_cluster.things(SITE, owner="tests"))]
    names = {each.primitive.id for each in made if isinstance(each, member.Wanted) and each.primitive}
    assert names == rivals.MEMBERS


async def test_a_member_that_was_found_with_one_gets_it_back(tools: Tools, tmp_path: Path) -> None:
    simulated = await whole(tools, tmp_path, ("squid",))
    simulated.journals.opened.clear()
    put(simulated, at("squid", "qsp-a", "7"))
    found = configuration(simulated)
    await converged(simulated, "squid", wanted("squid", ()))
    assert "by-hand" not in simulated.file.read_text()
    await member.remove(simulated.cluster("squid"), wanted("squid", ()))
    assert configuration(simulated) == found


def noted(simulated: SimulatedCluster) -> dict[str, str]:
    """What the journals of Squid's resource hold of constraints that nobody declared."""
    opened = {thing: journal.values for (_, thing), journal in simulated.journals.opened.items()}
    return {name: text for name, text in opened["squid"].items() if name.startswith("found undeclared")}


async def test_one_that_a_release_before_this_had_left_there_is_noted_before_it_is_deleted(
    tools: Tools, tmp_path: Path
) -> None:
    """The resource was found; the journal was begun by a release that knew nothing of such constraints."""
    simulated = await whole(tools, tmp_path, ("squid",))
    simulated.journals.opened.clear()
    found = configuration(simulated)
    await member.converge(simulated.cluster("squid"), wanted("squid", ()), Absent())
    assert noted(simulated) == {}
    put(simulated, at("squid", "qsp-a", "7"))
    with_it = configuration(simulated)
    await converged(simulated, "squid", wanted("squid", ()))
    assert configuration(simulated) == found
    assert list(noted(simulated)) == ["found undeclared by-hand"]
    assert 'score="7"' in noted(simulated)["found undeclared by-hand"]
    await member.remove(simulated.cluster("squid"), wanted("squid", ()))
    assert configuration(simulated) == with_it


async def test_with_a_resource_of_this_programs_own_none_comes_back(tools: Tools, tmp_path: Path) -> None:
    simulated = await whole(tools, tmp_path, ("squid",))
    put(simulated, at("squid", "qsp-a", "7"))
    await converged(simulated, "squid", wanted("squid", ()))
    assert list(noted(simulated)) == ["found undeclared by-hand"]
    await member.remove(simulated.cluster("squid"), wanted("squid", ()))
    assert "by-hand" not in simulated.file.read_text()
