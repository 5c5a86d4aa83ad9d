"""`squid-ha verify` on sites without a mirror: a single node with its clock, and a pair whose logs are local."""

import copy
from dataclasses import replace
from typing import Any

import pytest

from blueprint.site import things
from declaration.load import read
from operations import status, switchover
from operations.verify import Options, Report, verify
from providers.connection.loop import run_sync
from providers.host import packages
from tests.support import sites
from tests.support.moving_mirror import MovingMirror
from tests.support.things import OWNER, Site, site

pytestmark = pytest.mark.spare

NODES = ("qsp-a", "qsp-b")
NAMES = ("squid", "chrony")


def raw(pair, count: int) -> dict[str, Any]:
    """The lab's site with its first node alone, or as a pair without a mirror."""
    made = copy.deepcopy(sites.on_containers(pair.directory))
    if count == 1:
        del made["nodes"][1], made["virtual_ip"], made["pacemaker"], made["lifekeeper"]
        made["network"].pop("replication")
        made["nodes"][0].pop("replication_address")
    return made


@pytest.fixture(scope="module")
def lab_site(pair) -> Site:
    opened = site(pair)
    wanted = packages.Wanted(
        nodes={node: dict.fromkeys(NAMES, "installed") for node in NODES}, quiet_units=[f"{n}.service" for n in NAMES]
    )
    opened.apply("host.packages", "packages", wanted)
    return opened


def one(lab_site: Site) -> Site:
    """The same connections, but for the second node."""
    nodes = {"qsp-a": lab_site.cluster.nodes["qsp-a"]}
    return Site(replace(lab_site.cluster, nodes=nodes), lab_site.told)


def failed(report: Report) -> set[tuple[str, str]]:
    return {(check.name, check.where) for check in report.checks if not check.passed}


def test_a_single_node_and_what_can_be_wrong_with_it(pair, lab_site):
    declared = read(raw(pair, 1), "x")
    alone = one(lab_site)
    for each in things(declared, OWNER):
        if each.name in ("time", "squid-config"):
            alone.apply(each.kind, each.name, each.inputs)

    def look(sender: str = "") -> Report:
        return run_sync(verify(alone.cluster, declared, "lab", Options(sender=sender, requests=2)))

    report = look()
    assert report.passed, failed(report)
    assert [check.name for check in report.checks] == ["service", "client's request", "local log", "clock"]
    assert report.checks[1].where == "192.0.2.11:3128"
    assert "sent from qsp-a" in report.checks[1].seen
    assert report.checks[3].seen.startswith("chrony: source 192.0.2.1, stratum 9, offset ")
    assert report.proof is None

    alone.sh("qsp-a", "systemctl disable squid 2>/dev/null; systemctl stop chrony")
    assert failed(look()) == {("service", "qsp-a"), ("clock", "qsp-a")}
    alone.sh("qsp-a", "systemctl enable squid 2>/dev/null; systemctl start chrony")
    assert failed(look(sender="here")) == {("client's request", "192.0.2.11:3128"), ("local log", "qsp-a")}
    alone.sh("qsp-a", "systemctl stop squid")
    report = look()
    assert ("service", "qsp-a") in failed(report)
    assert not report.passed


def test_a_pair_with_local_logs_is_moved_there_and_back(pair, lab_site, monkeypatch):
    declared = read(raw(pair, 2), "x").model_copy(update={"time": None})
    conf = next(each for each in things(declared, OWNER) if each.name == "squid-config").inputs
    content = conf.model_dump()["nodes"]["qsp-a"]["files"]["/etc/squid/squid.conf"]["content"]
    for node in NODES:
        lab_site.sh(node, f"systemctl stop squid; cat >/etc/squid/squid.conf <<'END'\n{content}\nEND")
    engine = MovingMirror(lab_site.cluster)
    run_sync(engine.arrive("qsp-a"))
    for module in (status, switchover):
        monkeypatch.setattr(module, "engine_of", lambda _site: engine)
    report = run_sync(verify(lab_site.cluster, declared, "lab", Options(move=True, requests=2)))
    assert report.passed, failed(report)
    assert report.proof is None
    assert [check.where for check in report.checks if check.name == "local log"] == ["qsp-a", "qsp-b", "qsp-a"]
    before = [check.seen for check in report.checks if check.name == "records of before, on either node"]
    assert [seen.split(" have")[0] for seen in before] == ["2 of 2 requests", "4 of 4 requests"]
    assert "clocks of both" in [check.name for check in report.checks]

    lab_site.sh("qsp-b", "systemctl mask squid 2>/dev/null")
    report = run_sync(verify(lab_site.cluster, declared, "lab", Options(move=True, requests=2)))
    lab_site.sh("qsp-b", "systemctl unmask squid 2>/dev/null")
    assert ("switchover", "qsp-a → qsp-b") in failed(report)
    assert "squid.service is masked" in next(check.seen for check in report.checks if check.name == "switchover")
