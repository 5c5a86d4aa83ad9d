"""Every setting of a declaration that takes text, found by walking the models, so that no new one is forgotten."""

from __future__ import annotations

import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from declaration.quantities import Duration
from declaration.site import Site

KEY = "KEY"
"""Stands in a path for the name of an entry in a section whose names are the site's own."""


@dataclass(frozen=True)
class StringSetting:
    """Where text goes: a setting, an entry of a list (``[0]``), a value in a section, or the ``key`` of one there."""

    path: str
    choices: tuple[str, ...] = ()
    duration: bool = False
    key: bool = False


def string_settings() -> list[StringSetting]:
    """All of them, each once, in the order of the models."""
    return list(dict.fromkeys(_of_model(Site, "")))


def other_settings() -> list[tuple[str, str]]:
    """All others, as path and kind: ``int``, ``bool``, ``list`` or ``section``; sections of a list's entries too."""
    return list(dict.fromkeys(_others(Site, "")))


def _others(annotation: Any, path: str) -> Iterator[tuple[str, str]]:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        yield from _others(arguments[0], path)
    elif origin in {Union, types.UnionType}:
        for each in arguments:
            yield from _others(each, path)
    elif origin is tuple:
        yield path, "list"
        yield from _others(arguments[0], f"{path}[0]")
    elif origin is dict:
        yield path, "section"
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield from [(path, "section")] if path else []
        for name, field in annotation.model_fields.items():
            yield from _others(field.annotation, f"{path}.{name}" if path else name)
    elif annotation in {int, bool}:
        yield path, annotation.__name__


def _of_model(model: type[BaseModel], path: str) -> Iterator[StringSetting]:
    for name, field in model.model_fields.items():
        yield from _of(field.annotation, f"{path}.{name}" if path else name)


def _of(annotation: Any, path: str) -> Iterator[StringSetting]:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        yield from _of(arguments[0], path)
    elif origin in {Union, types.UnionType}:
        for each in arguments:
            yield from _of(each, path)
    elif origin is Literal:
        texts = tuple(each for each in arguments if isinstance(each, str))
        yield from [StringSetting(path, choices=texts)] if texts else []
    elif origin is tuple:
        yield from _of(arguments[0], f"{path}[0]")
    elif origin is dict:
        values = list(_of(arguments[1], f"{path}.{KEY}"))
        yield StringSetting(path, key=True, duration=any(each.duration for each in values))
        yield from values
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield from _of_model(annotation, path)
    elif isinstance(annotation, type) and issubclass(annotation, str):
        yield StringSetting(path, duration=issubclass(annotation, Duration))
    elif annotation not in {int, float, bool, type(None)}:
        raise TypeError(f"{path}: nothing is known about {annotation}")
