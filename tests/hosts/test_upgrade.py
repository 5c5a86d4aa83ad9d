"""An upgrade of this program and the way back: a site that an earlier version has deployed, on the container pair.

As docs/runbook.md says it, with the real Pulumi: both programs have the same state, passphrase and stack file.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from blueprint.site import things
from declaration.load import read
from lab.addresses import VIRTUAL_IP
from providers import wire
from providers.binding import IDENTITY
from tests.support.clients import Clients, Cost, table
from tests.support.conformance import Deployed
from tests.support.sites import on_containers
from tests.support.stack import PROJECT, Run, Stack
from tests.support.things import Site, difference, site

EARLIER = "75b88ec4590b46ab105e1c501a90aca4c39ad093"
"""The commit of the earlier version. It runs in the present environment: what requirements.txt says has to do for it.

The oldest that deploys for certain: in the one before it, things of one run took each other's lines in the journal.
"""
UNKNOWN_TO_IT = ("drill", "url")
"""A setting that came later, and that changes nothing on hosts."""
NAME = "test-upgrade"
PAIR = f"{VIRTUAL_IP}:3128"
AGENT = "/usr/lib/ocf/resource.d/squid-ha/squid"
STARTED = "systemctl show -P MainPID -P ActiveEnterTimestampMonotonic squid"
DRIFTED = 3

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]


def check_out(commit: str, folder: Path, clone: Path = PROJECT) -> None:
    """Write the project as it was at a commit into a folder; without that commit the test fails with what to do."""

    def git(*arguments: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(["git", *arguments], cwd=clone, capture_output=True, check=False)

    found = git("cat-file", "-e", f"{commit}^{{commit}}")
    if found.returncode:
        pytest.fail(
            f"The earlier version, commit {commit}, cannot be had from {clone}: {found.stderr.decode().strip()}\n"
            "Where the clone is shallow, `git fetch --unshallow` brings the history; then run this test again.",
            pytrace=False,
        )
    archive = git("archive", "--format=tar", commit)
    assert archive.returncode == 0, archive.stderr.decode()
    folder.mkdir()
    subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)


@dataclass(frozen=True)
class Earlier:
    """The earlier version's program, in a folder of its own, on the stack that the present one has."""

    folder: Path
    stack: Stack

    def __post_init__(self) -> None:
        (self.folder / ".venv").symlink_to(PROJECT / ".venv")
        (self.folder / "stacks" / self.stack.file.name).symlink_to(self.stack.file)

    def pulumi(self, *arguments: str, check: bool = True) -> Run:
        """As `Stack.pulumi`."""
        return self.stack.pulumi("--cwd", str(self.folder), *arguments, check=check)

    def up(self, *arguments: str) -> Run:
        """As `Stack.up`."""
        return self.pulumi("up", "--yes", "--skip-preview", *arguments)

    def drift(self) -> Run:
        """As `Stack.drift`."""
        return self.pulumi("refresh", "--preview-only", "--expect-no-changes", "--diff", check=False)


def steps(run: Run) -> dict[str, str]:
    """What a `preview --json` would do: name of the resource → operation, without what stays or is only read."""
    planned = [(each["urn"].rsplit("::", 1)[-1], each["op"]) for each in json.loads(run.output)["steps"]]
    return {name: operation for name, operation in planned if operation not in ("same", "refresh")}


def telling(value: Any) -> Any:
    """Without what says nothing: a setting that only one version knows, and that nobody uses, is no change."""
    if isinstance(value, Mapping):
        return {key: kept for key, each in value.items() if (kept := telling(each))}
    return value


def in_state(stack: Stack) -> dict[str, Any]:
    """Name of each thing in the state → its inputs, as far as they tell something."""
    made = {name: each["inputs"] for name, each in stack.resources().items() if IDENTITY in each.get("inputs", {})}
    return {
        name: telling({key: value for key, value in inputs.items() if key != "__provider"})
        for name, inputs in made.items()
    }


