"""Which secrets a declaration names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import cast

from pydantic import BaseModel

from declaration.types import Secret


def secret_names(declared: BaseModel) -> Iterator[str]:
    """The names of all secrets that a declaration speaks of."""
    for name in type(declared).model_fields:
        yield from _named(getattr(declared, name))


def _named(value: object) -> Iterator[str]:
    if isinstance(value, Secret):
        yield value.secret
    elif isinstance(value, BaseModel):
        yield from secret_names(value)
    elif isinstance(value, Mapping):
        for each in cast("Mapping[str, object]", value).values():
            yield from _named(each)
    elif isinstance(value, list | tuple):
        for each in cast("list[object]", value):
            yield from _named(each)
