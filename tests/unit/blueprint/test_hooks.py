"""Hooks: what runs where, the script that nodes get (in a real shell), and the resources against Pulumi's mocks."""

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import asyncssh
import pulumi
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blueprint import hooks as blueprint
from blueprint.hooks import LocalRun, RemoteRun, runs, standard_input
from blueprint.site import things
from components.site import SquidSite
from declaration.load import read

# The library marks one of its own resources so while it is imported.
pytestmark = pytest.mark.filterwarnings("ignore:This resource is deprecated:DeprecationWarning")

PROJECT = Path(__file__).parents[3]
OWNER = "squid-ha/lab"
TOKEN = "token-of-the-tests-5a0e"
HOOKS = [
    {"name": "tell", "when": "after-deploy", "where": "local", "command": "logger x", "triggers": ["v1"]},
    {"name": "warm", "when": "after-deploy", "where": "active", "command": "curl -s x", "sudo": True},
    {
        "name": "leave", "when": "before-destroy", "where": "qsp-b", "command": 'echo "$GREETING" "$TOKEN"',
        "environment": {"GREETING": "it's me", "TOKEN": {"secret": "hook-token"}}, "timeout": "30s",
    },
]  # fmt: skip


@pytest.fixture
def settings(settings, tmp_path):
    """The lab with hooks, its nodes reached without a command in between."""
    key = asyncssh.generate_private_key("ssh-ed25519")
    key.write_private_key(str(tmp_path / "id"))
    hosts = ("192.0.2.11", "192.0.2.12", "bastion.example.org")
    public = key.export_public_key("openssh").decode().split()
    (tmp_path / "known_hosts").write_text("".join(f"{host} {public[0]} {public[1]}\n" for host in hosts))
    settings["ssh"] = {
        "user": "ops",
        "identity": str(tmp_path / "id"),
        "known_hosts": str(tmp_path / "known_hosts"),
        "proxy_jump": "gate@bastion.example.org",
    }
    settings["hooks"] = [dict(hook) for hook in HOOKS]
    return settings


@pytest.fixture
def site(settings):
    return read(settings, "hooks")


def test_a_hook_for_the_active_node_is_asked_of_both(site):
    assert [(type(run), run.resource) for run in runs(site)] == [
        (LocalRun, "hook-tell"),
        (RemoteRun, "hook-warm-node-1"),
        (RemoteRun, "hook-warm-node-2"),
        (RemoteRun, "hook-leave"),
    ], "these names are in users' states"


def test_a_node_that_is_away_keeps_its_resource_and_runs_nothing(settings):
    settings["nodes"][1]["away"] = True
    made = {run.resource: run.runs for run in runs(read(settings, "x")) if isinstance(run, RemoteRun)}
    assert made == {"hook-warm-node-1": True, "hook-warm-node-2": False, "hook-leave": False}


def remote_run(site, name: str) -> RemoteRun:
    return next(run for run in runs(site) if isinstance(run, RemoteRun) and run.resource == name)


def test_sudo_asks_for_a_password_only_where_there_is_one(settings):
    assert remote_run(read(settings, "x"), "hook-warm-node-1").line.startswith("sudo -k -n sh -c ")
    settings["ssh"]["sudo_password"] = {"secret": "sudo"}
    assert remote_run(read(settings, "x"), "hook-warm-node-1").line.startswith("sudo -k -S -p '' sh -c ")
    assert remote_run(read(settings, "x"), "hook-leave").line.startswith("sh -c ")


