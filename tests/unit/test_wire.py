import functools
import importlib
import json
import random
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from providers.contract import State
from providers.kinds import KINDS
from providers.wire import EXACT, WireError, decode, encode

MODELS = [importlib.import_module(entry.module).Wanted for entry in KINDS.values()]


def wire(value: Any, *, order: random.Random) -> Any:
    """What Pulumi's gRPC structs do to a value (numbers are doubles, nulls in maps vanish, maps have no order)."""
    if isinstance(value, dict):
        items = [(key, wire(each, order=order)) for key, each in value.items() if each is not None]
        order.shuffle(items)
        return dict(items)
    if isinstance(value, list):
        return [wire(each, order=order) for each in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
PLAIN = {str: TEXT, bool: st.booleans(), int: st.integers(-EXACT, EXACT), float: st.floats(-1e6, 1e6)}


def valid(model: type[State], **fields: Any) -> State:
    """A model may have rules of its own about which values go together."""
    try:
        return model(**fields)
    except ValidationError:
        reject()


@functools.cache
def values(annotation: Any, metadata: Any = ()) -> st.SearchStrategy[Any]:  # noqa: PLR0911 - a case per type
    """Any value of a field. hypothesis knows neither pydantic's patterns nor its default factories."""
    if get_origin(annotation) is Annotated:
        return values(*get_args(annotation)[:1], annotation.__metadata__)
    for pattern in (each.pattern for each in metadata if getattr(each, "pattern", None)):
        return st.from_regex(pattern, fullmatch=True)
    if isinstance(annotation, type) and issubclass(annotation, State):
        fields = annotation.model_fields.items()
        return st.builds(
            functools.partial(valid, annotation),
            **{name: values(each.annotation, tuple(each.metadata)) for name, each in fields},
        )
    arguments = get_args(annotation)
    match get_origin(annotation):
        case origin if origin is dict:
            # A None in a map vanishes with its key and means the same; the property is about everything else.
            kept = values(arguments[1]).filter(lambda value: value is not None)
            return st.dictionaries(values(arguments[0]), kept, max_size=3)
        case origin if origin is list:
            return st.lists(values(arguments[0]), max_size=3)
        case origin if origin is Literal:
            return st.sampled_from(arguments)
        case origin if origin in (Union, UnionType):
            return st.one_of(*map(values, arguments))
        case _:
            return st.none() if annotation in (None, type(None)) else PLAIN[annotation]


@pytest.mark.thorough
@pytest.mark.timeout(180)
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__module__)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(data=st.data())
def test_every_kind_comes_back_from_pulumi_as_it_was(model, data):
    wanted = data.draw(values(model))
    sent = encode(wanted)
    assert json.loads(json.dumps(sent)) == sent
    received = wire(sent, order=random.Random(data.draw(st.integers())))
    assert decode(model, {**received, "__provider": "x", "computed": 1.0}) == wanted


class Inner(State):
    number: int
    maybe: int | None = None
    flag: bool = False


class Model(State):
    inner: dict[str, Inner]
    ratio: float = 0.5
    made: str | None = "made"


def test_none_survives_where_the_default_is_something_else():
    model = Model(inner={}, made=None)
    assert decode(Model, wire(encode(model), order=random.Random(0))) == model


@given(st.dictionaries(st.text(max_size=8), st.builds(Inner, number=st.integers(-EXACT, EXACT)), max_size=3))
def test_whole_numbers_and_odd_keys_survive(inner):
    model = Model(inner={"a.b/c[0]": Inner(number=1, flag=True), **inner})
    assert decode(Model, wire(encode(model), order=random.Random(0))) == model


def test_what_would_not_survive_is_refused():
    with pytest.raises(WireError, match=r"inner\.x\.number"):
        encode(Model(inner={"x": Inner(number=EXACT + 1)}))
    for wrong in ({"inner": {"x": {"number": True}}}, {"inner": {}, "ratio": True}):
        with pytest.raises(WireError, match="expected a number, found True"):
            decode(Model, wrong)
    for wrong in ({"inner": {"x": {"number": 1.5}}}, {"inner": {"x": {"number": 1, "else": 2}}}, {}):
        with pytest.raises(ValidationError):
            decode(Model, wrong)
