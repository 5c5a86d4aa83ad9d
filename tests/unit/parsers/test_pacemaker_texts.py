"""Whatever Pacemaker, SBD and the readings of Corosync's key say is understood, or said not to be."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from lxml import etree

from providers.connection.errors import Unknown
from providers.connection.fake import FakeNode, fake_cluster
from providers.host.corosync import is_distribution_default
from providers.pacemaker import authkey, corosync_conf, monitor, presence, sbd, sbd_conf, stored
from providers.pacemaker.authkey import Key
from providers.pacemaker.moments import seconds
from providers.pacemaker.monitor import Failure, NodeView
from providers.pacemaker.presence import Fencing
from providers.pacemaker.sbd import Header
from providers.pacemaker.sbd_conf import SbdConf
from tests.unit.pacemaker.test_corosync_conf import DISTRIBUTION, PAIR
from tests.unit.pacemaker.test_presence import HISTORY
from tests.unit.parsers.texts import any_like, mangled, recorded, told

MONITORS = recorded("pacemaker/crm_mon-*.xml")
CIBS = recorded("pacemaker/cib-*.xml")
MON = next(text for text in MONITORS if "resource_history" in text)
ids = st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True)
# XML has no way to write control characters, and makes blanks of line ends.
words = st.text(st.characters(exclude_categories=["Cc", "Cs", "Cn"]), max_size=20)

Attributes = Mapping[str, Mapping[str, str]]
Counts = Mapping[tuple[str, str], int]


# crm_mon


@given(any_like(MONITORS), st.just("") | any_like(CIBS))
@example(MON, "no XML")
@example(MON, "<cib")
@example(
    "<pacemaker-result><summary/><node_attributes><node name='a'><!-- --></node></node_attributes></pacemaker-result>",
    "",
)
@example(
    "<pacemaker-result><summary/><node_history><node name='a'><resource_history id='x' fail-count='INFINITY'/></node>"
    "</node_history></pacemaker-result>",
    "",
)
def test_whatever_crm_mon_says_is_a_reading_or_a_value_error(text, configuration):
    seen = told(lambda: monitor.parse(text, configuration), ValueError)
    if seen is not None:
        assert all(
            isinstance(value, str) for each in seen.attributes.values() for pair in each.items() for value in pair
        )
        assert all(str(failure) and isinstance(failure.degraded, bool) for failure in seen.failures)
        assert all(isinstance(count, int) for count in seen.fail_counts.values())


nodes = st.builds(NodeView, ids, *[st.booleans()] * 5)
failures = st.builds(
    Failure, resource=st.from_regex(r"[a-z][a-z_-]{0,8}", fullmatch=True), operation=st.sampled_from(["start", "stop"]),
    node=ids, status=words, reason=words, when=words, code=st.sampled_from(["1", "5", "7"]),
)  # fmt: skip


def printed(wanted: Sequence[NodeView], failed: Sequence[Failure], attributes: Attributes, counts: Counts) -> str:
    """A reading as crm_mon prints it."""
    add = etree.SubElement
    root = etree.Element("pacemaker-result")
    add(add(root, "summary"), "current_dc", present="true", name="x", with_quorum="true")
    listed, known, history, bad = (add(root, tag) for tag in ("nodes", "node_attributes", "node_history", "failures"))
    for each in wanted:
        add(
            listed,
            "node",
            {name: value if name == "name" else str(value).lower() for name, value in vars(each).items()},
        )
    for node, values in attributes.items():
        there = add(known, "node", name=node)
        for attribute, value in values.items():
            add(there, "attribute", name=attribute, value=value)
    for (resource, node), count in counts.items():
        add(add(history, "node", name=node), "resource_history", {"id": resource, "fail-count": str(count)})
    for each in failed:
        add(bad, "failure", {
            "op_key": f"{each.resource}_{each.operation}_0", "node": each.node, "exitstatus": each.status,
            "exitreason": each.reason, "exitcode": each.code, "last-rc-change": each.when,
        })  # fmt: skip
    return etree.tostring(root, encoding="unicode")


@given(
    st.lists(nodes, max_size=3),
    st.lists(failures, max_size=2),
    st.dictionaries(ids, st.dictionaries(ids, words, max_size=2), max_size=2),
    st.dictionaries(st.tuples(ids, ids), st.integers(1, 1000000), max_size=2),
)
def test_a_reading_reads_back_from_xml(wanted, failed, attributes, counts):
    seen = monitor.parse(printed(wanted, failed, attributes, counts))
    assert (seen.nodes, seen.failures, seen.attributes, seen.fail_counts) == (wanted, failed, attributes, counts)
    assert (seen.dc, seen.quorate) == ("x", True)


# The history of fencing, and its moments

FENCED = [HISTORY.format(status="success", completed="2026-11-22 21:40:00.088147Z")]


@given(any_like(FENCED))
@example("")
@example("crm_mon: Error: cluster is not available on this node")
def test_whatever_crm_mon_says_of_fencing_is_a_history_or_a_value_error(text):
    for each in told(lambda: presence.parse(text), ValueError) or []:
        assert isinstance(each.node, str)
        assert each.completed is None or isinstance(each.completed, float)


async def test_a_history_of_fencing_that_is_no_xml_is_unknown_and_names_the_node(monkeypatch):
    class Live:
        node = FakeNode("qsp-b", lambda _command: "lost")

    async def read(_cluster: object) -> Live:
        return Live()

    monkeypatch.setattr(presence.live, "read", read)
    with pytest.raises(Unknown, match=r"^qsp-b: .*crm_mon"):
        await presence.fenced(fake_cluster(Live.node), "qsp-a", 0)


moments = st.datetimes(
    datetime(1971, 1, 1), datetime(2100, 1, 1),  # noqa: DTZ001 the zone is drawn
    timezones=st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)  # fmt: skip


@given(st.lists(st.tuples(ids, st.sampled_from(["success", "failed", "pending"]), moments), max_size=3))
def test_a_history_of_fencing_reads_back(events):
    root = etree.Element("pacemaker-result")
    history = etree.SubElement(root, "fence_history")
    for node, status, when in events:
        etree.SubElement(history, "fence_event", target=node, status=status, completed=when.isoformat(" ", "seconds"))
    assert presence.parse(etree.tostring(root, encoding="unicode")) == [
        Fencing(node, status, when.replace(microsecond=0).timestamp()) for node, status, when in events
    ]


@given(any_like(["2026-11-22 21:40:00.088147Z", "2026-11-22 22:40:00 +0100", "Sun Nov 22 21:40:00 2026"]))
@example("2026-13-45 99:99:99")
@example("0000-01-01 00:00:00")
@example("0001-01-01 00:00:00 +23:59")
@example("2026-11-22 21:40:00 +99:99")
@example("٢٠٢٦-11-22 21:40:00")
def test_whatever_stands_for_a_moment_is_one_or_none(text):
    assert isinstance(seconds(text), float | None)


@given(moments)
def test_a_moment_reads_back_as_each_release_writes_it(when):
    whole = when.replace(microsecond=0)
    there = whole.astimezone(UTC)
    assert seconds(when.isoformat(" ")) == whole.timestamp()
    assert seconds(f"{there:%Y-%m-%d %H:%M:%SZ}") == seconds(f"{there:%a %b %d %H:%M:%S %Y}") == whole.timestamp()


# The stored configuration


@given(any_like(CIBS))
def test_whatever_is_stored_of_the_configuration_there_is_a_name_for_the_mirror(text):
    node = FakeNode("qsp-a", lambda _command: text)
    assert asyncio.run(stored.mirror_on(node))
    assert asyncio.run(stored.mirror_of(fake_cluster(node)))


# SBD

DUMPS = [*recorded("pacemaker/sbd-dump.txt"), "missing\n", "unreadable\n", "none\n"]


@given(any_like(DUMPS))
def test_whatever_sbd_says_is_a_header_or_none_or_a_value_error(text):
    seen = told(lambda: sbd.parse(text), ValueError)
    assert seen is None or "UUID" in text


@given(st.uuids().map(str), st.integers(1, 999), st.integers(1, 999))
def test_a_header_reads_back_from_sbds_dump(uuid, watchdog, message):
    text = DUMPS[0]
    for before, after in (
        ("ef8540e8-6092-4c63-b306-13abf5c96d06", uuid),
        (": 10\n", f": {watchdog}\n"),
        (": 20\n", f": {message}\n"),
    ):
        assert before in text
        text = text.replace(before, after)
    assert sbd.parse(text) == Header(uuid, str(watchdog), str(message))


paths = st.from_regex(r"/dev/[A-Za-z0-9/._:-]{1,30}", fullmatch=True)
CONFS = [sbd_conf.render(SbdConf("/dev/disk/by-id/virtio-sbd", "/dev/watchdog", 10, 37))]


@given(any_like(CONFS))
def test_whatever_stands_in_sbds_file_names_a_watchdog_or_none(text):
    assert sbd_conf.watchdog(text) in text


@given(st.builds(SbdConf, paths, paths, st.integers(1, 999), st.sampled_from([0, 37, 200])))
def test_sbds_file_reads_back(conf):
    text = sbd_conf.render(conf)
    assert sbd_conf.watchdog(text) == conf.watchdog
    settings = dict(row.split("=", 1) for row in text.splitlines() if not row.startswith("#"))
    assert (settings["SBD_DEVICE"], settings["SBD_WATCHDOG_TIMEOUT"]) == (conf.device, str(conf.watchdog_timeout))
    assert settings["SBD_DELAY_START"] == str(conf.delay_start or "no")


# Corosync's key

KEYS = ["", "400 root:root\nabc  -\n", "644 root:root\nabc  -\n"]


@given(any_like(KEYS))
@example("400 root:root\n\n")
@example("400 root:root\n \n")
@example("400 root:root\n")
def test_a_key_that_nobody_can_read_is_not_taken_for_none(text):
    seen = told(lambda: authkey.parse(text), Unknown)
    assert seen != Key() or not text


@given(
    st.from_regex(r"[0-9a-f]{64}", fullmatch=True),
    st.sampled_from(["400", "640", "644"]),
    st.sampled_from(["root:root", "a:b"]),
)
def test_a_key_reads_back_and_is_safe_only_where_root_alone_reads_it(digest, mode, owner):
    assert authkey.parse(f"{mode} {owner}\n{digest}  -\n") == Key(digest, safe=(mode, owner) == ("400", "root:root"))


@given(mangled(KEYS))
def test_no_key_counts_as_shared_that_is_none(text):
    key = told(lambda: authkey.parse(text), Unknown) or Key()
    assert not authkey.shared({"a": key, "b": Key()}, "a")


# corosync.conf


@given(any_like([DISTRIBUTION, corosync_conf.render(PAIR)]), any_like([DISTRIBUTION]))
@example("nonsense", "")
@example("}", "")
@example("{", "")
@example("totem {\n}\n}\n", "")
def test_whatever_stands_in_corosync_conf_are_settings_or_a_value_error(text, other):
    settings = told(lambda: corosync_conf.flatten(text), ValueError)
    if settings is not None:
        assert len(settings) <= len(text.splitlines())
        assert not any(value != value.strip() for _, value in settings)
        assert not corosync_conf.needs_restart(text, text)
    assert told(lambda: corosync_conf.needs_restart(text, other), ValueError) in (True, False, None)
    assert isinstance(told(lambda: corosync_conf.cluster_name(text), ValueError), str | None)
    assert is_distribution_default(text) in (True, False)
