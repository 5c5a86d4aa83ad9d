import pytest

from providers.connection.cluster import Cluster
from providers.connection.errors import Refused, Unknown
from providers.connection.fake import FakeJournals, FakeNode, fake_cluster
from providers.host.settings import FileState, NodeSettings, UnitState
from providers.pacemaker import authkey, corosync_conf, live, membership, monitor, sbd, sbd_conf, stack
from providers.pacemaker.authkey import Key
from providers.pacemaker.corosync_conf import CorosyncConf, CorosyncNode
from tests.unit.pacemaker.acting import MODE, Acting
from tests.unit.pacemaker.test_corosync_conf import DISTRIBUTION
from tests.unit.pacemaker.tools import recorded

PAIR = CorosyncConf(
    cluster_name="lab",
    nodes=[CorosyncNode(name=name, nodeid=n, links=[f"192.0.2.{n}"]) for n, name in ((1, "qsp-a"), (2, "qsp-b"))],
)
OURS = Key("abc", safe=True)


def settings(text: str | None, active: str = "active") -> NodeSettings:
    return NodeSettings(
        files={corosync_conf.PATH: FileState(content=text)},
        units={"corosync.service": UnitState.model_validate({"active": active})},
    )


def reading(conf: CorosyncConf | str | None = PAIR, key: Key = OURS, active: str = "active"):
    text = corosync_conf.render(conf) if isinstance(conf, CorosyncConf) else conf
    return membership._Reading(settings(text, active), key, None)


def wanted(conf: CorosyncConf = PAIR) -> membership.Wanted:
    node = membership.NodeMembership(settings=settings(corosync_conf.render(conf)))
    return membership.Wanted(name="lab", nodes={"qsp-a": node, "qsp-b": node})


OTHER_TOKEN = PAIR.model_copy(update={"token": 9000})
OTHER_CIPHER = PAIR.model_copy(update={"crypto_cipher": "aes128"})


@pytest.mark.parametrize(
    ("a", "b", "how"),
    [
        (reading(), reading(), ""),
        (reading(active="inactive"), reading(active="inactive"), ""),
        (reading(OTHER_CIPHER, active="inactive"), reading(), ""),
        (reading(OTHER_TOKEN), reading(), "reload"),
        (reading(OTHER_TOKEN), reading(OTHER_CIPHER), "restart"),
        (reading(), reading(key=Key("other", safe=True)), "restart"),
        (reading(), reading(None, Key(), active="inactive"), ""),
        (reading("not a configuration"), reading(), "restart"),
        (reading(DISTRIBUTION, Key()), reading(None, Key(), active="inactive"), ""),
    ],
    ids=["same", "stopped", "one-stopped", "token", "worst-counts", "key", "new-node", "unreadable", "package-default"],
)
def test_what_running_daemons_need(a, b, how):
    read = {"qsp-a": a, "qsp-b": b}
    default = membership._default_ones(read, {"qsp-a": {}, "qsp-b": {}})
    assert membership._how(wanted(), read, membership._source(read), default) == how


def test_the_key_of_the_running_node_is_the_clusters():
    replaced = reading(None, Key("fresh", safe=True), active="inactive")
    assert membership._source({"qsp-a": replaced, "qsp-b": reading()}) == "qsp-b"
    assert membership._source({"qsp-a": reading(key=Key()), "qsp-b": reading(key=Key())}) is None


FOREIGN = PAIR.model_copy(update={"cluster_name": "payroll"})


@pytest.mark.parametrize(
    ("conf", "refused"), [(FOREIGN, True), ("garbage", True), (DISTRIBUTION, False), (PAIR, False), (None, False)]
)
def test_a_foreign_cluster_is_refused_and_the_packages_own_is_not(conf, refused):
    node = FakeNode("qsp-a")
    read = {"qsp-a": reading(conf)}
    membership._refuse_foreign(fake_cluster(node, takeover=True), wanted(), read)
    if refused:
        with pytest.raises(Refused, match="another cluster"):
            membership._refuse_foreign(fake_cluster(node), wanted(), read)
    else:
        membership._refuse_foreign(fake_cluster(node), wanted(), read)


