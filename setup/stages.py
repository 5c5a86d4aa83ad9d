"""Runs the checks and the tests, stage by stage, each with its budget and the time it took.

`python -m setup.stages check thorough hosts cluster [-k EXPRESSION]`. A stage that fails does not stop the next.
The VM stage runs alone: load makes Corosync lose tokens, and then it fences.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from setup import packages
from setup.minutes import SPARE, STAGES
from setup.places import PROJECT, VENV
from setup.steps import SetupError, fail, run

BIN = VENV / "bin"
PRODUCT = ["declaration", "blueprint", "components", "providers", "operations", "__main__.py"]
AROUND = ["lab", "setup", "tests", "benchmarks"]
UNIT = "tests/unit"
HALF = ("lifekeeper", "operations", "proof", "verify")
"""Folders with about half of the unit tests by their time. Two processes of pytest, each with a half, take less of a
processor than two workers of one: each of those collects all tests, and is handed every single one."""
HOW = {
    # Tests of locks, timeouts and processes mostly wait.
    "thorough": ["-q", "-n4", "--dist=worksteal"],
    # Hosts that boot and wait leave a core idle half of the time: two modules at once, each in a lab of its own, and
    # in their order, because those with few tests are the longest.
    "hosts": ["-n2", "--dist=loadfile", "--no-loadscope-reorder", "--timeout=600"],
    "cluster": ["--timeout=3000"],
}
"""How the tests of a stage are run; the timeout is after how many seconds one has certainly hung."""
# What fails a whole run is seen in the first few failures; the rest would only bury them. Each is told at once: a run
# that is ended from outside has said by then why it took so long.
ON_HOSTS = ["-v", "--tb=short", "--instafail", "--maxfail=12", "--durations=25"]
LATE = 1.8
"""How many times its budget a stage of `make test` may take before no further test of it is begun, and it fails."""


@dataclass(frozen=True)
class Outcome:
    """How a stage, or a tool within one, ended."""

    name: str
    passed: bool
    seconds: float
    output: str = ""


def shell_scripts() -> list[str]:
    """The shell scripts among the project's files. Raises SetupError where git does not tell these."""
    remedy = (
        "Shell scripts are found by git: install it, and use a clone that it trusts "
        f"(git config --global --add safe.directory {shlex.quote(str(PROJECT))})."
    )
    names = run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=PROJECT, remedy=remedy)
    return [name for name in names.split("\n") if name and is_shell(PROJECT / name)]


