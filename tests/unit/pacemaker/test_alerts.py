"""Pacemaker's alert agent, run by sh with tools of our own; and the alert in the cluster's configuration."""

import os
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.pacemaker import alert_agent, alerts
from providers.pacemaker.alerts import Wanted
from providers.pacemaker.cib import Cib
from tests.unit.pacemaker.tools import recorded

NODE = os.uname().nodename
MINUTE = 60
OP = '<lrm_rsc_op id="address_last_0" operation="{}" rc-code="0" last-rc-change="{}"/>'


class Agent:
    """A node called as this machine is, beside `qsp-b`."""

    def __init__(self, folder: Path, text: str = "") -> None:
        self.folder = folder
        (folder / "bin").mkdir()
        (folder / "memory").mkdir()
        self.tool("alert", f'#!/bin/sh\necho "$2: $3" >>{folder}/raised\n')
        self.script = folder / "agent"
        self.script.write_text((text or alert_agent.text()).replace("PATH=/usr/sbin:", f"PATH={folder}/bin:/usr/sbin:"))
        long_ago = time.time() - 10 * MINUTE
        os.utime(self.script, (long_ago, long_ago))
        self.cluster()

    def tool(self, name: str, text: str) -> None:
        (self.folder / "bin" / name).write_text(text)
        (self.folder / "bin" / name).chmod(0o755)

    def cluster(self, *, peer: str = "", constraint: str = "", left: float | None = None) -> None:
        """What the cluster says: attributes of the peer's line, a constraint, when the address was on the peer."""
        standard = 'online="true" standby="false" maintenance="false" shutdown="false" expected_up="true"'
        line = f'<node name="qsp-b" id="2" {peer or standard}/>'
        nodes = f'<node name="{NODE}" id="1" {standard}/>\\n{line}'
        op = OP.format("stop", int(left)) if left is not None else OP.format("monitor", int(time.time()))
        self.tool("crm_mon", f"#!/bin/sh\nprintf '{nodes}\\n'\n")
        self.tool(
            "cibadmin",
            f"#!/bin/sh\ncase $* in *--xpath*qsp-b*) echo '{op}' ;; *constraints*) echo '{constraint}' ;; esac\n",
        )

    def event(self, kind: str, **told: str) -> None:
        environment = {
            **os.environ,
            **{f"CRM_alert_{name}": value for name, value in {"kind": kind, "node": NODE, **told}.items()},
            "SQUID_HA_ALERT": str(self.folder / "bin/alert"),
            "SQUID_HA_MEMORY": str(self.folder / "memory"),
        }
        done = subprocess.run(["sh", str(self.script)], env=environment, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")

    def operation(self, resource: str, task: str, rc: str = "0") -> None:
        self.event("resource", rsc=resource, task=task, rc=rc)

    def arrive(self) -> None:
        self.operation("filesystem", "start")
        self.operation("squid", "start")
        self.operation("address", "start")

    @property
    def raised(self) -> list[str]:
        path = self.folder / "raised"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def agent(tmp_path: Path) -> Agent:
    return Agent(tmp_path)


def test_a_lost_node_and_the_service_here_is_one_failover(agent):
    agent.event("node", node="qsp-b", desc="lost")
    agent.arrive()
    assert agent.raised == [
        "node_lost: qsp-b has left the cluster without being told to",
        f"failover: the service failed over from qsp-b to {NODE}",
    ]


def test_a_lost_node_counts_whatever_an_earlier_move_has_left_behind(agent):
    agent.cluster(constraint='<rsc_location id="cli-prefer-squid"/>')
    agent.event("node", node="qsp-b", desc="lost")
    agent.arrive()
    assert len([each for each in agent.raised if each.startswith("failover")]) == 1


def test_members_of_a_cluster_built_by_hand_are_known_by_their_names(tmp_path):
    agent = Agent(tmp_path, alert_agent.text("office-ip", "drbd_logs", ["fs_logs", "proxy"]))
    agent.event("node", node="qsp-b", desc="lost")
    for resource in ("fs_logs", "proxy", "office-ip"):
        agent.operation(resource, "start")
    assert [each for each in agent.raised if each.startswith("failover")]


def test_the_first_start_of_a_cluster_is_no_failover(agent):
    agent.arrive()
    assert agent.raised == []


def moved(verb: str, node: str, end: float | None = None) -> str:
    """What `crm_resource --move` or `--ban` writes, with and without ``--lifetime``."""
    name = f"cli-prefer-{verb}" if verb != "ban" else f"cli-ban-squid-on-{node}"
    if end is None:
        return f'<rsc_location id="{name}" rsc="squid" role="Started" node="{node}" score="INFINITY"/>'
    until = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(end))
    return "\n".join([
        f'<rsc_location id="{name}" rsc="squid" role="Started">',
        f'  <rule id="{name}-rule" score="INFINITY" boolean-op="and">',
        f'    <expression id="{name}-expr" attribute="#uname" operation="eq" value="{node}" type="string"/>',
        f'    <date_expression id="{name}-lifetime-end" operation="lt" end="{until}"/>',
        "  </rule>",
        "</rsc_location>",
    ])  # fmt: skip


PLANS = {
    "moved": {"constraint": moved("squid", NODE)},
    "moved for a while": {"constraint": moved("squid", NODE, time.time() + 60 * MINUTE)},
    "banned": {"constraint": moved("ban", "qsp-b")},
    "banned for a while": {"constraint": moved("ban", "qsp-b", time.time() + 60 * MINUTE)},
    "aside": {"peer": 'online="true" standby="true" maintenance="false" shutdown="false"'},
    "shut down": {"peer": 'online="true" standby="false" maintenance="false" shutdown="true"'},
}


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_a_planned_switchover_is_no_failover(agent, plan):
    agent.cluster(left=time.time(), **plan)
    agent.arrive()
    assert agent.raised == []


