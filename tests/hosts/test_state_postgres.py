"""Shared state in PostgreSQL: the pinned Pulumi against Debian's server, two workers at once. No lab is needed."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.phases import example
from tests.support.postgres import Server, server
from tests.support.stack import PULUMI, Stack

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]

RESOURCES = 8
# Each of its resources waits until the file `go` is there, so that two runs are under way at once for certain.
PROGRAM = f"""
import pathlib, time
import pulumi
from pulumi import dynamic

class Waiting(dynamic.ResourceProvider):
    def create(self, props):
        started = pathlib.Path(props["folder"], "started-" + props["stack"])
        started.touch()
        deadline = time.monotonic() + 600
        while not pathlib.Path(props["folder"], "go").exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        return dynamic.CreateResult(props["name"], props)

class Thing(dynamic.Resource):
    def __init__(self, name, props):
        super().__init__(Waiting(), name, props)

folder = str(pathlib.Path(__file__).parent)
for number in range({RESOURCES}):
    name = f"thing-{{number}}"
    Thing(name, {{"name": name, "folder": folder, "stack": pulumi.get_stack()}})
"""


@dataclass(frozen=True)
class Project:
    """A Pulumi project of the test's own, its state in the server."""

    folder: Path
    url: str

    @property
    def environment(self) -> Mapping[str, str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("PULUMI_")}
        return {**kept, "PULUMI_BACKEND_URL": self.url, "PULUMI_CONFIG_PASSPHRASE": "only for tests", "NO_COLOR": "1"}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        command = [PULUMI, *arguments, "--non-interactive", "--color", "never"]
        return subprocess.Popen(
            command, cwd=self.folder, env=self.environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )

    def run(self, *arguments: str) -> tuple[int, str]:
        process = self.start(*arguments)
        output, _ = process.communicate(timeout=600)
        return process.returncode, output

    def up(self, stack: str) -> subprocess.Popen[str]:
        return self.start("up", "--stack", stack, "--yes", "--skip-preview")

    def wait_started(self, stack: str) -> None:
        deadline = time.monotonic() + 600
        while not (self.folder / f"started-{stack}").exists():
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def things(self, stack: str) -> list[str]:
        code, output = self.run("stack", "export", "--stack", stack)
        assert code == 0, output
        found = json.loads(output)["deployment"]
        assert not found.get("pending_operations")
        return sorted(each["urn"].rsplit("::", 1)[-1] for each in found["resources"] if "thing-" in each["urn"])


@pytest.fixture(scope="module")
def database() -> Iterator[Server]:
    with server() as running:
        yield running


@pytest.fixture
def project(database: Server, tmp_path: Path) -> Project:
    (tmp_path / "Pulumi.yaml").write_text("name: two-workers\nruntime: python\n")
    (tmp_path / "__main__.py").write_text(PROGRAM)
    return Project(tmp_path, database.url)


WHOLE = sorted(f"thing-{number}" for number in range(RESOURCES))


def test_two_workers_on_different_stacks_do_not_get_into_each_others_way(project, database):
    for stack in ("lyon", "oslo"):
        assert project.run("stack", "init", stack)[0] == 0
    running = {stack: project.up(stack) for stack in ("lyon", "oslo")}
    for stack in running:
        project.wait_started(stack)
    (project.folder / "go").touch()
    for stack, process in running.items():
        output, _ = process.communicate(timeout=600)
        assert process.returncode == 0, output
        assert project.things(stack) == WHOLE
    tables = database.sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    assert tables == "pulumi_state"
    assert not (project.folder / ".pulumi").exists(), "state was written to files"


def test_the_second_worker_on_one_stack_is_told_of_the_lock_and_breaks_nothing(project):
    assert project.run("stack", "init", "rome")[0] == 0
    first = project.up("rome")
    project.wait_started("rome")
    code, said = project.run("up", "--stack", "rome", "--yes", "--skip-preview")
    assert code != 0
    assert "the stack is currently locked by 1 lock(s)" in said
    (project.folder / "go").touch()
    output, _ = first.communicate(timeout=600)
    assert first.returncode == 0, output
    assert project.things("rome") == WHOLE
    code, output = project.run("preview", "--stack", "rome", "--expect-no-changes")
    assert code == 0, output


def test_the_projects_own_program_and_its_secrets_work_there(database, tmp_path):
    class InPostgres(Stack):
        @property
        def environment(self) -> dict[str, str]:
            return {**super().environment, "PULUMI_BACKEND_URL": database.url}

    stack = InPostgres("test-postgres", tmp_path, example(1), {"ops-sudo": "geheim"})
    assert "geheim" not in stack.file.read_text()
    preview = stack.preview()
    assert "squid-config" in preview.output
    assert stack.pulumi("config", "get", "ops-sudo").output.strip() == "geheim"
    assert list((tmp_path / "state").iterdir()) == [], "state was written to files"
    stack.pulumi("stack", "rm", "--yes", "--force", check=True)
