"""The configuration as a document: nothing lost, nothing foreign touched, nothing able to break out of its place."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.pacemaker import steps
from providers.pacemaker.cib import PROPERTIES, Cib
from providers.pacemaker.model import Clone, Colocation, Expression, Location, Operation, Order, Primitive, keyed
from tests.unit.pacemaker.tools import recorded

ids = st.from_regex(r"[a-z][a-z0-9-]{0,12}", fullmatch=True)
# XML 1.0 has no way to write control characters; tab and line ends in attributes come back as blanks.
texts = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn"]), min_size=1, max_size=30
) | st.sampled_from(["<&>\"'", "]]>", "$(reboot)", "; rm -rf /", string.punctuation])
pairs = st.dictionaries(ids, texts, max_size=4)
operations = st.lists(
    st.builds(
        Operation,
        name=st.sampled_from(["start", "stop", "monitor", "promote"]),
        interval=st.sampled_from(["0s", "10s", "29s"]),
        timeout=st.none() | st.sampled_from(["60s", "2min"]),
        role=st.none() | st.just("Promoted"),
        on_fail=st.none() | st.just("fence"),
    ),
    max_size=4,
).map(lambda made: keyed(*made))
primitives = st.builds(
    Primitive,
    id=ids,
    agent=st.sampled_from(["ocf:heartbeat:IPaddr2", "systemd:squid", "stonith:external/sbd", "ocf:linbit:drbd"]),
    parameters=pairs,
    meta=pairs,
    operations=operations,
)
expressions = st.builds(Expression, attribute=ids, operation=st.sampled_from(["lt", "eq"]), value=texts)
constraints = st.one_of(
    st.builds(Colocation, resource=ids, with_resource=ids, with_role=st.none() | st.just("Promoted")),
    st.builds(Order, first=ids, then=ids, first_action=st.sampled_from(["start", "promote"])),
    st.builds(Location, resource=ids, score=st.sampled_from(["INFINITY", "-1800"]), node=ids),
    st.builds(
        Location,
        resource=ids,
        score=st.just("-INFINITY"),
        role=st.none() | st.just("Promoted"),
        rule=st.lists(expressions, min_size=1, max_size=3),
    ),
)


def fresh() -> Cib:
    return Cib.parse(recorded("cib-fresh.xml"))


@given(primitives, st.none() | st.builds(Clone, id=ids.map(lambda name: f"{name}-clone"), meta=pairs))
def test_a_member_reads_back_as_it_was_written(primitive: Primitive, clone: Clone | None):
    found = Cib.parse(fresh().with_member(primitive, clone).text()).find(primitive.id)
    assert (found.primitive, found.clone) == (primitive, clone)


@given(st.dictionaries(ids, constraints, max_size=4))
def test_constraints_read_back_as_they_were_written(wanted):
    found = Cib.parse(fresh().with_constraints(wanted).text()).find("none", wanted).constraints
    assert found == wanted


@given(primitives)
def test_made_and_deleted_leaves_what_was_there(primitive: Primitive):
    tree = Cib.parse(recorded("cib-tree.xml"))
    if primitive.id in tree.primitives():
        return
    there = tree.with_member(primitive, None).with_constraints({"x": Location(resource=primitive.id, score="1")})
    assert steps.deleted(there, primitive.id, ["x"]).text() == tree.text()


@given(st.dictionaries(ids, texts, min_size=1, max_size=4))
def test_options_read_back_and_leave(wanted):
    for section, set_id in (("crm_config", PROPERTIES), ("rsc_defaults", "ours")):
        there = fresh().with_options(section, set_id, wanted)
        assert Cib.parse(there.text()).options(section, set_id).items() >= wanted.items()
        assert set(there.with_options(section, set_id, {}, wanted).options(section, set_id)) & set(wanted) == set()


def test_the_recorded_tree_is_read():
    tree = Cib.parse(recorded("cib-tree.xml"))
    found = tree.find("mirror")
    assert found.primitive is not None
    assert found.primitive.agent == "ocf:pacemaker:Stateful"
    assert found.clone is not None
    assert found.clone.meta["promotable"] == "true"
    assert tree.outer_id("mirror") == "mirror-clone"
    assert tree.inner_id("mirror-clone") == "mirror"
    assert tree.quorate


def test_what_was_found_is_put_back_to_the_letter():
    tree = Cib.parse(recorded("cib-tree.xml"))
    names = ["squid-with-filesystem", "squid-after-filesystem"]
    excerpt = tree.excerpt("squid", names)
    changed = tree.with_member(Primitive(id="squid", agent="systemd:squid"), None).without_constraints(names)
    back = changed.restored(excerpt)
    assert back.find("squid", names) == tree.find("squid", names)


def test_constraints_of_tools_go_with_the_member_and_those_of_people_stop_its_removal():
    tree = Cib.parse(recorded("cib-tree.xml")).with_constraints(
        {
            "cli-prefer-address": Location(resource="address", score="INFINITY", node="qsp-a"),
            "drbd-fence-by-handler-r0-mirror-clone": Location(resource="mirror-clone", score="-INFINITY", node="qsp-a"),
            "by-hand": Location(resource="address", score="50", node="qsp-a"),
        }
    )
    own = ["address-with-squid", "address-after-squid"]
    assert steps.strangers(tree, "address", own) == ["by-hand"]
    assert steps.strangers(tree.without_constraints(["by-hand"]), "address", own) == []
    assert "drbd-fence-by-handler" in steps.deleted(tree, "address", own).text()
    assert "cli-prefer-address" not in steps.deleted(tree, "address", own).text()


@pytest.mark.parametrize("text", ["", "nonsense", "<crm/>", "<cib/>", "<!DOCTYPE x [<!ENTITY a 'b'>]><x/>"])
def test_what_is_no_configuration_is_refused(text):
    with pytest.raises(ValueError, match="configuration"):
        Cib.parse(text)


def test_operations_stand_under_their_own_key():
    with pytest.raises(ValueError, match="name-interval"):
        Primitive(id="x", agent="systemd:x", operations={"start": Operation(name="start", timeout="1s")})