@pytest.fixture
def node(tmp_path):
    """A place with `ip` and `ping` of the test's own: files `here` and `answers` say what they tell."""
    for name, told in (("ip", '[ -e here ] && echo "$4 is here"'), ("ping", "[ -e answers ]")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{told}\n")
        (tmp_path / name).chmod(0o755)
    return tmp_path


def run_script(node: Path, stdin: str, *, ip: str = "", wait: int = 0, limit: str = "20", command: str):
    return subprocess.run(
        ["sh", "-c", blueprint.SCRIPT, "sh", ip, str(wait), limit, command],
        cwd=node,
        env={"PATH": f"{node}:/usr/bin:/bin"},
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


@pytest.mark.parametrize("password", [None, "geheim"])
def test_variables_arrive_and_standard_input_is_empty(node, password):
    stdin = standard_input({"GREETING": "it's $(me)\nagain", "OTHER": ""}, password)
    done = run_script(node, stdin, command='printf %s "$GREETING-$OTHER"; cat')
    assert (done.stdout, done.returncode) == ("it's $(me)\nagain-", 0)


def test_a_password_that_sudo_read_is_not_missed(node):
    stdin = standard_input({"A": "b"}, "geheim").partition("\n")[2]
    assert run_script(node, stdin, command="echo $A").stdout == "b\n"


def test_the_exit_code_is_that_of_the_command(node):
    assert run_script(node, standard_input({}), command="exit 7").returncode == 7


@pytest.mark.thorough
def test_a_command_that_takes_too_long_is_ended(node):
    assert run_script(node, standard_input({}), limit="0.2", command="sleep 20").returncode == 124


def test_it_runs_on_the_node_that_has_the_virtual_ip(node):
    (node / "here").touch()
    assert run_script(node, standard_input({}), ip="192.0.2.10", command="echo ran").stdout == "ran\n"


def test_it_does_not_run_where_the_other_node_has_it(node):
    (node / "answers").touch()
    done = run_script(node, standard_input({}), ip="192.0.2.10", command="echo ran")
    assert (done.returncode, done.stdout) == (0, "not run: this node is not the active one\n")


@pytest.mark.thorough
def test_it_fails_where_nobody_has_it(node):
    done = run_script(node, standard_input({}), ip="192.0.2.10", wait=1, command="echo ran")
    assert (done.returncode, done.stdout) == (75, "")
    assert "does not answer from the other one" in done.stderr


@given(st.dictionaries(st.text("AB_", min_size=1), st.text(st.characters(exclude_characters="\0"))))
def test_no_value_breaks_out_of_its_assignment(variables):
    """What the shell reads is what was given: the words of the assignments, and no other."""
    lines = standard_input(variables).removeprefix(f"{blueprint.MARK}\n")
    assert shlex.split(lines) == [f"{name}={value}" for name, value in variables.items()]


@given(
    st.text(st.characters(categories=["L", "N", "P", "S"], exclude_characters="\u115f\u1160\u3164\uffa0"), min_size=1)
)
def test_no_command_breaks_out_of_its_argument(command):
    hook = {"name": "x", "when": "after-deploy", "where": "active", "command": f"echo {command}"}
    line = shlex.split(remote_run(_with(hook), "hook-x-node-1").line)
    assert line == ["sh", "-c", blueprint.SCRIPT, "sh", "192.0.2.10", "60", "600", f"echo {command}"]


def _with(hook):
    from tests.unit.declaration.conftest import SITES  # noqa: PLC0415

    return read({**SITES[3], "virtual_ip": "192.0.2.10", "hooks": [hook]}, "x")


def test_a_value_with_a_nul_is_refused():
    with pytest.raises(ValueError, match="NUL"):
        standard_input({"A": "a\0b"})


class Recorder(pulumi.runtime.Mocks):
    def __init__(self) -> None:
        self.registered: dict[str, pulumi.runtime.MockResourceArgs] = {}

    def new_resource(self, args: pulumi.runtime.MockResourceArgs):
        self.registered[args.name] = args
        return f"{args.name}-id", args.inputs

    def call(self, args: pulumi.runtime.MockCallArgs):
        raise AssertionError(args.token)


@pytest.fixture
def declare(event_loop_of_pulumi):
    """Runs the program's part for a site and gives back what it registered."""

    def run(site, config: dict[str, str] | None = None):
        recorder = Recorder()
        pulumi.runtime.set_mocks(recorder, project="squid-ha", stack="lab")
        given = {f"squid-ha:{key}": value for key, value in (config or {"hook-token": TOKEN}).items()}
        pulumi.runtime.set_all_config(given, secret_keys=list(given))
        failed = []

        @pulumi.runtime.test
        def program():
            from components.hooks import Hooks  # noqa: PLC0415

            try:
                Hooks(site, after=SquidSite("lab", things(site, OWNER), OWNER))
            except pulumi.RunError as error:
                failed.append(error)

        program()
        if failed:
            raise failed[0]
        return recorder.registered

    yield run
    pulumi.runtime.set_all_config({})


def test_resources_are_pulumi_commands(declare, site):
    made = declare(site)
    assert made["hook-tell"].typ == "command:local:Command"
    assert made["hook-tell"].inputs["create"] == "logger x"
    assert made["hook-tell"].inputs["triggers"] == ["v1"]
    assert made["hook-warm-node-2"].typ == "command:remote:Command"
    assert "delete" not in made["hook-warm-node-2"].inputs
    assert "create" not in made["hook-leave"].inputs
    assert made["hook-leave"].inputs["delete"] == remote_run(site, "hook-leave").line


def secret(value: object) -> Any:
    """What the engine takes for a secret, without its wrapping."""
    assert isinstance(value, dict), f"not a secret: {value}"
    assert value[pulumi.runtime.rpc._special_sig_key] == pulumi.runtime.rpc._special_secret_sig
    return value["value"]


def test_connections_are_the_sites_own_and_their_host_keys_are_checked(declare, site, settings):
    found = secret(declare(site)["hook-leave"].inputs["connection"])
    proxy = found["proxy"]
    assert (found["host"], found["port"], found["user"]) == ("192.0.2.12", 22, "ops")
    assert (proxy["host"], proxy["port"], proxy["user"]) == ("bastion.example.org", 22, "gate")
    assert found["hostKey"].startswith("ssh-ed25519 ")
    assert found["hostKey"] == proxy["hostKey"]
    assert "PRIVATE KEY" in found["privateKey"]


def test_a_secret_is_one_and_stands_in_no_command(declare, site):
    inputs = declare(site)["hook-leave"].inputs
    assert f"TOKEN={TOKEN}" in secret(inputs["stdin"])
    assert TOKEN not in inputs["delete"]
    assert inputs["logging"] == "none"


def test_a_secret_that_is_not_set_is_named_with_the_remedy(declare, site):
    with pytest.raises(pulumi.RunError, match=r"pulumi config set -s \S+ --secret hook-token"):
        declare(site, {"other": "x"})


def test_an_unknown_host_key_is_refused_with_the_way_to_accept_it(declare, site, settings):
    known = Path(settings["ssh"]["known_hosts"])
    known.write_text(known.read_text().replace("192.0.2.12", "192.0.2.13"))
    with pytest.raises(pulumi.RunError, match=r"qsp-b: the SSH host key of 192\.0\.2\.12 is not in"):
        declare(site)


def test_a_host_known_by_rsa_alone_is_refused(declare, site, settings):
    key = asyncssh.generate_private_key("ssh-rsa", key_size=2048).export_public_key("openssh").decode()
    Path(settings["ssh"]["known_hosts"]).write_text(f"192.0.2.11,192.0.2.12,bastion.example.org {key}")
    with pytest.raises(pulumi.RunError, match="no Ed25519 or ECDSA key"):
        declare(site)


def test_a_key_with_a_passphrase_is_refused_with_the_remedy(declare, site, settings):
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(
        settings["ssh"]["identity"], "pkcs8-pem", passphrase="x"
    )
    with pytest.raises(pulumi.RunError, match="works through an SSH agent"):
        declare(site)


def test_without_a_key_there_must_be_an_agent(declare, settings, monkeypatch):
    del settings["ssh"]["identity"]
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    with pytest.raises(pulumi.RunError, match="SSH_AUTH_SOCK"):
        declare(read(settings, "x"))
    monkeypatch.setenv("SSH_AUTH_SOCK", "/run/agent")
    assert "privateKey" not in secret(declare(read(settings, "x"))["hook-leave"].inputs["connection"])


def test_local_hooks_need_no_way_to_the_nodes(declare, settings):
    settings["hooks"] = settings["hooks"][:1]
    settings["ssh"] = {"proxy_command": "socat - x", "known_hosts": "/does/not/exist"}
    assert "hook-tell" in declare(read(settings, "x"))


PROGRAM = """
import json, runpy, sys, warnings
warnings.simplefilter("ignore")
import asyncio, pulumi
asyncio.set_event_loop(asyncio.new_event_loop())
class Mocks(pulumi.runtime.Mocks):
    def new_resource(self, args): return args.name, args.inputs
    def call(self, args): raise AssertionError(args.token)
pulumi.runtime.set_mocks(Mocks(), project="squid-ha", stack="lab")
pulumi.runtime.set_all_config({"squid-ha:site": sys.argv[1]})
program = pulumi.runtime.test(lambda: runpy.run_path("__main__.py") and None)
program()
print("pulumi_command" in sys.modules)
"""


@pytest.mark.thorough
@pytest.mark.parametrize("hooks", [[], HOOKS[:1]])
def test_only_a_site_with_hooks_loads_pulumi_command(settings, hooks):
    settings["hooks"] = hooks
    command = [sys.executable, "-c", PROGRAM, json.dumps(settings)]
    done = subprocess.run(command, check=False, cwd=PROJECT, capture_output=True, text=True, timeout=60)
    assert done.stdout == f"{bool(hooks)}\n", done.stderr
