"""Constraints as elements of the CIB: whom they are about, what they have run together, which nodes they forbid.

Facts: Pacemaker Explained 2.1, chapters on constraints, resource sets and rules.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from providers.pacemaker.fragments import YES, Element

INFINITY = 1_000_000
"""Pacemaker's."""
_APART = frozenset({"Unpromoted", "Slave"})
"""The role of a promotable resource where the service is not."""
_PREFERABLE = frozenset({None, "Started", "Promoted", "Master"})
"""Roles of a location constraint that draw the service, not what is on its other node."""


def subjects(constraint: Element) -> set[str]:
    """What a constraint is about, as it names it; what it only follows or keeps away from is none of it.

    Of a location or a ticket all that it names are meant.
    """
    sets = constraint.findall("resource_set")
    if constraint.tag in _FOLLOWS and sets:
        return set(_followers(sets, after_the_next=constraint.tag == "rsc_colocation"))
    named = constraint.get(_FOLLOWS.get(constraint.tag, "rsc"))
    return {*([named] if named else []), *(name for each in sets for name in _named(each))}


_FOLLOWS = {"rsc_colocation": "rsc", "rsc_order": "then"}
"""What names the one that follows another."""


def _followers(sets: Sequence[Element], *, after_the_next: bool) -> Iterator[str]:
    """In a set each follows the one before it; of two colocated sets the first follows, of two ordered ones the
    second."""
    free = sets[-1] if after_the_next else sets[0]
    for each in sets:
        names = _named(each)
        if _sequential(each):
            yield from names[1:] if each is free else names
        elif each is not free:
            yield from names


def fits(pattern: str | None, name: str) -> bool:
    """Whether a constraint's pattern means the resource; one that begins with ``!`` means all others."""
    if pattern is None:
        return False
    try:
        return (re.search(pattern.removeprefix("!"), name) is None) == pattern.startswith("!")
    except re.error:
        # POSIX has expressions that Python has not: then it may be about any of them.
        return True


def about(root: Element, constraint: Element, resources: Collection[str]) -> list[str]:
    """Those of the resources that the constraint is about. A pattern is held against what is in no group or clone."""
    named = {each for name in subjects(constraint) for each in untagged(root, name)}
    pattern = constraint.get("rsc-pattern")
    outermost = {each.get("id") for each in root.iterfind("configuration/resources/*")}
    return [name for name in sorted(resources) if name in named or (name in outermost and fits(pattern, name))]


def untagged(root: Element, name: str) -> list[str]:
    """What a constraint means by a name: where it is a tag's, all that has the tag."""
    tag = next((each for each in root.iterfind("configuration/tags/tag") if each.get("id") == name), None)
    return [name] if tag is None else [each.get("id", "") for each in tag.iterfind("obj_ref")]


def colocated(colocation: Element) -> Iterator[tuple[str, str, int]]:
    """What is to run where what does, as the constraint names them, and the score.

    In a set each goes with the one before it; the first of a set with the last of the next set. Where a set is not
    sequential its members have nothing to do with each other, and each of them counts to the other sets (Pacemaker
    Explained, "Colocating Sets of Resources").
    """
    score, sets = _score(colocation.get("score")), colocation.findall("resource_set")
    if not sets and colocation.get("with-rsc-role") not in _APART:
        yield colocation.get("rsc", ""), colocation.get("with-rsc", ""), score
    for each in sets:
        if _sequential(each):
            inside = score if each.get("score") is None else _score(each.get("score"))
            yield from ((upper, lower, inside) for lower, upper in pairwise(_named(each)))
    for above, below in pairwise(sets):
        if below.get("role") not in _APART:
            for upper in _named(above)[:1] if _sequential(above) else _named(above):
                for lower in _named(below)[-1:] if _sequential(below) else _named(below):
                    yield upper, lower, score


def _named(resources: Element) -> list[str]:
    return [each.get("id", "") for each in resources.iterfind("resource_ref")]


