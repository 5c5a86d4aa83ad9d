"""Between a model and Pulumi: numbers become floats, None vanishes, the order of maps is lost, keys are added.

``decode(type(x), wire(encode(x))) == x`` for every kind's model, where ``wire`` does all of that. A None as a value
in a map is the one exception: it vanishes with its key, and means the same ("not there").
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

from providers.contract import MISSING_IS_NONE, State

S = TypeVar("S", bound=State)

EXACT = 2**53
"""Beyond this a float no longer tells every whole number apart."""


class WireError(ValueError):
    """A value that would not come back from Pulumi as what it was."""


def encode(model: State) -> dict[str, Any]:
    """``model`` as inputs or outputs of a resource, defaults written out. Raises `WireError`."""
    encoded: dict[str, Any] = model.model_dump(mode="json", exclude_none=True)
    _refuse_large(encoded, "")
    return encoded


def decode(model_type: type[S], props: Mapping[str, Any]) -> S:
    """The model in ``props``, whatever other outputs stand beside it. Raises `ValidationError`, `WireError`.

    Defaults are always written out on the way there, so what may be None and is missing was None, whatever the
    field's default is.
    """
    known = {name: props[name] for name in model_type.model_fields if props.get(name) is not None}
    model = model_type.model_validate(known, context=MISSING_IS_NONE)
    _refuse_booleans(known, model.model_dump(mode="json"), "")
    return model


def _refuse_large(value: object, path: str) -> None:
    for key, each in _items(value):
        _refuse_large(each, f"{path}.{key}")
    if isinstance(value, int) and abs(value) > EXACT:
        raise WireError(f"{path.removeprefix('.')}: {value} is too large a number to survive; make it text")


def _refuse_booleans(raw: object, read: object, path: str) -> None:
    """Pydantic reads True as 1; a map or list is walked beside what was read from it."""
    if isinstance(raw, bool) and isinstance(read, int | float) and not isinstance(read, bool):
        raise WireError(f"{path.removeprefix('.')}: expected a number, found {raw}")
    found = dict(_items(read))
    for key, each in _items(raw):
        if key in found:
            _refuse_booleans(each, found[key], f"{path}.{key}")


def _items(value: object) -> list[tuple[object, object]]:
    if isinstance(value, Mapping):
        return list(cast("Mapping[object, object]", value).items())
    if isinstance(value, list | tuple):
        return list(enumerate(cast("list[object]", value)))
    return []
