"""Which phase of a site is not reached from which in place, and the way to go instead.

A node carries its site's phase so that this is said at the first thing of all, before anything has been changed.
"""

from __future__ import annotations

from typing import Literal

Phase = Literal["1", "2", "3"]

TO_ONE_NODE = (
    "the engine of a pair runs Squid; it is not taken back to a single node in place, because the other node would be "
    "left with the cluster's software and configuration, and perhaps with the service. Put the second node and the "
    "virtual IP back into the file, run `pulumi destroy` (logs and the mirror's data stay), then take them out and run "
    "`pulumi up`"
)
TWO_STEPS_AT_ONCE = (
    "Squid runs on a single node, outside the engine; it cannot be moved onto a mirror in the same step, because the "
    "mirror would come up without regard to where it runs. Leave the `mirror` (and its `rotation`) out of the file, "
    "run `pulumi up` with the second node and the virtual IP, then put it in and run `pulumi up` again"
)

ANOTHER_ENGINE = (
    "the engine of a deployed site is not changed in place, because two engines would claim one disk and one address. "
    "Name the old engine in the file again, run `pulumi destroy` (logs and the mirror's data stay), then name the new "
    "one and run `pulumi up`; a mirror of the new engine needs a disk that is blank, so copy the data elsewhere first"
)


def refusal(before: Phase | None, after: Phase | None) -> str | None:
    """Why a site does not pass from ``before`` to ``after`` in place; None where it does, or where one is unknown."""
    if after == "1" and before in ("2", "3"):
        return TO_ONE_NODE
    return TWO_STEPS_AT_ONCE if (before, after) == ("1", "3") else None
