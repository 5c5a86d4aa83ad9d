"""What somebody else has built and the site's file has adopted is no problem to the doctor, and called by that name."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from declaration.load import read
from declaration.site import Site
from operations.doctor.checks import disk as check
from operations.doctor.checks import fencing, virtual_ip
from operations.doctor.model import Asked, Finding
from tests.support.sites import lab_settings
from tests.unit.operations.doctor.test_checks import HARD, NONE, addresses, disk, only, signed

Ask = Callable[..., Asked]
DIGEST = "a" * 64
KNOWN = f"r0 {DIGEST}\n"


def site(**more: Any) -> Site:
    """The lab's site on a cluster that somebody has built with pcs."""
    settings = lab_settings() | more
    members = {name: {"id": f"of-{name}", "sha256": DIGEST} for name in ("mirror", "filesystem", "squid", "address")}
    mirror = {"resource": "r0", "sha256": DIGEST}
    settings["pacemaker"]["adopted"] = {"members": members, "mirror": mirror, "options": {}}
    settings["timeouts"] = {}
    settings["adopted"] = {"things": ["rotation"]}
    return read(settings, "test")


def of_disk(ask: Ask, held: str = "", *signatures: str, drbd: str = KNOWN, minors: str = "1\n", **of: Any) -> Any:
    holders = {"children": [{"name": held, "type": "disk"}]} if held else {}
    return list(check.judge(ask(disk(**holders), signed(*signatures), drbd, minors, **({"of": site()} | of))))


def told(findings: list[Finding], level: str, *parts: str) -> None:
    assert {each.level for each in findings} == {level}, findings
    only(findings, level, *parts)


def test_the_disk_of_an_adopted_mirror_is_told_as_adopted_whatever_its_volume_is_called(ask: Ask) -> None:
    for minor in ("0", "1"):
        found = of_disk(ask, f"/dev/drbd{minor}", "ext4", "drbd", minors=f"{minor}\n")
        told(found, "ok", "bears the mirror `r0`, adopted as it was found")
    told(of_disk(ask, "", "drbd"), "ok", "adopted")
    told(of_disk(ask, "/dev/drbd1", "ext4"), "ok", "adopted")
    told(of_disk(ask, "/dev/drbd1", "drbd", minors=""), "ok", "adopted")


def test_what_else_is_on_the_disk_of_an_adopted_mirror_is_a_problem(ask: Ask) -> None:
    told(of_disk(ask, "/dev/drbd2", "drbd"), "problem", "in use: disk /dev/drbd2")
    told(of_disk(ask, "/dev/drbd0", "drbd"), "problem", "in use: disk /dev/drbd0")
    told(of_disk(ask, "/dev/vdb1", "dos", minors=""), "problem", "in use: disk /dev/vdb1")


def test_an_adopted_mirror_that_drbd_does_not_know_or_knows_otherwise_is_a_problem(ask: Ask) -> None:
    told(of_disk(ask, "/dev/drbd1", "drbd", drbd="", minors=""), "problem", "DRBD knows no resource `r0`")
    only(of_disk(ask, "/dev/drbd1", "drbd", drbd=f"r0 {'b' * 64}\n"), "problem", "is not the one that was adopted")


def test_a_disk_without_the_adopted_mirror_is_a_note_because_nothing_is_written_to_it(ask: Ask) -> None:
    told(of_disk(ask), "note", "does not bear the mirror `r0`", "it is blank")
    told(of_disk(ask, "", "xfs"), "note", "does not bear", "xfs")


def test_the_disk_of_an_adopted_mirror_is_what_drbd_calls_it(ask: Ask) -> None:
    of = site(mirror={**lab_settings()["mirror"], "device": "/dev/sdb"})
    told(of_disk(ask, "/dev/drbd1", "drbd", of=of), "ok", "/dev/sdb")


def test_drbd_is_asked_about_an_adopted_mirror_only(site: Site) -> None:
    adopted = globals()["site"]()
    assert [len(check.commands(each, each.nodes[0])) for each in (site, adopted)] == [3, 4]
    assert "r0" in check.commands(adopted, adopted.nodes[0])[3].argv


def test_minors_are_told_by_drbdadm_and_none_where_it_is_not_there(tmp_path: Path) -> None:
    def said() -> str:
        words = ["/bin/sh", "-c", check._MINORS, "sh", "r0"]
        return subprocess.run(words, env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=True).stdout

    assert said() == ""
    (tmp_path / "drbdadm").write_text('#!/bin/sh\n[ "$*" = "sh-minor r0" ] && echo 1 && exit 0\nexit 1\n')
    (tmp_path / "drbdadm").chmod(0o755)
    assert said() == "1\n"


def test_a_mirror_that_is_taken_over_is_a_note_before_the_first_up(ask: Ask) -> None:
    taken = read(lab_settings() | {"takeover": True}, "test")
    told(list(check.judge(ask(disk(), signed("drbd", "ext4"), of=taken))), "note", "`takeover: true` accepts that")
    told(list(check.judge(ask(disk(), signed("drbd"), of=taken, ours=True))), "ok", "this site's mirror")
    told(list(check.judge(ask(disk(), signed("ext4"), of=taken))), "problem", "not blank: ext4")
    part = disk(children=[{"name": "/dev/vdb1", "type": "part"}])
    told(list(check.judge(ask(part, signed("drbd"), of=taken))), "problem", "part /dev/vdb1")
    other = read(lab_settings(engine="lifekeeper") | {"takeover": True}, "test")
    raid = disk(children=[{"name": "/dev/md0", "type": "raid1"}])
    told(list(check.judge(ask(raid, signed("linux_raid_member"), of=other))), "note", "raid1 /dev/md0")


def header(watchdog: int, message: int) -> str:
    return f"==Dumping header\nUUID : 1-2-3\nTimeout (watchdog) : {watchdog}\nTimeout (msgwait)  : {message}\n"


@pytest.mark.parametrize("dump", [header(10, 20), ("", 127)])
def test_slots_of_an_adopted_cluster_are_told_as_adopted(ask: Ask, dump: Any) -> None:
    found = list(fencing.judge(ask(HARD, disk(), signed(), dump, "slots\n", of=site())))
    assert {each.level for each in found} == {"ok"}, found
    assert any("adopted with the cluster" in each.sentence for each in found)


def test_slots_of_an_adopted_cluster_with_other_timeouts_are_a_problem_because_they_are_not_made_anew(ask: Ask) -> None:
    found = list(fencing.judge(ask(HARD, disk(), signed(), header(5, 10), "slots\n", of=site())))
    only(found, "problem", "5 s (watchdog) and 10 s", "10 s and 20 s are declared")


def test_other_content_of_an_adopted_clusters_fencing_disk_is_still_told(ask: Ask) -> None:
    only(list(fencing.judge(ask(HARD, disk(), signed(), NONE, "data\n", of=site()))), "problem", "is not blank")


def test_the_virtual_ip_of_a_service_that_is_taken_over_is_a_note(ask: Ask) -> None:
    held = addresses(eth0=["192.0.2.11", "192.0.2.10"])
    found = list(virtual_ip.judge(ask("answers\n", held, of=site(takeover=True))))
    told(found, "note", "on this node already", "takeover: true")