def is_shell(path: Path) -> bool:
    """Whether a file starts as a shell script does."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        first = file.readline(80)
    return first.startswith(b"#!") and first.split(b"/")[-1].split()[-1] in (b"sh", b"bash")


def tools() -> dict[str, list[str | Path]]:
    """The static checks of the inner loop; the types of what is not the product take longer and wait for `thorough`."""
    return {
        "ruff check": [BIN / "ruff", "check", "--quiet", "."],
        "ruff format": [BIN / "ruff", "format", "--check", "--quiet", "."],
        "types": [BIN / "basedpyright", *PRODUCT],
        "import arrows": [BIN / "lint-imports", "--no-cache", "--no-logo"],
    }


def shellcheck() -> Outcome:
    """The check of the shell scripts; where they cannot be found, it has failed, and the others go on."""
    began = time.monotonic()
    try:
        scripts = shell_scripts()
    except SetupError as error:
        return Outcome("shellcheck", passed=False, seconds=time.monotonic() - began, output=str(error))
    return quiet("shellcheck", [BIN / "shellcheck", *scripts])


def environment() -> dict[str, str]:
    """This process's, with a place for compiled code where Python is told to write none beside the sources.

    Without any, each of the tests' workers and each program that they start compiles all of it anew: 4 s of a processor
    for a worker that only collects the tests, and 1 s for each start of the program.
    """
    found = dict(os.environ)
    # The types are checked by a program of Node's, which otherwise collects its young garbage far too often.
    found.setdefault("NODE_OPTIONS", "--max-semi-space-size=64")
    if found.pop("PYTHONDONTWRITEBYTECODE", ""):
        found["PYTHONPYCACHEPREFIX"] = str(VENV / "pycache")
    return found


def halves() -> tuple[list[str], list[str]]:
    """The folders and files of the unit tests in two: those of `HALF`, and the rest."""
    found = sorted(
        each.name
        for each in (PROJECT / UNIT).iterdir()
        if each.name.startswith("test_") or (each.is_dir() and each.name != "__pycache__")
    )
    return [f"{UNIT}/{name}" for name in HALF], [f"{UNIT}/{name}" for name in found if name not in HALF]


def quiet(name: str, command: list[str | Path]) -> Outcome:
    """Run a tool and keep what it says."""
    began = time.monotonic()
    done = subprocess.run(
        command,
        cwd=PROJECT,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return Outcome(name, done.returncode == 0, time.monotonic() - began, done.stdout)


def pytest(where: list[str], arguments: list[str]) -> list[str | Path]:
    """How pytest is run."""
    return [BIN / "python", "-m", "pytest", *where, *arguments]


def aloud(name: str, command: list[str | Path]) -> Outcome:
    """Run a tool; what it says goes to the terminal as it comes."""
    began = time.monotonic()
    done = subprocess.run(command, cwd=PROJECT, env=environment(), check=False)
    return Outcome(name, done.returncode == 0, time.monotonic() - began)


def thorough_tools() -> dict[str, list[str | Path]]:
    """The static checks that the inner loop has no time for."""
    return {"types around it": [BIN / "basedpyright", *AROUND]}


def check(expression: list[str]) -> list[Outcome]:
    """The inner loop: static checks, and unit tests in two halves, all at once; or those that somebody picks."""
    options = ["-q", "-m", "not thorough", *expression]
    if expression:
        return beside(tools(), lambda: aloud(UNIT, pytest([UNIT], options)), shellcheck)
    half, rest = halves()
    # Two that write down at once what failed last would lose half of it.
    apart = pytest(half, [*options, "-p", "no:cacheprovider"])
    return beside(
        tools(),
        lambda: aloud(f"{UNIT}, the rest", pytest(rest, options)),
        lambda: quiet(f"{UNIT}: {', '.join(HALF)}", apart),
        shellcheck,
    )


def thorough(expression: list[str]) -> list[Outcome]:
    """What the inner loop has no time for."""
    command = pytest([UNIT], [*HOW["thorough"], "-m", "thorough", *expression])
    return beside(thorough_tools(), lambda: aloud(UNIT, command))


def beside(
    static: dict[str, list[str | Path]], tests: Callable[[], Outcome], *others: Callable[[], Outcome]
) -> list[Outcome]:
    """Run static checks one after the other, and the rest at once with them; all report after ``tests``."""
    with ThreadPoolExecutor() as pool:
        checks = pool.submit(lambda: [quiet(name, command) for name, command in static.items()])
        waiting = [pool.submit(other) for other in others]
        last = tests()
        return [*checks.result(), *(future.result() for future in waiting), last]


def told(outcomes: list[Outcome]) -> bool:
    """Print how each ended, and what those that failed said; whether all passed."""
    for outcome in outcomes:
        if not outcome.passed and outcome.output:
            print(f"\n{outcome.name}:\n{outcome.output.rstrip()}")
    print()
    for outcome in outcomes:
        print(f"  {'passed' if outcome.passed else 'FAILED':<7} {outcome.name}  ({outcome.seconds:.1f} s)")
    return all(outcome.passed for outcome in outcomes)


def limits(name: str, expression: list[str]) -> list[str]:
    """The options that keep a stage to its budget: what it leaves out, and when it ends with a report.

    None where the budget is not meant for what is run: `make test-all`, and tests that somebody picks.
    """
    if os.environ.get("SQUID_HA_ALL_CUTS") or expression:
        return []
    return [f"--spare={SPARE[name]}", f"--session-timeout={STAGES[name] * 60 * LATE:.0f}"]


def on_hosts(name: str, expression: list[str]) -> bool:
    """Run a stage that needs the lab; whether it passed."""
    try:
        packages.require_lab()
    except SetupError as error:
        fail(error)
        return False
    options = [*ON_HOSTS, *HOW[name], *limits(name, expression), *expression]
    return aloud(name, pytest([f"tests/{name}"], options)).passed


def run_stage(name: str, expression: list[str]) -> Outcome:
    """Run a stage under a heading that says how long it may take."""
    print(f"\n== {name}: at most {STAGES[name]:g} min", flush=True)
    began = time.monotonic()
    if name == "check":
        passed = told(check(expression))
    elif name == "thorough":
        passed = told(thorough(expression))
    else:
        passed = on_hosts(name, expression)
    return Outcome(name, passed, time.monotonic() - began)


def summary(outcomes: list[Outcome]) -> str:
    """A line per stage: verdict, time taken, time allowed."""
    lines: list[str] = []
    for outcome in outcomes:
        minutes, budget = outcome.seconds / 60, STAGES[outcome.name]
        verdict = "passed" if outcome.passed else "FAILED"
        late = ", over its budget" if minutes > budget else ""
        lines.append(f"  {verdict:<7} {outcome.name:<8} {minutes:5.1f} of {budget:g} min{late}")
    return "\n".join(lines)


def main() -> int:
    """Run the stages named on the command line. Returns 1 if any failed."""
    parser = argparse.ArgumentParser(prog="setup.stages", description="Run checks and tests.")
    parser.add_argument("stages", nargs="+", choices=list(STAGES))
    parser.add_argument("-k", dest="expression", help="only the tests that match, as for pytest")
    arguments = parser.parse_args()
    expression = ["-k", arguments.expression] if arguments.expression else []
    try:
        outcomes = [run_stage(name, expression) for name in arguments.stages]
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130
    total = sum(outcome.seconds for outcome in outcomes) / 60
    print(f"\n== summary: {total:.1f} min\n{summary(outcomes)}", flush=True)
    return 0 if all(outcome.passed for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
