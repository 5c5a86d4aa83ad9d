"""The pipelines to copy: the shell of each step, their jobs, and what becomes of their secrets."""

from __future__ import annotations

import base64
import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from tests.unit.operations.test_documented_commands import commands_of

PROJECT = Path(__file__).parents[3]
FOLDER = PROJECT / "docs/pipelines"
GITHUB: dict[str, Any] = yaml.safe_load((FOLDER / "github-actions.yml").read_text())["jobs"]
GITLAB: dict[str, Any] = yaml.safe_load((FOLDER / "gitlab-ci.yml").read_text())
NO_JOBS = {"stages", "default"}
SHELLCHECK = shutil.which("shellcheck") or str(Path(sys.executable).parent / "shellcheck")
SECRETS = ("PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE", "SSH_KEY")
KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0\n-----END OPENSSH PRIVATE KEY-----"
BY_NIGHT = ("drift", "refresh")
WITH_KEY = ("preview-on-main", "up", *BY_NIGHT)


def flat(value: Any) -> Iterator[str]:
    """The lines of a script of GitLab's, in which anchors are lists within the list."""
    if isinstance(value, str):
        yield value
    for each in value if isinstance(value, list) else ():
        yield from flat(each)


def plain(text: str) -> str:
    """With a word in the place of each of the CI's own expressions."""
    return re.sub(r"\$\{\{.*?\}\}|\$\[\[.*?\]\]", "word", text, flags=re.DOTALL)


def github_steps(job: str) -> dict[str, str]:
    """The shell of each step, by its name or number; each has a shell of its own."""
    steps = GITHUB[job]["steps"]
    return {each.get("name", str(number)): each["run"] for number, each in enumerate(steps) if "run" in each}


def gitlab_scripts(job: str) -> dict[str, str]:
    """The shell of a job: one shell for what is before it and itself, another for what comes after it."""
    before, after = (GITLAB[job].get(key, GITLAB["default"].get(key, [])) for key in ("before_script", "after_script"))
    found = {"script": "\n".join([*flat(before), *flat(GITLAB[job].get("script", []))])}
    return {**found, "after_script": "\n".join(flat(after))} if after else found


def gitlab_jobs() -> dict[str, Any]:
    return {name: job for name, job in GITLAB.items() if name not in NO_JOBS and not name.startswith(".")}


def all_shell() -> dict[str, str]:
    """All shell of both pipelines, by where it is."""
    github = {f"github {job}: {name}": text for job in GITHUB for name, text in github_steps(job).items()}
    gitlab = {f"gitlab {job}: {name}": text for job in gitlab_jobs() for name, text in gitlab_scripts(job).items()}
    return {**github, **gitlab}


def gitlab_step(job: str, part: str) -> str:
    """The one entry of a job's script that has ``part`` in it."""
    (found,) = [each for each in flat(GITLAB[job]["script"]) if part in each]
    return found


def complaints(shell: Mapping[str, str], folder: Path) -> str:
    """What `bash -n` and shellcheck say, by where each text is; '' if nothing."""
    scripts = [folder / f"{re.sub(r'[^a-z]+', '-', where.lower())}.bash" for where in shell]
    for script, text in zip(scripts, shell.values(), strict=True):
        script.write_text(f"#!/bin/bash\n{plain(text)}\n")
    commands = [["bash", "-n", each] for each in scripts]
    said = [
        subprocess.run(command, capture_output=True, text=True, check=False)
        for command in (*commands, [SHELLCHECK, "--norc", "--shell=bash", *scripts])
    ]
    return "".join(each.stdout + each.stderr for each in said if each.returncode)


