"""The mirror's rotation on the container pair: real Squid, real logrotate, a mirror that is carried over.

And `squid-ha verify`, which does by itself what these tests check otherwise.
"""

import time
from typing import Any

import pytest

from blueprint.rotation import rendered
from blueprint.site import things
from declaration.load import read
from lab import load
from operations import status, switchover
from operations.proof import Request, prove
from operations.proof.read import read_records
from operations.verify import Options, rotation, verify, verify_rotation
from operations.verify.requests import FromNode, Target
from operations.verify.walk import Walk
from providers.connection.loop import run_sync
from providers.host import packages
from tests.support import sites
from tests.support.moving_mirror import ADDRESS, MOUNT_POINT, MovingMirror
from tests.support.things import OWNER, Site, site

pytestmark = pytest.mark.spare

NODES = ("qsp-a", "qsp-b")
PACKAGES = packages.Wanted(
    nodes={node: {"squid": "installed", "logrotate": "installed"} for node in NODES}, quiet_units=["squid.service"]
)
STANZA = "sha256sum /etc/logrotate.d/squid; cat /etc/logrotate.d/squid | sha256sum"
LOG = f"{MOUNT_POINT}/squid/access.log"
STATE = f"{MOUNT_POINT}/rotation/logrotate.state"
SERVICE = "squid-ha-rotation.service"
DUE = f"sed -i 's/ 20[0-9-]*:.*/ 2026-01-01-0:0:0/' {STATE}"


def declared(pair, **rotation_settings):
    raw = sites.reference(pair.directory)
    if rotation_settings:
        raw["rotation"] = rotation_settings
    return read(raw, "x")


def thing(declared_site, name: str) -> Any:
    return next(each for each in things(declared_site, OWNER) if each.name == name)


@pytest.fixture(scope="module")
def lab_site(pair) -> Site:
    opened = site(pair)
    opened.apply("host.packages", "packages", PACKAGES)
    return opened


@pytest.fixture(scope="module")
def stanza(lab_site) -> dict[str, str]:
    """The distribution's rotation of the local logs, before anything of ours is there."""
    return {node: lab_site.sh(node, STANZA) for node in NODES}


@pytest.fixture(scope="module")
def running(pair, lab_site, stanza) -> MovingMirror:
    assert all(stanza.values())
    made = declared(pair)
    rotated = thing(made, "rotation")
    lab_site.apply(rotated.kind, rotated.name, rotated.inputs)
    conf = thing(made, "squid-config").inputs.nodes["qsp-a"].files["/etc/squid/squid.conf"].content
    for node in NODES:
        lab_site.sh(node, f"cat >/etc/squid/squid.conf <<'END'\n{conf}\nEND\nsystemctl stop {rotated_timer()}")
    mirror = MovingMirror(lab_site.cluster)
    run_sync(mirror.arrive("qsp-a"))
    return mirror


@pytest.fixture(autouse=True)
def engine(request, monkeypatch):
    if "running" in request.fixturenames:
        mirror = request.getfixturevalue("running")
        for module in (status, switchover):
            monkeypatch.setattr(module, "engine_of", lambda _site: mirror)


def rotated_timer() -> str:
    return "squid-ha-rotation.timer"


def rotations(lab_site, mirror) -> list[str]:
    return lab_site.sh(mirror.active, f"ls {MOUNT_POINT}/squid | grep -v '^access.log$'; true").split()


def ask(lab_site, mirror, declared_site, count: int = 3) -> str:
    """Requests that leave records, so that there is something to rotate; the name that they have in common."""
    standby = next(node for node in NODES if node != mirror.active)
    walk = Walk(lab_site.cluster, declared_site, FromNode(lab_site.cluster.nodes[standby]), target())
    run_sync(walk.ask(mirror.active, count))
    assert all(check.passed for check in walk.checks), walk.checks
    return walk.run


def target() -> Target:
    return Target(ADDRESS, 3128, "http://192.0.2.1/")


