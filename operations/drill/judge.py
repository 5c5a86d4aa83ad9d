"""What was seen, held against what the site states. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from declaration.site import Site
from operations.drill.model import Bounds, Finding, RecoveredBy, Sample, ScenarioReport
from operations.drill.runner import Course
from operations.drill.scenarios import Scenario
from operations.proof.count import prove
from operations.proof.gaps import gaps, longest
from operations.proof.model import Gap, Logs, Proof, Request

SHOWN = 5
SLACK = 1.0
"""Seconds by which the moment of a crash may be known too late, or Squid's record be later than the answer."""


def bounds_of(site: Site, scenario: Scenario) -> Bounds:
    """What the scenario may cost on this site."""
    stated = site.drill
    gap = stated.gaps.get(scenario.name) or (stated.planned_gap if scenario.planned else stated.unplanned_gap)
    return Bounds(
        gap=gap.seconds,
        lost=stated.lost_records,
        lost_seconds=min(scenario.may_lose(site), _EVER),
        local_suffices=scenario.local_suffices(site),
    )


_EVER = 1e9
"""Stands for all of the time: JSON knows no infinity."""


def judge(
    scenario: Scenario,
    bounds: Bounds,
    course: Course,
    logs: Logs | None,
    run: str,
    *,
    stays: str,
    hints: Sequence[str] = (),
) -> ScenarioReport:
    """The report. ``logs`` is None where they could not be read; ``hints`` are what may explain lost records.

    ``stays``: the engine's setting by which the service stays where it is.
    """
    requests = sorted(course.requests, key=lambda request: request.start)
    proof = prove(run, requests, course.moves, logs) if logs is not None else None
    silence = longest(gaps(requests))
    before = _before(course)
    recovered, by = recovery(course) or (None, None)
    findings = [
        *course.findings,
        *_answers(requests, silence, bounds),
        *_records(course, requests, proof, bounds, hints),
        *_places(course, stays),
        *_fencing(course),
    ]
    answered = sum(request.answered for request in requests)
    return ScenarioReport(
        name=scenario.name,
        title=scenario.title,
        verdict="red" if findings else "green",
        started=course.started,
        ended=course.ended,
        bounds=bounds,
        sent=len(requests),
        answered=answered,
        failed=len(requests) - answered,
        errors=dict(proof.errors) if proof else {},
        longest_gap=silence.seconds if silence else None,
        gap=(silence.start, silence.end) if silence else None,
        recovery=recovered,
        recovered_by=by,
        recorded=proof.recorded if proof else 0,
        lost=len(proof.lost) if proof else 0,
        lost_ids=list(proof.lost) if proof else [],
        doubled=len(proof.doubled) if proof else 0,
        doubled_ids=list(proof.doubled) if proof else [],
        active_before=before,
        active_after=course.last.active,
        whole=course.last.healthy,
        fenced=course.fenced,
        findings=[str(finding) for finding in findings],
        notes=_not_judged(course),
        moments=course.moments,
        samples=thinned(course.samples),
        requests=requests,
    )


def recovery(course: Course) -> tuple[float, RecoveredBy] | None:
    """Seconds from the disturbance until the service was back, and whose word that is.

    None if it never was away, or did not come back.

    The clients' word counts where the engine was never seen to say that it was away: a Squid that is started again in
    place is in service for LifeKeeper all the time.
    """
    if course.moves:
        return round(max(move.end - move.start for move in course.moves), 3), "engine"
    if course.disturbed is None:
        return None
    where = _before(course)
    seen = [each for each in course.samples if each.time >= course.disturbed]
    down = next((at for at, each in enumerate(seen) if not each.whole or each.active != where), None)
    if down is None:
        away = _unanswered(course, course.disturbed)
        return None if away is None else (away, "clients")
    back = next((each.time for each in seen[down:] if each.whole), None)
    return None if back is None else (round(back - course.disturbed, 3), "engine")


def _unanswered(course: Course, disturbed: float) -> float | None:
    """Seconds of the longest gap that the disturbance made, as far as they come after it.

    None without one, or where it lasted to the end.

    Only a request that failed makes a time between two answers a gap. One that begins after the repair is not the
    disturbance's.
    """
    until = math.inf if course.repaired is None else course.repaired
    failed = [each.start for each in course.requests if not each.answered and each.end >= disturbed]
    made = longest(
        gap
        for gap in gaps(course.requests)
        if gap.end > disturbed and gap.start <= until and any(gap.start <= start < gap.end for start in failed)
    )
    answers = {each.end for each in course.requests if each.answered}
    return round(made.end - max(made.start, disturbed), 3) if made is not None and made.end in answers else None


