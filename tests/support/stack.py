"""A stack of the real program, run by the real Pulumi, with a state and a stack file of the test's own."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).parents[2]
PULUMI = PROJECT / ".venv/bin/pulumi"
DRIFT = 7
"""Pulumi's exit code when changes were found although none were expected."""


@dataclass(frozen=True)
class Run:
    """One run of `pulumi`: its exit code and all that it printed."""

    code: int
    output: str

    def counts(self) -> str:
        """The lines of the summary, for messages."""
        return self.output[self.output.rfind("Resources:") :]


@dataclass
class Stack:
    """``site`` is the declaration as plain data; changing it counts from the next command on."""

    name: str
    directory: Path
    site: dict[str, Any]
    secrets: dict[str, str] = field(default_factory=dict[str, str])

    def __post_init__(self) -> None:
        (self.directory / "state").mkdir(parents=True, exist_ok=True)
        (self.directory / "passphrase").write_text("only for tests")
        self.file.unlink(missing_ok=True)
        self.pulumi("stack", "init", self.name, check=True)
        for name, value in self.secrets.items():
            self.pulumi("config", "set", "--secret", name, stdin=value, check=True)

    @property
    def file(self) -> Path:
        """The stack file; Pulumi wants it where the project's stacks are, git ignores those of tests."""
        return PROJECT / "stacks" / f"Pulumi.{self.name}.yaml"

    @property
    def environment(self) -> dict[str, str]:
        """What the runs of `pulumi` see: a backend and a passphrase of this stack's own."""
        return {
            **{key: value for key, value in os.environ.items() if not key.startswith("PULUMI_")},
            "PULUMI_BACKEND_URL": f"file://{self.directory}/state",
            "PULUMI_CONFIG_PASSPHRASE_FILE": str(self.directory / "passphrase"),
            "NO_COLOR": "1",
        }

    def pulumi(
        self,
        *arguments: str,
        stdin: str | None = None,
        check: bool = False,
        environment: Mapping[str, str] | None = None,
        timeout: float = 1200,
    ) -> Run:
        """Run `pulumi` on this stack; with ``check`` a failure fails the test with all that was printed."""
        self._write_site()
        selected = () if arguments[:2] == ("stack", "init") else ("--stack", self.name)
        done = subprocess.run(
            [PULUMI, *arguments, *selected, "--non-interactive", "--color", "never"],
            cwd=PROJECT,
            env={**self.environment, **(environment or {})},
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )
        run = Run(done.returncode, done.stdout)
        with (self.directory / "pulumi.log").open("a") as log:
            log.write(f"$ pulumi {' '.join(arguments)}\n{run.output}exit code {run.code}\n\n")
        if check:
            assert run.code == 0, f"`pulumi {' '.join(arguments)}` ended with {run.code}:\n{run.output}"
        return run

    def up(self, *arguments: str, check: bool = True, **options: Any) -> Run:
        """`pulumi up`, without the preview before it."""
        return self.pulumi("up", "--yes", "--skip-preview", *arguments, check=check, **options)

    def preview(self, *arguments: str, check: bool = True) -> Run:
        """`pulumi preview --diff`."""
        return self.pulumi("preview", "--diff", *arguments, check=check)

    def drift(self) -> Run:
        """The plain gate of pipelines: 0 is clean, `DRIFT` is drift."""
        return self.pulumi("refresh", "--preview-only", "--expect-no-changes", "--diff")

    def destroy(self, check: bool = True) -> Run:
        """`pulumi destroy`."""
        return self.pulumi("destroy", "--yes", "--skip-preview", check=check)

    def forget(self) -> None:
        """Lose the state, as if the backend had been deleted, and start a new one."""
        self.pulumi("stack", "rm", "--force", "--yes", "--preserve-config", check=True)
        self.pulumi("stack", "init", self.name, check=True)

    def resources(self) -> dict[str, dict[str, Any]]:
        """What the state says of each thing, by name, inputs in clear."""
        state = json.loads(self.pulumi("stack", "export", "--show-secrets", check=True).output)
        found = state["deployment"].get("resources", [])
        return {resource["urn"].rsplit("::", 1)[-1]: resource for resource in found}

    def _write_site(self) -> None:
        document: dict[str, Any] = yaml.safe_load(self.file.read_text()) if self.file.exists() else {}
        config = document.setdefault("config", {})
        if config.get("squid-ha:site") != self.site:
            config["squid-ha:site"] = self.site
            self.file.write_text(yaml.safe_dump(document, sort_keys=False, allow_unicode=True))