OVER = {
    "a move to the other node": moved("squid", "qsp-b"),
    "a move to here that is over": moved("squid", NODE, time.time() - MINUTE),
    "a ban from here that is over": moved("ban", NODE, time.time() - MINUTE),
    "a ban from the other node that is over": moved("ban", "qsp-b", time.time() - MINUTE),
}


@pytest.mark.parametrize("constraint", OVER.values(), ids=OVER)
def test_what_an_earlier_move_has_left_behind_explains_no_failover(agent, constraint):
    agent.cluster(left=time.time(), constraint=constraint)
    agent.arrive()
    assert agent.raised == [f"failover: the service failed over from qsp-b to {NODE}"]


def test_a_plan_that_is_over_when_the_address_comes_still_counts(agent):
    agent.cluster(left=time.time(), **PLANS["moved"])
    agent.operation("filesystem", "start")
    agent.cluster(left=time.time())
    agent.operation("address", "start")
    assert agent.raised == []


def test_the_plan_of_one_move_does_not_explain_the_next(agent):
    agent.cluster(left=time.time(), **PLANS["moved"])
    agent.arrive()
    agent.operation("address", "stop")
    agent.cluster(left=time.time() + MINUTE)
    agent.arrive()
    assert agent.raised == [f"failover: the service failed over from qsp-b to {NODE}"]


def test_a_service_that_leaves_a_living_node_by_itself_has_failed_over(agent):
    agent.cluster(left=time.time())
    agent.arrive()
    assert agent.raised == [f"failover: the service failed over from qsp-b to {NODE}"]


def test_a_restart_in_place_is_no_failover(agent):
    agent.cluster(left=time.time() - 5 * MINUTE, **PLANS["moved"])
    agent.arrive()
    agent.cluster(left=time.time() - 5 * MINUTE)
    agent.operation("address", "stop")
    agent.arrive()
    assert agent.raised == []


def test_a_standby_that_was_lost_does_not_explain_a_restart_here(agent):
    agent.arrive()
    agent.event("node", node="qsp-b", desc="lost")
    agent.operation("address", "stop")
    agent.arrive()
    assert agent.raised == ["node_lost: qsp-b has left the cluster without being told to"]


def test_a_node_that_was_told_to_leave_is_not_lost(agent):
    agent.cluster(peer='online="false" standby="false" shutdown="false" expected_up="false"')
    agent.event("node", node="qsp-b", desc="lost")
    agent.event("node", node="qsp-b", desc="member")
    assert agent.raised == []


def test_a_node_that_comes_back_is_told_once(agent):
    agent.event("node", node="qsp-b", desc="member")
    agent.event("node", node="qsp-b", desc="lost")
    agent.event("node", node="qsp-b", desc="member")
    agent.event("node", node="qsp-b", desc="member")
    assert agent.raised[1:] == ["node_lost: well again: qsp-b is back in the cluster"]


def test_fencing_is_told_in_pacemakers_words(agent):
    agent.event("fencing", node="qsp-b", desc="Operation reboot of qsp-b by qsp-a: OK")
    assert agent.raised == ["fencing: Operation reboot of qsp-b by qsp-a: OK"]


@pytest.mark.parametrize(
    ("resource", "task", "rc"),
    [("squid", "monitor", "7"), ("squid", "start", "1"), ("address", "start", "1"), ("address", "monitor", "0")],
)
def test_what_moves_nothing_is_noise(agent, resource, task, rc):
    agent.cluster(left=time.time())
    agent.operation(resource, task, rc)
    assert agent.raised == []


# The cluster's configuration


def test_pacemaker_finds_no_fault_with_it(cib, tools, tmp_path):
    (tmp_path / "cib.xml").write_text(alerts.with_alert(cib, ALERT).text())
    assert "error" not in tools.run("crm_verify", "-V", "--xml-file", str(tmp_path / "cib.xml"), errors=True).lower()


ALERT = Wanted(
    id="squid-ha-alerts", path="/usr/lib/squid-ha/pacemaker-alert", timeout="60s", select=["fencing", "nodes"]
)


@pytest.fixture
def cib() -> Cib:
    return Cib.parse(recorded("cib-tree.xml"))


def test_an_alert_is_read_back_as_it_was_written(cib):
    made = alerts.with_alert(cib, ALERT)
    assert alerts._read(made, ALERT.id) == ALERT
    assert alerts._read(cib, ALERT.id) is None


def test_writing_it_again_changes_nothing(cib):
    made = alerts.with_alert(cib, ALERT)
    assert alerts.with_alert(made, ALERT).text() == made.text()


def test_taken_away_it_leaves_everything_as_it_was(cib):
    before = alerts.excerpt(cib, ALERT.id)
    assert alerts.restored(alerts.with_alert(cib, ALERT), ALERT.id, before).text() == cib.text()


def test_alerts_of_others_stay(cib):
    other = Wanted(id="theirs", path="/usr/local/bin/tell")
    both = alerts.with_alert(alerts.with_alert(cib, other), ALERT)
    assert alerts._read(both, "theirs") == other
    assert alerts._read(alerts.restored(both, ALERT.id, ""), "theirs") == other


@given(
    path=st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1),
    select=st.sets(st.sampled_from(["attributes", "fencing", "nodes", "resources"])),
)
def test_any_alert_survives_the_document(path, select):
    wanted = Wanted.model_validate({"id": "x", "path": path, "timeout": "5s", "select": sorted(select)})
    assert alerts._read(alerts.with_alert(Cib.parse(recorded("cib-fresh.xml")), wanted), "x") == wanted
