"""States that earlier versions of this program wrote: they are read, and their sites have nothing to change.

`tests/recorded/state` holds, for the reference site, what each version declared to Pulumi: the resources by name, type
and pickled provider, their properties, and the declaration that they came from. A new one is recorded at each release.
"""

from __future__ import annotations

import copy
import json
from base64 import b64decode
from pathlib import Path
from typing import Any

import dill
import pytest

from blueprint.site import things
from declaration.load import read
from providers import binding, wire
from providers.binding import KINDS, KindProvider, load
from providers.lifekeeper import speaking

RECORDED = Path(__file__).parents[2] / "recorded/state"
STATES = {path.stem: json.loads(path.read_text()) for path in sorted(RECORDED.glob("*.json"))}
LATEST, LIFEKEEPER = "0.1.0", "0.1.0-lifekeeper"
"""Of the last version before this one, a state of each engine."""
OWNER = "squid-ha/lab"


@pytest.fixture(autouse=True)
def nothing_declared_to_other_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speaking, "_DECLARED", {})


def declared(state: Any) -> dict[str, Any]:
    """Resource name → kind and properties, as this version declares the state's own site."""
    site = read(state["declaration"], "a recorded state")
    return {
        thing.name: (thing.kind, {"identity": f"{OWNER}/{thing.name}", **wire.encode(thing.inputs)})
        for thing in things(site, OWNER)
    }


def over_the_wire(value: Any) -> Any:
    """What Pulumi makes of a value: numbers are floats, nothing keeps its order."""
    if isinstance(value, dict):
        return {key: over_the_wire(value[key]) for key in sorted(value, reverse=True)}
    if isinstance(value, list):
        return [over_the_wire(each) for each in value]
    return float(value) if type(value) is int else value


def without_programs(value: Any) -> Any:
    """Scripts of ours that lie on the nodes are renewed by an upgrade, and only they: which text is no matter here."""
    if isinstance(value, dict):
        return {key: without_programs(each) for key, each in value.items()}
    return "#!" if isinstance(value, str) and value.startswith("#!") else value


def preview(state: Any) -> dict[str, str]:
    """What a preview of the state's own site would show: name → create, update or delete."""
    now, known = declared(state), {each["name"]: each for each in state["resources"]}
    found = {name: "create" for name in now if name not in known}
    found |= {name: "delete" for name in known if name not in now}
    for name, (kind, wanted) in now.items():
        if name in known:
            old = {**over_the_wire(known[name]["outputs"]), "facts": {}, "__provider": known[name]["provider"]}
            old, new = without_programs(old), without_programs(over_the_wire(wanted))
            checked = load(kind).check(old, new)
            assert not checked.failures, f"{name}: {checked.failures}"
            if load(kind).diff("x", old, new).changes:
                found[name] = "update"
    return found


ANNOUNCED: dict[str, dict[str, str]] = {LATEST: {"rotation": "update", "sbd": "update"}, LIFEKEEPER: {}}
"""What CHANGELOG.md says that an upgrade changes: a failed `squid -k rotate` fails the rotation, and a node that was
lost waits longer before it rejoins."""


def test_there_is_a_state_of_the_version_before():
    assert set(ANNOUNCED) <= set(STATES)
    assert {STATES[version]["declaration"]["engine"] for version in ANNOUNCED} == {"pacemaker", "lifekeeper"}


@pytest.mark.parametrize("version", STATES)
def test_its_providers_and_types_are_still_known(version):
    for each in STATES[version]["resources"]:
        provider = dill.loads(b64decode(each["provider"]))
        assert isinstance(provider, KindProvider)
        assert provider.kind == each["kind"]
        entry = KINDS[each["kind"]]
        assert each["type"] == f"pulumi-python:dynamic/{entry.token_module}:{entry.token_name}"


@pytest.mark.parametrize("version", STATES)
def test_its_properties_are_still_read(version):
    """A refresh and a destroy begin with the state's own properties, whatever the declaration says by then."""
    for each in STATES[version]["resources"]:
        properties = {key: value for key, value in over_the_wire(each["outputs"]).items() if key != binding.IDENTITY}
        wire.decode(binding.load_kind(each["kind"]).Wanted, properties)


@pytest.mark.parametrize("version", ANNOUNCED)
def test_after_an_upgrade_the_preview_shows_what_the_changelog_announces_and_nothing_else(version):
    assert preview(STATES[version]) == ANNOUNCED[version]


@pytest.mark.parametrize("version", sorted(set(STATES) - set(ANNOUNCED)))
def test_from_an_older_state_nothing_is_deleted(version):
    assert "delete" not in preview(STATES[version]).values()


def test_a_change_of_what_is_rendered_is_seen():
    state = copy.deepcopy(STATES[LATEST])
    state["declaration"]["squid"]["port"] = 8080
    assert preview(state)["squid-config"] == "update"


def test_a_resource_that_is_gone_is_seen():
    state = copy.deepcopy(STATES[LATEST])
    state["resources"] = [each for each in state["resources"] if each["name"] != "rotation"]
    assert preview(state) == ANNOUNCED[LATEST] | {"rotation": "create"}
