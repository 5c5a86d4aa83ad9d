"""What an editor says of a declaration: the schema of stack files, held against the declaration's own verdict."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from jsonschema import Draft7Validator
from pydantic import ValidationError

from declaration.load import CONFIG_KEY
from declaration.site import Site
from setup.docs.schema import stack_schema

RULES = "value_error"
"""pydantic's word for what the site's own rules refuse, which look at more than one setting."""


@cache
def checker() -> Draft7Validator:
    """For whole stack files."""
    return Draft7Validator(stack_schema())


def plain(value: object) -> Any:
    """A declaration as JSON knows it."""
    return json.loads(json.dumps(value, default=str))


def complaints(site: object) -> list[str]:
    """What an editor marks in a stack file with this site."""
    return [
        f"{'.'.join(str(part) for part in error.absolute_path)}: {error.message}"
        for error in checker().iter_errors({"config": {CONFIG_KEY: plain(site)}})
    ]


def visible(site: object) -> list[str]:
    """Mistakes that a schema can see: names, types, ranges, lengths, choices, and what is no text where one belongs."""
    try:
        Site.model_validate(site)
    except ValidationError as error:
        return [f"{each['loc']}: {each['msg']}" for each in error.errors(include_url=False) if _is_visible(each)]
    return []


def _is_visible(error: Any) -> bool:
    found = error["input"]
    if error["type"] == "int_type" and isinstance(found, float):
        # A whole number for JSON Schema, where it is one.
        return not found.is_integer()
    return error["type"] != RULES and (error["type"] != "wrong" or not isinstance(found, str))
