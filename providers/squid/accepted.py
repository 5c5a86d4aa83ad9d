"""Included files as the last run accepted them: what shows a later edit, of which nothing else would tell.

The files are the site's own and never written here. All that is wanted of them is that they are those that were looked
at when Squid last read them; the journal has their digests.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from providers.connection.errors import Refused
from providers.squid import conf
from providers.squid.includes import Included

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


def since(record: Accepted | None, included: Included) -> list[str]:
    """Paths of what is no longer as it was accepted; nothing where nothing is recorded."""
    return _unlike(record.files, included.files) if record else []


def needs_restart(record: Accepted | None, before: str, included: Included) -> bool:
    """Whether a Squid that runs with ``before`` (squid.conf) has to start anew to take over what is included now."""
    now = list(conf.restarting(included.directives))
    if record is None:
        # Recorded by no earlier release: files that were included before are taken for those that Squid has read.
        return bool(now) and not conf.includes(before)
    return list(record.restarts) != now


def told(
    name: str, found: Mapping[str, Included], records: Mapping[str, Accepted | None], refused: str, *, new: bool
) -> str | None:
    """What became of the files on the node ``name``, in words; None where it is not recorded what they were.

    ``refused``: why they would not be accepted now. ``new``: nothing of the site's Squid is recorded there at all.
    """
    if refused:
        return f"refused: {refused}"
    record, now = records[name], found[name].files
    if record is None:
        return AS_ACCEPTED if new else None
    changed = _unlike(record.files, now)
    if changed:
        return f"changed since they were accepted: {', '.join(_word(path, record.files, now) for path in changed)}"
    for other, its in found.items():
        paths = _unlike(its.files, now)
        # One that was changed there says so itself.
        if paths and records[other] and not since(records[other], its):
            return f"not as on {other}: {', '.join(_word(path, its.files, now) for path in paths)}"
    return AS_ACCEPTED


def refuse_unlike(found: Mapping[str, Included]) -> None:
    """Raises `Refused` where files differ between nodes: after a failover another proxy would serve."""
    first = next(iter(found), "")
    for name, its in found.items():
        paths = _unlike(found[first].files, its.files)
        if paths:
            told = ", ".join(_word(path, found[first].files, its.files) for path in paths)
            raise Refused(
                f"what squid.conf includes is not as on {first}: {told}; nothing was changed on any node",
                node=name,
                remedy="give both nodes the same files; comments and blank lines in them make no difference",
            )


def _unlike(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    return sorted(path for path in before.keys() | now.keys() if before.get(path) != now.get(path))


def _word(path: str, before: Mapping[str, str], now: Mapping[str, str]) -> str:
    if path not in now:
        return f"{path} (missing)"
    return path if path in before else f"{path} (new)"
