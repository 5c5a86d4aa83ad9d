"""What Pacemaker makes of the agent's parameters about the log, and of a proxy that is degraded, by its own tools."""

import re
from pathlib import Path

import pytest

from providers.connection.fake import FakeNode, fake_cluster
from providers.pacemaker import monitor, runtime
from tests.unit.pacemaker.tools import Tools, recorded

CIB = recorded("cib-tree.xml")
SQUID = '<primitive id="squid" class="ocf" provider="pacemaker" type="Dummy">'
MONITORED = 'id="squid_monitor_10000"'
LOST = "Squid serves but its records do not reach /mnt/mirror/squid/access.log"


def with_parameter(name: str) -> str:
    """The recorded cluster, in which Squid ran as a Dummy whose one parameter that needs a restart is `state`."""
    pair = f'<nvpair id="squid-{name}" name="{name}" value="async,commit=1"/>'
    assert SQUID in CIB
    return CIB.replace(SQUID, f'{SQUID}<instance_attributes id="squid-parameters">{pair}</instance_attributes>')


def degraded() -> str:
    """The recorded cluster, in which the running Squid's last monitor ended with 190."""
    lines = CIB.splitlines()
    for number, line in enumerate(lines):
        if MONITORED in line and 'on_node="qsp-b"' in line:
            lines[number] = line.replace('rc-code="0"', 'rc-code="190"').replace('reason=""', f'reason="{LOST}"')
    assert lines != CIB.splitlines()
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("name", "summary"), [("log_mount_options", "Reload     squid"), ("state", "Restart    squid")]
)  # fmt: skip
def test_a_reloadable_parameter_that_appears_restarts_nothing(tools: Tools, tmp_path: Path, name: str, summary: str):
    """The other parameter shows that the test can fail."""
    file = tmp_path / "cib.xml"
    file.write_text(with_parameter(name))
    told = tools.run("crm_simulate", "--simulate", "--xml-file", str(file))
    assert f"* {summary}" in told
    assert ("address         stop" in told) == (name == "state")


def test_a_degraded_proxy_stays_where_it_is(tools: Tools, tmp_path: Path):
    file = tmp_path / "cib.xml"
    file.write_text(degraded())
    told = tools.run("crm_simulate", "--simulate", "--xml-file", str(file))
    assert "Transition Summary:\n\n" in told


async def test_a_degraded_proxy_is_shown_as_such_and_runs(tools: Tools, tmp_path: Path):
    file = tmp_path / "cib.xml"
    file.write_text(degraded())
    said = tools.run("crm_mon", "--output-as=xml", "--one-shot", "--inactive", env={"CIB_file": str(file)})
    (failure,) = monitor.parse(said).failures
    assert failure.degraded
    assert failure.reason == LOST
    answers = {"cibadmin": degraded(), "crm_mon": said}
    nodes = [FakeNode(name, lambda command: answers.get(command.argv[0], "")) for name in ("qsp-a", "qsp-b")]
    found = await runtime.tree(fake_cluster(*nodes))
    assert found.states["squid"]["qsp-b"] == "Degraded"
    assert found.active == "qsp-b"


@pytest.mark.parametrize(("since", "now", "shown"), [(60, "0", False), (60, "190", True), (-60, "0", True)])
def test_a_proxy_that_is_well_again_is_not_shown_as_degraded(
    tools: Tools, tmp_path: Path, since: int, now: str, shown: bool
):
    """Pacemaker keeps the bad answer until `failure-timeout`, and beside it the last change to a good one.

    That good one is from ``since`` seconds after the bad one; a negative number: from before, and it is bad still.
    """
    lines = CIB.splitlines()
    number = next(n for n, line in enumerate(lines) if MONITORED in line and 'on_node="qsp-b"' in line)
    kept = lines[number].replace(MONITORED, 'id="squid_last_failure_0"').replace('rc-code="0"', 'rc-code="190"')
    looked = re.sub(r'last-rc-change="(\d+)"', lambda at: f'last-rc-change="{int(at[1]) + since}"', lines[number])
    lines[number : number + 1] = [kept, looked.replace('rc-code="0"', f'rc-code="{now}"')]
    file = tmp_path / "cib.xml"
    file.write_text("\n".join(lines))
    said = tools.run("crm_mon", "--output-as=xml", "--one-shot", "--inactive", env={"CIB_file": str(file)})
    assert 'exitcode="190"' in said
    assert bool([failure for failure in monitor.parse(said).failures if failure.degraded]) == shown
