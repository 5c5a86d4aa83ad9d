"""What every engine does alike on a pair of containers, by the real `pulumi` and `squid-ha`.

What came of it is told by addresses and units, not by the engine.
An engine's module under tests/hosts names itself, says what is changed by hand with its own tools, and inherits the
tests; they build on each other, in this order. Nothing here asks which engine it is.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import yaml

from lab import control
from tests.support.sites import for_either_engine
from tests.support.stack import PROJECT, Stack
from tests.support.things import Site

A, B = "qsp-a", "qsp-b"
ADDRESS = "192.0.2.10/"
OWN = {A: "192.0.2.11", B: "192.0.2.12"}
STANDING = f"ip -br address show dev eth0 | grep -c {ADDRESS} || true; systemctl is-active squid || true"
LIMIT = 120.0
REFUSED, INTERRUPTED = 5, 130

# Protocol, address, port.
_STRANGER = r"""
import socket, sys
kind = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}[sys.argv[1]]
with socket.socket(socket.AF_INET, kind) as asking:
    asking.settimeout(3)
    told = "refused"
    try:
        asking.connect((sys.argv[2], int(sys.argv[3])))
        told = "heard"
        asking.send(b"hello\r\n\r\n")
        asking.recv(1)
    except ConnectionRefusedError:
        told = "refused"
    except (TimeoutError, ConnectionResetError):
        pass
    print(told)
"""


@dataclass(frozen=True)
class Port:
    """Where somebody listens on a node."""

    protocol: Literal["tcp", "udp"]
    number: int

    def asked(self, address: str) -> str:
        """What becomes of words from somebody who is no node: ``heard`` or ``refused``."""
        argv = ["python3", "-c", _STRANGER, self.protocol, address, str(self.number)]
        answer = control.call("run", namespace="client", argv=argv)
        assert answer["code"] == 0, answer
        return answer["out"].strip()


@dataclass(frozen=True)
class ByHand:
    """A change that somebody makes with the engine's own tools: the thing and the property as which it is shown."""

    command: str
    thing: str
    property: str


@dataclass(frozen=True)
class Edit:
    """Another value of a setting that only this engine has an eye on, and the things that bear it."""

    settings: dict[str, Any]
    things: frozenset[str]

    def of(self, site: dict[str, Any]) -> dict[str, Any]:
        """The declaration with it; sections are merged."""
        sections = {name: site[name] | value for name, value in self.settings.items() if isinstance(value, dict)}
        return site | self.settings | sections


