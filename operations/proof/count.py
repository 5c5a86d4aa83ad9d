"""Requests against records. Pure: nothing here reads a log or knows a host."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from operations.proof import gaps
from operations.proof.model import Gap, LogLine, Logs, LogStand, Move, MoveOutcome, Proof, Reason, ReasonName, Request

SHOWN = 5
"""Ids that a reason names; all are in the proof."""


def prove(run: str, requests: Sequence[Request], moves: Sequence[Move], logs: Logs) -> Proof:
    """Hold the requests of ``run`` against the logs. Lines of other runs do not count."""
    sent = sorted(requests, key=lambda request: _number(request.id))
    known = {request.id for request in sent}
    mirror = ids_of(run, logs.mirror)
    counted = Counter(mirror)
    local = {name for lines in logs.local.values() for name in ids_of(run, lines)}
    silences = gaps.gaps(sent)
    failures = [request for request in sent if not request.answered]
    proof = Proof(
        run=run,
        sent=len(sent),
        answered=len(sent) - len(failures),
        failed=len(failures),
        errors=dict(Counter(request.error or f"HTTP status {request.status}" for request in failures)),
        recorded=len(counted.keys() & known),
        lost=[request.id for request in sent if request.replied and request.id not in counted],
        doubled=_ordered(name for name, times in counted.items() if times > 1),
        unanswered=[request.id for request in sent if not request.replied and request.id in counted],
        never_sent=_ordered(counted.keys() - known),
        only_local=_ordered(local - counted.keys()),
        only_mirror=_ordered(counted.keys() - local),
        longest_gap=gaps.longest(silences),
        moves=[_outcome(move, silences, failures) for move in moves],
        mirror=_stand(run, logs.active, logs.mirror),
        local={node: _stand(run, node, lines) for node, lines in logs.local.items()},
        reasons=[],
    )
    return proof.model_copy(update={"reasons": [*_reasons(proof), *_reasons_of_moves(sent, moves)]})


def ids_of(run: str, lines: Iterable[LogLine]) -> list[str]:
    """The requests that each line is a record of, in the lines' order; lines of other runs are left out.

    Where a disk was full, the record that was cut off there and the first one after it stand on one line. A line that
    was cut off within its id counts for a wrong request, and so is seen: as doubled or never sent.
    """
    pattern = re.compile(rf"/r/({re.escape(run)}-[0-9]+)")
    return [name for line in lines for name in dict.fromkeys(pattern.findall(line.text))]


def _number(name: str) -> tuple[int, str]:
    digits = name.rpartition("-")[2]
    return (int(digits) if digits.isdecimal() else -1, name)


def _ordered(names: Iterable[str]) -> list[str]:
    return sorted(names, key=_number)


def _stand(run: str, node: str, lines: Sequence[LogLine]) -> LogStand:
    ids = ids_of(run, lines)
    ordered = _ordered(ids)
    return LogStand(
        node=node,
        files=dict(Counter(line.file for line in lines if ids_of(run, [line]))),
        records=len(ids),
        first=ordered[0] if ordered else None,
        last=ordered[-1] if ordered else None,
    )


def _outcome(move: Move, silences: Sequence[Gap], failures: Sequence[Request]) -> MoveOutcome:
    gap = gaps.longest(gaps.touching(silences, move))
    return MoveOutcome(
        source=move.source,
        target=move.target,
        seconds=round(move.end - move.start, 3),
        done=move.done,
        gap=gap,
        failed=sum(1 for each in failures if gap and each.start <= gap.end and each.end >= gap.start),
    )


def _reasons(proof: Proof) -> list[Reason]:
    found: list[tuple[ReasonName, Sequence[str], str]] = [
        ("lost", proof.lost, "answered, but without a record on the mirror"),
        ("doubled", proof.doubled, "with more than one record on the mirror"),
        ("never sent", proof.never_sent, "recorded on the mirror, but not known to the client"),
        ("only local", proof.only_local, "recorded in a local log, but not on the mirror"),
    ]
    reasons = [Reason(name=name, detail=f"{_requests(ids)} {what}") for name, ids, what in found if ids]
    if proof.answered == 0:
        detail = f"of {proof.sent} requests none was answered, so nothing is proved"
        reasons.insert(0, Reason(name="nothing answered", detail=detail))
    return reasons


def _reasons_of_moves(sent: Sequence[Request], moves: Sequence[Move]) -> list[Reason]:
    reasons: list[Reason] = []
    for move in moves:
        way = f"{move.source} to {move.target}"
        if not move.done:
            detail = f"the move from {way} ended with the service on {move.arrived or 'no node'}"
            reasons.append(Reason(name="move not done", detail=detail))
        elif not any(request.answered and request.end > move.end for request in sent):
            detail = f"no request was answered after the move from {way}"
            reasons.append(Reason(name="no service after move", detail=detail))
    return reasons


def _requests(ids: Sequence[str]) -> str:
    named = ", ".join(ids[:SHOWN]) + (f" and {len(ids) - SHOWN} more" if len(ids) > SHOWN else "")
    return f"{len(ids)} request{'s' if len(ids) > 1 else ''} ({named})"