def run(text: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run shell as both CIs do, in a folder; its `bin` comes first on the path."""
    path = f"{folder}/bin:{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", text],
        cwd=folder,
        env={"PATH": path, "HOME": str(folder), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def pretend(folder: Path, name: str, text: str) -> None:
    """A program of that name, for `run`."""
    program = folder / "bin" / name
    program.parent.mkdir(exist_ok=True)
    program.write_text(f"#!/bin/bash\n{text}\n")
    program.chmod(0o755)


# The shell of each step


def test_the_shell_of_every_step_is_right(tmp_path):
    # Setting up and the key are the same in many jobs: once is enough.
    once = {text: where for where, text in all_shell().items()}
    assert len(once) > 15
    assert complaints({where: text for text, where in once.items()}, tmp_path) == ""


@pytest.mark.parametrize("text", ["if true; then", "cat $file", "cd ${{ matrix.site }} && rm -rf $x"])
def test_wrong_shell_is_found(text, tmp_path):
    assert complaints({"a step": text}, tmp_path)


def test_an_expression_of_the_ci_is_a_word_to_the_check(tmp_path):
    assert complaints({"a step": 'echo "${{ matrix.site }}" $[[ inputs.site ]]'}, tmp_path) == ""


def test_nothing_is_written_into_the_shell_by_the_ci():
    assert [where for where, text in all_shell().items() if plain(text) != text] == []


def test_every_command_of_a_pipeline_is_held_against_the_program():
    # The names of files and the mark of a comment have the program's name in them too.
    lines = [line for text in all_shell().values() for line in text.splitlines() if "mark=" not in line]
    named = [line for line in lines if re.search(r"(?<![\w./-])(squid-ha|pulumi) [a-z]", line)]
    assert len(named) > 10
    assert [line for line in named if not {words[0] for words in commands_of(line)} & {"squid-ha", "pulumi"}] == []


@pytest.mark.thorough
@pytest.mark.timeout(300)
def test_pulumi_itself_takes_every_command_of_the_pipelines(tmp_path):
    lines = [line for text in all_shell().values() for line in text.splitlines()]
    found = {" ".join(words): words for line in lines for words in commands_of(line) if words[0] == "pulumi"}
    assert {words[1] for words in found.values()} == {"preview", "up", "refresh"}
    backend = {"PULUMI_BACKEND_URL": f"file://{tmp_path}", "PULUMI_CONFIG_PASSPHRASE": "only for tests"}
    said = {
        line: subprocess.run(
            [PROJECT / ".venv/bin/pulumi", *words[1:]],
            cwd=tmp_path,
            env={**os.environ, **backend},
            capture_output=True,
            text=True,
            check=False,
        ).stderr
        for line, words in found.items()
    }
    # Options are read first: what it lacks here is a project.
    assert {line: text for line, text in said.items() if "no Pulumi.yaml project file found" not in text} == {}


# The jobs


@pytest.mark.parametrize("job", BY_NIGHT)
def test_a_site_with_drift_does_not_hide_the_others_on_github(job):
    strategy = GITHUB[job]["strategy"]
    assert strategy["fail-fast"] is False
    assert strategy["matrix"] == {"site": "${{ fromJSON(needs.sites.outputs.sites) }}"}
    assert GITHUB[job]["env"]["SITE"] == "${{ matrix.site }}"
    (artifact,) = [each for each in GITHUB[job]["steps"] if "upload-artifact" in each.get("uses", "")]
    assert artifact["if"] == "always()"
    assert "${{ matrix.site }}" in artifact["with"]["name"]


@pytest.mark.parametrize("job", BY_NIGHT)
def test_a_site_with_drift_does_not_hide_the_others_on_gitlab(job):
    found = GITLAB[job]
    assert found["parallel"] == GITLAB["preview"]["parallel"] == GITLAB["up"]["parallel"]
    assert found["needs"] == []
    assert found["artifacts"]["when"] == "always"
    assert "$SITE" in found["artifacts"]["name"]


def test_every_night_either_the_program_or_pulumi_looks_for_drift():
    by_hand = "(github.event_name == 'schedule' || github.event_name == 'workflow_dispatch')"
    assert GITHUB["drift"]["if"] == f"{by_hand} && vars.DRIFT_BY != 'pulumi'"
    assert GITHUB["refresh"]["if"] == f"{by_hand} && vars.DRIFT_BY == 'pulumi'"
    by_schedule = '$CI_PIPELINE_SOURCE == "schedule"'
    assert GITLAB["drift"]["rules"] == [{"if": f'{by_schedule} && $DRIFT_BY != "pulumi"'}]
    assert GITLAB["refresh"]["rules"] == [{"if": f'{by_schedule} && $DRIFT_BY == "pulumi"'}]


@pytest.mark.parametrize("code", [0, 1, 7])
@pytest.mark.parametrize("ci", ["github", "gitlab"])
def test_pulumis_exit_code_is_the_jobs_and_its_diff_is_kept(ci, code, tmp_path):
    pretend(tmp_path, "pulumi", f"echo '~ squid-config'; exit {code}")
    steps = list(flat(GITLAB["refresh"]["script"]))
    text = {
        "github": github_steps("refresh")["pulumi refresh, without writing anything"],
        "gitlab": "\n".join(steps[-2:]),
    }[ci]
    assert run(text, tmp_path, SITE="lyon").returncode == code
    assert (tmp_path / "refresh.txt").read_text() == "~ squid-config\n"


def test_the_diff_of_a_refresh_comes_into_the_runs_summary(tmp_path):
    (tmp_path / "refresh.txt").write_text("~ squid-config\n")
    page = tmp_path / "summary.md"
    page.write_text("before\n")
    text = github_steps("refresh")["the diff in the run's summary"]
    assert run(text, tmp_path, SITE="lyon", GITHUB_STEP_SUMMARY=str(page)).returncode == 0
    assert page.read_text() == "before\n### Drift of `lyon`\n\n````diff\n~ squid-config\n````\n"


@pytest.mark.parametrize("job", ["validate", "sites"])
def test_each_stack_file_is_a_site_of_the_matrix(job, tmp_path):
    (tmp_path / "stacks").mkdir()
    for name in ("lyon", "oslo.2"):
        (tmp_path / f"stacks/Pulumi.{name}.yaml").touch()
    (step,) = [each for each in GITHUB[job]["steps"] if each.get("id") == "list"]
    assert run(step["run"], tmp_path, GITHUB_OUTPUT=str(tmp_path / "output")).returncode == 0
    name, _, value = (tmp_path / "output").read_text().partition("=")
    assert (name, json.loads(value)) == ("sites", ["lyon", "oslo.2"])


@pytest.mark.parametrize(("sites", "code"), [(["lyon", "oslo"], 0), (["lyon"], 0), (["lyon", "rome"], 1), (["lyo"], 1)])
def test_a_stack_file_without_jobs_is_found_on_gitlab(sites, code, tmp_path):
    (tmp_path / "stacks").mkdir()
    for name in sites:
        (tmp_path / f"stacks/Pulumi.{name}.yaml").touch()
    shutil.copy(FOLDER / "gitlab-ci.yml", tmp_path / ".gitlab-ci.yml")
    assert run(gitlab_step("sites", "listed="), tmp_path).returncode == code


# Secrets


def environments(value: Any) -> Iterator[tuple[str, Any]]:
    """All variables that a pipeline's file sets itself."""
    if isinstance(value, dict):
        for key, below in value.items():
            if key in {"env", "variables"}:
                yield from below.items()
            else:
                yield from environments(below)
    for each in value if isinstance(value, list) else ():
        yield from environments(each)


def test_secrets_come_from_the_store_of_the_ci_alone():
    github: dict[str, set[str]] = {}
    for name, value in environments(GITHUB):
        if name in SECRETS or "secrets." in str(value) or "token" in str(value):
            github[name] = {*github.get(name, set()), value}
    expected = {name: {f"${{{{ secrets.{name} }}}}"} for name in SECRETS}
    assert github == {**expected, "GH_TOKEN": {"${{ github.token }}"}}
    assert list(environments(GITLAB)) == []


def test_on_github_only_steps_that_call_the_program_have_its_secrets():
    """What checks out, installs and uploads runs code of others."""
    asks = re.compile(r"\b(pulumi (preview|up|refresh)|squid-ha (status|verify|drift)) ")
    for name, job in GITHUB.items():
        assert not set(SECRETS) & job.get("env", {}).keys(), name
        for step in job["steps"]:
            held = set(SECRETS) & step.get("env", {}).keys()
            if asks.search(step.get("run", "")):
                assert held == {"PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE"}, step
            else:
                assert held <= ({"SSH_KEY"} if step.get("name") == "SSH key" else set()), step


def test_on_github_nothing_is_uploaded_before_the_key_is_gone():
    uploading = [job["steps"] for job in GITHUB.values() if "upload-artifact" in str(job["steps"])]
    assert len(uploading) == 2
    for *_, before, last in uploading:
        assert before["name"] == "no key stays behind"
        assert "upload-artifact" in last["uses"]


def test_no_step_prints_a_secret_or_takes_any_host_key():
    prints = r"set -\w*x|-o xtrace|printenv|\benv\b|export -p|declare -p|--show-secrets|\bPULUMI_\w+"
    never = rf"{prints}|ssh-keyscan|StrictHostKeyChecking"
    assert [where for where, text in all_shell().items() if re.search(never, text)] == []
    to_curl = '"$COMMENT_TOKEN" | curl --config - --silent --show-error --fail "$@"'
    to_git = 'printf "username=x-access-token\\npassword=%s\\n" "$GH_TOKEN"'
    allowed = {
        f"helper='!f() {{ {to_git}; }}; f'",
        "printf '%s\\n' " + '"$SSH_KEY" >"$RUNNER_TEMP/home/.ssh/squid-ha"',
        'install -m 0600 "$SSH_KEY" "$HOME/.ssh/squid-ha"',
        "printf 'header = \"PRIVATE-TOKEN: %s\"\\n' " + to_curl,
    }
    named = [line.strip() for text in all_shell().values() for line in text.splitlines()]
    assert {line for line in named if re.search("SSH_KEY|COMMENT_TOKEN|GH_TOKEN", line)} == allowed


def test_no_file_with_a_secret_becomes_an_artifact():
    github = [
        each["with"]["path"]
        for job in GITHUB.values()
        for each in job["steps"]
        if "upload-artifact" in each.get("uses", "")
    ]
    gitlab = [path for job in gitlab_jobs().values() for path in job.get("artifacts", {}).get("paths", [])]
    assert {*github, *gitlab} == {"drift.xml", "refresh.txt", "preview.txt"}


def test_a_checkout_leaves_no_token_behind():
    checkouts = [each for job in GITHUB.values() for each in job["steps"] if "actions/checkout" in each.get("uses", "")]
    assert checkouts
    assert all(each["with"] == {"persist-credentials": False} for each in checkouts)


@pytest.mark.parametrize("job", WITH_KEY)
def test_the_ssh_key_is_the_jobs_users_alone_and_gone_after_the_job_on_github(job, tmp_path):
    steps = github_steps(job)
    variables = {"RUNNER_TEMP": str(tmp_path / "temp"), "GITHUB_ENV": str(tmp_path / "env")}
    made = run(steps["SSH key"], tmp_path, SSH_KEY=KEY, SSH_KNOWN_HOSTS="lyon-a ssh-ed25519 AAAA", **variables)
    assert (made.returncode, made.stdout, made.stderr) == (0, "", "")
    assert (tmp_path / "env").read_text() == f"HOME={tmp_path}/temp/home\n"
    assert_private(tmp_path / "temp/home")
    assert [each.get("if") for each in GITHUB[job]["steps"] if each.get("name") == "no key stays behind"] == [
        "always()"
    ]
    assert run(steps["no key stays behind"], tmp_path, **variables).returncode == 0
    assert list((tmp_path / "temp").iterdir()) == []


@pytest.mark.parametrize("job", WITH_KEY)
def test_the_ssh_key_is_the_jobs_users_alone_and_gone_after_the_job_on_gitlab(job, tmp_path):
    (tmp_path / "key").write_text(f"{KEY}\n")
    (tmp_path / "known_hosts").write_text("lyon-a ssh-ed25519 AAAA\n")
    variables = {"CI_PROJECT_DIR": str(tmp_path / "project")}
    (tmp_path / "project").mkdir()
    (anchored,) = [each for each in GITLAB[job]["script"] if isinstance(each, list)]
    text = "\n".join([*anchored, 'echo "HOME=$HOME"'])
    files = {"SSH_KEY": str(tmp_path / "key"), "SSH_KNOWN_HOSTS": str(tmp_path / "known_hosts")}
    made = run(text, tmp_path, **files, **variables)
    assert (made.returncode, made.stdout, made.stderr) == (0, f"HOME={tmp_path}/project/.home\n", "")
    assert_private(tmp_path / "project/.home")
    assert run(gitlab_scripts(job)["after_script"], tmp_path, **variables).returncode == 0
    assert list((tmp_path / "project").iterdir()) == []


def assert_private(home: Path) -> None:
    assert (home / ".ssh/squid-ha").read_text() == f"{KEY}\n"
    assert (home / ".ssh/squid-ha.known_hosts").read_text() == "lyon-a ssh-ed25519 AAAA\n"
    assert {oct(each.stat().st_mode)[-2:] for each in (home, *home.rglob("*"))} == {"00"}


# The approval


def test_whoever_approves_has_a_preview_of_that_commit_on_github():
    job = GITHUB["preview-on-main"]
    assert job["if"] == GITHUB["approval"]["if"] == "github.event_name == 'push'"
    assert set(GITHUB["approval"]["needs"]) == {"sites", "preview-on-main"}
    assert job["strategy"]["fail-fast"] is False
    assert (job["runs-on"], job["environment"]) == (GITHUB["drift"]["runs-on"], "drift")
    assert github_steps("preview-on-main")["pulumi preview"] == github_steps("preview")["pulumi preview"]


def test_whoever_approves_has_a_preview_of_that_commit_on_gitlab():
    job, up = GITLAB["preview-on-main"], GITLAB["up"]
    assert [each["if"] for each in job["rules"]] == [each["if"] for each in up["rules"]]
    assert GITLAB["stages"].index(job["stage"]) < GITLAB["stages"].index(up["stage"])
    assert "needs" not in up, "it would not wait for the preview"
    assert (job["tags"], job["parallel"]) == (up["tags"], up["parallel"])
    assert list(flat(job["script"]))[-1].startswith('pulumi preview --stack "$SITE" --diff ')


def test_the_diff_of_main_comes_into_the_runs_summary(tmp_path):
    steps = github_steps("preview-on-main")
    pretend(tmp_path, "pulumi", "echo '~ squid-config'; exit 1")
    assert run(steps["pulumi preview"], tmp_path, SITE="lyon").returncode == 1
    page = tmp_path / "summary.md"
    done = run(steps["the diff in the run's summary"], tmp_path, SITE="lyon", GITHUB_STEP_SUMMARY=str(page))
    assert done.returncode == 0
    assert page.read_text() == "### Preview of `lyon`\n\n````diff\n~ squid-config\n````\n"


def test_the_next_commit_ends_the_wait_for_an_approval():
    assert GITHUB["approval"]["concurrency"] == {"group": "squid-ha-approval", "cancel-in-progress": True}
    assert "concurrency" not in GITHUB["sites"]


def test_whether_a_commit_is_still_the_last_one_is_asked_before_anything_else():
    first = [GITHUB[job]["steps"][0] for job in ("preview-on-main", "up")]
    assert [step["name"] for step in first] == ["still the last commit of main"] * 2
    assert first[0] == first[1]


THIS, LATER = "1" * 40, "2" * 40


@pytest.fixture
def host() -> Iterator[tuple[str, list[str]]]:
    """A host of a private repository, whose address ends with the last commit of main; and who asked, with what."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            given = self.headers.get("Authorization", "")
            _, last, *rest = urlsplit(self.path).path.split("/")
            asked.append(base64.b64decode(given.removeprefix("Basic ")).decode())
            data = f"{last}\trefs/heads/main\n{THIS}\trefs/heads/other\n".encode() * (rest[-1] == "refs")
            self.send_response(200 if given else 401)
            self.send_header("WWW-Authenticate", 'Basic realm="GitHub"')
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            """Says nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


def still_last(folder: Path, url: str) -> subprocess.CompletedProcess[str]:
    if not shutil.which("git"):
        pytest.skip("needs git, as the runner does")
    return run(
        github_steps("up")["still the last commit of main"],
        folder,
        GH_TOKEN="ghs-secret",
        GITHUB_SERVER_URL=url,
        GITHUB_REPOSITORY="o/r",
        GITHUB_REF="refs/heads/main",
        GITHUB_SHA=THIS,
        GIT_TERMINAL_PROMPT="0",
        no_proxy="127.0.0.1",
    )


def test_the_last_commit_of_main_is_deployed(host, tmp_path):
    url, asked = host
    done = still_last(tmp_path, f"{url}/{THIS}")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert set(asked) == {"", "x-access-token:ghs-secret"}


def test_an_approval_that_comes_late_deploys_nothing(host, tmp_path):
    url, _ = host
    done = still_last(tmp_path, f"{url}/{LATER}")
    assert done.returncode == 1
    assert f"main is at {LATER}, and this run is of {THIS}: nothing is deployed" in done.stdout


def test_where_nobody_tells_the_last_commit_nothing_is_deployed(tmp_path):
    done = still_last(tmp_path, (tmp_path / "none").as_uri())
    assert done.returncode != 0
    assert "ghs-secret" not in done.stdout + done.stderr


# The comment


ME, SOMEBODY = 7, 8


@dataclass
class GitLab:
    """The part of GitLab's API that the comment needs: one merge request, and one token."""

    notes: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    asked: list[str] = field(default_factory=list[str])
    url: str = ""

    def say(self, author: int, body: str) -> None:
        self.notes.append({"id": 100 + len(self.notes), "author": {"id": author}, "body": body})

    def answer(self, method: str, path: str, body: str) -> tuple[int, Any]:
        url = urlsplit(path)
        self.asked.append(f"{method} {url.path}")
        notes = "/projects/12/merge_requests/3/notes"
        if (method, url.path) == ("GET", "/user"):
            return 200, {"id": ME}
        if (method, url.path) == ("GET", notes):
            query = parse_qs(url.query)
            size, page = int(query["per_page"][0]), int(query["page"][0])
            return 200, self.notes[size * (page - 1) : size * page]
        text = parse_qs(body)["body"][0]
        if (method, url.path) == ("POST", notes):
            self.say(ME, text)
            return 201, self.notes[-1]
        (note,) = [each for each in self.notes if (method, url.path) == ("PUT", f"{notes}/{each['id']}")]
        if note["author"]["id"] != ME:
            return 403, {"message": "403 Forbidden"}
        note["body"] = text
        return 200, note


@pytest.fixture
def gitlab() -> Iterator[GitLab]:
    """GitLab on a port of this machine."""
    found = GitLab()

    class Handler(http.server.BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            allowed = self.headers.get("PRIVATE-TOKEN") == "glpat-secret"
            code, value = found.answer(self.command, self.path, body) if allowed else (401, {})
            data = json.dumps(value, separators=(",", ":")).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = handle_any  # noqa: N815 the server looks for these names

        def log_message(self, format: str, *args: Any) -> None:
            """Says nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield found
        server.shutdown()


def push(gitlab: GitLab, folder: Path, diff: str, code: int = 0, site: str = "lyon") -> int:
    """A push to the merge request: all of the job `preview` but what sets it up; its exit code."""
    if not shutil.which("curl"):
        pytest.skip("needs curl, as the runner does")
    (folder / "diff").write_text(diff)
    pretend(folder, "pulumi", f"cat diff; exit {code}")
    done = run(
        "\n".join(flat(GITLAB["preview"]["script"])),
        folder,
        SITE=site,
        COMMENT_TOKEN="glpat-secret",
        CI_API_V4_URL=gitlab.url,
        CI_PROJECT_ID="12",
        CI_MERGE_REQUEST_IID="3",
        no_proxy="127.0.0.1",
    )
    assert "glpat" not in done.stdout + done.stderr
    assert (done.stdout, done.stderr) == (diff, "")
    return done.returncode


def comment_of(site: str, diff: str) -> str:
    return f"<!-- squid-ha preview of {site} -->\n### Preview of `{site}`\n\n````diff\n{diff}````\n"


def test_a_push_replaces_the_comment_of_the_one_before_on_gitlab(gitlab, tmp_path):
    assert push(gitlab, tmp_path, "~ squid-config\n") == 0
    assert push(gitlab, tmp_path, "+ routes\n", site="lyon2") == 0
    assert push(gitlab, tmp_path, "nothing & 100% ü\n") == 0
    assert [each["body"] for each in gitlab.notes] == [
        comment_of("lyon", "nothing & 100% ü\n"),
        comment_of("lyon2", "+ routes\n"),
    ]


def test_its_comment_is_found_among_hundreds_and_nobody_elses_is_touched_on_gitlab(gitlab, tmp_path):
    for number in range(250):
        gitlab.say(SOMEBODY, comment_of("lyon", "quoted\n") if number % 50 == 0 else f"remark {number}")
    gitlab.say(ME, f"> {comment_of('lyon', '')}")
    gitlab.say(ME, comment_of("lyon", "old\n"))
    before = json.loads(json.dumps(gitlab.notes))
    assert push(gitlab, tmp_path, "new\n") == 0
    assert gitlab.notes[:-1] == before[:-1]
    assert gitlab.notes[-1]["body"] == comment_of("lyon", "new\n")
    assert [each for each in gitlab.asked if not each.startswith("GET")] == [
        f"PUT /projects/12/merge_requests/3/notes/{before[-1]['id']}"
    ]


def test_a_preview_that_fails_is_told_in_the_comment_and_fails_the_job_on_gitlab(gitlab, tmp_path):
    assert push(gitlab, tmp_path, "error: no such zone\n", code=255) == 255
    assert [each["body"] for each in gitlab.notes] == [comment_of("lyon", "error: no such zone\n")]


def test_a_comment_ends_at_a_line_before_it_is_too_long_on_gitlab(gitlab, tmp_path):
    assert push(gitlab, tmp_path, "ü\n" * 40000) == 0
    (note,) = gitlab.notes
    assert len(note["body"].encode()) < 61000
    assert note["body"].endswith("ü\nThe rest is in the log.\n````\n")


@pytest.mark.parametrize(
    ("known", "asked"),
    [("", ["POST", "repos/o/r/issues/3/comments"]), ("41", ["PATCH", "repos/o/r/issues/comments/41"])],
)
def test_a_push_replaces_the_comment_of_the_one_before_on_github(known, asked, tmp_path):
    pretend(tmp_path, "gh", f'[ "$2" != --paginate ] || {{ echo "{known}"; exit; }}\nprintf "%s\\n" "$@" >>asked')
    (tmp_path / "preview.txt").write_text("~ squid-config\n")
    text = github_steps("preview")["the diff as a comment, one for each site"]
    done = run(text, tmp_path, SITE="lyon", GITHUB_REPOSITORY="o/r", PULL_REQUEST="3", GH_TOKEN="ghs-secret")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / "asked").read_text().split()[2:4] == asked
    assert (tmp_path / "comment.md").read_text() == comment_of("lyon", "~ squid-config\n")


def test_on_github_only_its_own_comment_is_one_of_the_push_before(tmp_path):
    """Whoever wrote a comment can change it afterwards, also one that begins with the mark."""
    pretend(tmp_path, "gh", '[ "$2" != --paginate ] || printf "%s\\n" "$5" >filter')
    (tmp_path / "preview.txt").write_text("~ squid-config\n")
    text = github_steps("preview")["the diff as a comment, one for each site"]
    assert run(text, tmp_path, SITE="lyon", GITHUB_REPOSITORY="o/r", PULL_REQUEST="3").returncode == 0
    said = (tmp_path / "filter").read_text()
    assert said.startswith('.[] | select(.user.login == "github-actions[bot]") | select(.body | startswith("<!-- ')


def test_a_variable_that_says_whether_a_job_runs_is_one_of_the_repository():
    """On GitHub an environment's variables count once the job has begun, which is too late for its `if`."""
    asked = {name for job in GITHUB.values() for name in re.findall(r"\bvars\.(\w+)", str(job.get("if", "")))}
    assert asked == {"DRIFT_BY"}
    page = (PROJECT / "docs/pipelines.md").read_text()
    assert all(f"| variable `{name}` of the repository" in page for name in asked)


def test_the_page_names_the_action_that_enterprise_server_runs_in_the_place_of_ours():
    """It runs no `actions/upload-artifact` from v4 on."""
    used = re.findall(r"actions/upload-artifact@\w+ # v(\d+)", (FOLDER / "github-actions.yml").read_text())
    page = (PROJECT / "docs/pipelines.md").read_text()
    assert ("on Enterprise Server take v3 of `actions/upload-artifact`" in page) is (max(map(int, used)) > 3)