def declared(stack: Stack) -> dict[str, Any]:
    """The same as this version declares it."""
    owner = f"squid-ha/{stack.name}"
    return {
        each.name: telling({IDENTITY: f"{owner}/{each.name}", **wire.encode(each.inputs)})
        for each in things(read(stack.site, "the test"), owner)
    }


def processes(hosts: Site) -> dict[str, str]:
    """Node → which process of Squid runs there, and since when."""
    return {name: hosts.sh(name, STARTED) for name in hosts.cluster.nodes}


def on_nodes(hosts: Site, path: str) -> set[str]:
    """The texts that a file has on the nodes."""
    return {hosts.sh(name, f"cat {path}") for name in hosts.cluster.nodes}


def agent_of(project: Path) -> str:
    """The resource agent of a version."""
    return (project / "providers/squid/agent.sh").read_text()


@pytest.fixture(scope="module")
def checked_out(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("earlier") / "project"
    check_out(EARLIER, folder)
    return folder


@pytest.fixture(scope="module")
def hosts(checked_out, pair) -> Site:
    return site(pair)


@pytest.fixture(scope="module")
def stack(hosts, pair, tmp_path_factory) -> Iterator[Stack]:
    made = Stack(NAME, tmp_path_factory.mktemp("stack"), on_containers(pair.directory))
    yield made
    made.file.unlink()


@pytest.fixture(scope="module")
def earlier(checked_out, stack) -> Earlier:
    return Earlier(checked_out, stack)


@pytest.fixture(scope="module")
def site_of_before(untouched, earlier, hosts, stack) -> Deployed:
    """What the earlier version has made."""
    earlier.up()
    return Deployed(hosts, stack)


@pytest.fixture(scope="module")
def changes(site_of_before, stack) -> dict[str, str]:
    """What this version makes of the site that the earlier one does not: name of the thing → operation."""
    before, now = in_state(stack), declared(stack)
    assert len(before) > 10, f"the state has hardly anything: {sorted(before)}"
    assert before.keys() <= now.keys(), f"no longer declared: {sorted(before.keys() - now.keys())}"
    made = dict.fromkeys(now.keys() - before.keys(), "create")
    return made | {name: "update" for name in before if before[name] != now[name]}


@dataclass(frozen=True)
class Step:
    """One `up` on the running site: Squid's processes before it, and what clients noticed of it."""

    before: dict[str, str]
    cost: Cost


@pytest.fixture(scope="module")
def exported(site_of_before, stack) -> Path:
    """The earlier version's state, as it is kept for the way back."""
    file = stack.directory / "before.json"
    stack.pulumi("stack", "export", "--file", str(file), check=True)
    return file


@pytest.fixture(scope="module")
def upgraded(changes, exported, stack, hosts) -> Step:
    before = processes(hosts)
    with Clients("upgrade", PAIR) as clients, clients.step("upgrade"):
        stack.up()
    return Step(before, clients.costs[0])


def is_unnoticed(step: Step, hosts: Site) -> None:
    assert processes(hosts) == step.before, "Squid was started anew, or moved"
    assert step.cost.failed == 0, table([step.cost])


def test_the_earlier_version_deploys_the_site(site_of_before, earlier, hosts):
    site_of_before.active()
    earlier.pulumi("preview", "--expect-no-changes")
    assert on_nodes(hosts, AGENT) == {agent_of(earlier.folder)}


def test_the_preview_names_what_this_version_changes_and_replaces_or_deletes_nothing(changes, stack):
    assert steps(stack.pulumi("preview", "--json", check=True)) == changes
    shown = stack.preview().output
    assert [name for name in changes if f"::{name}]" not in shown] == []


def test_before_the_upgrades_up_nothing_counts_as_changed_by_hand(changes, site_of_before, stack):
    gate = stack.drift()
    assert gate.code == 0, gate.output
    done = site_of_before.squid_ha("drift", NAME, "--json")
    assert done.returncode == (DRIFTED if changes else 0), done.stderr
    (report,) = json.loads(done.stdout)["sites"]
    findings = [each for case in report["cases"] for each in case["findings"]]
    assert {(each["thing"], each["origin"]) for each in findings} == {(name, "edited") for name in changes}


def test_an_upgrade_renews_the_programs_on_the_nodes_and_nobody_notices(upgraded, hosts):
    is_unnoticed(upgraded, hosts)
    assert on_nodes(hosts, AGENT) == {agent_of(PROJECT)}


def test_after_the_upgrade_nothing_is_left_to_do(upgraded, site_of_before, stack):
    again = stack.preview("--expect-no-changes", check=False)
    assert again.code == 0, again.output
    gate = stack.drift()
    assert gate.code == 0, gate.output
    assert site_of_before.told("drift", NAME)["sites"][0]["outcome"] == "clean"
    assert site_of_before.told("status", NAME)["sites"][0]["healthy"] is True


def test_a_setting_that_the_earlier_version_does_not_know_is_refused_by_name(upgraded, earlier, stack):
    part, setting = UNKNOWN_TO_IT
    stack.site[part][setting] = "http://192.0.2.1/"
    try:
        assert steps(stack.pulumi("preview", "--json", check=True)) == {}
        refused = earlier.pulumi("preview", check=False)
    finally:
        del stack.site[part][setting]
    assert refused.code != 0
    assert f"{part}.{setting}" in refused.output, refused.output
    assert "Traceback" not in refused.output, refused.output


def test_the_preview_of_the_earlier_version_takes_back_what_this_one_has_changed(upgraded, earlier, changes):
    assert set(changes.values()) <= {"update"}, (
        "what it does not know it cannot take back: docs/runbook.md has to say so"
    )
    assert steps(earlier.pulumi("preview", "--json")) == changes


@pytest.fixture(scope="module")
def gone_back(upgraded, earlier, hosts) -> Step:
    """The earlier version's `up` on what this one has left."""
    before = processes(hosts)
    with Clients("back", PAIR) as clients, clients.step("back to the earlier version"):
        earlier.up()
    return Step(before, clients.costs[0])


def test_the_earlier_version_goes_on_with_what_this_one_has_left_and_nobody_notices(gone_back, earlier, hosts):
    is_unnoticed(gone_back, hosts)
    assert on_nodes(hosts, AGENT) == {agent_of(earlier.folder)}
    gate = earlier.drift()
    assert gate.code == 0, gate.output


def test_the_next_upgrade_is_like_the_first(gone_back, changes, site_of_before, stack, hosts):
    assert steps(stack.pulumi("preview", "--json", check=True)) == changes
    stack.up()
    assert processes(hosts) == gone_back.before, "Squid was started anew, or moved"
    assert site_of_before.told("drift", NAME)["sites"][0]["outcome"] == "clean"


def test_the_state_of_before_the_upgrade_leads_back_too(gone_back, exported, earlier, changes, stack, hosts):
    stack.up()
    stack.pulumi("stack", "import", "--file", str(exported), check=True)
    assert steps(earlier.pulumi("preview", "--refresh", "--json")) == changes
    earlier.up("--refresh")
    assert processes(hosts) == gone_back.before, "Squid was started anew, or moved"
    assert on_nodes(hosts, AGENT) == {agent_of(earlier.folder)}
    gate = earlier.drift()
    assert gate.code == 0, gate.output


def test_destroy_leaves_nothing_of_what_the_earlier_version_made(upgraded, stack, hosts, pair, untouched):
    stack.destroy()
    assert stack.resources() == {}
    for name in pair.names:
        left = difference(untouched[name], hosts.manifest(name))
        assert left == [], f"left behind on {name}: {left}"
