"""Elements of the CIB to models and back: resources, constraints, sets of name-value pairs.

Element ids are made from the models' ids alone, so that the same declaration always gives the same CIB. Facts:
Pacemaker Explained 2.1, chapters on resources, constraints and rules; the schemas of pacemaker-3.9.
"""

from __future__ import annotations

from lxml import etree

from providers.pacemaker.model import (
    Clone,
    Colocation,
    Constraint,
    Expression,
    Location,
    Operation,
    Order,
    Primitive,
)

Element = etree._Element  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - lxml has no other name for it

CONSTRAINT_TAGS = {"rsc_location", "rsc_colocation", "rsc_order"}
CLONE_TAGS = frozenset({"clone", "master"})
"""``<master>`` is what a promotable clone was before Pacemaker 2.0, and what 2.1 still takes for one."""
YES = frozenset({"true", "on", "yes", "y", "1"})
"""What Pacemaker takes for true, in whatever case."""


def element(tag: str, **attributes: str | None) -> Element:
    """A new element with those attributes that are not None; ``on_fail`` becomes ``on-fail``."""
    made = etree.Element(tag)
    for name, value in attributes.items():
        if value is not None:
            made.set(name.rstrip("_").replace("_", "-"), value)
    return made


def pairs_element(tag: str, set_id: str, pairs: dict[str, str]) -> Element:
    """A set of name-value pairs such as ``meta_attributes``."""
    made = element(tag, id=set_id)
    for name, value in sorted(pairs.items()):
        made.append(element("nvpair", id=f"{set_id}-{name}", name=name, value=value))
    return made


def read_pairs(parent: Element, tag: str) -> dict[str, str]:
    """All pairs in the sets called ``tag`` below ``parent``; the first of a name counts, sets with a rule do not."""
    found: dict[str, str] = {}
    for pairs in parent.findall(tag):
        if pairs.find("rule") is None:
            for pair in pairs.findall("nvpair"):
                found.setdefault(pair.get("name", ""), pair.get("value", ""))
    return found


