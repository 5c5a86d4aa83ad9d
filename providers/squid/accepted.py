"""Included files as the last run accepted them: what shows a later edit, of which nothing else would tell.

The files are the site's own and never written here. All that is wanted of them is that they are those that were looked
at when Squid last read them; the journal has their digests.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from providers.squid import conf, includes
from providers.squid.includes import Finding, Included

ENTRY = "included"
"""The name in the journal."""
AS_ACCEPTED = "as accepted"
"""What is wanted of a node's included files."""


@dataclass(frozen=True)
class Accepted:
    """What squid.conf included on a node: ``patterns``, ``files`` (path → digest), and what of them wants a start."""

    patterns: Sequence[str]
    files: Mapping[str, str]
    restarts: Sequence[str]

    @classmethod
    def of(cls, text: str, included: Included) -> Accepted:
        """What ``text`` (squid.conf) includes."""
        return cls(conf.includes(text), included.files, list(conf.restarting(included.directives)))

    def to_text(self) -> str:
        """For the journal."""
        return json.dumps(asdict(self), sort_keys=True)


def recorded(entries: Mapping[str, str]) -> Accepted | None:
    """What was accepted on a node, out of its journal; None if nothing was recorded."""
    return Accepted(**json.loads(entries[ENTRY])) if ENTRY in entries else None


def changed_since(record: Accepted | None, included: Included) -> list[str]:
    """Paths of what is no longer as it was accepted; nothing where nothing is recorded."""
    return _unlike(record.files, included.files) if record else []


def unread(record: Accepted | None, included: Included) -> list[str]:
    """Paths of which nobody knows whether Squid has read them as they are: nothing is recorded."""
    return [] if record else sorted(included.files)


def needs_restart(record: Accepted | None, before: str, included: Included) -> bool:
    """Whether a Squid that runs with ``before`` (squid.conf) has to start anew to take over what is included now."""
    now = list(conf.restarting(included.directives))
    if record is None:
        # Recorded by no earlier release: a Squid that included files before has started with them, as far as one knows.
        return bool(now) and not conf.includes(before)
    return list(record.restarts) != now


def became(record: Accepted | None, included: Included, refused: Finding | None, *, new: bool) -> str | None:
    """What became of a node's files, in words for Pulumi's state; None where it is not recorded what they were.

    ``refused``: why they would not be accepted now. ``new``: nothing of the site's Squid is recorded there at all.
    """
    if refused:
        return f"refused: {refused.brief}"
    if record is None:
        return AS_ACCEPTED if new else None
    changed = changed_since(record, included)
    if changed:
        words = ", ".join(_word(path, record.files, included.files) for path in changed)
        return f"changed since they were accepted: {words}"
    return AS_ACCEPTED


def other_rules(found: Mapping[str, Included]) -> str:
    """Which files say something else of access than those of the first node, in words; '' where none do.

    Nodes may have different files: their own addresses, lists that each makes by itself. This one is worth a look.
    """
    said = {name: includes.rules(its) for name, its in found.items()}
    first = next(iter(said), "")
    for name, rules in said.items():
        paths = sorted(path for path in rules.keys() | said[first].keys() if rules.get(path) != said[first].get(path))
        if paths:
            return f"{name}: what is included says something else of access than on {first}: {', '.join(paths)}"
    return ""


def _unlike(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    return sorted(path for path in before.keys() | now.keys() if before.get(path) != now.get(path))


def _word(path: str, before: Mapping[str, str], now: Mapping[str, str]) -> str:
    if path not in now:
        return f"{path} (missing)"
    return path if path in before else f"{path} (new)"