def test_the_packages_own_cluster_is_not_discarded_where_somebody_runs_something_in_it():
    view = monitor.parse(recorded("crm_mon-tree.xml"))
    read = {"qsp-a": membership._Reading(settings(DISTRIBUTION), OURS, view)}
    with pytest.raises(Refused, match=r"cluster of its own.*squid"):
        membership._refuse_foreign(fake_cluster(FakeNode("qsp-a")), wanted(), read)
    membership._refuse_foreign(fake_cluster(FakeNode("qsp-a"), takeover=True), wanted(), read)


def test_a_key_is_shared_only_if_all_have_it_and_root_alone_may_read_it():
    assert authkey.shared({"a": OURS, "b": OURS}, "a")
    assert not authkey.shared({"a": OURS, "b": Key("def", safe=True)}, "a")
    assert not authkey.shared({"a": Key("abc", safe=False), "b": OURS}, "a")
    assert not authkey.shared({"a": Key(), "b": Key()}, "a")


def test_the_key_is_read_as_a_digest():
    assert authkey.parse("400 root:root\nabc  -\n") == OURS
    assert authkey.parse("644 root:root\nabc  -\n") == Key("abc", safe=False)
    assert authkey.parse("") == Key()


def test_a_node_is_in_only_if_it_says_so_itself_and_nobody_differs():
    both, alone = monitor.parse(recorded("crm_mon-online.xml")), monitor.parse(recorded("crm_mon-starting.xml"))
    assert stack.seen_online({"qsp-a": both, "qsp-b": both}, "qsp-a")
    assert not stack.seen_online({"qsp-a": both, "qsp-b": alone}, "qsp-a")
    assert not stack.seen_online({"qsp-a": None, "qsp-b": both}, "qsp-a")
    assert not stack.seen_online({"qsp-a": None, "qsp-b": None}, "qsp-a")


# Starting anew


def stack_of(state: str) -> tuple[Cluster, list[FakeNode], FakeJournals]:
    """A pair whose nodes both say this of the cluster."""
    nodes = [FakeNode(name, lambda command: state if "crm_mon" in command.argv else "") for name in ("qsp-a", "qsp-b")]
    journals = FakeJournals()
    return fake_cluster(*nodes, thing="membership", journals=journals), nodes, journals


@pytest.mark.parametrize("unmanaged", [True, False])
async def test_a_restart_that_ended_without_quorum_goes_on_by_another_one(monkeypatch, unmanaged):
    """As after a wrong address: nodes that do not see each other have no quorum until it is put right."""
    state = recorded("crm_mon-online.xml").replace('with_quorum="true"', 'with_quorum="false"')
    if unmanaged:
        state = state.replace('maintenance-mode="false"', 'maintenance-mode="true"')
    cluster, nodes, journals = stack_of(state)

    class Asked(Exception):
        pass

    async def ask(*_: object, **__: object) -> None:
        raise Asked

    monkeypatch.setattr(stack, "start", ask)
    monkeypatch.setattr(stack, "_enter_maintenance", ask)
    for node in nodes:
        await journals(node, "membership").record({stack._MARK: ""})
    with pytest.raises(Asked):
        await stack.restart(cluster)
    stopped = [str(command) for command in nodes[0].written if "stop" in command.argv]
    assert stopped == (["systemctl stop pacemaker.service", "systemctl stop corosync.service"] if unmanaged else [])


@pytest.mark.parametrize("noted", [{"qsp-b": ""}, {"qsp-a": "true", "qsp-b": ""}, {"qsp-a": ""}, {}])
async def test_a_restart_gone_on_with_ends_the_mode_that_it_had_entered_also_with_one_node_replaced(noted):
    acting, journals = Acting(), FakeJournals()
    cluster = fake_cluster(*acting.nodes(), thing="membership", journals=journals)
    if noted:
        await live.change(cluster, lambda now: stack._maintenance(now.cib, "true"))
    for name, value in noted.items():
        await cluster.journal(name).record({stack._MARK: value})
    during: list[object] = []

    async def look() -> None:
        noted_now = [each.values.get(stack._MARK) for each in journals.opened.values()]
        during.append((MODE.format("true") in acting.mon, noted_now))

    await stack.restart(cluster, look)
    assert during == [(True, ["", ""])], "the services are left alone, and both nodes note the same"
    assert MODE.format("false") in acting.mon
    assert not await stack.interrupted(cluster)