def _given(pairs: dict[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in pairs.items() if value is not None}


def primitive_element(primitive: Primitive) -> Element:
    """``<primitive>`` with its parameters, meta attributes and operations."""
    kind, _, rest = primitive.agent.partition(":")
    provider, _, name = rest.rpartition(":") if kind == "ocf" else ("", "", rest)
    made = element("primitive", id=primitive.id, class_=kind, provider=provider or None, type=name)
    _append_sets(made, primitive.id, primitive.parameters, primitive.meta)
    if primitive.operations:
        operations = element("operations")
        for key, operation in sorted(primitive.operations.items()):
            operations.append(_operation_element(f"{primitive.id}-{key}", operation))
        made.append(operations)
    return made


def _append_sets(made: Element, owner: str, parameters: dict[str, str | None], meta: dict[str, str | None]) -> None:
    if _given(parameters):
        made.append(pairs_element("instance_attributes", f"{owner}-parameters", _given(parameters)))
    if _given(meta):
        made.append(pairs_element("meta_attributes", f"{owner}-meta", _given(meta)))


def _operation_element(op_id: str, operation: Operation) -> Element:
    return element(
        "op",
        id=op_id,
        name=operation.name,
        interval=operation.interval,
        timeout=operation.timeout,
        role=operation.role,
        on_fail=operation.on_fail,
    )


def read_primitive(found: Element) -> Primitive:
    """The model of a ``<primitive>``."""
    parts = (found.get("class"), found.get("provider"), found.get("type"))
    operations = [_read_operation(operation) for operation in found.iterfind("operations/op")]
    return Primitive(
        id=found.get("id", ""),
        agent=":".join(part for part in parts if part),
        parameters={**read_pairs(found, "instance_attributes")},
        meta={**read_pairs(found, "meta_attributes")},
        operations={operation.key: operation for operation in operations},
    )


def _read_operation(found: Element) -> Operation:
    return Operation(
        name=found.get("name", ""),
        interval=found.get("interval", "0s"),
        timeout=found.get("timeout"),
        role=found.get("role"),
        on_fail=found.get("on-fail"),
    )


def clone_element(clone: Clone, primitive: Primitive) -> Element:
    """``<clone>`` around its primitive."""
    made = element("clone", id=clone.id)
    _append_sets(made, clone.id, {}, clone.meta)
    made.append(primitive_element(primitive))
    return made


def read_clone(found: Element) -> Clone:
    """The model of a ``<clone>``, or of the older ``<master>``, without what it wraps."""
    implied = {"promotable": "true"} if found.tag == "master" else {}
    return Clone(id=found.get("id", ""), meta={**read_pairs(found, "meta_attributes"), **implied})


def constraint_element(constraint_id: str, constraint: Constraint) -> Element:
    """``<rsc_colocation>``, ``<rsc_order>`` or ``<rsc_location>``."""
    if isinstance(constraint, Colocation):
        return element(
            "rsc_colocation",
            id=constraint_id,
            rsc=constraint.resource,
            with_rsc=constraint.with_resource,
            with_rsc_role=constraint.with_role,
            score=constraint.score,
        )
    if isinstance(constraint, Order):
        return element(
            "rsc_order",
            id=constraint_id,
            first=constraint.first,
            first_action=constraint.first_action,
            then=constraint.then,
            then_action=constraint.then_action,
            kind=constraint.requirement,
        )
    return _location_element(constraint_id, constraint)


def _location_element(constraint_id: str, location: Location) -> Element:
    if location.node is not None:
        return element(
            "rsc_location",
            id=constraint_id,
            rsc=location.resource,
            role=location.role,
            node=location.node,
            score=location.score,
        )
    made = element("rsc_location", id=constraint_id, rsc=location.resource)
    rule_id = f"{constraint_id}-rule"
    rule = element("rule", id=rule_id, score=location.score, role=location.role, boolean_op="or")
    for number, expression in enumerate(location.rule, start=1):
        rule.append(
            element(
                "expression",
                id=f"{rule_id}-{number}",
                attribute=expression.attribute,
                operation=expression.operation,
                value=expression.value,
                type=expression.type,
            )
        )
    made.append(rule)
    return made


def read_constraint(found: Element) -> Constraint | None:
    """The model of a constraint; None where it says more than the models can (sets, dates, several rules)."""
    if found.tag == "rsc_colocation":
        return _read_colocation(found)
    if found.tag == "rsc_order":
        return _read_order(found)
    if found.tag == "rsc_location":
        return _read_location(found)
    return None


def _only(found: Element, *names: str) -> bool:
    return set(map(str, found.keys())) <= {"id", *names}


def _read_colocation(found: Element) -> Colocation | None:
    if len(found) or not _only(found, "rsc", "with-rsc", "with-rsc-role", "score"):
        return None
    return Colocation(
        resource=found.get("rsc", ""),
        with_resource=found.get("with-rsc", ""),
        with_role=found.get("with-rsc-role"),
        score=found.get("score", "INFINITY"),
    )


def _read_order(found: Element) -> Order | None:
    if len(found) or not _only(found, "first", "then", "first-action", "then-action", "kind"):
        return None
    first_action = found.get("first-action", "start")
    return Order(
        first=found.get("first", ""),
        first_action=first_action,
        then=found.get("then", ""),
        then_action=found.get("then-action", first_action),
        requirement=found.get("kind", "Mandatory"),
    )


def _read_location(found: Element) -> Location | None:
    resource = found.get("rsc", "")
    if not len(found) and _only(found, "rsc", "node", "score", "role"):
        return Location(
            resource=resource,
            score=found.get("score", "0"),
            role=found.get("role"),
            node=found.get("node"),
        )
    rules = found.findall("rule")
    if len(found) != 1 or len(rules) != 1 or not _only(found, "rsc"):
        return None
    rule = rules[0]
    expressions = rule.findall("expression")
    plain = _only(rule, "score", "role", "boolean-op") and len(expressions) == len(rule)
    if not plain or (len(expressions) > 1 and rule.get("boolean-op", "and") != "or"):
        return None
    return Location(
        resource=resource,
        score=rule.get("score", "0"),
        role=rule.get("role"),
        rule=[_read_expression(expression) for expression in expressions],
    )


def _read_expression(found: Element) -> Expression:
    return Expression(
        attribute=found.get("attribute", ""),
        operation=found.get("operation", ""),
        value=found.get("value"),
        type=found.get("type"),
    )
