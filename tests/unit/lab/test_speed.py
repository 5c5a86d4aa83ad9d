"""How fast Squid is under each durability: what counts as measured, and what becomes of the numbers."""

import json
import random
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.durability import disks, speed
from benchmarks.durability.__main__ import SETTINGS
from benchmarks.durability.cut import Setting
from benchmarks.durability.proxy import BASELINE, variant
from benchmarks.durability.rates import (
    Lines,
    Load,
    Run,
    drawn,
    numbers,
    read_load,
    require_sound,
    rows,
    table,
    wrk_script,
)
from lab.errors import LabError

LAB = Path("/run/lab")
REFERENCE, OTHER = "ext3 relaxed", "ext3 sync"


def run(number: int, setting: str, rate: int) -> Run:
    return Run(number, setting, "sync" if setting == OTHER else "", 5 * rate, 5.0)


RUNS = [run(1, REFERENCE, 1000), run(1, OTHER, 100), run(2, OTHER, 300), run(2, REFERENCE, 2000)]


def test_mount_options_are_those_of_the_product():
    options = {each.name: variant(each, LAB).options for each in SETTINGS}
    assert options["ext3 relaxed"] == options["xfs relaxed"] == ""
    assert options["ext3 1s"] == "data=journal,commit=1"
    assert options["ext4 sync"] == "sync"
    assert options["ext3 sync data_journal"] == "data=journal,sync"


def test_a_setting_is_measured_on_its_filesystem_with_a_log_there_and_the_baseline_with_none():
    made = variant(Setting("xfs", "sync"), LAB)
    assert made.filesystem is not None
    assert (made.filesystem.type, made.fixed, made.filesystem.options) == ("xfs", "", "sync")
    assert made.logs == ["/var/log/squid/access.log", "/mnt/mirror/squid/access.log"]
    baseline = variant(None, LAB)
    assert (baseline.filesystem, baseline.options, baseline.logs) == (None, "", made.logs[:1])


def test_only_leaves_the_setting_that_all_others_are_compared_with():
    assert speed.chosen("") == [None, *SETTINGS]
    assert speed.chosen("xfs") == [SETTINGS[0], *(each for each in SETTINGS if each.filesystem == "xfs")]
    assert speed.chosen(BASELINE) == [None, SETTINGS[0]]
    assert speed.REFERENCE == REFERENCE


def test_all_settings_take_at_most_eight_minutes():
    assert speed.expected(len(speed.chosen("")), speed.ROUNDS, speed.SECONDS) <= 8


def test_every_round_has_every_setting_in_an_order_of_its_own():
    orders = drawn(range(11), 5, random.Random(1))
    assert all(sorted(order) == list(range(11)) for order in orders)
    assert len({tuple(order) for order in orders}) == 5


def test_what_wrk_says_before_its_numbers_is_passed_over():
    numbers_of_wrk = '{"requests": 9000, "seconds": 5.010000, "failed": 0}'
    assert read_load(f"Running 5s test\n  Socket errors: none {{}}\n\n{numbers_of_wrk}\n") == Load(9000, 5.01, 0)
    assert 'wrk.path = "http://192.0.2.1:8081/page"\n' in wrk_script("http://192.0.2.1:8081/page")
    for output in ("", "unable to connect\n", "[]\n", '{"requests": 1}\n'):
        with pytest.raises(LabError, match="without its numbers"):
            read_load(output)


def test_a_load_counts_only_if_every_answer_was_a_hit_with_a_line_in_every_log():
    load, whole = Load(1000, 5.0, 0), Lines(1100, 1099)
    require_sound(load, {"local": whole, "mirror": whole})
    with pytest.raises(LabError, match=r"mirror has only 999 lines"):
        require_sound(load, {"local": whole, "mirror": Lines(999, 999)})
    with pytest.raises(LabError, match=r"only 600 of 1100 lines"):
        require_sound(load, {"local": Lines(1100, 600)})
    with pytest.raises(LabError, match=r"1000 requests 3 failed"):
        require_sound(Load(1000, 5.0, 3), {"local": whole})
    with pytest.raises(LabError, match=r"of 0 requests"):
        require_sound(Load(0, 5.0, 0), {"local": Lines(0, 0)})


def test_a_setting_is_compared_with_the_reference_of_the_same_round():
    made = rows(RUNS, [BASELINE, REFERENCE, OTHER], REFERENCE)
    assert [each.setting for each in made] == [REFERENCE, OTHER]
    assert (made[0].median, made[0].share) == (1500, 1)
    assert (made[1].median, made[1].shares) == (200, [0.1, 0.15])


def test_a_round_that_was_cut_short_compares_nothing():
    (row,) = rows(RUNS[1:2], [REFERENCE, OTHER], REFERENCE)
    assert (row.median, row.share) == (100, None)
    assert table([row], REFERENCE).row_count == 1


def test_table_and_file_have_medians_and_every_run():
    shown = rows(RUNS, [REFERENCE, OTHER], REFERENCE)
    console = Console(width=110)
    with console.capture() as caught:
        console.print(table(shown, REFERENCE))
    assert caught.get().splitlines()[-1].split() == [
        "ext3", "sync", "sync", "2", "200", "100-300", "12.5%", "10.0%-15.0%",
    ]  # fmt: skip
    told = json.loads(numbers(RUNS, shown, {"idle": 0.9}))
    assert (told["idle"], told["settings"][1]["median"]) == (0.9, 200)
    assert [(each["round"], each["setting"], each["rate"]) for each in told["runs"]][2] == (2, OTHER, 300)


def test_wrk_that_is_missing_is_said_plainly(monkeypatch):
    monkeypatch.setattr(speed.os, "geteuid", lambda: 0)
    monkeypatch.setattr(speed.shutil, "which", lambda tool: None if tool == "wrk" else f"/usr/bin/{tool}")
    with pytest.raises(LabError, match=r"wrk is missing on this machine: `apt-get install wrk`"):
        speed.require_tools()


def test_disks_that_do_not_fit_are_not_begun(tmp_path, monkeypatch):
    monkeypatch.setattr(disks.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 2 * disks.SIZE}))
    disks.require_space(tmp_path, 1)
    with pytest.raises(LabError, match="--on"):
        disks.require_space(tmp_path, 2)


def test_a_disk_is_given_back_by_its_file_whatever_interrupts(tmp_path, monkeypatch):
    ran: list[tuple[str, ...]] = []

    def fake(*argv: str) -> str:
        ran.append(argv)
        if "--find" in argv:
            raise KeyboardInterrupt
        return "/dev/loop7\n" if "--associated" in argv else ""

    monkeypatch.setattr(disks, "_run", fake)
    monkeypatch.setattr(disks, "SIZE", 4096)
    file = tmp_path / "ext3.img"
    with pytest.raises(KeyboardInterrupt), disks.disk(file):
        pass
    assert ran[-1] == ("losetup", "--detach", "/dev/loop7")
    assert not file.exists()