def _sequential(resources: Element) -> bool:
    return resources.get("sequential", "true").lower() in YES


def _score(text: str | None) -> int:
    """A score as a number; where none is said it is 0, and the constraint has no effect."""
    digits = (text or "0").lstrip("+-")
    number = int(digits) if digits.isdecimal() else INFINITY if digits == "INFINITY" else 0
    return -number if text and text.startswith("-") else number


# Location


@dataclass(frozen=True)
class Binding:
    """A location constraint that leaves no choice. ``resources`` never run on the nodes in ``off``; while a node in
    ``to`` can run them, they stay on no other."""

    constraint: str
    resources: Sequence[str]
    off: Sequence[str]
    to: Sequence[str]


def bindings(
    root: Element, locations: Sequence[Element], resources: Collection[str], nodes: Sequence[str]
) -> list[Binding]:
    """How these location constraints keep the resources off nodes, or bind them to some, without any choice."""

    def light(those: Sequence[str]) -> list[str]:
        mine = {name: [each for each in locations if about(root, each, [name])] for name in those}
        sums = {node: [sum(weight(each, node) for each in mine[name]) for name in those] for node in nodes}
        return [node for node, each in sums.items() if min(each, default=0) < 0]

    found = (binding(each, those, nodes, light(those)) for each in locations if (those := about(root, each, resources)))
    return [each for each in found if each is not None]


def binding(location: Element, about: Sequence[str], nodes: Sequence[str], light: Sequence[str]) -> Binding | None:
    """What a location constraint that is ``about`` these forbids on the cluster's ``nodes``; None where it is nothing.

    Pacemaker runs nothing where the sum of scores is below zero: on the nodes in ``light`` it is, so that a score that
    is finite forbids them too. A rule that asks for more than a node's name forbids nothing: what it says may be
    otherwise in a moment.
    """
    found = list(_scores(location, nodes))
    off = [node for score, _, where in found for node in where if score <= -INFINITY or (score < 0 and node in light)]
    to = [node for score, role, where in found if score >= INFINITY and role in _PREFERABLE for node in where]
    to = to if len(to) < len(nodes) else []
    return Binding(location.get("id", ""), about, off, to) if about and (off or to) else None


def weight(location: Element, node: str) -> int:
    """What a location constraint adds for its resources on the node; what may be added counts."""
    own = _score(location.get("score")) if location.get("node") == node else 0
    ruled = [(_score(rule.get("score")), _holds(rule, node)) for rule in location.findall("rule")]
    return own + sum(score for score, holds in ruled if holds or (holds is None and score > 0))


def allowed(location: Element, nodes: Sequence[str]) -> set[str]:
    """The nodes to which a location constraint gives a score that is not negative."""
    return {node for score, _, where in _scores(location, nodes) if score >= 0 for node in where}


def _scores(location: Element, nodes: Sequence[str]) -> Iterator[tuple[int, str | None, list[str]]]:
    """Each score with its role and the nodes that get it."""
    role = location.get("role")
    if location.get("node"):
        yield _score(location.get("score")), role, [node for node in nodes if node == location.get("node")]
    for rule in location.findall("rule"):
        yield _score(rule.get("score")), rule.get("role", role), [node for node in nodes if _holds(rule, node)]


def _holds(rule: Element, node: str) -> bool | None:
    """Whether it holds on the node; None where the node's name does not tell."""
    said = [_says(each, node) for each in rule.iterchildren("*")]
    if not said or None in said:
        return None
    return any(said) if rule.get("boolean-op") == "or" else all(said)


def _says(expression: Element, node: str) -> bool | None:
    """Whether an expression about a node's name holds; None for any other."""
    if expression.tag != "expression" or expression.get("attribute") != "#uname":
        return None
    same = expression.get("value") == node
    return {"eq": same, "ne": not same}.get(expression.get("operation", ""))
