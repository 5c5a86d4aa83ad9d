"""The stand-in's tables: what may be written into them, how they are kept, what is printed of them."""

import json
import os
from collections import Counter
from pathlib import Path

import pytest

from lab.lifekeeper.node import lists, mirror, settings
from lab.lifekeeper.node.lcd import CommPath, Equivalency, Instance, Lcd, load
from lab.lifekeeper.node.shell import Failed
from lab.lifekeeper.node.writing import add_path, depend, drop_path, refuse_automatic, undepend


def database() -> Lcd:
    lcd = Lcd("qsp-a", systems=["qsp-b"])
    for app, kind, tag in (("comm", "ip", "vip"), ("gen", "qsp", "squid"), ("scsi", "netraid", "datarep")):
        lcd.instances[tag] = Instance(app, kind, tag, f"id-{tag}", "info", "ISP")
    lcd.dependencies = [("vip", "squid")]
    lcd.equivalencies = [Equivalency("vip", "qsp-b", "vip", 1, 10)]
    lcd.paths = [CommPath("qsp-b", "192.0.2.11", "192.0.2.12")]
    return lcd


def code_of(do) -> int:
    with pytest.raises(Failed) as failed:
        do()
    return failed.value.code


def test_it_survives_on_disk_but_flags_of_the_moment_do_not(tmp_path: Path):
    lcd = database()
    lcd.flags = ["!action!1!2!qsp-a:vip", "shutdown_switchover"]
    lcd.save(tmp_path / "lcd.json")
    again = load(tmp_path / "lcd.json", "qsp-a")
    assert again.flags == ["shutdown_switchover"]
    lcd.flags = again.flags
    assert again == lcd
    assert load(tmp_path / "none.json", "qsp-a") == Lcd("qsp-a")


def test_dependencies_keep_their_rules():
    lcd = database()
    assert code_of(lambda: depend(lcd, "vip", "squid")) == 4
    assert code_of(lambda: depend(lcd, "vip", "missing")) == 7
    assert code_of(lambda: depend(lcd, "squid", "vip")) == 5
    assert code_of(lambda: undepend(lcd, "squid", "datarep")) == 7
    undepend(lcd, "vip", "squid")
    assert lcd.dependencies == []


def test_nothing_automatic_stands_on_a_mirror():
    lcd = database()
    lcd.instances["vip"].switchback = "AUTOMATIC"
    refuse_automatic(lcd, ["vip"])
    assert code_of(lambda: depend(lcd, "squid", "datarep")) == 5
    assert lcd.dependencies == [("vip", "squid")]


def test_paths_keep_their_rules():
    lcd = database()
    assert code_of(lambda: add_path(lcd, CommPath("qsp-b", "192.0.2.11", "192.0.2.12", 5))) == 4
    assert code_of(lambda: add_path(lcd, CommPath("qsp-b", "172.16.77.11", "172.16.77.12", 1))) == 5
    add_path(lcd, CommPath("qsp-b", "172.16.77.11", "172.16.77.12", 0))
    assert lcd.paths[1].priority == 2
    assert code_of(lambda: drop_path(lcd, "qsp-b", "192.0.2.99", None)) == 7
    drop_path(lcd, "qsp-b", "192.0.2.11", "192.0.2.12")
    assert [path.local for path in lcd.paths] == ["172.16.77.11"]


def test_the_long_status_has_the_documented_lines():
    lcd = database()
    states = {lists.key(lcd.paths[0]): "ALIVE"}
    text = lists.long_status(lcd, states, {"qsp-b": False}, "x")
    for line in (
        "vip: id=id-vip app=comm type=ip state=ISP",
        "        depends on resources: squid",
        "        these resources are dependent: vip",
        "        Local priority = 1",
        '        SHARED equivalency with "vip" on "qsp-b", priority = 10',
        "                FAILOVER INHIBITED",
        "        machine=qsp-b state=DEAD",
        "        to machine=qsp-b type=TCP addresses=192.0.2.11/192.0.2.12",
        '                state="ALIVE" priority=1 #comm_downs=0',
        "The shutdown strategy is set to: do not switchover.",
    ):
        assert line in text.splitlines()


def test_only_what_lifekeeper_starts_is_said_to_be_restored():
    lcd = database()
    lcd.instances["squid"].initialize = "INIT_OSU"
    told = lists.long_status(lcd, {lists.key(lcd.paths[0]): "ALIVE"}, {"qsp-b": True}, "x").splitlines()
    assert [line.strip() for line in told if "initialize=" in line] == [
        "initialize=(AUTORES_ISP) automatic restore to IN-SERVICE by LifeKeeper",
        "initialize=(INIT_OSU)",
        "initialize=(AUTORES_ISP) automatic restore to IN-SERVICE by LifeKeeper",
    ]


