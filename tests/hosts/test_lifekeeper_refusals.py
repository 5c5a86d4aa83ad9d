"""A LifeKeeper that does not do as it is expected to: `pulumi up` says which node and what to do, and goes on later.

The lab's stand-in is made to misbehave by its switches (docs/lifekeeper-stand-in.md). One site is built, changed and
taken away meanwhile, so that the tests build on each other, in this order.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Generator, Iterator
from contextlib import contextmanager

import pytest

from lab import lifekeeper
from providers.connection.command import script
from providers.connection.loop import run_sync
from providers.lifekeeper import speaking
from tests.support.conformance import Deployed
from tests.support.lifekeeper_lists import differing, lists, nothing_listed
from tests.support.sites import application, on_lifekeeper
from tests.support.stack import Run, Stack
from tests.support.things import Site, site

pytestmark = [pytest.mark.long, pytest.mark.timeout(1500)]

A, B = "qsp-a", "qsp-b"
NAME = "test-lifekeeper-refusals"
BIN = "/opt/LifeKeeper/bin"
FAILED = 1
"""Pulumi's exit code when a thing could not be made, changed or deleted."""
SWITCHES = "/opt/LifeKeeper/config/stand-in.json"
SWITCH = 'mkdir -p "${1%/*}"; printf %s "$2" >"$1"'
LOG = "/var/log/lifekeeper.log on that node"
ALONE = f"{BIN}/ins_list -f: | cut -d: -f4,7; {BIN}/eqv_list -f: | cut -d: -f2"


@pytest.fixture(scope="module")
def hosts(pair) -> Site:
    for node in pair.names:
        asyncio.run(lifekeeper.provide(node))
    return site(pair, owner=f"squid-ha/{NAME}", name=NAME)


@pytest.fixture(scope="module")
def stack(pair, tmp_path_factory) -> Iterator[Stack]:
    made = Stack(NAME, tmp_path_factory.mktemp("stack"), on_lifekeeper(pair.directory))
    yield made
    made.file.unlink()


@contextmanager
def misbehaving(hosts: Site, node: str, **switches: object) -> Generator[None]:
    """The stand-in of this node does so meanwhile."""
    there = hosts.cluster.nodes[node]
    run_sync(there.run(script(SWITCH, SWITCHES, json.dumps(switches), label="make the stand-in misbehave")))
    try:
        yield
    finally:
        hosts.sh(node, f"rm {SWITCHES}")


def told(run: Run) -> str:
    """What was printed, on one line."""
    return " ".join(run.output.split())


def refused(run: Run, *sentences: str) -> None:
    assert run.code == FAILED, run.output
    missing = [each for each in sentences if each not in told(run)]
    assert missing == [], f"nobody is told {missing}:\n{run.output}"


def not_taken(run: Run, node: str, line: str, *sentences: str) -> None:
    """The help of this node's LifeKeeper differs for this line."""
    start = f"{node}: this LifeKeeper does not take `{line}` as it is assumed here, so nothing was written"
    refused(run, start, *sentences)


def died(run: Run, line: str) -> None:
    """A line of the first node's that begins so was killed half-way."""
    log = f"it failed (exit code 137): see its output and {LOG}"
    refused(run, f"{A}: `{BIN}/{line}", "ended with exit code 137", log)


def nothing_left_to_do(stack: Stack) -> None:
    for run in (stack.preview("--expect-no-changes", check=False), stack.drift()):
        assert run.code == 0, run.output


# Until the site stands: each run gets past the place where the one before was refused


def test_a_help_that_differs_is_refused_before_a_licence_or_a_setting_is_written(hosts, stack):
    with misbehaving(hosts, B, help={"lkcli resource create ip": {"--ipaddr": "--address"}}):
        run = stack.up(check=False)
    not_taken(
        run,
        B,
        "lkcli resource create ip",
        "expected --ipaddr <ipaddr>, found --address <ipaddr> the virtual address",
        f"correct providers/lifekeeper/grammar/grammar.yaml by `{BIN}/lkcli resource create ip --help` on the node",
    )
    for name in (A, B):
        settings = hosts.sh(name, "cat /etc/default/LifeKeeper").splitlines()
        assert [line for line in settings if not line.startswith("#")] == ["LKCHECKINTERVAL=120"]
        assert hosts.sh(name, "systemctl is-active lifekeeper || true").strip() == "inactive"
        unlicensed = hosts.sh(name, f"{BIN}/lkcli start 2>&1 || true")
        assert "no valid license is installed" in unlicensed


def test_without_a_licence_it_is_said_where_that_is_to_be_put(hosts, stack):
    with misbehaving(hosts, B, licence="none"):
        run = stack.up(check=False)
    refused(
        run,
        f"{B}: LifeKeeper does not start without a licence: LifeKeeper cannot start: no valid license is installed",
        f"put the licence that you got into the file {lifekeeper.LICENCE}, or declare another one: "
        "the next `pulumi up` installs it",
    )
    assert hosts.sh(B, "systemctl is-active lifekeeper || true").strip() == "inactive"


def test_an_error_is_told_in_the_words_of_its_exit_code(hosts, stack):
    said = "the database cannot be locked"
    with misbehaving(hosts, A, errors={"sys_create": {"code": 1, "text": said}}):
        run = stack.up(check=False)
    refused(
        run,
        f"{A}: `{BIN}/sys_create -d {A} -s {B}` ended with exit code 1 {said}",
        f"a call of the system or of a library failed (exit code 1): see {LOG}",
    )
    nothing_listed(hosts, A)  # of the other one the paths may have been made before


