"""What the alerts' look asks of LifeKeeper and of its mirror, run by sh with lists of our own."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from blueprint import names
from blueprint.site import things
from declaration.load import read
from declaration.rules.alerts import NOT_TOLD
from operations.engines import ENGINES
from providers.lifekeeper import alerts, grammar, mirror_view
from tests.unit.declaration.conftest import refused
from tests.unit.lifekeeper.sites import settings
from tests.unit.lifekeeper.test_plan_and_runtime import IN_SYNC

HERE, THERE = os.uname().nodename, "qsp-other"
ADDRESS, SQUID, HALF = "ip-192.0.2.10", "qsp-squid", "datarep-mirror"
WORDS = [
    f"node={THERE}", f"node={HERE}", f"service={ADDRESS}", f"mirror={HALF}",
    *(f"member={tag}" for tag in (ADDRESS, SQUID, HALF)),
]  # fmt: skip
# Answers from files named after the arguments, and fails where there is none.
TOOL = """\
#!/bin/sh
printf '%s' "/opt/LifeKeeper/bin/$(basename "$0")" >>"$STUB/asked"
for word; do printf ' %s' "'$word'" >>"$STUB/asked"; done
echo >>"$STUB/asked"
cat "$STUB/$(basename "$0")$(printf '%s' "$*" | tr -c 'a-z-' '_')" 2>/dev/null
"""
SITE_ALERTS = {"webhook": {"url": "https://chat.example.org/hooks/x"}}


class Node:
    """One node's LifeKeeper by its lists; ``look`` tells what a look finds."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "bin").mkdir()
        (folder / "state").mkdir()
        for name in ("lktest", "ins_list", "sys_getst", "lcdstatus"):
            (folder / "bin" / name).write_text(TOOL)
            (folder / "bin" / name).chmod(0o755)
        self.stands(here="OSU", there="ISP")

    def stands(self, *, here: str, there: str, alive: bool = True, downs: int = 0, failed: str = "") -> None:
        """The state of the service on both nodes; ``failed``: a resource that has failed on the other one."""
        state = "ALIVE" if alive else "DEAD"
        self.says("lktest", "F S UID PID\n")
        self.says("ins_list-f_", self.listed(HERE, here))
        self.says(f"sys_getst-s_{THERE}", f"{state}\n")
        self.says(f"ins_list-d_{THERE}_-f_", self.listed(THERE, there, failed) if alive else None)
        text = f"The following LifeKeeper machines are known:\n        machine={THERE} state={state}\n"
        for at in (1, 2):
            text += f"        to machine={THERE} type=TCP addresses=10.0.{at}.1/10.0.{at}.2\n"
            text += f'                state="{state}" priority={at} #comm_downs={downs}\n'
        self.says("lcdstatus", text)

    def listed(self, node: str, state: str, failed: str = "") -> str:
        kinds = {ADDRESS: "comm|ip", SQUID: "gen|qsp", HALF: "scsi|netraid"}
        states = dict.fromkeys(kinds, state) | ({failed: "OSF"} if failed else {})
        # An info string may have the separator in it.
        rows = [f"{node}|{kind}|{tag}|an-id|0|/dev/sdb|{states[tag]}|AUTORES_ISP" for tag, kind in kinds.items()]
        return "".join(f"{row}\n" for row in rows)

    def says(self, what: str, text: str | None) -> None:
        if text is None:
            (self.folder / what).unlink(missing_ok=True)
        else:
            (self.folder / what).write_text(text)

    def look(self, *words: str) -> list[str]:
        script = self.folder / "look"
        script.write_text(alerts.look())
        environment = {**os.environ, "STUB": str(self.folder), "SQUID_HA_LIFEKEEPER": str(self.folder / "bin")}
        command = ["sh", str(script), str(self.folder / "state"), *(words or WORDS)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=50)
        assert done.stderr == ""
        return done.stdout.splitlines()

    def failovers(self) -> list[str]:
        return [line for line in self.look() if line.startswith("failover")]


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def told(why: str) -> list[str]:
    return [f"failover now the service failed over from {THERE} to {HERE}: {why}"]


def test_a_service_that_comes_from_a_lost_node_has_failed_over_and_is_told_once(node: Node) -> None:
    assert node.failovers() == []
    node.stands(here="ISP", there="", alive=False)
    assert node.failovers() == told(f"{THERE} was lost")
    assert node.failovers() == []


