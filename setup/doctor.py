"""`make doctor`: what this machine has and lacks, the remedies, and how long the first run will take."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from setup import places, probes
from setup.minutes import FIRST_RUN, STAGES
from setup.probes import Finding, Verdict


def examine() -> list[Finding]:
    """Ask everything at once; most of the time is spent waiting for answers."""
    with ThreadPoolExecutor(len(probes.ALL)) as pool:
        return [answer.result() for answer in [pool.submit(probe) for probe in probes.ALL]]


def table(findings: list[Finding]) -> str:
    """The findings as aligned lines."""
    width = max(len(finding.subject) for finding in findings)
    return "\n".join(f"  {f.verdict:<8} {f.subject:<{width}}  {f.found}" for f in findings)


def expected(findings: list[Finding]) -> dict[str, float]:
    """The minutes of each step that is still to be taken."""
    steps = dict(FIRST_RUN)
    fetched, built = "setup, official Pulumi", "setup, Pulumi built from source"
    unreachable = any(f.subject == "Pulumi" and f.verdict is Verdict.NOTE for f in findings)
    steps.pop(fetched if unreachable else built)
    if (places.VENV / ".squid-ha").exists():
        steps.pop(fetched, None)
        steps.pop(built, None)
    if (places.cache() / "image").exists():
        steps.pop("lab image")
    return steps


def main() -> int:
    """Print the report. Returns 1 if something is missing."""
    findings = examine()
    print("what this machine has\n" + table(findings))
    steps = expected(findings)
    print("\nminutes to expect (2 cores, no KVM; less with more)")
    for name, minutes in steps.items():
        print(f"  {minutes:5.1f}  {name}")
    print(f"  {sum(steps.values()):5.1f}  `make demo` in all")
    print(f"  {sum(STAGES.values()):5.1f}  `make test`, at most")
    lacking = [finding for finding in findings if finding.verdict is Verdict.MISSING]
    for finding in lacking:
        print(f"\nmissing: {finding.subject}: {finding.found}. Remedy: {finding.remedy}")
    if not lacking:
        print("\nnothing is missing")
    return 1 if lacking else 0