@pytest.mark.parametrize(("noted", "told"), [("", ["qsp-b"]), ("true", []), (None, [])])
async def test_a_restart_that_ends_a_mode_by_an_earlier_ones_mark_tells_whose_mark(noted, told):
    acting, lines = Acting(), list[str]()
    cluster = fake_cluster(*acting.nodes(), thing="membership", journals=FakeJournals(), progress=lines.append)
    await live.change(cluster, lambda now: stack._maintenance(now.cib, "true"))
    if noted is not None:
        await cluster.journal("qsp-b").record({stack._MARK: noted})
    await stack.restart(cluster)
    assert [line.split(":")[0] for line in lines if "cut off" in line] == told


@pytest.mark.parametrize("ended", [False, True])
async def test_a_restart_leaves_a_persons_mode_on_and_does_not_enter_one_that_a_person_has_ended(ended):
    acting = Acting()
    cluster = fake_cluster(*acting.nodes(), thing="membership", journals=FakeJournals())
    if ended:
        await cluster.journal("qsp-a").record({stack._MARK: "true"})
    else:
        await live.change(cluster, lambda now: stack._maintenance(now.cib, "true"))
    await stack.restart(cluster)
    assert MODE.format(str(not ended).lower()) in acting.mon
    assert not await stack.interrupted(cluster)


def test_a_node_that_joins_later_finds_what_the_first_ones_found():
    blank = reading(None, Key(), active="inactive")
    read = {"qsp-a": reading(), "qsp-b": blank}
    assert membership._found(wanted(), read, {"qsp-a": {}, "qsp-b": {}}) == "running"
    assert membership._found(wanted(), read, {"qsp-a": {membership._FOUND: "none"}, "qsp-b": {}}) == "none"
    assert membership._found(wanted(), read, {"qsp-a": {membership._FOUND: "running"}, "qsp-b": {}}) == "running"


async def test_the_packages_cluster_is_still_discarded_after_a_cut_that_followed_our_file(monkeypatch):
    """With our file in place nothing but the journal tells that the daemons run by the package's."""

    async def nothing(*_: object) -> None: ...

    monkeypatch.setattr(membership, "record_settings", nothing)
    node, journals = FakeNode("qsp-a"), FakeJournals()
    cluster = fake_cluster(node, thing="membership", journals=journals)
    default = {"qsp-a": reading(DISTRIBUTION, Key())}
    await membership._begin(cluster, wanted(), default, {"qsp-a": {}}, ["qsp-a"])
    known = {"qsp-a": journals.opened["qsp-a", "membership"].values}
    again = {"qsp-a": reading(OTHER_CIPHER)}
    left = membership._default_ones(again, known)
    assert left == ["qsp-a"]
    assert membership._how(wanted(), again, "qsp-a", left) == ""
    await membership._discard(cluster, left)
    stopped = [command.argv[-1] for command in node.written if "stop" in command.argv]
    assert stopped == ["pacemaker.service", "corosync.service"]
    assert membership._default_ones(again, {"qsp-a": journals.opened["qsp-a", "membership"].values}) == []


# SBD


def test_a_header_is_read():
    header = sbd.parse(recorded("sbd-dump.txt"))
    assert header == sbd.Header("ef8540e8-6092-4c63-b306-13abf5c96d06", "10", "20")
    assert sbd.parse("==Dumping header on disk /dev/loop0\n==Header on disk /dev/loop0 NOT dumped\nnone\n") is None
    with pytest.raises(ValueError, match="no such block device"):
        sbd.parse("missing\n")


def test_a_disk_that_is_not_shared_is_noticed():
    inputs = sbd.Wanted(device="/dev/sbd", watchdog_timeout="10", message_timeout="20", nodes={})
    header = sbd.Header("one", "10", "20")
    assert sbd._shared(inputs, {"qsp-a": header, "qsp-b": header}) == header
    with pytest.raises(Unknown, match="not the same disk"):
        sbd._shared(inputs, {"qsp-a": header, "qsp-b": sbd.Header("two", "10", "20")})
    with pytest.raises(Unknown, match="no header"):
        sbd._shared(inputs, {"qsp-a": header, "qsp-b": None})


def test_sbds_settings_let_a_fenced_node_rejoin():
    text = sbd_conf.render(sbd_conf.SbdConf("/dev/disk/by-id/virtio-sbd", "/dev/watchdog", 10, 37))
    assert "SBD_STARTMODE=always\n" in text
    assert "SBD_DEVICE=/dev/disk/by-id/virtio-sbd\n" in text
    assert sbd_conf.watchdog(text) == "/dev/watchdog"