def test_a_node_that_is_back_before_the_service_is_up_was_lost_all_the_same(node: Node) -> None:
    node.look()
    node.stands(here="OSU", there="", alive=False)
    assert node.failovers() == []
    node.stands(here="OSU", there="OSU")
    assert node.failovers() == []
    node.stands(here="ISP", there="OSU")
    assert node.failovers() == told(f"{THERE} was lost")


def test_a_node_that_was_gone_between_two_looks_was_lost_all_the_same(node: Node) -> None:
    node.look()
    node.stands(here="ISP", there="OSU", downs=1)
    assert node.failovers() == told(f"{THERE} was lost")


def test_what_failed_on_the_other_node_is_named(node: Node) -> None:
    node.look()
    node.stands(here="ISP", there="OSU", failed=SQUID)
    assert node.failovers() == told(f"{SQUID} has failed there")


def test_a_service_that_somebody_moved_has_not_failed_over(node: Node) -> None:
    node.look()
    node.stands(here="ISP", there="OSU")
    assert node.failovers() == []


def test_a_move_that_was_asked_for_is_none_though_the_other_node_is_stopped_then(node: Node) -> None:
    node.look()
    (node.folder / "state/planned").touch()
    node.stands(here="ISP", there="", alive=False)
    assert node.failovers() == []
    assert not (node.folder / "state/planned").exists()


def test_a_move_that_was_asked_for_long_ago_explains_nothing(node: Node) -> None:
    node.look()
    (node.folder / "state/planned").touch()
    os.utime(node.folder / "state/planned", (0, 0))
    node.stands(here="ISP", there="", alive=False)
    assert node.failovers() == told(f"{THERE} was lost")


def test_a_first_look_a_restart_and_a_return_are_no_failovers(node: Node) -> None:
    node.stands(here="ISP", there="", alive=False)
    assert node.failovers() == [], "nothing is known of before"
    node.stands(here="OSF", there="OSU", downs=1)
    assert node.failovers() == []
    node.stands(here="ISP", there="OSU", downs=1)
    assert node.failovers() == [], "it was here before"


def test_a_node_that_was_lost_long_ago_explains_no_later_move(node: Node) -> None:
    node.stands(here="ISP", there="", alive=False)
    node.look()
    node.stands(here="OSU", there="ISP", downs=1)
    node.look()
    node.stands(here="ISP", there="OSU", downs=1)
    assert node.failovers() == []


def test_a_mirror_in_service_on_both_nodes_is_told_and_when_it_is_on_one_again(node: Node) -> None:
    node.stands(here="ISP", there="ISP")
    (line,) = node.look()
    assert line.startswith(f"split_brain wrong the mirror {HALF} is in service on {HERE} and on {THERE}")
    node.stands(here="ISP", there="OSU")
    assert node.look() == [f"split_brain well the mirror {HALF} is in service on one node only"]


def test_the_end_of_a_split_brain_is_no_failover_to_the_node_that_served_all_along(node: Node) -> None:
    node.stands(here="ISP", there="OSU")
    node.look()
    node.stands(here="ISP", there="", alive=False)
    node.look()
    node.stands(here="ISP", there="ISP", downs=1)
    assert node.failovers() == []
    node.stands(here="ISP", there="OSU", downs=1, failed=SQUID)
    assert node.failovers() == []


def test_while_the_other_node_is_not_seen_nobody_knows_of_a_split_brain(node: Node) -> None:
    node.stands(here="ISP", there="", alive=False)
    assert [line for line in node.look() if "split_brain" in line] == []


@pytest.mark.parametrize("what", ["lktest", "ins_list-f_", f"sys_getst-s_{THERE}", f"ins_list-d_{THERE}_-f_"])
def test_a_list_that_fails_tells_nothing_and_changes_nothing(node: Node, what: str) -> None:
    node.look()
    before = {each.name: each.read_text() for each in (node.folder / "state").iterdir()}
    node.stands(here="ISP", there="OSU", failed=SQUID)
    node.says(what, None)
    assert node.look() == []
    assert {each.name: each.read_text() for each in (node.folder / "state").iterdir()} == before


def test_a_pair_whose_other_node_is_away_has_nobody_to_fail_over_from(node: Node) -> None:
    node.stands(here="ISP", there="", alive=False)
    assert node.look(f"node={HERE}", f"service={ADDRESS}") == []