def thinned(samples: Sequence[Sample]) -> list[Sample]:
    """Those at which something changed, and the last."""
    kept = list(samples[:1])
    kept += [new for old, new in pairwise(samples) if (old.active, old.whole) != (new.active, new.whole)]
    return kept if not samples or kept[-1] is samples[-1] else [*kept, samples[-1]]


def _before(course: Course) -> str | None:
    """Who was active last; a look that the disturbance has met half way names nobody."""
    early = [each.active for each in course.samples if course.disturbed is None or each.time <= course.disturbed]
    return next((active for active in reversed(early) if active is not None), None)


def _answers(requests: Sequence[Request], silence: Gap | None, bounds: Bounds) -> list[Finding]:
    if not any(request.answered for request in requests):
        return [Finding(name="nothing answered", detail=f"of {len(requests)} requests none was answered")]
    if silence is not None and silence.seconds > bounds.gap:
        detail = f"no client was answered for {silence.seconds:.1f} s, and at most {bounds.gap:g} s are stated"
        return [Finding(name="gap", detail=detail)]
    return []


def _records(
    course: Course, requests: Sequence[Request], proof: Proof | None, bounds: Bounds, hints: Sequence[str]
) -> list[Finding]:
    if proof is None:
        return [Finding(name="not counted", detail="the logs could not be read, so nothing is known of lost records")]
    by_id = {request.id: request for request in requests}
    only_local = set(proof.only_local)
    lost = [name for name in proof.lost if not excused(by_id[name], course, bounds, in_local=name in only_local)]
    found: list[Finding] = []
    if len(lost) > bounds.lost:
        stated = f", and at most {bounds.lost} are stated" if bounds.lost else ""
        why = "".join(f"; {hint}" for hint in hints)
        found.append(Finding(name="lost", detail=f"{_named(lost)} answered, without a record{stated}{why}"))
    if proof.doubled:
        found.append(Finding(name="doubled", detail=f"{_named(proof.doubled)} with more than one record"))
    return found


def excused(request: Request, course: Course, bounds: Bounds, *, in_local: bool) -> bool:
    """Whether its record may be missing on the mirror: by a crash, or while things are broken.

    Before a crash within the stated seconds. While things are broken if records may be dropped then, or if it is in a
    local log (``in_local``) and that suffices: a Squid that writes nothing afterwards is a fault.
    """
    seconds = bounds.lost_seconds
    dropped = math.isclose(seconds, _EVER) and not course.crashes
    if (dropped or (in_local and bounds.local_suffices)) and _while_broken(request, course):
        return True
    return any(crash - seconds - SLACK <= request.end <= crash + SLACK for crash in course.crashes)


def _while_broken(request: Request, course: Course) -> bool:
    until = math.inf if course.repaired is None else course.repaired + SLACK
    return course.disturbed is not None and course.disturbed <= request.end <= until


def _places(course: Course, stays: str) -> list[Finding]:
    found: list[Finding] = []
    ends = [*(since for since, _ in course.stays), math.inf][1:]
    for (since, node), until in zip(course.stays, ends, strict=True):
        if node is None:
            continue
        samples = (each for each in course.samples if since < each.time < until)
        left = next((each for each in samples if each.active not in (node, None)), None)
        if left is not None:
            detail = f"the service moved from {node} to {left.active} although nothing asked it to"
            found.append(Finding(name="moved back", detail=f"{detail}; see {stays}"))
    return found


def _fencing(course: Course) -> list[Finding]:
    return [
        Finding(
            name="not fenced",
            detail=f"{node} was lost and the engine knows of no fencing of it, so nothing proves that it was off when "
            "its service was started elsewhere; is fencing switched off?",
        )
        for node, fenced in course.fenced.items()
        if fenced is False
    ]


def _not_judged(course: Course) -> list[str]:
    return [
        f"whether {node} was fenced is not judged: the engine did not tell"
        for node, fenced in course.fenced.items()
        if fenced is None
    ]


def _named(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - SHOWN} more" if len(ids) > SHOWN else ""
    return f"{len(ids)} request{'s' if len(ids) > 1 else ''} ({', '.join(ids[:SHOWN])}{more})"


def single_log(logs: Logs) -> Logs:
    """For a site without a log on a mirror: what all nodes recorded locally stands for it."""
    lines = [line for each in logs.local.values() for line in each]
    return logs.model_copy(update={"mirror": lines, "local": dict[str, Sequence[object]]()})
