"""Whatever LifeKeeper and /proc/mdstat say is understood, or said not to be; what the stand-in prints reads back."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lab.lifekeeper.node import lists
from lab.lifekeeper.node.lcd import CommPath, Equivalency, Instance, Lcd
from providers.connection.errors import Unknown
from providers.lifekeeper import lcdstatus, mirror_view, pause, views
from tests.unit.lifekeeper.test_plan_and_runtime import IN_SYNC
from tests.unit.lifekeeper.test_stopping import BEHIND
from tests.unit.lifekeeper.test_views import ANSWERS, STATUS, answered
from tests.unit.parsers.texts import Draw, any_like, line, told

LISTS = sorted({*ANSWERS, "flg_list"} - {"lcdstatus"})
STATES = ("ISP", "ISU", "OSF", "OSU", "ILLSTATE")


# The long status and the lists


@given(any_like([STATUS]))
def test_whatever_lcdstatus_says_is_a_status(text):
    seen = lcdstatus.parse_status(text)
    assert set(seen.priorities) <= seen.tags
    assert all(tag in seen.tags for tag, _, _ in seen.equivalents)
    assert all(key == (path.system, path.addresses) for key, path in seen.paths.items())


@given(st.dictionaries(st.sampled_from([*LISTS, "lcdstatus"]), st.none() | st.text(), max_size=2), st.data())
def test_whatever_the_lists_say_is_a_view_or_unknown(changed, data):
    answers = {
        name: text if text is not None else data.draw(any_like([ANSWERS.get(name, "")]))
        for name, text in changed.items()
    }
    seen = told(lambda: views.parse("node1", answered(**answers)), Unknown)
    if seen is not None:
        assert seen.running
        assert all(tag == each.tag and seen.state(tag) in {*STATES, ""} for tag, each in seen.instances.items())


tags = st.from_regex(r"[A-Za-z/][A-Za-z0-9/._-]{0,10}", fullmatch=True)
words = st.from_regex(r"[a-z0-9.-]{1,8}", fullmatch=True)


@st.composite
def databases(draw: Draw) -> Lcd:
    """A node with its hierarchies and its peers."""
    names = draw(st.lists(tags, unique=True, max_size=4))
    systems = draw(st.lists(words, unique=True, min_size=1, max_size=2))
    pairs = [(names[i], names[j]) for i in range(len(names)) for j in range(i + 1, len(names)) if draw(st.booleans())]
    ranks = st.integers(1, 999)
    return Lcd(
        draw(words),
        systems=systems,
        paths=draw(
            st.lists(
                st.builds(CommPath, st.sampled_from(systems), words, words, ranks), unique_by=lists.key, max_size=3
            )
        ),
        instances={
            name: Instance(draw(words), draw(words), name, draw(words), draw(line), draw(st.sampled_from(STATES)),
                           reason=draw(line), switchback=draw(st.sampled_from(["INTELLIGENT", "AUTOMATIC"])))
            for name in names
        },
        dependencies=pairs,
        equivalencies=[Equivalency(name, system, draw(tags), draw(ranks), draw(ranks))
                       for name in names for system in systems if draw(st.booleans())],
        flags=draw(st.lists(words, unique=True, max_size=2)),
    )  # fmt: skip


def printed(lcd: Lcd, states: dict[lists.CommPathKey, str]) -> dict[str, str]:
    """All that the node says, by the name of what says it."""
    rows = {
        "ins_list": [lists.instance(lcd, each) for each in lcd.instances.values()],
        "dep_list": lcd.dependencies,
        "eqv_list": [(lcd.name, e.tag, e.system, e.other_tag, "SHARED", e.priority) for e in lcd.equivalencies],
        "net_list": [(each.system, f"{each.local}/{each.remote}", each.type) for each in lcd.paths],
        "sys_list": [[each] for each in (lcd.name, *lcd.systems)],
        "flg_list": [[each] for each in lcd.flags],
    }
    alive = dict.fromkeys(lcd.systems, True)
    status = lists.long_status(lcd, states, alive, "x")
    return {**{name: lists.lines(each, views.SEPARATOR) for name, each in rows.items()}, "lcdstatus": status}


@given(databases(), st.sampled_from(["ALIVE", "DEAD"]))
def test_what_the_stand_in_prints_of_any_hierarchy_reads_back(lcd, state):
    seen = views.parse(lcd.name, answered(**printed(lcd, {lists.key(each): state for each in lcd.paths})))
    assert seen.dependencies == set(lcd.dependencies)
    assert seen.equivalents == {(each.tag, each.system, each.other_tag) for each in lcd.equivalencies}
    assert seen.priorities == {each.tag: str(lcd.priority(each.tag)) for each in lcd.equivalencies}
    assert seen.machines.keys() == {lcd.name, *lcd.systems}
    assert seen.flags == tuple(lcd.flags)
    for name, each in lcd.instances.items():
        found = seen.instances[name]
        assert (found.app, found.type, found.id, found.info) == (each.app, each.type, each.id, each.info)
        assert (found.state, found.switchback) == (each.state, each.switchback.lower())
    assert {path.system: path.state for path in seen.paths.values()} == {each.system: state for each in lcd.paths}
    ranks = {(each.system, f"{each.local}/{each.remote}"): str(each.priority) for each in lcd.paths}
    assert {key: path.priority for key, path in seen.paths.items()} == ranks


# The mirror's md device

MIRRORS = [IN_SYNC, IN_SYNC.replace("[UU]", "[U_]\n      [=>...]  recovery = 12.5% (1/5)"), f"{BEHIND}\n/dev/md0\n"]


@given(any_like(MIRRORS))
@example(IN_SYNC.replace("[UU]", "[U_]\n      [=>...]  recovery = 1.2.3% (1/5)"))
@example(IN_SYNC.replace("[UU]", "[U_]\n      [=>...]  recovery = ..% (1/5)"))
def test_whatever_mdstat_says_is_a_view_of_the_mirror_and_its_progress(text):
    seen = mirror_view.parse_mdstat(text)
    assert seen.role == "source"
    assert not seen.whole or "[UU" in text
    assert seen.percent is None or seen.percent >= 0
    assert all(": re" in each for each in mirror_view.resynchronising(text))


@given(
    st.from_regex(r"md[0-9]{1,3}", fullmatch=True),
    st.sampled_from(["UU", "U_", "_U"]),
    st.none() | st.tuples(st.sampled_from(["recovery", "resync"]), st.integers(0, 1000)),
)
def test_a_mirror_reads_back_from_mdstat(device, halves, progress):
    rows = ["Personalities : [raid1]", "md999x : active raid1 sdz[0]", "      9 blocks [2/1] [U_]", ""]
    rows += [f"{device} : active raid1 nbd0[1] sdb[0]", f"      5 blocks [2/2] [{halves}]"]
    rows += [f"      [=>...]  {progress[0]} = {progress[1] / 10}% (1/5)"] if progress else []
    seen = mirror_view.parse_mdstat("\n".join([*rows, "", "unused devices: <none>", "", f"/dev/{device}", ""]))
    assert seen.whole == (halves == "UU" and progress is None)
    if progress:
        assert seen.percent == pytest.approx(progress[1] / 10)
        assert mirror_view.resynchronising("\n".join(rows)) == [f"{device}: {progress[0]} {progress[1] / 10}%"]


# Its settings


@given(any_like(["# ours\nLKCHECKINTERVAL=120\nexport LKCHECKINTERVAL=60 # was 30\n"]), line)
def test_an_interval_reads_back_from_whatever_file_it_is_set_in_and_leaves_it(text, value):
    assert pause.interval(pause.changed(text, value)) == value
    assert pause.interval(pause.changed(text, "")) == ""
    assert pause.is_paused(pause.changed(text, pause.PAUSED))