def test_only_lines_of_the_grammar_that_read_are_said(node: Node) -> None:
    node.look()
    asked = (node.folder / "asked").read_text().splitlines()
    assert len(asked) == 5
    for line in asked:
        known = grammar.load().command(grammar.parse(shlex.split(line)).command)
        assert known.certainty != "assumed"
    assert f"/opt/LifeKeeper/bin/ins_list '-d' '{THERE}' '-f|'" in asked


# The mirror


def problem(folder: Path, mdstat: str, *, device: str = "/dev/md0") -> str:
    (folder / "bin").mkdir()
    (folder / "bin/findmnt").write_text(f"#!/bin/sh\necho {device}\n")
    (folder / "bin/findmnt").chmod(0o755)
    (folder / "mdstat").write_text(mdstat)
    script = folder / "check"
    script.write_text(alerts.mirror_check().replace("PATH=/usr/sbin:", f"PATH={folder}/bin:/usr/sbin:"))
    environment = {**os.environ, "SQUID_HA_MDSTAT": str(folder / "mdstat")}
    command = ["sh", str(script), "/mnt/mirror"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()


OTHER = "md9 : active raid1 nbd1[1] sdc[0]\n      5 blocks [2/1] [U_]\n\n"


OUT_OF_SYNC = "the mirror is not in sync: "


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (IN_SYNC, ""),
        (OTHER + IN_SYNC, ""),
        (IN_SYNC.replace("[UU]", "[UU]\n      [=>...]  check = 12.5% (1/5)"), ""),
        (IN_SYNC.replace("[UU]", "[U_]"), f"{OUT_OF_SYNC}the other half is missing"),
        (IN_SYNC.replace("[UU]", "[U_]\n      [>..]  recovery = 12.5% (1/5)"), f"{OUT_OF_SYNC}recovery = 12.5%"),
        (IN_SYNC.replace("[UU]", "[UU]\n      resync=DELAYED"), f"{OUT_OF_SYNC}resync=DELAYED"),
        (OTHER, "the mirror does not tell its state: no md device is mounted at /mnt/mirror"),
    ],
)
def test_the_alert_says_of_the_mirror_what_the_status_says(tmp_path: Path, text: str, sentence: str) -> None:
    assert problem(tmp_path, text.removesuffix("\n/dev/md0\n")) == sentence
    seen = mirror_view.parse_mdstat(f"{text.removesuffix('/dev/md0')}\n/dev/md0\n")
    assert seen.whole is (sentence == "")


def test_a_mirror_that_is_not_mounted_is_not_well(tmp_path: Path) -> None:
    assert "no md device is mounted" in problem(tmp_path, IN_SYNC, device="")


# What the site declares


def made(phase: int = 3, **given: object) -> dict[str, Any]:
    raw = settings(phase) | {"alerts": {**SITE_ALERTS, **given}}
    return {thing.name: thing for thing in things(read(raw, "x"), "squid-ha/lyon")}


def files(found: dict[str, Any]) -> dict[str, Any]:
    return found[names.ALERTS].inputs.nodes["proxy-a"].files


def test_everything_but_fencing_and_a_lost_node_is_told_with_this_engine() -> None:
    text = files(made())["/etc/squid-ha/alerts.conf"].content
    assert "events='failover split_brain mirror_unsynced mirror_full clock'" in text
    assert "mirror_resource=/mnt/mirror" in text
    words = next(line for line in text.splitlines() if line.startswith("engine_words="))
    assert "node=proxy-a node=proxy-b service=ip-192.0.2.10 mirror=datarep-mirror member=" in words


def test_a_program_is_there_only_for_events_that_are_told() -> None:
    clock = files(made(events=["clock"]))
    assert [path for path in clock if "look" in path or "mirror-check" in path] == []
    pair = files(made(2))
    assert "mirror=" not in pair["/etc/squid-ha/alerts.conf"].content
    assert "/usr/lib/squid-ha/mirror-check" not in pair
    assert "/usr/lib/squid-ha/lifekeeper-look" in pair


@pytest.mark.parametrize(("event", "why"), [("fencing", "fences nobody"), ("node_lost", "stopped on purpose")])
def test_an_event_that_this_engine_does_not_tell_is_refused_with_the_reason(event: str, why: str) -> None:
    raw = settings() | {"alerts": {**SITE_ALERTS, "events": [event]}}
    assert any(m.path == "alerts.events[0]" and why in m.expected for m in refused(raw))


def test_what_is_not_told_is_said_of_engines_that_there_are() -> None:
    assert set(NOT_TOLD) <= set(ENGINES)
