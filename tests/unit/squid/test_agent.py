"""The resource agent, run with a systemctl of our own and a real socket; shell linting of it."""

import os
import shutil
import socket
import socketserver
import subprocess
import sys
import threading
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest

from providers.squid import agent

pytestmark = pytest.mark.thorough

# Answers `show` from the file `state`, records every call, and on start and stop changes the state as told.
SYSTEMCTL = """\
#!/bin/bash
echo "$*" >>"$STUB/calls"
case $1 in
    show)
        case $* in
            *ActiveState*) cat "$STUB/state" ;;
            *LoadState*) cat "$STUB/load" ;;
            *ControlGroup*) echo /unit ;;
        esac ;;
    start) [ ! -e "$STUB/start-fails" ] || exit 1; echo "$(cat "$STUB/after-start")" >"$STUB/state" ;;
    stop) [ -e "$STUB/hangs" ] || { echo inactive >"$STUB/state"; : >"$STUB/cgroup/unit/cgroup.procs"; } ;;
    kill) echo failed >"$STUB/state"; [ -e "$STUB/survives" ] || : >"$STUB/cgroup/unit/cgroup.procs" ;;
    reset-failed) [ "$(cat "$STUB/state")" != failed ] || echo inactive >"$STUB/state" ;;
esac
"""


MOUNT = """\
#!/bin/bash
echo "mount $*" >>"$STUB/calls"
[ ! -e "$STUB/mount-fails" ] || { echo 'mount: bad option' >&2; exit 32; }
"""