def look_on_both(lab_site) -> list[str]:
    """What the timers do on both nodes at their hour; whether each service did its work or skipped it."""
    # Containers are so fast that two rotations would fall into one second, and get one name.
    begun = int(time.time())
    wait_for(lambda: int(time.time()) > begun)
    for node in NODES:
        # systemd counts starts, and these come faster than once an hour.
        lab_site.sh(node, f"systemctl reset-failed {SERVICE}; systemctl start {SERVICE}")
    return [lab_site.sh(node, f"systemctl show -P ConditionResult {SERVICE}").strip() for node in NODES]


def test_the_distributions_stanza_stays_and_knows_nothing_of_the_mirror(lab_site, running, stanza):
    assert {node: lab_site.sh(node, STANZA) for node in NODES} == stanza
    for node in NODES:
        assert MOUNT_POINT not in lab_site.sh(node, "logrotate --debug /etc/logrotate.conf 2>&1")


def test_what_is_due_is_rotated_once_by_the_active_node_alone(pair, lab_site, running):
    ask(lab_site, running, declared(pair))
    assert look_on_both(lab_site) == ["yes", "no"]
    assert rotations(lab_site, running) == [], "a log that logrotate sees for the first time is not due yet"
    lab_site.sh("qsp-a", DUE)
    look_on_both(lab_site)
    assert len(rotations(lab_site, running)) == 1
    ask(lab_site, running, declared(pair))
    look_on_both(lab_site)
    assert len(rotations(lab_site, running)) == 1


def test_a_switchover_after_the_rotation_does_not_rotate_again(pair, lab_site, running):
    before = rotations(lab_site, running)
    run_sync(running.switchover(lab_site.cluster, "qsp-b"))
    ask(lab_site, running, declared(pair))
    assert look_on_both(lab_site) == ["no", "yes"]
    assert rotations(lab_site, running) == before


def test_a_switchover_before_the_rotation_does_not_lose_it(pair, lab_site, running):
    before = rotations(lab_site, running)
    lab_site.sh("qsp-b", DUE)
    run_sync(running.switchover(lab_site.cluster, "qsp-a"))
    assert look_on_both(lab_site) == ["yes", "no"]
    after = rotations(lab_site, running)
    assert len(after) == len(before) + 1, "what was due was not rotated where the service is now"
    ask(lab_site, running, declared(pair))


@pytest.mark.timeout(900)
def test_no_record_is_lost_or_doubled_by_rotations_under_load(pair, lab_site, running):
    made = declared(pair)
    wanted = rendered(made, OWNER)
    run = f"r{time.time():.0f}"
    file = load.start(run, rate=60, proxy=f"{ADDRESS}:3128")

    def answered() -> int:
        return sum(record.answered for record in load.read(file))

    try:
        for rotation_number in range(1, 6):
            wait_for(lambda number=rotation_number: answered() >= 150 * number)
            before = len(rotations(lab_site, running))
            done = run_sync(lab_site.cluster.nodes["qsp-a"].run(rotation.logrotate(wanted, "--force")))
            assert rotation.errors(done) == []
            assert len(rotations(lab_site, running)) == before + 1
        wait_for(lambda: answered() >= 900)
    finally:
        records = load.stop(file)
    sent = [Request(id=r.id, start=r.start, end=r.end, status=r.status, error=r.error) for r in records]
    logs = run_sync(read_records(lab_site.cluster, made, "qsp-a", run))
    proof = prove(run, sent, [], logs)
    assert proof.passed, proof.reasons
    # Sixty requests at once may be too many for a Squid of a busy machine that has been idle; a rotation may not be.
    warm = min(each.end for each in sent if each.status is not None)
    refused = [each.id for each in sent if each.start > warm and each.status is None]
    assert refused == [], f"requests that were not answered while the log was rotated: {refused}"
    assert len(proof.mirror.files) == 6, "the load did not spread over all rotated files"
    assert sum(name.endswith(".gz") for name in proof.mirror.files) == 4, "all but the last are compressed"


def wait_for(condition, limit: float = 120) -> None:
    deadline = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


SETTINGS = [
    ({"size": "1k"}, True),
    ({"schedule": "daily", "max_size": "1k"}, True),
    ({"schedule": "daily", "max_size": "1G"}, False),
    ({"schedule": "hourly", "date_suffix": "-%Y%m%d-%H%M%S", "max_size": "1k", "compress": False}, True),
    ({"schedule": "weekly", "date_suffix": False, "max_size": "1k", "keep": 2}, True),
]