@dataclass
class Deployed:
    """A pair with its stack, as operators use it."""

    hosts: Site
    stack: Stack

    def squid_ha(self, *words: str) -> subprocess.CompletedProcess[str]:
        """The command, as an operator of this stack runs it."""
        begun = self.begun(*words)
        out, err = ended(begun)
        return subprocess.CompletedProcess(begun.args, begun.returncode, out, err)

    def begun(self, *words: str, environment: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """The same, still under way; whatever interrupts the tests does not reach it."""
        return subprocess.Popen(
            [str(PROJECT / ".venv/bin/squid-ha"), *words],
            cwd=PROJECT,
            env={**self.stack.environment, "PYTHONFAULTHANDLER": "1", **(environment or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def interrupted_everywhere(self, *words: str) -> int:
        """The command said again and again, by Ctrl-C at each place where it tells a node something, until it is
        through; how often it was interrupted. After each all that it began on the nodes ends."""
        for number, where in enumerate(f"{moment}:{count}" for count in range(1, 50) for moment in ("before", "after")):
            tap = {"SQUID_HA_TAP": "tests.taps:interrupt", "SQUID_HA_CUT": where}
            process = self.begun(*words, environment=tap)
            _, said = ended(process)
            if process.returncode == 0:
                return number
            assert process.returncode == INTERRUPTED, (
                f"interrupted {where}, it ended with {process.returncode}:\n{said}"
            )
            until(self.nothing_runs, f"interrupted {where}, all that it began on the nodes has ended")
        raise AssertionError(f"`squid-ha {' '.join(words)}` does not get through")

    def nothing_runs(self) -> bool:
        """Whether no node runs anything of this program's just now."""
        return not any(self.hosts.sh(name, "pgrep -af '[s]quid-ha' || true").strip() for name in (A, B))

    def told(self, *words: str) -> Any:
        """What a command that works says as JSON."""
        done = self.squid_ha(*words, "--json")
        assert done.returncode == 0, f"squid-ha {' '.join(words)} ended with {done.returncode}:\n{done.stderr}"
        return json.loads(done.stdout)

    def standing(self) -> dict[str, tuple[bool, bool]]:
        """Node → whether it has the virtual IP, whether Squid runs there."""
        answers = {name: self.hosts.sh(name, STANDING).split() for name in (A, B)}
        return {name: (count != "0", state == "active") for name, (count, state) in answers.items()}

    def active(self) -> str:
        """The one node that has both; fails where it is not so."""
        standing = self.standing()
        assert sorted(standing.values()) == [(False, False), (True, True)], f"the service stands in parts: {standing}"
        return next(name for name, (address, _) in standing.items() if address)


def ended(process: subprocess.Popen[str], limit: float = 300.0) -> tuple[str, str]:
    """Both outputs of a command that ends by itself; of one that does not, what it said and where it stands."""
    try:
        return process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGABRT)
    try:
        out, err = process.communicate(timeout=20)
    except subprocess.TimeoutExpired as held:
        raise AssertionError(f"`{process.args}` has ended, and something that it began holds its output") from held
    raise AssertionError(f"`{process.args}` did not end within {limit:g} s; it said:\n{out}{err}")


def other(name: str) -> str:
    return {A: B, B: A}[name]


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {LIMIT:g} s"
        time.sleep(0.3)


def stays(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """For what must not happen: the condition holds whenever it is looked at, over all of that time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert condition(), f"{what}: not so"
        time.sleep(0.3)


def up(hosts: Site, stack: Stack) -> Iterator[Deployed]:
    """For the fixture `deployed` of an engine's module, on nodes that the doctor finds ready for it."""
    deployed = Deployed(hosts, stack)
    deployed.told("doctor", stack.name)
    stack.up()
    yield deployed
    stack.file.unlink()


class Conformance:
    """The suite. A subclass says what stands here without a value."""

    engine: str
    another: str
    by_hand: ByHand
    edit: Edit
    hears: Port
    """Where it hears the other node, in the public network."""
    looks: float
    """Seconds in which the engine has looked at its resources more than once."""

    def test_what_is_declared_differs_from_the_other_engines_in_the_engine_alone(
        self, deployed: Deployed, pair
    ) -> None:
        written = yaml.safe_load(deployed.stack.file.read_text())["config"]["squid-ha:site"]
        assert written.pop("engine") == self.engine
        assert written == for_either_engine(pair.directory)

    def test_up_builds_the_service_on_one_node_and_leaves_nothing_to_do(self, deployed: Deployed) -> None:
        assert deployed.stack.site["engine"] == self.engine
        active = deployed.active()
        status = deployed.told("status", deployed.stack.name)["sites"][0]
        assert (status["active"], status["healthy"]) == (active, True)
        again = deployed.stack.preview("--expect-no-changes", check=False)
        assert again.code == 0, again.output
        found = deployed.stack.drift()
        assert found.code == 0, found.output

    def test_of_a_site_that_runs_the_doctor_finds_nothing_in_the_way(self, deployed: Deployed) -> None:
        deployed.told("doctor", deployed.stack.name)

    def test_where_the_engine_hears_the_other_node_the_firewall_lets_nobody_else_in(self, deployed: Deployed) -> None:
        assert Port("tcp", 3128).asked(ADDRESS.rstrip("/")) == "heard", "clients do not get in"
        for name, address in OWN.items():
            listening = f"ss -Hln --{self.hears.protocol} 'sport = :{self.hears.number}'"
            assert deployed.hosts.sh(name, listening) != "", "nobody listens there, so nothing was tried"
            assert self.hears.asked(address) == "refused"

    def test_a_switchover_moves_all_of_it_and_is_asked_for_twice_without_harm(self, deployed: Deployed) -> None:
        first = deployed.active()
        for target in (other(first), first):
            for _ in range(2):
                done = deployed.told("switchover", deployed.stack.name, "--to", target)
                assert done["target"] == target == deployed.active()
        assert deployed.stack.drift().code == 0, "who is active is shown as drift"

    def test_a_switchover_that_is_interrupted_is_carried_out_by_the_nodes(self, deployed: Deployed) -> None:
        first = deployed.active()
        interrupted = deployed.begun("switchover", deployed.stack.name)
        until(lambda: deployed.standing()[first] != (True, True), "the service begins to move")
        interrupted.send_signal(signal.SIGINT)
        _, said = interrupted.communicate(timeout=LIMIT)
        assert interrupted.returncode == INTERRUPTED, said
        assert "the nodes finish what they were told to do" in said
        self.is_well(deployed, "the service has arrived")
        assert deployed.active() == other(first)
        # Pacemaker's, which nobody ends, is at work for a while still, and no other move goes there meanwhile.
        ours = "systemctl list-units --no-legend 'squid-ha-switchover*'"
        until(lambda: not any(deployed.hosts.sh(name, ours) for name in (A, B)), "the move has ended on the nodes")
        assert deployed.told("switchover", deployed.stack.name)["target"] == first == deployed.active()

    def test_a_node_goes_aside_and_comes_back_and_the_service_stays_where_it_went(self, deployed: Deployed) -> None:
        name, first = deployed.stack.name, deployed.active()
        for _ in range(2):
            done = deployed.told("node", "aside", name, first)
            assert done["active"] == other(first) == deployed.active()
            assert any(first in notice for notice in done["notices"]), done
        refused = deployed.squid_ha("switchover", name, "--to", first)
        assert refused.returncode == REFUSED, refused.stderr
        assert deployed.squid_ha("node", "aside", name, other(first)).returncode == REFUSED
        for _ in range(2):
            deployed.told("node", "back", name, first)
        assert deployed.active() == other(first)

    def test_in_maintenance_nothing_is_moved_and_what_died_stays_dead(self, deployed: Deployed) -> None:
        name, active = deployed.stack.name, deployed.active()
        for _ in range(2):
            deployed.told("maintenance", "on", name)
        assert deployed.active() == active, "maintenance mode has moved or stopped the service"
        refused = deployed.squid_ha("switchover", name)
        assert refused.returncode == REFUSED, refused.stderr
        assert "maintenance" in refused.stderr
        deployed.hosts.sh(active, "systemctl stop squid")
        dead = {active: (True, False), other(active): (False, False)}
        stays(lambda: deployed.standing() == dead, self.looks, "in maintenance mode a stopped Squid stays as it is")
        for _ in range(2):
            deployed.told("maintenance", "off", name)
        self.is_well(deployed, "after maintenance the service is whole again")

    def test_a_squid_that_is_killed_serves_again(self, deployed: Deployed) -> None:
        active = deployed.active()
        before = deployed.hosts.sh(active, "systemctl show -P MainPID squid")
        deployed.hosts.sh(active, "systemctl kill --kill-whom=all --signal=KILL squid")

        def anew() -> bool:
            now = [deployed.hosts.sh(name, "systemctl show -P MainPID squid") for name in (A, B)]
            return before not in now and sorted(deployed.standing().values()) == [(False, False), (True, True)]

        until(anew, "a Squid that was killed serves again")
        deployed.told("cleanup", deployed.stack.name)
        self.is_well(deployed, "after a cleanup all is well")

    def test_whatever_is_interrupted_leaves_nothing_behind_and_is_done_by_the_same_words(
        self, deployed: Deployed
    ) -> None:
        name, first = deployed.stack.name, deployed.active()
        assert deployed.interrupted_everywhere("node", "aside", name, first) > 0
        assert deployed.active() == other(first)
        assert deployed.interrupted_everywhere("node", "back", name, first) > 0
        self.is_well(deployed, "the node is back")
        assert deployed.active() == other(first)
        assert deployed.interrupted_everywhere("maintenance", "on", name) > 0
        assert deployed.squid_ha("switchover", name).returncode == REFUSED
        assert deployed.interrupted_everywhere("maintenance", "off", name) > 0
        assert deployed.interrupted_everywhere("switchover", name, "--to", first) > 0
        assert deployed.active() == first
        deployed.interrupted_everywhere("cleanup", name)
        self.is_well(deployed, "after all of it")
        assert deployed.stack.drift().code == 0

    def test_a_cleanup_of_nothing_does_nothing(self, deployed: Deployed) -> None:
        active = deployed.active()
        for _ in range(2):
            done = deployed.told("cleanup", deployed.stack.name)
            assert (done["active"], done["notices"]) == (active, [])

    def test_a_node_whose_peer_answers_is_not_started_alone(self, deployed: Deployed) -> None:
        refused = deployed.squid_ha("start", "--alone", deployed.stack.name, A, "--peer-is-off")
        assert refused.returncode == REFUSED
        assert "answers over SSH" in refused.stderr

    def test_a_change_by_hand_is_named_and_only_it_is_repaired(self, deployed: Deployed) -> None:
        active = deployed.active()
        deployed.hosts.sh(active, self.by_hand.command)
        done = deployed.squid_ha("drift", deployed.stack.name, "--json")
        assert done.returncode == 3, done.stderr
        cases = json.loads(done.stdout)["sites"][0]["cases"]
        found = {(each["thing"], each["property"]) for case in cases for each in case["findings"]}
        assert {thing for thing, _ in found} == {self.by_hand.thing}, found
        assert any(self.by_hand.property in path for _, path in found), found

        repaired = deployed.stack.up("--refresh")
        assert re.search(r"\b1 updated", repaired.counts()), repaired.counts()
        assert deployed.told("drift", deployed.stack.name)["sites"][0]["outcome"] == "clean"
        assert deployed.active() == active

    def test_what_was_edited_is_told_from_what_was_changed_by_hand_until_it_is_deployed(
        self, deployed: Deployed
    ) -> None:
        active = deployed.active()
        deployed.hosts.sh(other(active), f"sed -i /{active}/d /etc/hosts")
        deployed.stack.site = self.edit.of(deployed.stack.site)
        deployed.stack.pulumi("config", check=True)
        done = deployed.squid_ha("drift", deployed.stack.name, "--json")
        assert done.returncode == 3, done.stderr
        cases = json.loads(done.stdout)["sites"][0]["cases"]
        found = {(each["thing"], each["origin"]) for case in cases for each in case["findings"]}
        assert found == {("names", "host"), *((thing, "edited") for thing in self.edit.things)}

        deployed.stack.up("--refresh")
        assert deployed.told("drift", deployed.stack.name)["sites"][0]["outcome"] == "clean"
        assert deployed.active() == active

    def test_the_other_engine_is_refused_before_anything_is_done(self, deployed: Deployed) -> None:
        deployed.stack.site["engine"] = self.another
        try:
            refused = deployed.stack.preview(check=False)
        finally:
            deployed.stack.site["engine"] = self.engine
        assert refused.code not in (0, None)
        assert "the engine of a deployed site is not changed in place" in refused.output
        assert deployed.stack.preview("--expect-no-changes", check=False).code == 0

    def test_destroy_leaves_neither_address_nor_squid(self, deployed: Deployed) -> None:
        deployed.stack.destroy()
        assert deployed.standing() == {A: (False, False), B: (False, False)}

    @staticmethod
    def is_well(deployed: Deployed, what: str) -> None:
        until(lambda: deployed.squid_ha("status", deployed.stack.name).returncode == 0, what)
        deployed.active()
