"""The list of rules, and how one is added to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from declaration.errors import Mistake

if TYPE_CHECKING:
    from declaration.site import Site

Check = Callable[["Site"], Iterator[Mistake]]


@dataclass(frozen=True)
class Rule:
    """``check`` and the top-level ``parts`` of the site that it looks at."""

    parts: frozenset[str]
    check: Check


RULES: list[Rule] = []


def rule(*parts: str) -> Callable[[Check], Check]:
    """Register a rule that looks at these top-level parts of the site and at nothing else."""

    def register(check: Check) -> Check:
        RULES.append(Rule(frozenset(parts), check))
        return check

    return register
