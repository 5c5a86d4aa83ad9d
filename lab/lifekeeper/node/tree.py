"""Decisions about hierarchies, without any effect: orders, who takes over what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from lab.lifekeeper.node.lcd import ISP, Equivalency, Instance

Dependencies = Sequence[tuple[str, str]]


def below(dependencies: Dependencies, tag: str) -> list[str]:
    """The resource and all that it depends on, children first: the order of bringing into service."""
    order: list[str] = []

    def visit(each: str) -> None:
        for parent, child in dependencies:
            if parent == each and child not in order:
                visit(child)
        if each not in order:
            order.append(each)

    visit(tag)
    return order


def above(dependencies: Dependencies, tag: str) -> list[str]:
    """The resource and all that depends on it, parents first: the order of taking out of service."""
    return below([(child, parent) for parent, child in dependencies], tag)


def whole(dependencies: Dependencies, tag: str) -> list[str]:
    """Every resource of the hierarchy, over all its roots, children first."""
    found: list[str] = []
    todo = [tag]
    while todo:
        each = todo.pop()
        if each in found:
            continue
        found.append(each)
        todo += [other for pair in dependencies if each in pair for other in pair]
    order: list[str] = []
    for root in roots(dependencies, found):
        order += [each for each in below(dependencies, root) if each not in order]
    return order


def roots(dependencies: Dependencies, tags: Iterable[str]) -> list[str]:
    """Those that nothing depends on."""
    children = {child for _, child in dependencies}
    return [tag for tag in tags if tag not in children]


def is_below(dependencies: Dependencies, tag: str, other: str) -> bool:
    """Whether `other` is what `tag` stands on, directly or not, or the same."""
    return other in below(dependencies, tag)


def removal(dependencies: Dependencies, tags: Iterable[str]) -> list[str]:
    """All of these and whatever depends on them, parents first."""
    order: list[str] = []
    for tag in tags:
        for each in above(dependencies, tag):
            if each not in order:
                order.append(each)
    return sorted(order, key=lambda each: len(above(dependencies, each)))


def takeover(
    instances: Mapping[str, Instance],
    dependencies: Dependencies,
    equivalencies: Sequence[Equivalency],
    peer: str,
    states: Mapping[str, str],
) -> list[str]:
    """The resources to bring into service when a peer is gone: the tops of what it had in service and we have not.

    ``states`` are those that the peer told last, by its tags.
    """
    lost = [
        each.tag
        for each in equivalencies
        if each.system == peer and states.get(each.other_tag) == ISP and instances[each.tag].state != ISP
    ]
    return [tag for tag in lost if not any(tag != other and is_below(dependencies, other, tag) for other in lost)]


def switchbacks(
    instances: Mapping[str, Instance],
    dependencies: Dependencies,
    equivalencies: Sequence[Equivalency],
    peer: str,
    states: Mapping[str, str],
) -> list[str]:
    """The roots that come back to us by themselves: switchback automatic, better priority here, in service there."""
    wanted = {
        each.tag
        for each in equivalencies
        if each.system == peer
        and each.priority < each.other_priority
        and states.get(each.other_tag) == ISP
        and instances[each.tag].state != ISP
        and instances[each.tag].switchback == "AUTOMATIC"
    }
    return [tag for tag in roots(dependencies, instances) if tag in wanted]
