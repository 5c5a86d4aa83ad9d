"""Each check of the doctor: green, and red for each thing that it is there for."""

from __future__ import annotations

import importlib
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from declaration.load import read
from declaration.site import Site
from operations.doctor.checks import fencing, virtual_ip
from operations.doctor.examine import found
from operations.doctor.model import Asked, Finding
from providers.host.clocks import UNITS
from providers.pacemaker.sbd import AREA
from providers.storage.device import Identity
from tests.support.sites import lab_settings

Ask = Callable[..., Asked]


def judged(check: str, asked: Asked) -> list[Finding]:
    return list(importlib.import_module(f"operations.doctor.checks.{check}").judge(asked))


def only(findings: list[Finding], level: str, *parts: str) -> None:
    """Exactly one finding of that level, which says all of this; a problem has a remedy."""
    of_level = [each for each in findings if each.level == level]
    assert len(of_level) == 1, findings
    for part in parts:
        assert part in of_level[0].sentence
    assert of_level[0].remedy or level != "problem"


def clean(findings: list[Finding]) -> None:
    assert findings
    assert {each.level for each in findings} == {"ok"}, findings


def test_every_module_is_a_check(site: Site) -> None:
    for name, check in found().items():
        assert all(not each.writes for each in check.commands(site, site.nodes[0])), f"{name} changes something"
        assert callable(check.judge)


def test_platform(ask: Ask) -> None:
    clean(judged("platform", ask("ID=debian\nVERSION_ID=12\n")))
    only(judged("platform", ask("ID=debian\nVERSION_ID=13\n")), "problem", "debian-13", "debian-12 is declared")


def test_hostname(ask: Ask) -> None:
    clean(judged("hostname", ask("qsp-a\n")))
    only(judged("hostname", ask("debian\n")), "problem", "calls itself debian")


def test_names(ask: Ask) -> None:
    clean(judged("names", ask("192.0.2.11 STREAM qsp-a\n", ("", 2))))
    clean(judged("names", ask("127.0.1.1 STREAM qsp-a\n", "192.0.2.12 STREAM\n")))
    only(judged("names", ask("192.0.2.11 STREAM\n", "198.51.100.7 STREAM\n")), "note", "qsp-b resolves to 198.51.100.7")


def addresses(**borne: list[str]) -> str:
    links = [{"ifname": name, "addr_info": [{"local": each} for each in there]} for name, there in borne.items()]
    return json.dumps(links)


def test_interfaces(ask: Ask) -> None:
    clean(judged("interfaces", ask(addresses(eth0=["192.0.2.11"], eth1=["172.16.77.11"]))))
    swapped = judged("interfaces", ask(addresses(eth0=["172.16.77.11"], eth1=["172.16.77.11", "192.0.2.11"])))
    only(swapped, "problem", "eth0 does not bear 192.0.2.11", "on eth1")
    only(judged("interfaces", ask(addresses(eth0=["192.0.2.11"], ens2=[]))), "problem", "no interface eth1", "ens2")


def test_virtual_ip(ask: Ask) -> None:
    nothing, held = addresses(eth0=["192.0.2.11"]), addresses(eth0=["192.0.2.11", "192.0.2.10"])
    other = {"qsp-b": ["", nothing]}
    clean(judged("virtual_ip", ask("192.0.2.10 dev eth0 FAILED\n", nothing, others=other)))
    only(judged("virtual_ip", ask("answers\n", nothing, others=other)), "problem", "another host has 192.0.2.10")
    # One that refuses pings is known by its hardware address all the same.
    silent = ask("192.0.2.10 dev eth0 lladdr 02:00:00:00:00:01 REACHABLE\n", nothing, others=other)
    only(judged("virtual_ip", silent), "problem", "another host")
    only(judged("virtual_ip", ask("answers\n", held)), "problem", "on this node already")
    clean(judged("virtual_ip", ask("answers\n", held, ours=True)))
    clean(judged("virtual_ip", ask("answers\n", nothing, others={"qsp-b": ["", held]})))


