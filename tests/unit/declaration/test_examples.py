"""The examples of the documentation are whole declarations, each reached from the one before by adding to it."""

from typing import Any

import pytest

from blueprint.site import things
from declaration.load import read
from operations.stacks import render
from tests.support.phases import EXAMPLES, Phase, example

PHASES: tuple[Phase, ...] = (1, 2, 3)


@pytest.mark.parametrize("phase", PHASES)
def test_each_is_what_it_says(phase: Phase):
    file = EXAMPLES / f"phase-{phase}.yaml"
    assert read(file.read_text(), source=str(file)).phase == phase


@pytest.mark.parametrize("phase", PHASES)
def test_squid_ha_init_writes_the_same_parts(phase: Phase):
    written = read(render("site.yaml.j2", phase=phase, stack="lyon"), "lyon")
    declared = read(example(phase), "example")
    assert [thing.name for thing in things(written, "o/s")] == [thing.name for thing in things(declared, "o/s")]


def added(old: Any, new: Any, path: str = "") -> list[str]:
    """Paths that only the new one has; anything that is changed or taken away fails."""
    if isinstance(old, dict):
        assert isinstance(new, dict)
        assert old.keys() <= new.keys(), f"{path}: taken away: {old.keys() - new.keys()}"
        inside = [each for key in old for each in added(old[key], new[key], f"{path}.{key}")]
        return inside + [f"{path}.{key}" for key in new if key not in old]
    if isinstance(old, list) and old and isinstance(old[0], dict):
        inside = [each for number, value in enumerate(old) for each in added(value, new[number], f"{path}[{number}]")]
        return inside + [f"{path}[{number}]" for number in range(len(old), len(new))]
    assert old == new, path
    return []


def test_the_second_phase_adds_a_node_and_an_address_and_what_they_need():
    assert added(example(1), example(2)) == [
        ".nodes[0].replication_address", ".nodes[1]", ".network.replication", ".virtual_ip", ".pacemaker",
    ]  # fmt: skip


def test_the_third_phase_adds_the_mirror_and_what_goes_with_it():
    assert added(example(2), example(3)) == [".log.on_full", ".mirror", ".rotation"]


def test_what_is_marked_as_new_is_what_is_new():
    pairs: tuple[tuple[Phase, Phase], ...] = ((1, 2), (2, 3))
    for before, phase in pairs:
        text = (EXAMPLES / f"phase-{phase}.yaml").read_text()
        marked = [line.split(":")[0].strip(" -") for line in text.splitlines() if line.endswith("# new")]
        names = [path.rpartition(".")[2].partition("[")[0] for path in added(example(before), example(phase))]
        assert marked == ["name" if name == "nodes" else name for name in sorted_as(text, names)]


def sorted_as(text: str, names: list[str]) -> list[str]:
    """In the order of the file; a node that was added is found by its name."""
    return sorted(names, key=lambda name: text.index("- name: qsp-b" if name == "nodes" else f"{name}:"))
