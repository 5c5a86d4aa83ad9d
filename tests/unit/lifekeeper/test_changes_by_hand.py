"""Changes by hand, on a pair in memory: drift names what was changed and nothing else, `up` repairs it or says why not.

On real hosts they are made by tests/hosts/test_lifekeeper.py and tests/cluster/test_lifekeeper_mirror.py.
"""

from __future__ import annotations

import asyncio
import shlex
import types
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Union, cast, get_args, get_origin

import pytest

from blueprint.site import things
from blueprint.thing import Thing
from declaration.engines.lifekeeper import Address, FailoverConfirmation, LifeKeeper
from declaration.load import read
from providers import reconcile
from providers.connection.command import command
from providers.connection.errors import HostError
from providers.contract import State
from providers.kinds import KINDS, load_kind
from providers.lifekeeper import paths, resource, views
from tests.support import lifekeeper_changes as table
from tests.support import lifekeeper_unchanged as others
from tests.support.by_hand import Change, Hand
from tests.support.lifekeeper_changes import MIRROR, PHASE_2
from tests.support.sites import on_lifekeeper, reference, with_all_of_lifekeeper
from tests.support.things import OWNER, UNTOLD, Found, found_by_drift
from tests.unit.lifekeeper.fake import Pair

LAB = Path("/lab/run")


def listed(site: dict[str, Any]) -> list[Thing]:
    """LifeKeeper's things without what the pair in memory has not: scripts, and files on the mirror."""
    made: list[Any] = [each for each in things(read(site, "test"), OWNER) if each.kind.startswith("lifekeeper.")]
    for each in made:
        for name in ("directories", "files", "mount_points"):
            getattr(each.inputs, name, {}).clear()
    return made


def apply(pair: Pair, wanted: list[Thing]) -> None:
    for each in wanted:
        asyncio.run(reconcile.apply(each.kind, pair.cluster(each.name), each.inputs))


def found(pair: Pair, wanted: list[Thing]) -> set[Found]:
    return asyncio.run(found_by_drift(pair.cluster(), wanted))


def typed(pair: Pair, hands: Sequence[Hand]) -> None:
    for hand in hands:
        done = pair.run(hand.node, command(*shlex.split(hand.shell)))
        assert done.exit_code == 0, (hand, done)


def tried(pair: Pair, wanted: list[Thing], change: Change, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "ALIVE_LIMIT", 0.0)
    apply(pair, wanted)
    names = {each.name for each in wanted}
    typed(pair, change.by_hand)
    assert found(pair, wanted) == {each for each in change.found if each.thing in names}
    for repair in range(2):
        differing = {each.thing for each in found(pair, wanted)}
        named = [each for each in wanted if each.name in differing]
        if change.refused and repair == 0:
            with pytest.raises(HostError, match=change.refused):
                apply(pair, named)
            typed(pair, change.back)
        else:
            apply(pair, named)
    assert found(pair, wanted) == set()


def mentions(change: Change, tag: str) -> bool:
    return any(f" {tag}" in hand.line for hand in change.by_hand)


IN_MEMORY = {what: each for what, each in PHASE_2.items() if each.spoken and not mentions(each, table.APP)}
MIRROR_IN_MEMORY = {what: each for what, each in MIRROR.items() if each.spoken}