def test_the_virtual_ip_on_both_nodes_is_a_problem_whoever_owns_them(ask: Ask, site: Site) -> None:
    """As with two nodes that both serve, or an address that stayed in the standby's network configuration."""
    here, there = addresses(eth0=["192.0.2.11", "192.0.2.10"]), addresses(eth0=["192.0.2.12", "192.0.2.10"])
    others = {"qsp-b": ["answers\n", there]}
    found = judged("virtual_ip", ask("answers\n", here, others=others, ours=True))
    only(found, "problem", "192.0.2.10 is on qsp-a and qsp-b at the same time")
    assert "squid-ha status lab" in found[0].remedy
    taken_over = site.model_copy(update={"takeover": True})
    only(judged("virtual_ip", ask("answers\n", here, others=others, of=taken_over)), "problem", "qsp-a and qsp-b")
    only(judged("virtual_ip", ask("answers\n", here, others=others)), "problem", "on this node already")


def test_nobody_asked_about_the_virtual_ip_is_nothing_found(ask: Ask) -> None:
    nothing = addresses(eth0=["192.0.2.11"])
    for code, said in ((127, "exit code 127"), (2, "exit code 2"), (124, "longer than 10 s")):
        found = judged("virtual_ip", ask(("", code), nothing))
        only(found, "note", "could not be asked", said)
        assert {each.level for each in found} == {"note"}
        assert found[0].remedy
    # Whoever answers is there, whatever became of the rest.
    there = ask(("answers\n", 124), nothing, others={"qsp-b": ["", nothing]})
    only(judged("virtual_ip", there), "problem", "another host has 192.0.2.10")


def test_a_node_that_was_not_asked_may_have_the_virtual_ip(ask: Ask) -> None:
    """As the active one whose sshd is down: no other host is to blame for what this site itself may be."""
    nothing = addresses(eth0=["192.0.2.11"])
    for look in ("answers\n", "192.0.2.10 dev eth0 lladdr 02:00:00:00:00:01 REACHABLE\n"):
        found = judged("virtual_ip", ask(look, nothing, ours=True))
        only(found, "problem", "somebody has 192.0.2.10", "qsp-b was not asked")
        assert "another host" not in f"{found[0].sentence} {found[0].remedy}"
    clean(judged("virtual_ip", ask("", nothing)))


def test_addresses_that_could_not_be_read_are_not_taken_for_none(ask: Ask) -> None:
    nothing = addresses(eth0=["192.0.2.11"])
    for silent in (("", 127), ("[{", 124)):
        only(judged("virtual_ip", ask("", silent)), "note", "192.0.2.10", "the addresses of qsp-a could not be read")
        there = ask("answers\n", nothing, others={"qsp-b": ["", silent]})
        only(judged("virtual_ip", there), "note", "somebody has 192.0.2.10", "qsp-b could not be read")


