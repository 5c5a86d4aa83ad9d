"""A validation error of pydantic as a sentence about a setting."""

from __future__ import annotations

import difflib
import re
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Union, cast, get_args, get_origin

from pydantic import BaseModel

from declaration.errors import Mistake
from declaration.left_out import left_out
from declaration.site import Site
from declaration.types import Secret, quoting_hint

Location = Sequence[int | str]
Sentence = Callable[[Location, object, Mapping[str, Any]], str]

_LONGEST_SHOWN = 80
_BEFORE_HOST = re.compile(r"(:(?://)?).*@")
"""In the address of a host: the user and the password, or the password alone where no scheme stands in front."""
_AFTER_USER = re.compile(r":.+", re.DOTALL)
_LOGINS = {"login", "user", "users"}
"""Settings in which somebody may have written the password behind the name."""


def explain(location: Location, kind: str, context: Mapping[str, Any], found: object, message: str = "") -> Mistake:
    """The mistake behind one error of pydantic: its place, type, context, input and message."""
    sentences: dict[str, Sentence] = {
        "missing": _missing,
        "extra_forbidden": _unknown,
        "wrong": lambda _l, _f, _c: str(context["expected"]),
        "literal_error": _choice,
        "int_type": lambda _l, _f, _c: f"a whole number{_text_number(found)}",
        "bool_type": lambda _l, _f, _c: "`true` or `false`, without quotes",
        "tuple_type": lambda _l, _f, _c: "a list, such as `[a, b]`",
        "model_type": _section,
        "greater_than_equal": lambda _l, _f, _c: f"a whole number, at least {context['ge']}",
        "less_than_equal": lambda _l, _f, _c: f"a whole number, at most {context['le']}",
        "too_short": lambda _l, _f, _c: f"a list of at least {context['min_length']}",
        "too_long": lambda _l, _f, _c: f"a list of at most {context['max_length']}",
    }
    sentence = sentences.get(kind)
    expected = sentence(location, found, context) if sentence else message
    return Mistake(path_of(location), _shown(location, kind, found), expected)


def _shown(location: Location, kind: str, found: object) -> str | None:
    """What stands there, without what may be secret in it."""
    if kind == "missing":
        return None
    if kind == "extra_forbidden":
        return show(location[-1])
    if isinstance(found, str) and _model_at(location) is Secret:
        return "a text, perhaps the secret itself"
    if isinstance(found, str) and _LOGINS & set(location):
        return show(_AFTER_USER.sub(":…", found))
    return show(found)


def path_of(location: Location) -> str:
    """``("nodes", 0, "name")`` as ``nodes[0].name``; in names that are the site's own, what is invisible is escaped."""
    path = ""
    for part in location:
        # pydantic's word for the name of an entry, as opposed to its value
        if part != "[key]":
            path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path if path.isprintable() else path.encode("unicode_escape").decode()


def show(value: object) -> str:
    """A value as it might stand in YAML, on one line, not too long, and without the password of an address in it."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "a section"
    if isinstance(value, list | tuple):
        count = len(cast("Sequence[object]", value))
        return f"a list of {count}" if count else "an empty list"
    text = value if isinstance(value, str) else repr(value)
    text = text.encode("unicode_escape").decode() if not text.isprintable() else text
    if not text.strip():
        return f"'{text}'"
    text = _BEFORE_HOST.sub(r"\1…@", text)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


def _model_at(location: Location) -> type[BaseModel] | None:
    """The section that ``location`` names, found by walking the models."""
    here: object = Site
    for part in location:
        if isinstance(part, int):
            here = next((a for a in get_args(_bare(here)) if a is not Ellipsis), None)
        elif isinstance(here, type) and issubclass(here, BaseModel):
            field = here.model_fields.get(part)
            here = _bare(field.annotation) if field else None
        else:
            return None
    here = _bare(here)
    return here if isinstance(here, type) and issubclass(here, BaseModel) else None


def _bare(annotation: object) -> object:
    """An annotation without ``None`` and without what ``Annotated`` and aliases add."""
    if get_origin(annotation) in {Union, types.UnionType}:
        return _bare(next(a for a in get_args(annotation) if a is not type(None)))
    inner = getattr(annotation, "__origin__", None)
    return _bare(inner) if hasattr(annotation, "__metadata__") and inner is not None else annotation


def _names(model: type[BaseModel]) -> str:
    return ", ".join(f"`{name}`" for name in model.model_fields)


def _missing(location: Location, found: object, context: Mapping[str, Any]) -> str:
    del found, context
    model = _model_at(location[:-1])
    field = model.model_fields.get(str(location[-1])) if model else None
    about = (field.description or "").replace("\n", " ") if field else ""
    return f"this setting is required. {about}".rstrip(" .") if about else "this setting is required"


def _unknown(location: Location, found: object, context: Mapping[str, Any]) -> str:
    del found, context
    reason = left_out(tuple(location))
    if reason:
        return reason
    near = meant(location)
    if near:
        return f"there is no such setting; perhaps `{near}` is meant"
    model = _model_at(location[:-1])
    name = str(location[-1])
    elsewhere = _place_of(name, Site, ())
    if elsewhere:
        return f"there is no such setting here; `{path_of(elsewhere)}` is one"
    return f"there is no such setting; known here: {_names(model)}" if model else "there is no such setting"


def meant(location: Location) -> str:
    """The setting of the same section that may be meant by one that there is not; '' for none."""
    model = _model_at(location[:-1])
    if model is None or left_out(tuple(location)):
        return ""
    name = str(location[-1]).lower().replace("-", "_")
    near = difflib.get_close_matches(name, list(model.model_fields), n=1, cutoff=0.6)
    return near[0] if near else ""


def _place_of(name: str, model: type[BaseModel], path: tuple[str, ...]) -> tuple[str, ...] | None:
    """Where else a setting of this name stands, for one that was indented wrongly."""
    if name in model.model_fields:
        return (*path, name)
    for setting, field in model.model_fields.items():
        below = _bare(field.annotation)
        if isinstance(below, type) and issubclass(below, BaseModel):
            found = _place_of(name, below, (*path, setting))
            if found:
                return found
    return None


def _choice(location: Location, found: object, context: Mapping[str, Any]) -> str:
    options = str(context["expected"]).replace("'", "`")
    if tuple(location) == ("engine",):
        return f"an engine that this release knows: {options}"
    hint = quoting_hint(found) if not isinstance(found, str) else ""
    near = difflib.get_close_matches(str(found), options.replace("`", "").replace(" or ", ", ").split(", "), n=1)
    return f"{options}{hint}" + (f"; perhaps `{near[0]}` is meant" if near else "")


def _section(location: Location, found: object, context: Mapping[str, Any]) -> str:
    del found, context
    model = _model_at(location)
    if model is Secret:
        by_name = f"`{location[-1]}: {{secret: NAME}}`"
        return f"a section with a secret's name, {by_name}; its value is set by `pulumi config set --secret NAME`"
    return f"a section with {_names(model)}" if model else "a section"


def _text_number(found: object) -> str:
    if isinstance(found, str) and found.strip().isdigit():
        return ", without quotes"
    return ""