class Stub:
    """A unit that exists as files; ``run`` starts the agent on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "bin").mkdir()
        (folder / "cgroup/unit").mkdir(parents=True)
        self.script = folder / "squid"
        self.script.write_text(agent.text())
        for name, content in {"state": "inactive", "load": "loaded", "after-start": "active", "calls": ""}.items():
            self.set(name, content)
        self.set("cgroup/unit/cgroup.procs", "")
        for name, content in {"systemctl": SYSTEMCTL, "logger": "#!/bin/sh\n", "mount": MOUNT}.items():
            (folder / "bin" / name).write_text(content)
            (folder / "bin" / name).chmod(0o755)

    def set(self, name: str, content: str = "") -> None:
        (self.folder / name).write_text(content + "\n" if content else "")

    @property
    def calls(self) -> list[str]:
        return [line for line in (self.folder / "calls").read_text().splitlines() if not line.startswith("show")]

    def run(self, action: str, **parameters: str) -> tuple[int, str]:
        environment = {f"OCF_RESKEY_{name}": value for name, value in parameters.items()}
        done = subprocess.run(
            ["bash", self.script, action],
            env={
                "PATH": f"{self.folder}/bin:{os.environ['PATH']}",
                "STUB": str(self.folder),
                "SQUID_HA_CGROUP_ROOT": str(self.folder / "cgroup"),
                "SQUID_HA_CONFIGURATION": str(self.folder / "squid.conf"),
                "OCF_RESKEY_CRM_meta_timeout": "15000",
                **environment,
            },
            capture_output=True,
            text=True,
            timeout=40,
            check=False,
        )
        return done.returncode, done.stderr if action != "meta-data" else done.stdout


class Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        server = self.server
        assert isinstance(server, Server)
        # All of the request is read: what is left unread would turn the close into a reset.
        lines = list(iter(lambda: self.rfile.readline().decode(), "\r\n"))
        server.requests.append(lines[0])
        server.asked()
        if server.log is not None:
            with (server.into or server.log).open("a") as log:
                log.write(f"1795370634.1 {lines[0].strip()}\n")
        if server.answer:
            self.wfile.write(server.answer)
        else:
            server.silent.wait(10)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, answer: bytes) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer = answer
        self.requests: list[str] = []
        self.log: Path | None = None
        self.into: Path | None = None
        """Where records go while Squid has not been told of a rotation."""
        self.asked: Callable[[], None] = lambda: None
        self.silent = threading.Event()
        self.port = str(self.server_address[1])


@pytest.fixture
def unit(tmp_path):
    return Stub(tmp_path)


@pytest.fixture
def serve():
    """Starts a server that gives this answer to everything; an empty one never answers."""
    servers = []

    def start(answer: bytes) -> Server:
        servers.append(Server(answer))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return servers[-1]

    yield start
    for server in servers:
        server.silent.set()
        server.shutdown()
        server.server_close()


def free_port() -> str:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return str(one.getsockname()[1])


def test_shellcheck_has_nothing_to_say():
    tool = shutil.which("shellcheck") or str(Path(sys.executable).parent / "shellcheck")
    source = Path(agent.__file__).parent / "agent.sh"
    done = subprocess.run([tool, source], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_meta_data_names_every_parameter(unit):
    code, text = unit.run("meta-data")
    root = ET.fromstring(text)
    assert code == 0
    names = [one.attrib["name"] for one in root.findall("parameters/parameter")]
    assert names == [
        "unit", "port", "probe_url", "probe_timeout", "stop_grace", "log_mount", "log_mount_options", "record_log",
        "record_url", "record_lost",
    ]  # fmt: skip
    reloadable = [one.attrib["name"] for one in root.findall("parameters/parameter[@reloadable='1']")]
    assert reloadable == names[1:], "a change of the others must restart Squid"
    assert {one.attrib["name"] for one in root.findall("actions/action")} == {
        "start", "stop", "monitor", "reload-agent", "meta-data", "validate-all",
    }  # fmt: skip


@pytest.mark.parametrize(("state", "code"), [("inactive", 7), ("failed", 7)])
def test_what_does_not_run_is_not_running(unit, state, code):
    unit.set("state", state)
    assert unit.run("monitor") == (code, "")
    assert unit.calls == (["reset-failed -- squid.service"] if state == "failed" else [])


@pytest.mark.parametrize("status", ["200 OK", "403 Forbidden", "503 Service Unavailable"])
def test_any_http_status_is_health(unit, serve, status):
    server = serve(f"HTTP/1.1 {status}\r\n\r\n".encode())
    unit.set("state", "active")
    assert unit.run("monitor", port=server.port, probe_url="http://probe.invalid/x") == (0, "")
    assert server.requests == ["GET http://probe.invalid/x HTTP/1.1\r\n"]


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-OpenSSH\r\n"])
def test_an_active_unit_that_gives_no_http_answer_is_an_error_with_a_reason(unit, serve, answer):
    server = serve(answer)
    unit.set("state", "active")
    code, said = unit.run("monitor", port=server.port, probe_timeout="1")
    assert code == 1
    assert said.startswith("ocf-exit-reason:Squid runs but did not answer a request for http://")
    assert f"on port {server.port} within 1 s" in said


def test_nobody_listens_is_an_error(unit):
    unit.set("state", "active")
    assert unit.run("monitor", port=free_port(), probe_timeout="1")[0] == 1


@pytest.mark.parametrize(
    ("read", "address"), [(False, ""), (True, ""), (True, "192.0.2.10:"), (True, "[2001:db8::1]:")]
)
def test_while_a_changed_port_is_on_its_way_squid_is_found_on_either(unit, serve, read, address):
    """The configuration is replaced first, then Squid has ``read`` it, then the parameter follows."""
    server, nobody = serve(b"HTTP/1.1 403 Forbidden\r\n\r\n"), free_port()
    said, parameter = (server.port, nobody) if read else (nobody, server.port)
    unit.set("squid.conf", f"# http_port 1\nhttp_port {address}{said} name=x\nhttp_port 2\nhttp_access deny all")
    unit.set("state", "active")
    assert unit.run("monitor", port=parameter, probe_timeout="5") == (0, "")
    assert unit.run("start", port=parameter) == (0, "")


def test_a_squid_that_listens_on_neither_port_is_an_error_that_names_both(unit):
    said, parameter = free_port(), free_port()
    unit.set("squid.conf", f"http_port {said}")
    unit.set("state", "active")
    code, reason = unit.run("monitor", port=parameter, probe_timeout="1")
    assert code == 1
    assert f"on port {said},{parameter} within 1 s" in reason


@pytest.mark.parametrize("text", ["", "http_port", "http_port oops", "http_port 3128a", "http_port [::1]", "visible x"])
def test_a_configuration_without_a_port_leaves_the_parameter(unit, serve, text):
    server = serve(b"HTTP/1.1 403 Forbidden\r\n\r\n")
    unit.set("squid.conf", text)
    unit.set("state", "active")
    assert unit.run("monitor", port=server.port, probe_timeout="5") == (0, "")
    assert len(server.requests) == 1


def test_start_waits_for_an_answer(unit, serve):
    server = serve(b"HTTP/1.1 403 Forbidden\r\n\r\n")
    assert unit.run("start", port=server.port) == (0, "")
    assert unit.calls == ["start -- squid.service"]


def test_a_unit_that_ends_while_starting_fails_at_once(unit):
    unit.set("after-start", "failed")
    code, said = unit.run("start", port=free_port())
    assert code == 1
    assert "squid.service ended (failed) while it was starting" in said


def test_a_start_that_systemd_refuses_is_an_error(unit):
    unit.set("start-fails", "yes")
    assert unit.run("start", port=free_port())[0] == 1


def test_stop_of_what_is_stopped_is_success(unit):
    assert unit.run("stop") == (0, "")
    assert unit.calls == ["reset-failed -- squid.service"]


def test_an_orderly_stop_kills_nobody(unit):
    unit.set("state", "active")
    unit.set("cgroup/unit/cgroup.procs", "4194303")
    assert unit.run("stop") == (0, "")
    stop = "stop --no-block --job-mode=ignore-dependencies -- squid.service"
    assert unit.calls == [stop, "reset-failed -- squid.service"]


def test_a_hung_squid_is_killed_with_its_whole_control_group(unit):
    unit.set("state", "active")
    unit.set("cgroup/unit/cgroup.procs", "4194303")
    unit.set("hangs", "yes")
    code, said = unit.run("stop", stop_grace="2")
    assert code == 0
    assert "did not end within 2 s: killing its control group" in said
    assert "kill --kill-whom=all --signal=SIGKILL -- squid.service" in unit.calls


def test_a_process_that_survives_makes_the_stop_fail(unit):
    """Success would let the volume be taken over while somebody here still writes."""
    unit.set("state", "active")
    unit.set("cgroup/unit/cgroup.procs", "4194303")
    unit.set("hangs", "yes")
    unit.set("survives", "yes")
    code, said = unit.run("stop", stop_grace="2")
    assert code == 1
    assert "ocf-exit-reason:processes of squid.service survive SIGKILL: 4194303" in said


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({}, 0),
        ({"port": "http"}, 6),
        ({"probe_timeout": "5s"}, 6),
        ({"probe_url": "ftp://x/"}, 6),
        ({"stop_grace": "-1"}, 6),
        ({"record_lost": "shout"}, 6),
        ({"record_log": "/mnt/mirror/squid/access.log"}, 6),
        ({"record_log": "/x", "record_url": "http://probe.invalid/record-"}, 0),
        ({"log_mount_options": "sync"}, 6),
    ],
)
def test_parameters_are_validated(unit, parameters, code):
    assert unit.run("validate-all", **parameters)[0] == code


def test_a_missing_unit_is_not_installed(unit):
    unit.set("load", "not-found")
    assert unit.run("validate-all")[0] == 5
    assert unit.run("start")[0] == 5


def test_an_unknown_action_is_unimplemented(unit):
    assert unit.run("promote")[0] == 3


RECORD = {"record_url": "http://probe.invalid/record-", "probe_timeout": "5"}


def test_a_record_of_its_own_is_looked_for_in_what_the_log_has_grown_by(unit, serve, tmp_path):
    server = serve(b"HTTP/1.1 403 Forbidden\r\n\r\n")
    server.log = tmp_path / "access.log"
    server.log.write_text("an older line\n" * 1000)
    unit.set("state", "active")
    for _ in range(2):
        assert unit.run("monitor", port=server.port, record_log=str(server.log), **RECORD) == (0, "")
    records = [line for line in server.requests if "/record-" in line]
    assert len(set(records)) == 2, "each time another one"


def test_a_log_that_is_not_there_yet_is_read_from_its_start(unit, serve, tmp_path):
    server = serve(b"HTTP/1.1 403 Forbidden\r\n\r\n")
    server.log = tmp_path / "access.log"
    unit.set("state", "active")
    assert unit.run("monitor", port=server.port, record_log=str(server.log), **RECORD) == (0, "")


def test_a_rotation_between_request_and_record_is_no_lost_record(unit, serve, tmp_path):
    server = serve(b"HTTP/1.1 403 Forbidden\r\n\r\n")
    log, renamed = tmp_path / "access.log", tmp_path / "access.log.1"
    log.write_text("an older line\n")
    server.log = log

    def rotate() -> None:
        if len(server.requests) == 2:
            log.rename(renamed)
            server.into = renamed

    server.asked = rotate
    unit.set("state", "active")
    assert unit.run("monitor", port=server.port, record_log=str(log), **RECORD, record_lost="fail") == (0, "")
    assert not log.exists()


def test_a_look_while_the_log_has_its_new_name_already_waits_for_the_new_file(unit, serve, tmp_path):
    server = serve(b"HTTP/1.1 403 Forbidden\r\n\r\n")
    log, renamed = tmp_path / "access.log", tmp_path / "access.log.1"
    server.log, server.into = log, renamed

    def told() -> None:
        if len(server.requests) > 3:
            server.into = None

    server.asked = told
    unit.set("state", "active")
    assert unit.run("monitor", port=server.port, record_log=str(log), **RECORD, record_lost="fail") == (0, "")


@pytest.mark.parametrize(("lost", "code"), [({}, 190), ({"record_lost": "degrade"}, 190), ({"record_lost": "fail"}, 1)])
def test_a_record_that_does_not_appear_degrades_or_fails_as_declared(unit, serve, tmp_path, lost, code):
    server = serve(b"HTTP/1.1 403 Forbidden\r\n\r\n")
    log = tmp_path / "access.log"
    log.write_text("http://probe.invalid/record-of-another-time\n")
    unit.set("state", "active")
    found, said = unit.run("monitor", port=server.port, record_log=str(log), **RECORD, **lost)
    assert found == code
    assert f"ocf-exit-reason:Squid serves but its records do not reach {log}" in said


def test_without_a_log_to_look_at_no_record_is_asked_for(unit, serve):
    server = serve(b"HTTP/1.1 403 Forbidden\r\n\r\n")
    unit.set("state", "active")
    assert unit.run("monitor", port=server.port) == (0, "")
    assert len(server.requests) == 1


MOUNTED = {"log_mount": "/mnt/mirror", "log_mount_options": "async,commit=1"}


def test_the_log_is_mounted_as_declared_before_squid_starts(unit, serve):
    server = serve(b"HTTP/1.1 403 Forbidden\r\n\r\n")
    assert unit.run("start", port=server.port, **MOUNTED) == (0, "")
    assert unit.calls == [
        "mount --options-source disable -o remount,async,commit=1 /mnt/mirror",
        "start -- squid.service",
    ]


def test_squid_does_not_start_with_less_than_was_promised(unit):
    unit.set("mount-fails", "yes")
    code, said = unit.run("start", port=free_port(), **MOUNTED)
    assert code == 1
    assert "/mnt/mirror cannot be mounted with async,commit=1: mount: bad option" in said
    assert not any(call.startswith("start") for call in unit.calls)


def test_a_reload_mounts_anew_and_leaves_squid_alone(unit):
    unit.set("state", "active")
    assert unit.run("reload-agent", **MOUNTED) == (0, "")
    assert unit.calls == ["mount --options-source disable -o remount,async,commit=1 /mnt/mirror"]
    assert unit.run("reload-agent") == (0, "")
    assert len(unit.calls) == 1
