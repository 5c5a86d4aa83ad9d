"""What turns the verdict red, and what does not."""

from __future__ import annotations

import io
import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from operations.proof import prove, render
from operations.proof.count import ids_of
from operations.proof.model import LogLine, Proof
from tests.unit.proof.records import LOG, RUN, line, logs, move, name, request

SENT = [request(n) for n in range(1, 21)]
WHOLE = [line(n) for n in range(1, 21)]
HERE, THERE = range(1, 11), range(11, 21)
MOVED = [move(1001.0, 1001.1)]


def names(proof: Proof) -> list[str]:
    return [reason.name for reason in proof.reasons]


@pytest.mark.parametrize(
    ("status", "served"),
    [(200, True), (304, True), (404, True), (403, False), (407, False), (502, False), (503, False), (None, False)],
)
def test_a_client_is_served_by_any_answer_but_the_proxys_own_refusals(status: int | None, served: bool) -> None:
    assert request(1, status=status).answered is served


def test_green_when_every_answered_request_has_one_record() -> None:
    proof = prove(RUN, SENT, MOVED, logs(WHOLE, HERE, THERE))
    assert proof.passed
    assert (proof.sent, proof.answered, proof.failed, proof.recorded) == (20, 20, 0, 20)
    assert (proof.local["qsp-a"].last, proof.local["qsp-b"].first) == (name(10), name(11))


@pytest.mark.parametrize(
    ("reason", "mirror", "named"),
    [
        ("lost", WHOLE[:6] + WHOLE[7:], name(7)),
        ("doubled", [*WHOLE, line(7)], name(7)),
        ("never sent", [*WHOLE, line(99)], name(99)),
    ],
)
def test_red_names_the_request(reason: str, mirror: list[LogLine], named: str) -> None:
    proof = prove(RUN, SENT, MOVED, logs(mirror))
    assert not proof.passed
    assert names(proof) == [reason]
    assert named in proof.reasons[0].detail


def test_red_when_only_a_local_log_has_the_record() -> None:
    unanswered = [*SENT, request(21, status=None, error="reset")]
    proof = prove(RUN, unanswered, MOVED, logs(WHOLE, HERE, [*THERE, 21]))
    assert names(proof) == ["only local"]
    assert proof.only_local == [name(21)]


def test_a_lost_record_of_an_error_answer_counts() -> None:
    proof = prove(RUN, [*SENT, request(21, status=503)], MOVED, logs(WHOLE))
    assert names(proof) == ["lost"]
    assert (proof.answered, proof.failed) == (20, 1)
    assert proof.errors == {"HTTP status 503": 1}


@pytest.mark.parametrize("recorded", [True, False])
def test_an_unanswered_request_may_have_a_record_or_not(recorded: bool) -> None:
    mirror = [*WHOLE, line(21)] if recorded else WHOLE
    sent = [*SENT, request(21, status=None, error="nothing within 3 s")]
    proof = prove(RUN, sent, MOVED, logs(mirror))
    # The last move is before the last answers, so nothing else is wrong.
    assert proof.passed
    assert proof.unanswered == ([name(21)] if recorded else [])
    assert proof.failed == 1


def test_red_when_a_move_was_not_done() -> None:
    assert names(prove(RUN, SENT, [move(1001, 1001.1, arrived="qsp-a")], logs(WHOLE))) == ["move not done"]
    assert names(prove(RUN, SENT, [move(1001, 1001.1, arrived=None)], logs(WHOLE))) == ["move not done"]


def test_red_when_nobody_was_served_after_a_move() -> None:
    assert names(prove(RUN, SENT, [move(1001, 1009)], logs(WHOLE))) == ["no service after move"]


def test_red_when_nothing_was_answered() -> None:
    assert "nothing answered" in names(prove(RUN, [], [], logs([])))
    failed = [request(n, status=None, error="refused") for n in range(1, 4)]
    assert "nothing answered" in names(prove(RUN, failed, [], logs([])))


def test_records_in_rotated_files_count() -> None:
    mirror = [line(n, f"{LOG}-20260101-1.gz" if n < 15 else LOG) for n in range(1, 21)]
    proof = prove(RUN, SENT, MOVED, logs(mirror))
    assert proof.passed
    assert proof.mirror.files == {f"{LOG}-20260101-1.gz": 14, LOG: 6}


def test_lines_of_other_runs_do_not_count() -> None:
    others = [line("t10-1"), line("xt1-1"), line("t1-x"), LogLine(file=LOG, text="t1-1")]
    assert ids_of(RUN, others) == []


def test_a_line_cut_off_in_its_id_is_seen() -> None:
    cut = LogLine(file=LOG, text=WHOLE[11].text.split("2 - HIER")[0])
    proof = prove(RUN, SENT, MOVED, logs([*WHOLE[:11], cut, *WHOLE[12:]]))
    assert proof.lost == [name(12)]
    assert proof.doubled == [name(1)]


def test_the_first_record_behind_one_that_a_full_disk_cut_off_counts() -> None:
    """Squid appends to what is there: no line ends between the two."""
    cut = WHOLE[11].text.split("HIER")[0]
    proof = prove(RUN, SENT, MOVED, logs([*WHOLE[:11], LogLine(file=LOG, text=cut + WHOLE[12].text), *WHOLE[13:]]))
    assert proof.passed, proof.reasons


def test_a_record_that_names_its_request_twice_is_one() -> None:
    assert ids_of(RUN, [LogLine(file=LOG, text=WHOLE[0].text * 2)]) == [name(1)]


def test_padding_after_a_crash_is_no_record() -> None:
    torn = LogLine(file=LOG, text="\0" * 200)
    assert prove(RUN, SENT, MOVED, logs([*WHOLE, torn])).passed
    assert prove(RUN, SENT, MOVED, logs([*WHOLE[:-1], torn])).lost == [name(20)]


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 60), st.randoms(use_true_random=False))
def test_order_of_requests_and_records_does_not_matter(count: int, dice: random.Random) -> None:
    sent, mirror = [request(n) for n in range(1, count + 1)], [line(n) for n in range(1, count + 1)]
    dice.shuffle(sent)
    dice.shuffle(mirror)
    proof = prove(RUN, sent, [], logs(mirror))
    assert proof.passed
    assert proof.mirror.last == name(count)


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 60), st.data())
def test_every_deleted_and_every_doubled_line_is_named(count: int, data: st.DataObject) -> None:
    numbers = range(1, count + 1)
    deleted = data.draw(st.sets(st.sampled_from(numbers)), label="deleted")
    doubled = data.draw(st.sets(st.sampled_from(numbers)), label="doubled") - deleted
    mirror = [line(n) for n in numbers if n not in deleted] + [line(n) for n in doubled]
    proof = prove(RUN, [request(n) for n in numbers], [], logs(mirror))
    assert proof.lost == [name(n) for n in sorted(deleted)]
    assert proof.doubled == [name(n) for n in sorted(doubled)]
    assert proof.passed == (not deleted and not doubled)


def test_it_reads_as_text_and_as_json() -> None:
    proof = prove(RUN, SENT, MOVED, logs(WHOLE[1:], HERE, THERE))
    shown = io.StringIO()
    Console(width=100, file=shown).print(render(proof))
    text = shown.getvalue()
    assert "failed" in text
    assert "lost: 1 request (t1-1)" in text
    assert "qsp-a → qsp-b" in text
    told = json.loads(proof.model_dump_json())
    assert told["passed"] is False
    assert told["lost"] == ["t1-1"]
    assert told["moves"][0]["gap"]["seconds"] > 0