@pytest.mark.parametrize(
    ("info", "backup"),
    [("qsp-a eth0 192.0.2.10 ffffff00 none", []), ("qsp-a eth0 192.0.2.10 ffffff00 eth1", ["Backup interface: eth1"])],
)
def test_the_interface_that_an_address_goes_to_is_told_where_there_is_one(info: str, backup: list[str]):
    kit = {"address": "192.0.2.10", "netmask": "255.255.255.0", "interface": "eth0"}
    told = lists.address(Instance("comm", "ip", "vip", "IP-192.0.2.10", info, kit=kit)).splitlines()
    assert told == ["IP address: 192.0.2.10", "Netmask: 255.255.255.0", "Primary interface: eth0 (up)", *backup]


def test_the_short_status_shows_children_below_their_parents():
    lcd = database()
    states = {lists.key(lcd.paths[0]): "DEAD"}
    rows = lists.short_status(lcd, states, backup=False).splitlines()
    assert rows[0].split() == ["LOCAL", "TAG", "ID", "STATE", "PRIO", "PRIMARY"]
    assert rows[1].startswith("qsp-a     vip ")
    assert rows[2].startswith("qsp-a      squid ")
    assert rows[-1].split() == ["qsp-b", "TCP", "192.0.2.11/192.0.2.12", "DEAD", "1"]
    backup = lists.short_status(lcd, states, backup=True).splitlines()
    assert backup[1].split()[0] == "qsp-b"
    assert backup[3].split()[0] == "------"


def test_records_are_separated_as_asked():
    assert lists.lines([["a", 1], ["b", 2]]) == "a\x011\nb\x012\n"
    assert lists.lines([["a", 1]], ":") == "a:1\n"


MDSTAT = """Personalities : [raid1]
md0 : active raid1 nbd0[2](W) vdb[0]
      5238720 blocks super 1.0 [2/{halves}] [U{second}]
{more}      bitmap: 1/2 pages [4KB], 4096KB chunk
"""


def test_a_mirror_is_in_step_only_when_both_halves_are():
    kit = {"number": "0"}
    both = MDSTAT.format(halves=2, second="U", more="")
    filling = MDSTAT.format(halves=1, second="_", more="      [==>....]  recovery = 12.6% finish=1.2min\n")
    assert mirror.synchronised(kit, both)
    assert mirror.attached(kit, both)
    assert not mirror.synchronised(kit, filling)
    assert mirror.attached(kit, filling)
    failed = filling.replace("nbd0[2](W)", "nbd0[2](W)(F)")
    assert not mirror.attached(kit, failed)
    assert not mirror.attached(kit, both.replace("nbd0[2](W) ", ""))
    assert not mirror.synchronised({"number": "1"}, both)


def test_the_other_half_is_served_so_that_what_is_to_be_on_the_disk_is():
    served = mirror.served({"number": "0", "local": "172.16.77.12", "device": "/dev/sdb"}).splitlines()
    assert served[served.index("[mirror]") :] == ["[mirror]", "exportname = /dev/sdb", "flush = true", "fua = true"]
    assert "listenaddr = 172.16.77.12" in served


def test_settings_are_read_as_the_product_writes_them(tmp_path: Path):
    file = tmp_path / "LifeKeeper"
    file.write_text('# LKCHECKINTERVAL=7\nLCMHBEATTIME="2"\nLCMNUMHBEATS=x\nLCMHBEATTIME=3\n')
    assert settings.number("LCMHBEATTIME", file) == 3
    assert settings.number("LCMNUMHBEATS", file) == 3
    assert settings.number("LKCHECKINTERVAL", file) == 120


def test_a_lock_that_somebody_else_holds_ends(tmp_path: Path):
    file = tmp_path / "stand-in.json"
    assert settings.switches(file) == {}
    file.write_text('{"busy": 60, "slow": 1}')
    assert settings.switches(file)["busy"] == 60
    file.write_text('{"busy": 0, "slow": 1}')
    found = settings.switches(file)
    assert (set(found), found["slow"]) == ({"slow", "written"}, 1)


def test_an_error_that_is_for_some_times_ends_and_is_for_as_many_in_another_file(tmp_path: Path):
    file = tmp_path / "stand-in.json"
    had = Counter[tuple[float, str]]()

    def codes(command: str) -> list[int]:
        told = settings.switches(file)
        return [(settings.mishap(told, command, had) or {"code": 0})["code"] for _ in range(4)]

    for written in (1, 2):
        file.write_text(json.dumps({"errors": {"a": {"code": 9, "times": 2}, "c": {"code": 1}}}))
        os.utime(file, (written, written))
        assert codes("a") == [9, 9, 0, 0]
    assert codes("c") == [1, 1, 1, 1]
    assert codes("another") == [0] * 4
