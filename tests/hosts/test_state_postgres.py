"""Shared state in PostgreSQL: the pinned Pulumi against Debian's server, two workers at once on sites of one node."""

from __future__ import annotations

import json
import time
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from lab.addresses import address, node_number
from lab.host import Network
from tests.support.phases import example, on_containers
from tests.support.postgres import Server, server
from tests.support.stack import PROJECT, Run, Stack

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]

LOCKED = "the stack is currently locked by 1 lock(s)"
UNDER_WAY = 600.0


@dataclass
class InPostgres(Stack):
    """A stack whose state is in the server."""

    url: str = field(kw_only=True)

    @property
    def environment(self) -> dict[str, str]:
        return {**super().environment, "PULUMI_BACKEND_URL": self.url}

    @property
    def files(self) -> list[Path]:
        """What there is of its state in files, its own or the project's."""
        return [*(self.directory / "state").iterdir(), *(PROJECT / ".state").rglob(f"{self.name}*")]


@pytest.fixture(scope="module")
def database() -> Iterator[Server]:
    with server() as running:
        yield running


@pytest.fixture(scope="module")
def stacks(pair, database, tmp_path_factory) -> list[InPostgres]:
    """A site of one node on each of the two containers."""
    return [
        InPostgres(
            f"test-postgres-{name}", tmp_path_factory.mktemp(name), alone(name, pair.directory), url=database.url
        )
        for name in pair.names
    ]


def alone(name: str, run_directory: Path) -> dict[str, Any]:
    """The reference site, phase 1, on this node."""
    node = {"name": name, "address": address(Network.PUBLIC, node_number(name))}
    return on_containers(1, run_directory) | {"nodes": [node]}


def held(stack: Stack) -> dict[str, str]:
    """Has a run on this stack wait before it changes anything on its node."""
    return {"SQUID_HA_TAP": "tests.taps:hold", "SQUID_HA_HOLD": str(stack.directory)}


def started(stack: Stack) -> list[Path]:
    """One file for each of its processes that has come to its first change."""
    return list(stack.directory.glob("started-*"))


@contextmanager
def under_way(*stacks: Stack) -> Generator[list[Future[Run]]]:
    """A run of `up` on each, all of them before their first change on a node; they go on when this is left."""
    for stack in stacks:
        for file in (*started(stack), stack.directory / "go"):
            file.unlink(missing_ok=True)
    with ThreadPoolExecutor(len(stacks)) as pool:
        runs = [pool.submit(stack.up, check=False, environment=held(stack)) for stack in stacks]
        try:
            for stack, run in zip(stacks, runs, strict=True):
                wait_until_started(stack, run)
            yield runs
        finally:
            for stack in stacks:
                (stack.directory / "go").touch()


def wait_until_started(stack: Stack, run: Future[Run]) -> None:
    deadline = time.monotonic() + UNDER_WAY
    while not started(stack):
        assert not run.done(), f"{stack.name} ended without a change on its node:\n{run.result().output}"
        assert time.monotonic() < deadline, f"{stack.name} changed nothing on its node within {UNDER_WAY:g} s"
        time.sleep(0.1)


def ended_well(stack: InPostgres, run: Future[Run]) -> None:
    """It made the site as declared, by its state and by its node; and left no more of itself than the state."""
    assert run.result().code == 0, run.result().output
    stack.preview("--expect-no-changes")
    assert stack.drift().code == 0
    assert "squid-config" in stack.resources()
    exported = json.loads(stack.pulumi("stack", "export", check=True).output)
    assert not exported["deployment"].get("pending_operations")
    assert stack.files == [], "state was written to files"


def keys(database: Server, below: str) -> list[str]:
    """What Pulumi keeps in the database below such a path, which begins with the database's own name."""
    return database.sql(f"SELECT key FROM pulumi_state WHERE key LIKE 'pulumi/.pulumi/{below}/%'").splitlines()


def states(database: Server) -> set[str]:
    """The stacks whose state is in the database."""
    return {Path(key).stem for key in keys(database, "stacks") if key.endswith(".json")}


def test_two_workers_on_different_stacks_do_not_get_into_each_others_way(stacks, database):
    with under_way(*stacks) as runs:
        assert len(keys(database, "locks")) == len(stacks), "they are not under way at once"
    for stack, run in zip(stacks, runs, strict=True):
        ended_well(stack, run)
    assert states(database) >= {stack.name for stack in stacks}
    assert keys(database, "locks") == []
    tables = database.sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    assert tables == "pulumi_state"


def test_the_second_worker_on_one_stack_is_told_of_the_lock_and_breaks_nothing(stacks, database):
    stack = stacks[0]
    # Something to do, whether or not the site is there already.
    stack.site["squid"]["shutdown_lifetime"] = "2s"
    with under_way(stack) as runs:
        second = stack.up(check=False, environment=held(stack))
        assert second.code != 0
        assert LOCKED in second.output
        assert len(started(stack)) == 1, "the second worker has come as far as a change on the node"
        assert not runs[0].done()
    ended_well(stack, runs[0])
    assert keys(database, "locks") == []


def test_the_projects_own_program_and_its_secrets_work_there(database, tmp_path):
    stack = InPostgres("test-postgres", tmp_path, example(1), {"ops-sudo": "geheim"}, url=database.url)
    assert "geheim" not in stack.file.read_text()
    preview = stack.preview()
    assert "squid-config" in preview.output
    assert stack.pulumi("config", "get", "ops-sudo").output.strip() == "geheim"
    assert stack.files == [], "state was written to files"
    stack.pulumi("stack", "rm", "--yes", "--force", check=True)