@pytest.mark.turns("rotation")
@pytest.mark.parametrize(("settings", "rotates"), SETTINGS)
def test_sizes_and_names_mean_to_logrotate_what_they_say(pair, lab_site, running, settings, rotates):
    made = declared(pair, **settings)
    rotated = thing(made, "rotation")
    lab_site.apply(rotated.kind, rotated.name, rotated.inputs)
    ask(lab_site, running, made, 15)
    before = rotations(lab_site, running)
    look_on_both(lab_site)
    new = set(rotations(lab_site, running)) - set(before)
    assert bool(new) == rotates, lab_site.sh("qsp-a", f"journalctl -u {SERVICE} -n 5 --no-pager")
    assert lab_site.sh("qsp-a", f"systemctl show -P Result {SERVICE}").strip() == "success"


def test_a_log_below_its_least_size_is_left_although_it_is_due(pair, lab_site, running):
    for least, rotated_now in (("1G", False), ("1k", True)):
        made = declared(pair, schedule="daily", min_size=least)
        rotated = thing(made, "rotation")
        lab_site.apply(rotated.kind, rotated.name, rotated.inputs)
        ask(lab_site, running, made, 15)
        lab_site.sh("qsp-a", DUE)
        before = rotations(lab_site, running)
        look_on_both(lab_site)
        assert (rotations(lab_site, running) != before) == rotated_now


def test_as_many_rotated_files_stay_as_are_declared(pair, lab_site, running):
    """Numbered, so that the oldest one has to make way under its own name."""
    made = declared(pair, date_suffix=False, keep=2)
    rotated = thing(made, "rotation")
    lab_site.apply(rotated.kind, rotated.name, rotated.inputs)
    node = running.active
    lab_site.sh(node, f"rm -f {LOG}.*")
    asked: list[str] = []
    for _ in range(4):
        asked.append(ask(lab_site, running, made))
        done = run_sync(lab_site.cluster.nodes[node].run(rotation.logrotate(rendered(made, OWNER), "--force")))
        assert rotation.errors(done) == []
        # Before it, requests would still go into the file that was renamed, and nothing would be there to rotate.
        wait_for(lambda: lab_site.sh(node, f"test ! -e {LOG} || echo there") == "there\n")
    kept = [name for name in rotations(lab_site, running) if name.startswith("access.log.")]
    assert kept == ["access.log.1", "access.log.2.gz"]
    for name, run in zip(kept, reversed(asked), strict=False):
        records = lab_site.sh(node, f"zcat -f {MOUNT_POINT}/squid/{name} | grep '/r/'").splitlines()
        assert len(records) == 3
        assert all(f"/r/{run}-" in record for record in records), "a file has another rotation's records"
    lab_site.sh(node, f"rm {LOG}.*")


def check_of(report, name: str):
    return [check for check in report.checks if check.name == name]


def test_verify_finds_all_well_before_and_after_a_move_and_back(pair, lab_site, running):
    made = declared(pair)
    rotated = thing(made, "rotation")
    lab_site.apply(rotated.kind, rotated.name, rotated.inputs)
    clocks_aside = made.model_copy(update={"time": None})
    report = run_sync(verify(lab_site.cluster, clocks_aside, "lab", Options(move=True)))
    assert report.passed, [check for check in report.checks if not check.passed]
    assert [check.where for check in check_of(report, "switchover")] == ["qsp-a → qsp-b", "qsp-b → qsp-a"]
    assert [check.where for check in check_of(report, "mirror's log")] == ["qsp-a", "qsp-b", "qsp-a"]
    assert [check.seen.split(" have")[0] for check in check_of(report, "records of before")] == [
        "5 of 5 requests", "10 of 10 requests",
    ]  # fmt: skip
    # Nothing of the lab's network is reached from where the tests run.
    assert "sent from qsp-b" in check_of(report, "client's request")[0].seen
    assert report.proof is not None
    assert report.proof.passed


