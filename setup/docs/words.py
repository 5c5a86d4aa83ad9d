"""What a node of the tree takes, in words."""

from __future__ import annotations

import json
from typing import cast

from setup.docs.template import flow
from setup.docs.tree import Tree, is_secret, kind_of, section_in

_PLAIN = {"integer": "a whole number", "boolean": "`true` or `false`", "string": "text"}


def type_of(node: Tree) -> str:
    """The type: a phrase that goes on after "is"."""
    if is_secret(node):
        return "a secret by name, `{secret: NAME}`; its value is set by `pulumi config set --secret NAME`"
    if "x-expected" in node:
        return str(node["x-expected"])
    if "enum" in node:
        return "a word"
    kind = kind_of(node)
    if kind == "array":
        section = section_in(node["items"])
        return "a list of sections" if section else f"a list; each entry is {type_of(node['items'])}"
    if kind == "object":
        return _of_object(node)
    return _PLAIN[kind]


def _of_object(node: Tree) -> str:
    if "properties" in node:
        return "a section"
    values = next(iter(node["patternProperties"].values())) if "patternProperties" in node else {"type": "string"}
    names = type_of(node["propertyNames"])
    return f"a section of the site's own names. Each name is {names}; each value is {type_of(values)}"


def unit_of(node: Tree) -> str:
    """The unit behind its numbers; '' where they have none."""
    return str(node.get("x-unit") or (unit_of(node["items"]) if "items" in node else ""))


def allowed(node: Tree) -> str:
    """The values that it takes, where that can be said besides its type; '' where not."""
    if "enum" in node:
        return ", ".join(f"`{value}`" for value in node["enum"] if value is not None)
    if kind_of(node) == "array":
        entries = _between(node.get("minItems"), node.get("maxItems"), " entries")
        each = allowed(node["items"])
        return "; ".join(filter(None, (entries, f"each {each}" if each else "")))
    return _between(node.get("minimum"), node.get("maximum"), "")


def _between(least: int | None, most: int | None, what: str) -> str:
    if least is not None and most is not None:
        return f"{least} to {most}{what}"
    if least is not None:
        return f"at least {least}{what}".replace("1 entries", "1 entry")
    return f"at most {most}{what}" if most is not None else ""


def default_of(node: Tree) -> str:
    """The default as it would be written; '' where there is none."""
    if "x-default" in node:
        return str(node["x-default"])
    value: object = node.get("default")
    if value is None:
        return ""
    return json.dumps(value) if isinstance(value, bool) else flow(_unquoted(value, node))


def _unquoted(value: object, node: Tree) -> object:
    """Numbers where they may be written as such: as text they would be quoted."""
    if isinstance(value, list):
        return [_unquoted(each, node["items"]) for each in cast("list[object]", value)]
    numbers = any(each.get("type") == "integer" for each in node.get("anyOf", ()))
    return int(value) if numbers and isinstance(value, str) and value.isdigit() else value