def test_a_line_that_another_version_does_not_take_is_told_with_that_versions_usage(hosts, stack):
    with misbehaving(hosts, A, help={"sys_create": {"-s": "-S"}}):
        run = stack.up(check=False)
    refused(
        run,
        f"{A}: `{BIN}/sys_create -d {A} -s {B}` ended with exit code 2 sys_create: Unknown option: s",
        "Usage: sys_create [-d <dest>] -S <system>",
        "the line is not what this version expects (exit code 2): compare it with the command's own usage",
    )
    nothing_listed(hosts, A)  # of the other one the paths may have been made before


def test_another_node_that_is_not_reached_yet_is_waited_for_and_a_slow_lifekeeper_too(hosts, stack):
    said = f'Communication failure: destination system "{B}" is out of service.'
    with misbehaving(
        hosts,
        A,
        slow=1,
        errors={"sys_create": {"code": 9, "text": said, "times": 3}},
        die={"command": "lkcli resource create qsp", "step": 1},
    ):
        run = stack.up(check=False)
    assert f"{A}: LifeKeeper cannot reach the other node yet: waiting" in told(run)
    died(run, "lkcli resource create qsp --tag qsp-squid ")


def test_a_command_that_dies_half_way_is_told_and_its_work_is_ended_by_the_next_run(hosts, stack):
    with misbehaving(hosts, A, die={"command": "lkcli resource extend qsp", "step": 3}):
        run = stack.up(check=False)
    died(run, f"lkcli resource extend qsp --tag qsp-squid --dest {B} ")
    half = {name: hosts.sh(name, ALONE).split() for name in (A, B)}
    assert half == {A: ["qsp-squid:ISP"], B: ["qsp-squid:OSU"]}, "it did not die where it was to"
    stack.up()
    nothing_left_to_do(stack)
    assert Deployed(hosts, stack).active() == A


# On the site, an application is added: nothing that stands is touched meanwhile


@pytest.fixture(scope="module")
def stands(hosts, stack) -> dict[str, list[str]]:
    """What LifeKeeper tells of the site; from here on the application is declared, too."""
    found = lists(hosts)
    stack.site["lifekeeper"]["generic"] = [application()]
    return found


def test_a_help_that_differs_leaves_a_running_site_as_it_is(hosts, stack, stands):
    with misbehaving(hosts, A, help={"lkcli resource create gen": {"--quickCheck": "--quickcheck"}}):
        run = stack.up(check=False)
    found = "expected --quickCheck <quickCheck>, found --quickcheck <quickCheck> script that checks it"
    not_taken(run, A, "lkcli resource create gen", found)
    assert differing(stands, lists(hosts)) == []


def test_somebody_elses_change_that_does_not_end_is_named_and_nothing_is_changed_beside_it(hosts, stack, stands):
    with misbehaving(hosts, A, busy=3600):
        run = stack.up(check=False)
    limit = f"{speaking.BUSY_LIMIT:.0f} s"
    refused(
        run,
        f"{A}: waiting for another change of LifeKeeper's resources: !action!",
        f"{A}: somebody else has been changing LifeKeeper's resources for {limit}: !action!1!",
        "wait until that has ended; `flg_remove -f` takes down a flag that a program left when it died",
    )
    assert differing(stands, lists(hosts)) == []


def test_a_resource_whose_making_dies_is_there_on_one_node_and_the_service_runs_on(hosts, stack, stands):
    with misbehaving(hosts, A, die={"command": "lkcli resource create gen", "step": 3}):
        run = stack.up(check=False)
    died(run, "lkcli resource create gen --tag app ")
    (entered,) = differing(stands, lists(hosts))
    assert entered.startswith(f"+ {A}:gen:app:app:app:")
    assert ":OSU:" in entered
    assert Deployed(hosts, stack).active() == A


def test_somebody_elses_change_that_ends_is_waited_for_and_the_rest_is_made(hosts, stack, stands):
    """The wait is long enough for a run that comes to its first line late."""
    with misbehaving(hosts, A, busy=120):
        run = stack.up()
    assert f"{A}: waiting for another change of LifeKeeper's resources: !action!" in told(run)
    nothing_left_to_do(stack)
    assert [line for line in differing(stands, lists(hosts)) if line.startswith("-")] == []
    assert Deployed(hosts, stack).active() == A


# And taken away


def test_a_deletion_whose_help_differs_is_refused_before_anything_is_out_of_service(hosts, stack):
    before = lists(hosts)
    with misbehaving(hosts, A, help={"lkcli resource delete": {"--tag": "--resource"}}):
        run = stack.destroy(check=False)
    not_taken(run, A, "lkcli resource delete", "expected --tag <tag>, found nothing")
    assert differing(before, lists(hosts)) == []
    stack.up()
    nothing_left_to_do(stack)
    assert differing(before, lists(hosts)) == []


def test_a_deletion_that_dies_half_way_is_ended_by_the_next_destroy(hosts, stack):
    with misbehaving(hosts, A, die={"command": "lkcli resource delete", "step": 3}):
        run = stack.destroy(check=False)
    died(run, "lkcli resource delete --tag ip-192.0.2.10` ended with exit code 137")
    left = {name: "ip-192.0.2.10" in hosts.sh(name, ALONE) for name in (A, B)}
    assert left == {A: True, B: False}, "it did not die where it was to"
    stack.destroy()
    assert Deployed(hosts, stack).standing() == {A: (False, False), B: (False, False)}