@pytest.mark.parametrize(("ping", "code"), [("exit 0", 0), ("exit 1", 0), ("echo why >&2; exit 2", 2), ("", 127)])
def test_the_exit_code_of_the_look_tells_whether_the_question_went_out(
    site: Site, tmp_path: Path, ping: str, code: int
) -> None:
    for name, does in (("ip", "exit 0"), ("ping", ping)):
        if does:
            (tmp_path / name).write_text(f"#!/bin/sh\n{does}\n")
            (tmp_path / name).chmod(0o755)
    (tmp_path / "sh").symlink_to("/bin/sh")
    look = virtual_ip.commands(site, site.nodes[0])[0]
    done = subprocess.run(look.argv, env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    assert done.stdout == ("answers\n" if ping == "exit 0" else "")
    assert bool(done.stderr) is (code != 0), "there is nothing to tell people why"


def disk(**more: Any) -> str:
    top = {"name": "/dev/vdb", "type": "disk", "size": 5_000_000_000, "serial": "data", "ro": False, **more}
    return json.dumps({"blockdevices": [{"mountpoints": [None], **top}]})


def signed(*types: str) -> str:
    return json.dumps({"signatures": [{"type": each, "label": None} for each in types]})


def test_disk(ask: Ask) -> None:
    clean(judged("disk", ask(disk(), signed())))
    only(judged("disk", ask("", "")), "problem", "there is no block device /dev/disk/by-id/virtio-data")
    only(judged("disk", ask(disk(), signed("ext4"))), "problem", "not blank: ext4")
    only(judged("disk", ask(disk(mountpoints=["/srv"]), signed())), "problem", "mounted at /srv")
    part = disk(children=[{"name": "/dev/vdb1", "type": "part"}])
    only(judged("disk", ask(part, signed())), "problem", "part /dev/vdb1")
    only(judged("disk", ask(disk(), signed("drbd"))), "problem", "DRBD's metadata")
    clean(judged("disk", ask(disk(), signed("drbd"), ours=True)))
    only(judged("disk", ask(disk(), ("", 1))), "problem", "cannot be read")
    only(judged("disk", ask(disk(size=1000), signed())), "problem", "1000 bytes")
    smaller = ask(disk(), signed(), others={"qsp-b": [disk(size=4_000_000_000), signed()]})
    only(judged("disk", smaller), "note", "4000000000 on qsp-b")


def test_each_node_is_asked_for_the_disk_by_its_own_path(ask: Ask, site: Site) -> None:
    first, second = site.nodes
    own = "/dev/disk/by-id/of-b"
    apart = site.model_copy(update={"nodes": (first, second.model_copy(update={"mirror_device": own}))})
    check = importlib.import_module("operations.doctor.checks.disk")
    asked = [" ".join(each.shell() for each in check.commands(apart, node)) for node in apart.nodes]
    assert [own in each for each in asked] == [False, True]
    smaller = ask(disk(), signed(), others={"qsp-b": [disk(size=4_000_000_000), signed()]}, of=apart)
    only(judged("disk", smaller), "note", "virtio-data has 5000000000 bytes here", f"{own} 4000000000 on qsp-b")
    (missing,) = judged("disk", ask("", "", of=apart, node="qsp-b"))
    assert missing.sentence == f"there is no block device {own}"
    assert "`mirror_device` of qsp-b" in missing.remedy


def test_a_mirror_that_takes_no_smaller_disk_has_one_of_that_kind_for_a_problem_of_its_node(ask: Ask) -> None:
    raw = lab_settings(engine="lifekeeper")
    there = read(raw, "test")
    large, small = [disk(), signed()], [disk(size=4_000_000_000), signed()]

    def both(first: list[str], second: list[str], of: Site = there, **more: Any) -> list[list[Finding]]:
        a = judged("disk", ask(*first, "", others={"qsp-b": [*second, ""]}, of=of, **more))
        b = judged("disk", ask(*second, "", others={"qsp-a": [*first, ""]}, of=of, node="qsp-b", **more))
        return [a, b]

    at_a, at_b = both(large, small)
    clean(at_a)
    only(at_b, "problem", "4000000000 bytes here and 5000000000 on qsp-a", "not smaller")
    at_a, at_b = both(small, large)
    only(at_a, "note", "the smaller counts")
    clean(at_b)
    raw["lifekeeper"]["priorities"] = [10, 1]
    at_a, at_b = both(small, large, of=read(raw, "test"))
    only(at_a, "problem", "4000000000 bytes here", "5000000000 on qsp-b")
    clean(at_b)
    # Where a mirror is, that node is what it is extended from, or nothing is extended any more.
    bears = [disk(size=4_000_000_000, children=[{"name": "/dev/md0", "type": "raid1"}]), signed("linux_raid_member")]
    at_a, at_b = both(large, bears, ours=True)
    only(at_a, "note", "the smaller counts")
    clean(at_b)
    only(both(bears, [disk(size=3_000_000_000), signed()], ours=True)[1], "problem", "3000000000 bytes here")
    half = [disk(), signed("linux_raid_member", "ext3")]
    only(both(half, bears)[0], "note", "the smaller counts")
    only(judged("disk", ask(*large, others={"qsp-b": small})), "note", "the smaller counts")


def test_the_disk_of_a_mirror_by_lifekeeper_is_never_to_be_freed(ask: Ask) -> None:
    there = read(lab_settings(engine="lifekeeper"), "test")
    bears = disk(children=[{"name": "/dev/md0", "type": "raid1"}])
    clean(judged("disk", ask(bears, signed("linux_raid_member"), ours=True, of=there)))
    idle = signed("linux_raid_member", "ext3")
    mark = Identity(device="/dev/disk/by-id/virtio-data", size="5000000000", serial="data").model_dump_json() + "\n"
    (standby,) = judged("disk", ask(disk(), idle, mark, ours=True, of=there))
    assert (standby.level, standby.remedy) == ("ok", ""), "the standby's half is one of two copies of the log"
    only(judged("disk", ask(disk(), idle, mark, of=there)), "problem", "not blank")
    only(judged("disk", ask(disk(), idle, mark, ours=True)), "problem", "not blank")
    only(judged("disk", ask(disk(), idle, "", ours=True, of=there)), "problem", "not blank")
    only(judged("disk", ask(disk(), signed("linux_raid_member", "xfs"), mark, ours=True, of=there)), "problem", "xfs")
    only(judged("disk", ask(bears, signed("linux_raid_member"), of=there)), "problem", "raid1 /dev/md0")
    only(judged("disk", ask(bears, signed("linux_raid_member"), ours=True)), "problem", "raid1 /dev/md0")


def test_a_disk_by_order_of_discovery_is_a_note(ask: Ask, site: Site) -> None:
    assert site.mirror is not None
    by_order = site.model_copy(update={"mirror": site.mirror.model_copy(update={"device": "/dev/sdb"})})
    only(judged("disk", ask(disk(), signed(), of=by_order)), "note", "order of discovery")


@pytest.mark.parametrize("path", ["/dev/vg/mirror", "/dev/mapper/vg-mirror", "/dev/disk/by-path/pci-1"])
def test_a_volume_has_a_name_of_its_own(ask: Ask, site: Site, path: str) -> None:
    assert site.mirror is not None
    named = site.model_copy(update={"mirror": site.mirror.model_copy(update={"device": path})})
    said = [each.sentence for each in judged("disk", ask(disk(), signed(), of=named))]
    assert not any("order of discovery" in sentence for sentence in said), said


HARD = "there\niTCO_wdt\n"
DUMPED = ("==Header\n", "slots\n")
NONE: tuple[str, int] = ("", 1)
"""What `sbd dump` says of a disk without slots."""


def test_fencing(ask: Ask) -> None:
    blank = (NONE, "blank\n")
    clean(judged("fencing", ask(HARD, disk(), signed(), *blank)))
    only(judged("fencing", ask(HARD, disk(), ("", 1), *blank)), "problem", "cannot be read")
    only(judged("fencing", ask("absent\n", disk(), signed(), *blank)), "problem", "no watchdog /dev/watchdog")
    only(judged("fencing", ask("there\nSoftware Watchdog\n", disk(), signed(), *blank)), "note", "software")
    only(judged("fencing", ask(HARD, "", "", NONE, "")), "problem", "no block device /dev/disk/by-id/virtio-sbd")
    for kind in ("xfs", "drbd"):
        only(judged("fencing", ask(HARD, disk(), signed(kind), *blank)), "problem", f"not blank: {kind}")
    slots = [HARD, disk(), signed(), *DUMPED]
    foreign = judged("fencing", ask(*slots, others={"qsp-b": slots}))
    only(foreign, "problem", "another cluster's slots")
    clean(judged("fencing", ask(*slots, ours=True)))
    clean(judged("fencing", ask(*slots, pair_is_ours=True)))


def test_before_the_first_up_there_is_no_sbd_to_ask_and_the_fencing_disk_is_looked_at_all_the_same(ask: Ask) -> None:
    def seen(beginning: str | tuple[str, int], **more: Any) -> list[Finding]:
        there = [HARD, disk(), signed(), ("", 127), beginning]
        return judged("fencing", ask(*there, others={"qsp-b": there}, **more))

    clean(seen("blank\n"))
    only(seen("slots\n"), "problem", "another cluster's slots")
    clean(seen("slots\n", pair_is_ours=True))
    only(seen("data\n"), "problem", "is not blank")
    only(seen("data\n", ours=True), "problem", "is not blank")
    for unseen in (("", 2), ("", 124), ""):
        assert [each.level for each in seen(unseen)] == ["ok", "problem"], (
            "the watchdog is there, the disk is not known"
        )


def test_a_fencing_disk_without_room_for_the_slots_is_told(ask: Ask) -> None:
    tiny = ask(HARD, disk(size=65536), signed(), NONE, "data\n")
    only(judged("fencing", tiny), "problem", "has only 65536 bytes")


@pytest.mark.parametrize(
    ("at", "written", "said"),
    [(0, b"", "blank"), (0, b"SBD_SBD_\x02", "slots"), (700_000, b"x", "data"), (0, b"xSBD_SBD", "data"),
     (1_500_000, b"x", "blank")],
)  # fmt: skip
def test_the_beginning_of_a_disk_is_told_by_its_bytes(tmp_path: Path, at: int, written: bytes, said: str) -> None:
    file = tmp_path / "disk"
    content = bytearray(2 * 1024 * 1024)
    content[at : at + len(written)] = written
    file.write_bytes(content)
    # A file stands in for the device.
    look = fencing._BEGINNING.replace("[ -b ", "[ -f ")
    done = subprocess.run(["sh", "-c", look, "sh", str(file), str(AREA)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, f"{said}\n"), done.stderr


def test_nobody_is_told_to_blank_a_fencing_disk_that_a_node_which_was_not_asked_may_use(ask: Ask) -> None:
    told = judged("fencing", ask(HARD, disk(), signed(), *DUMPED))
    only(told, "problem", "qsp-b was not asked")
    assert not any("blank" in each.remedy for each in told)


def units(*running: str) -> str:
    state = {True: "active", False: "inactive"}
    rest = "LoadState=loaded\nUnitFileState=enabled\nSubState=x\nNeedDaemonReload=no"
    return "\n\n".join(f"{rest}\nActiveState={state[name in running]}" for name in UNITS)


def test_clock(ask: Ask) -> None:
    right = units("chrony.service")
    clean(judged("clock", ask("1000.0 1000.3\n", right, others={"qsp-b": ["1000.0 1000.1\n", right]})))
    only(judged("clock", ask("1000.0 1090.0\n", right)), "note", "90.0 s ahead of this machine's")
    only(judged("clock", ask("1000.0 90.0\n", right)), "problem", "910.0 s behind")
    only(judged("clock", ask("1000.0 1000.0\n", units("systemd-timesyncd.service"))), "note", "systemd-timesyncd")


def test_clocks_that_nobody_sets_must_agree(ask: Ask, site: Site) -> None:
    alone = site.model_copy(update={"time": None})
    apart = ask("1000.0 1000.5\n", units(), others={"qsp-b": ["1000.0 1004.5\n", units()]}, of=alone)
    only(judged("clock", apart), "problem", "4.0 s behind qsp-b")
    assert site.time is not None
    existing = site.model_copy(update={"time": site.time.model_copy(update={"service": "existing"})})
    only(judged("clock", ask("1000.0 1000.0\n", units(), of=existing)), "problem", "no time service")


def policy(asked: Asked, **versions: tuple[str, str]) -> str:
    names = [name for thing in asked.things if thing.kind == "host.packages" for name in thing.inputs.nodes["qsp-a"]]  # pyright: ignore[reportAttributeAccessIssue]
    there = dict.fromkeys(names, ("(none)", "1.0")) | versions
    return "".join(f"{name}:\n  Installed: {old}\n  Candidate: {new}\n" for name, (old, new) in there.items())


def test_packages(ask: Ask) -> None:
    known = policy(ask())
    clean(judged("packages", ask(known, "yes http://192.0.2.1:8080/\n", "3\n")))
    only(
        judged("packages", ask(known, "no http://192.0.2.1:8080/\n", "3\n")),
        "problem",
        "do not answer: http://192.0.2.1:8080/",
    )
    lacking = policy(ask(), corosync=("(none)", "(none)"))
    only(judged("packages", ask(lacking, "yes http://192.0.2.1/\n", "3\n")), "problem", "no source has corosync")
    only(judged("packages", ask(lacking, "yes http://192.0.2.1/\n", "0\n")), "note", "no package lists")
    only(judged("packages", ask(("", 127), "", "")), "problem", "apt-cache does not work")
    all_there = known.replace("(none)", "1.0")
    clean(judged("packages", ask(all_there, "no http://192.0.2.1/\n", "0\n")))


TABLE = """  Version table:
     1.0 500
        500 http://packages.example.org/debian bookworm/main amd64 Packages
"""


@pytest.mark.parametrize(
    ("dead", "level", "said"),
    [
        ("http://example.net", "note", "nothing that is to be installed is theirs: http://example.net"),
        ("http://packages.example.org", "problem", "these sources do not answer: http://packages.example.org"),
    ],
)
def test_a_source_that_does_not_answer_counts_where_it_has_what_is_missing(
    ask: Ask, dead: str, level: str, said: str
) -> None:
    known = policy(ask()).replace("Candidate: 1.0\n", f"Candidate: 1.0\n{TABLE}")
    both = {"http://packages.example.org", "http://example.net"}
    answers = "".join(f"{'no' if url == dead else 'yes'} {url}\n" for url in sorted(both))
    found = [each for each in judged("packages", ask(known, answers, "3\n")) if each.level != "ok"]
    only(found, level, said)


def test_packages_of_other_versions_on_the_nodes_are_told_once_and_hold_up_nothing(ask: Ask) -> None:
    here = policy(ask()).replace("(none)", "1.0")
    there = here.replace("corosync:\n  Installed: 1.0", "corosync:\n  Installed: 1.1")
    assert there != here
    found = judged("packages", ask(here, "", "3\n", others={"qsp-b": [there, "", ""]}))
    only(found, "note", "qsp-a and qsp-b", "corosync 1.0 and 1.1")
    assert "the standby node first" in found[0].remedy
    clean(judged("packages", ask(there, "", "3\n", node="qsp-b", others={"qsp-a": [here, "", ""]})))
    # What is to be installed on one of them comes in its source's version.
    missing = here.replace("corosync:\n  Installed: 1.0", "corosync:\n  Installed: (none)")
    clean(judged("packages", ask(here, "", "3\n", others={"qsp-b": [missing, "", ""]})))


UPGRADES = """APT::Periodic "";
APT::Periodic::Update-Package-Lists "1";
APT::Periodic::Unattended-Upgrade "{periodic}";
Unattended-Upgrade "";
Unattended-Upgrade::Package-Blacklist "";
{spared}Unattended-Upgrade::Automatic-Reboot "{reboot}";
"""


def unattended(*spared: str, periodic: str = "1", reboot: str = "false") -> str:
    lines = "".join(f'Unattended-Upgrade::Package-Blacklist:: "{each}";\n' for each in spared)
    return UPGRADES.format(periodic=periodic, spared=lines, reboot=reboot)


def test_upgrades(ask: Ask) -> None:
    for nothing in (
        ("", "", "enabled\n"),
        (unattended(), "deinstalled", "enabled\n"),
        (unattended(), "installed", "masked\n"),
        (unattended(periodic="0"), "installed", "enabled\n"),
        (unattended() + 'APT::Periodic::Enable "0";\n', "installed", "enabled\n"),
    ):
        clean(judged("upgrades", ask(*nothing)))
    found = judged("upgrades", ask(unattended("squid$", "pace", "("), "installed", "enabled\n"))
    only(found, "note", "take corosync, resource-agents", "drbd-utils")
    assert "squid" not in found[0].sentence
    assert '"corosync$";' in found[0].remedy
    all_of_it = ("squid", "corosync", "pacemaker", "resource-agents", "sbd", "cluster-glue", "drbd", "psmisc")
    clean(judged("upgrades", ask(unattended(*all_of_it), "installed", "enabled\n")))
    only(
        judged("upgrades", ask(unattended(*all_of_it, reboot="true"), "installed", "enabled\n")),
        "note", "boot the node by themselves",
    )  # fmt: skip


def test_a_single_node_is_not_asked_what_upgrades_it(site: Site) -> None:
    alone = site.model_copy(update={"nodes": site.nodes[:1]})
    assert found()["upgrades"].commands(site, site.nodes[0])
    assert not found()["upgrades"].commands(alone, site.nodes[0])


def test_room(ask: Ask) -> None:
    enough = "MemAvailable:   2000000 kB\n"
    clean(judged("room", ask(enough, "Avail\n9000000000\n")))
    only(judged("room", ask("MemAvailable:   100000 kB\n", "Avail\n9000000000\n")), "problem", "97 MB of memory")
    only(judged("room", ask(enough, "Avail\n50000000\n")), "problem", "47 MB of room below /var")


def test_a_node_that_is_in_use_needs_no_room_for_what_it_has_but_some(ask: Ask) -> None:
    little, less = "MemAvailable:   100000 kB\n", "Avail\n400000000\n"
    clean(judged("room", ask(little, less, ours=True)))
    found = judged("room", ask(little, "Avail\n0\n", ours=True))
    only(found, "problem", "0 MB of room below /var", "next to nothing")
    assert "squid-ha switchover lab" in next(each.remedy for each in found if each.remedy)


SHIPPED = " /etc/squid/squid.conf " + "0" * 32 + "\n\nfound " + "0" * 32 + "\n"
BY_HAND = " /etc/squid/squid.conf " + "0" * 32 + "\n\nfound " + "1" * 32 + "\n"
COROSYNC = (Path(__file__).parents[3] / "recorded/host/corosync.debian.txt").read_text()


def test_owner(ask: Ask, site: Site) -> None:
    clean(judged("owner", ask("", SHIPPED)))
    clean(judged("owner", ask("", BY_HAND, ours=True)))
    paris = {"paris": "squid-ha/paris"}
    only(judged("owner", ask("", SHIPPED, owners=paris)), "problem", "belongs to squid-ha/paris (site paris)")
    only(judged("owner", ask("", SHIPPED, owners={"lab": "proxies/lab"})), "problem", "belongs to proxies/lab")
    only(judged("owner", ask("", SHIPPED, owners={"lyon": "squid-ha/lab"})), "problem", "squid-ha/lab (site lyon)")
    foreign = "totem {\n  cluster_name: billing\n}\n"
    only(judged("owner", ask(foreign, SHIPPED)), "problem", "another cluster, billing")
    kept = COROSYNC.replace("127.0.0.1", "192.0.2.11")
    only(judged("owner", ask(kept, SHIPPED)), "problem", "another cluster, debian")
    clean(judged("owner", ask(COROSYNC, SHIPPED)))
    only(judged("owner", ask("", BY_HAND)), "problem", "/etc/squid/squid.conf is neither the distribution's")
    both = judged("owner", ask(foreign, BY_HAND))
    assert [each.level for each in both] == ["problem", "problem"]
    accepted = site.model_copy(update={"takeover": True})
    only(judged("owner", ask("", SHIPPED, of=accepted, owners=paris)), "note", "takeover: true")
