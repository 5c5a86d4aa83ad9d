"""Every verdict, red once: what was wrong is named."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from blueprint.traits import TRAITS, traits
from declaration.site import Site
from operations.drill.judge import bounds_of, judge, recovery, single_log
from operations.drill.model import Sample, ScenarioReport
from operations.drill.runner import Course
from operations.drill.scenarios import scenarios
from operations.drill.steps import Stand
from operations.proof.model import LogLine, Logs, Move
from tests.unit.operations.drill.world import RUN, logs, request

BEGIN = 1000.0


def course(active: str = "qsp-a", *, healthy: bool = True) -> Course:
    """A quiet one: a request every 0.2 s for 20 s, something disturbed after 8 s, the service down from 9 s to 12 s."""
    made = Course(started=BEGIN, disturbed=BEGIN + 8, ended=BEGIN + 20)
    made.requests = [request(number, BEGIN + number / 5, 0.05) for number in range(1, 101) if not 45 <= number < 60]
    made.samples = [
        Sample(time=BEGIN + at, active=None if 9 <= at < 12 else active, whole=not 9 <= at < 12) for at in range(20)
    ]
    made.last = Stand(time=BEGIN + 20, active=active, whole=True, healthy=healthy)
    return made


def all_of(seen: Course, without: Sequence[int] = ()) -> Logs:
    numbers = [int(each.id.rpartition("-")[2]) for each in seen.requests if each.replied]
    return logs([number for number in numbers if number not in without])


def judged(
    site: Site, seen: Course, found: Logs | None, name: str = "squid-killed", hints: Sequence[str] = ()
) -> ScenarioReport:
    scenario = scenarios()[name]
    return judge(scenario, bounds_of(site, scenario), seen, found, RUN, stays=traits(site).stays_setting, hints=hints)


def names(report: ScenarioReport) -> list[str]:
    assert report.verdict == ("red" if report.findings else "green")
    return [finding.split(":")[0] for finding in report.findings]


def test_a_site_that_keeps_what_it_states_is_green(site: Site) -> None:
    seen = course()
    report = judged(site, seen, all_of(seen))
    assert names(report) == []
    assert (report.sent, report.answered, report.failed, report.lost, report.doubled) == (85, 85, 0, 0, 0)
    assert report.longest_gap == pytest.approx(3.2)
    assert (report.recovery, report.recovered_by) == (4.0, "engine")
    assert report.notes == []
    assert (report.active_before, report.active_after, report.whole) == ("qsp-a", "qsp-a", True)


def test_a_line_deleted_from_the_mirror_is_a_lost_record_by_name(site: Site) -> None:
    seen = course()
    report = judged(site, seen, all_of(seen, without=[7]))
    assert names(report) == ["lost"]
    assert f"{RUN}-7)" in report.findings[0]
    assert (report.lost, report.lost_ids) == (1, [f"{RUN}-7"])


def test_daemon_logging_on_a_slow_disk_loses_records_and_is_named(site: Site) -> None:
    seen = course()
    hint = "/etc/squid/squid.conf on qsp-a logs by `daemon:`, which drops records when the disk is slow"
    report = judged(site, seen, all_of(seen, without=range(20, 40)), hints=[hint])
    assert names(report) == ["lost"]
    assert "20 requests" in report.findings[0]
    assert "daemon:" in report.findings[0]


def test_records_that_the_site_gives_up_in_so_many_words_are_no_finding(site: Site) -> None:
    seen = course()
    gives_up = site.model_copy(update={"drill": site.drill.model_copy(update={"lost_records": 2})})
    assert names(judged(gives_up, seen, all_of(seen, without=[7, 8]))) == []
    assert names(judged(gives_up, seen, all_of(seen, without=[7, 8, 9]))) == ["lost"]


def test_a_crash_may_cost_the_last_seconds_that_the_durability_names_and_no_others(site: Site) -> None:
    assert site.mirror is not None
    second = site.model_copy(update={"mirror": site.mirror.model_copy(update={"durability": "1s"})})
    seen = course()
    seen.crashes, seen.fenced = [BEGIN + 8], {"qsp-a": True}
    assert names(judged(second, seen, all_of(seen, without=[38, 39]), "node-off")) == []
    report = judged(second, seen, all_of(seen, without=[10, 39, 70]), "node-off")
    assert names(report) == ["lost"]
    assert f"{RUN}-10, {RUN}-70)" in report.findings[0]


def test_a_full_mirror_that_drops_records_may_do_so_until_there_is_room_again(site: Site) -> None:
    dropping = site.model_copy(update={"log": site.log.model_copy(update={"on_full": "drop"})})
    seen = course()
    assert names(judged(dropping, seen, all_of(seen, without=range(61, 80)), "mirror-full")) == []
    assert names(judged(dropping, seen, all_of(seen, without=[10]), "mirror-full")) == ["lost"]
    seen.repaired = BEGIN + 16
    assert names(judged(dropping, seen, all_of(seen, without=range(61, 80)), "mirror-full")) == []
    assert names(judged(dropping, seen, all_of(seen, without=[95]), "mirror-full")) == ["lost"]
    assert names(judged(site, seen, all_of(seen, without=[70]), "mirror-full")) == ["lost"]


def test_a_full_mirror_that_stops_the_service_may_leave_records_in_the_local_log_alone(site: Site) -> None:
    seen = course()
    seen.repaired = BEGIN + 16
    local = {"qsp-a": all_of(seen).mirror}
    kept = all_of(seen, without=[61, 70]).model_copy(update={"local": local})
    assert names(judged(site, seen, kept, "mirror-full")) == []
    assert names(judged(site, seen, kept, "squid-killed")) == ["lost"]
    before = all_of(seen, without=[10]).model_copy(update={"local": local})
    assert names(judged(site, seen, before, "mirror-full")) == ["lost"]


def test_stickiness_0_is_named_when_the_service_moves_back(site: Site) -> None:
    seen = course("qsp-b")
    seen.stays = [(BEGIN + 13, "qsp-b")]
    seen.fenced = {"qsp-a": True}
    assert names(judged(site, seen, all_of(seen), "node-off")) == []
    seen.samples.append(Sample(time=BEGIN + 19.5, active="qsp-a", whole=True))
    report = judged(site, seen, all_of(seen), "node-off")
    assert names(report) == ["moved back"]
    assert "from qsp-b to qsp-a" in report.findings[0]
    assert report.findings[0].endswith("; see `stickiness`")


def test_a_service_that_moves_back_is_told_with_the_setting_that_its_engine_has(site: Site) -> None:
    seen = course("qsp-b")
    seen.stays = [(BEGIN + 13, "qsp-b")]
    seen.samples.append(Sample(time=BEGIN + 19.5, active="qsp-a", whole=True))
    (finding,) = judged(site.model_copy(update={"engine": "lifekeeper"}), seen, all_of(seen)).findings
    assert finding.startswith("moved back: ")
    assert "`lifekeeper.switchback`" in finding
    assert "stickiness" not in finding
    assert len({each.stays_setting for each in TRAITS.values()}) == len(TRAITS)


def test_a_service_that_was_to_be_somewhere_else_later_did_not_move_back(site: Site) -> None:
    seen = course("qsp-b")
    seen.stays = [(BEGIN + 13, "qsp-b"), (BEGIN + 15, "qsp-a")]
    seen.samples = [*seen.samples[:15], Sample(time=BEGIN + 16, active="qsp-a", whole=True)]
    assert names(judged(site, seen, all_of(seen))) == []


def test_fencing_off_is_named_where_a_node_was_lost(site: Site) -> None:
    seen = course("qsp-b")
    seen.fenced = {"qsp-a": False}
    report = judged(site, seen, all_of(seen), "node-off")
    assert names(report) == ["not fenced"]
    assert "qsp-a was lost" in report.findings[0]
    seen.fenced = {"qsp-a": None}
    untold = judged(site, seen, all_of(seen), "node-off")
    assert names(untold) == [], "an engine that does not tell is not accused"
    assert untold.notes == ["whether qsp-a was fenced is not judged: the engine did not tell"]
    seen.fenced = {"qsp-a": True}
    assert judged(site, seen, all_of(seen), "node-off").notes == []


def test_a_gap_that_is_longer_than_stated(site: Site) -> None:
    seen = course()
    drill = site.drill.model_copy(update={"gaps": {"squid-killed": site.timeouts.address.monitor_interval}})
    assert names(judged(site.model_copy(update={"drill": drill}), seen, all_of(seen))) == []
    seen.requests = [each for each in seen.requests if not BEGIN + 5 < each.start < BEGIN + 16]
    report = judged(site.model_copy(update={"drill": drill}), seen, all_of(seen))
    assert names(report) == ["gap"]
    assert "and at most 10 s are stated" in report.findings[0]


def test_records_written_twice(site: Site) -> None:
    seen = course()
    found = all_of(seen)
    report = judged(site, seen, found.model_copy(update={"mirror": [*found.mirror, found.mirror[3]]}))
    assert names(report) == ["doubled"]
    assert report.doubled_ids == [f"{RUN}-4"]


def test_no_answers_at_all_prove_nothing(site: Site) -> None:
    seen = course()
    seen.requests = [each.model_copy(update={"status": None, "error": "no connection"}) for each in seen.requests]
    assert names(judged(site, seen, logs([]))) == ["nothing answered"]


def test_logs_that_cannot_be_read_prove_nothing(site: Site) -> None:
    assert names(judged(site, course(), None)) == ["not counted"]


def in_service_all_the_time(*failed: range) -> Course:
    """The engine never says that the service is away; these requests fail."""
    seen = course()
    seen.samples = [Sample(time=BEGIN + at, active="qsp-a", whole=True) for at in range(20)]
    numbers = {number for each in failed for number in each}
    seen.requests = [
        request(number, BEGIN + number / 5, 0.05, None if number in numbers else 200) for number in range(1, 101)
    ]
    return seen


def test_a_service_that_was_never_seen_down_has_no_recovery() -> None:
    seen = in_service_all_the_time()
    assert recovery(seen) is None
    seen.moves = [Move(source="qsp-a", target="qsp-b", start=1, end=3.5, arrived="qsp-b")]
    assert recovery(seen) == (2.5, "engine")


def test_a_squid_that_the_engine_never_missed_is_recovered_when_clients_are_answered_again(site: Site) -> None:
    seen = in_service_all_the_time(range(41, 60))
    report = judged(site, seen, all_of(seen))
    assert names(report) == []
    assert (report.recovery, report.recovered_by) == (pytest.approx(4.0), "clients")


def test_of_several_gaps_the_longest_is_the_recovery_that_clients_measure() -> None:
    assert recovery(in_service_all_the_time(range(41, 42), range(45, 60), range(80, 81))) == (3.2, "clients")


def test_clients_that_were_not_answered_before_the_disturbance_or_after_its_repair_measure_no_recovery() -> None:
    assert recovery(in_service_all_the_time(range(10, 30))) is None
    repaired = in_service_all_the_time(range(70, 80))
    assert recovery(repaired) == (2.2, "clients"), "that they were answered for a while first is none of it"
    repaired.repaired = BEGIN + 10
    assert recovery(repaired) is None


def test_what_never_came_back_has_no_recovery() -> None:
    assert recovery(in_service_all_the_time(range(45, 101))) is None, "the last gap has no answer at its end"
    lost = course()
    lost.samples = [Sample(time=BEGIN + at, active="qsp-a", whole=at < 9) for at in range(20)]
    assert recovery(lost) is None, "by the engine's word it is still away, whatever clients are answered"


def test_a_look_that_the_disturbance_has_met_half_way_hides_nobody_who_was_active(site: Site) -> None:
    seen = course()
    seen.samples.insert(8, Sample(time=BEGIN + 7.9, active=None, whole=False))
    seen.samples.pop(9)
    assert judged(site, seen, all_of(seen)).active_before == "qsp-a"


def test_without_a_mirror_the_records_of_both_nodes_count(site: Site) -> None:
    line = LogLine(file="l", text=f"GET http://x/r/{RUN}-1 -")
    other = LogLine(file="l", text=f"GET http://x/r/{RUN}-2 -")
    both = single_log(Logs(active="qsp-a", mirror=[], local={"qsp-a": [line], "qsp-b": [other]}))
    assert list(both.mirror) == [line, other]