def test_verify_sees_a_clock_without_a_service(pair, lab_site, running):
    report = run_sync(verify(lab_site.cluster, declared(pair), "lab", Options(requests=1)))
    assert not report.passed
    assert {check.where: check.passed for check in check_of(report, "clock")} == {"qsp-a": False, "qsp-b": False}
    assert check_of(report, "clock")[0].seen.startswith("chrony: chronyd does not answer")


def test_verify_sees_a_proxy_that_does_not_serve_and_a_log_that_is_not_written(pair, lab_site, running):
    made = declared(pair).model_copy(update={"time": None})
    lab_site.sh("qsp-a", "systemctl kill -s STOP squid")
    try:
        walk = Walk(lab_site.cluster, made, FromNode(lab_site.cluster.nodes["qsp-b"], timeout=3), target())
        run_sync(walk.ask("qsp-a", 1))
    finally:
        lab_site.sh("qsp-a", "systemctl kill -s CONT squid")
    assert [check.passed for check in walk.checks] == [False, False, False]
    assert "0 of 1 answered, sent from qsp-b: nothing within 3 s" in walk.checks[0].seen
    # A log that was taken away without telling Squid: it goes on writing to what nobody can read.
    lab_site.sh("qsp-a", f"mv {LOG} {MOUNT_POINT}/elsewhere")
    report = run_sync(verify(lab_site.cluster, made, "lab", Options(requests=2)))
    lab_site.sh("qsp-a", f"mv {MOUNT_POINT}/elsewhere {LOG}")
    assert [check.passed for check in check_of(report, "mirror's log")] == [False]
    assert [check.passed for check in check_of(report, "local log")] == [True]


def test_verify_sees_a_client_that_is_not_allowed_and_a_page_that_is_not_reached(pair, lab_site, running):
    made = declared(pair).model_copy(update={"time": None})
    report = run_sync(verify(lab_site.cluster, made, "lab", Options(url="http://192.0.2.1:8081/", requests=1)))
    assert "could not fetch http://192.0.2.1:8081/" in check_of(report, "client's request")[0].seen
    report = run_sync(verify(lab_site.cluster, made, "lab", Options(url="http://127.0.0.1/", requests=1)))
    assert "does not allow" in check_of(report, "client's request")[0].seen
    assert not report.passed


@pytest.mark.timeout(900)
def test_verify_rotation_rotates_on_each_node_and_shows_the_files(pair, lab_site, running):
    made = declared(pair)
    running.moved.clear()
    report = run_sync(verify_rotation(lab_site.cluster, made, "lab", OWNER, Options(requests=3)))
    assert report.passed, [check for check in report.checks if not check.passed]
    assert running.moved == ["qsp-b", "qsp-a"]
    assert [check.where for check in check_of(report, "rotation, forced")] == ["qsp-a", "qsp-b"]
    for node in NODES:
        became = {change.file.rsplit("/", 1)[-1]: change.became for change in report.files if change.node == node}
        assert became["access.log"] == "new, opened by Squid"
        assert "was access.log" in became.values()
    assert any(change.became.endswith(", compressed") for change in report.files)
    assert report.proof is not None
    assert report.proof.passed


def test_verify_rotation_tells_what_logrotate_complains_of(pair, lab_site, running):
    lab_site.sh("qsp-a", f"chmod 0777 {MOUNT_POINT}/squid")
    try:
        walk = Walk(lab_site.cluster, declared(pair), FromNode(lab_site.cluster.nodes["qsp-b"]), target())
        run_sync(rotation.rotate(walk, lab_site.cluster.nodes["qsp-a"], rendered(declared(pair), OWNER)))
    finally:
        lab_site.sh("qsp-a", f"chmod 0750 {MOUNT_POINT}/squid")
    assert [check.passed for check in walk.checks] == [False, False]
    assert "insecure permissions" in walk.checks[1].seen


def test_removal_leaves_the_distributions_rotation_as_it_was(pair, lab_site, running, stanza):
    rotated = thing(declared(pair), "rotation")
    lab_site.remove(rotated.kind, rotated.name, rotated.inputs)
    assert {node: lab_site.sh(node, STANZA) for node in NODES} == stanza
    for node in NODES:
        assert lab_site.sh(node, f"systemctl is-enabled {rotated_timer()} 2>&1; true").strip() != "enabled"