@pytest.mark.thorough
@pytest.mark.parametrize("what", IN_MEMORY)
def test_a_change_by_hand_is_named_and_repaired(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    site = on_lifekeeper(LAB)
    pair = Pair(table.A, table.B)
    pair.lcds[table.B].units["squid.service"] = "active"  # so that it is active there, as on the hosts
    tried(pair, listed(site), IN_MEMORY[what], monkeypatch)


@pytest.mark.thorough
@pytest.mark.parametrize("what", MIRROR_IN_MEMORY)
def test_a_change_of_the_mirror_by_hand_is_named_and_repaired(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = [each for each in listed(reference(LAB, "lifekeeper")) if each.name not in ("tree-squid", "tree-address")]
    tried(Pair(table.A, table.B), wanted, MIRROR_IN_MEMORY[what], monkeypatch)


# Every property is in a table, or it is said why not


def complete() -> list[Thing]:
    """Everything of LifeKeeper's that a site can have."""
    without_mirror = things(read(with_all_of_lifekeeper(on_lifekeeper(LAB)), "test"), OWNER)
    with_mirror = things(read(reference(LAB, "lifekeeper"), "test"), OWNER)
    return [each for each in (*without_mirror, *with_mirror) if each.kind.startswith("lifekeeper.")]


def properties(model: type[State], prefix: str = "") -> Iterator[str]:
    """Each property as `others.pattern` writes it; ``*`` for any key."""
    for name, field in model.model_fields.items():
        yield from _of(field.annotation, f"{prefix}{name}")


def _of(annotation: Any, path: str) -> Iterator[str]:
    arms = [each for each in get_args(annotation) if each is not types.NoneType]
    origin = get_origin(annotation)
    if origin is dict:
        yield from _value(arms[-1] if len(arms) > 1 else arms[0], f"{path}.*")
    elif isinstance(annotation, type) and issubclass(annotation, State):
        yield from properties(annotation, f"{path}.")
    elif origin in (Union, types.UnionType) and len(arms) == 1:
        yield from _of(arms[0], path)
    else:
        yield path


def _value(annotation: Any, path: str) -> Iterator[str]:
    """Of a mapping: the entry itself where it may be missing on a node, and what is in it."""
    arms = get_args(annotation) or (annotation,)
    states = [each for each in arms if isinstance(each, type) and issubclass(each, State)]
    if states and types.NoneType in arms:
        yield path
    yield from (each for state in states for each in properties(state, f"{path}."))
    if not states:
        yield path


def expanded(kind: str, wanted: list[Thing]) -> set[str]:
    """With the keys of the settings and of the kits' properties, which the models leave open."""
    made = set(properties(load_kind(kind).Wanted))
    nodes = [node for each in wanted if each.kind == kind for node in _nodes(each)]
    for name, more in (("settings", ()), ("properties", (*resource.FOUND_ONLY, *of_the_kit(kind, wanted)))):
        if (path := f"nodes.*.{name}.*") in made:
            keys = {key for node in nodes for key in getattr(node, name)} | set(more)
            made = made - {path} | {f"nodes.*.{name}.{key}" for key in keys}
    return made


def of_the_kit(kind: str, wanted: list[Thing]) -> set[str]:
    """Properties that one kind's kit alone shows, and that are never declared."""
    kits = [kit for tag, kit in table.KITS.items() if kinds(wanted)[table.THINGS[tag]] == kind]
    return {key for kit in kits for key in (*kit.along, *kit.by_hand)}


def kinds(wanted: list[Thing]) -> dict[str, str]:
    """Thing → its kind."""
    return {each.name: each.kind for each in wanted}


def _nodes(thing: Any) -> list[Any]:
    return list(thing.inputs.nodes.values())


ENGINE = [kind for kind in KINDS if kind.startswith("lifekeeper.")]


@pytest.mark.parametrize("kind", ENGINE)
def test_every_property_can_be_changed_by_hand_or_it_is_said_why_not(kind: str) -> None:
    wanted = complete()
    changed = others.covered(kinds(wanted), {**PHASE_2, **MIRROR})[kind]
    told, there = set(others.UNCHANGED[kind]), expanded(kind, wanted)
    assert there - changed - told == set(), "neither in a table of changes nor with a reason in UNCHANGED"
    assert changed - there == set(), "changes of what is no property"
    assert told - there == set(), "reasons for what is no property"
    assert told & changed == set(), "with a change as well as with a reason why there is none"


def paths_of(value: object, path: str = "") -> Iterator[str]:
    """Every property of a thing and every group of them, as drift names it."""
    yield path
    if isinstance(value, dict):
        for key, each in cast("dict[str, object]", value).items():
            yield from paths_of(each, reconcile.join(path, key))


def test_what_the_tables_expect_of_drift_is_declared_on_the_hosts_that_they_are_for() -> None:
    own = [key for kit in table.KITS.values() for key in (*kit.along, *kit.by_hand)]
    never = tuple(f"properties.{key}" for key in (*resource.FOUND_ONLY, *own))
    sites = (with_all_of_lifekeeper(on_lifekeeper(LAB)), PHASE_2), (reference(LAB, "lifekeeper"), MIRROR)
    for site, changes in sites:
        declared = {each.name: set(paths_of(each.inputs.model_dump())) for each in things(read(site, "test"), OWNER)}
        for what, change in changes.items():
            for thing, _, path in change.found:
                assert path in (UNTOLD, "") or path.endswith(never) or path in declared[thing], (what, path)


def test_the_site_of_that_test_declares_every_setting_of_the_engine() -> None:
    section = read(with_all_of_lifekeeper(on_lifekeeper(LAB)), "test").lifekeeper
    assert section is not None
    sections = (LifeKeeper, section), (Address, section.address), (FailoverConfirmation, section.failover_confirmation)
    for model, given in sections:
        optional = {name for name, field in model.model_fields.items() if field.default in (None, ())}
        # Scripts for Squid go with the other kit: tests/hosts/test_lifekeeper_application.py changes one of theirs. A
        # backup interface is set by hand alone, and compared with none there.
        assert optional - given.model_fields_set <= {"squid_scripts", "backup_interface"}


@pytest.mark.parametrize("tag", table.KITS)
def test_a_kit_shows_what_is_declared_of_it(tag: str) -> None:
    """So that a property which a kit shows is among those that the test above knows."""
    thing: Any = next(each for each in complete() if getattr(each.inputs, "tag", "") == tag)
    kit = table.KITS[tag]
    instance = views.Instance(kit.app, kit.type, tag, tag, "", "OSU")
    declared = thing.inputs.nodes[table.A].properties
    assert set(kit.properties(thing.inputs, table.A, instance)) == set(declared)
