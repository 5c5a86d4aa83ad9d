"""The models of the declaration as one tree of JSON Schema: pydantic's own, without references and with tidy words.

Keywords of the tree's own begin with ``x-``: those of `declaration.types.Told`; of a section ``x-model``, the name of
its model, ``x-about``, what the model says of itself, and ``x-defaults-inside``, if it is there without being written.
"""

from __future__ import annotations

from typing import Any, cast

from declaration.site import Site

Tree = dict[str, Any]

_REFERENCE = "#/$defs/"
_LENGTHS = {"minLength": "minItems", "maxLength": "maxItems"}


def site_tree() -> Tree:
    """The tree of a whole site."""
    schema: Tree = Site.model_json_schema()
    models: dict[str, Tree] = schema.pop("$defs")
    return _tidy({**schema, "x-model": "Site"}, models)


def _tidy(node: Tree, models: dict[str, Tree]) -> Tree:
    """``node`` with its references put in place; a setting's own description goes before its model's."""
    reference = node.get("$ref")
    if reference:
        name = str(reference).removeprefix(_REFERENCE)
        own = {key: value for key, value in node.items() if key != "$ref"}
        return _tidy({**models[name], "x-model": name, "x-about": _line(models[name]), **own}, models)
    tidy = _keywords(node)
    for name in ("properties", "patternProperties"):
        if name in tidy:
            tidy[name] = {key: _tidy(below, models) for key, below in tidy[name].items()}
    for name in ("items", "propertyNames"):
        if name in tidy:
            tidy[name] = _tidy(tidy[name], models)
    if "anyOf" in tidy:
        return _choice(tidy, [_tidy(each, models) for each in tidy.pop("anyOf")])
    return tidy


def _keywords(node: Tree) -> Tree:
    """A node's own keywords: no titles, which only repeat names, and no default that is none."""
    tidy = {key: value for key, value in node.items() if key not in {"title", "const", "default"}}
    if tidy.get("type") == "array":
        # What pydantic writes for a list behind a validator.
        tidy = {_LENGTHS.get(key, key): value for key, value in tidy.items()}
    if "description" in tidy:
        tidy["description"] = _line(tidy)
    if "patternProperties" in tidy:
        tidy["additionalProperties"] = False
    if "const" in node:
        tidy["enum"] = [node["const"]]
    default: object = node.get("default")
    # A list that must not be empty, and is unless it is written, is not there.
    no_list = default == [] and tidy.get("minItems", 0) > 0
    if isinstance(default, dict):
        tidy["x-defaults-inside"] = True
    elif default is not None and not no_list:
        tidy["default"] = default
    return tidy


def _choice(node: Tree, choices: list[Tree]) -> Tree:
    """One of several kinds; one kind or nothing is that kind itself, which editors understand better."""
    kinds = [each for each in choices if each.get("type") != "null"]
    if len(kinds) == len(choices) or len(kinds) > 1:
        return {**node, "anyOf": choices}
    only = {**kinds[0], **node}
    if "enum" in only:
        only["enum"] = [*only["enum"], None]
    return {**only, "type": [kinds[0]["type"], "null"]} if "type" in kinds[0] else {**node, "anyOf": choices}


def _line(node: Tree) -> str:
    return " ".join(str(node.get("description", "")).split())


def kind_of(node: Tree) -> str:
    """The type of a node's values, leaving aside that there may be none; '' where there are several."""
    kinds = node.get("type", "")
    return str(cast("list[object]", kinds)[0]) if isinstance(kinds, list) else str(kinds)


def section_in(node: Tree) -> Tree | None:
    """The section that a node is, or that the entries of a list are, or that is one of its choices."""
    if "properties" in node:
        return node
    below = [node["items"]] if "items" in node else node.get("anyOf", [])
    found = [section_in(each) for each in below]
    return next((each for each in found if each is not None), None)


def is_secret(node: Tree) -> bool:
    """Whether a section stands for a secret by name."""
    return node.get("x-model") == "Secret"
