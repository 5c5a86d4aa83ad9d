"""A setting that is misspelt hides no other mistake of its section, and gives rise to none."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.declaration.conftest import SITES, changed, put, refused

Way = tuple[str | int, ...]

# what is put into the site of phase 3, right by itself and against a rule; the optional section that this looks at too
RULES = [
    ({"virtual_ip": "10.0.0.1"}, ""),
    ({"nodes[1].replication_address": "192.0.2.77"}, "network.replication"),
    ({"pacemaker.stonith_timeout": "1s"}, "pacemaker.fencing.sbd"),
    ({"log.local_file": "cache.log"}, ""),
    ({"mirror.port": 3128}, ""),
    ({"rotation.size": "1G", "rotation.schedule": "daily"}, ""),
]


def settings(section: object, way: Way = ()) -> Iterator[Way]:
    """The ways to all settings of a declaration, sections too."""
    entries = section.items() if isinstance(section, dict) else enumerate(section) if isinstance(section, list) else ()
    for name, value in entries:
        if isinstance(name, str):
            yield (*way, name)
        yield from settings(value, (*way, name))


def misspelt(site: Any, way: Way) -> str:
    """Double the last letter of a setting's name; the path it is told by."""
    *above, name = way
    section = site
    for part in above:
        section = section[part]
    slip = f"{name}{str(name)[-1]}"
    section[slip] = section.pop(name)
    return path_of((*above, slip))


def path_of(way: Way) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in way).removeprefix(".")


WAYS = sorted(settings(SITES[3]), key=str)


@given(st.sampled_from(WAYS))
def test_a_slip_alone_is_one_mistake_or_two(way):
    """The name that there is not, and where the setting is required that it is missing."""
    site = copy.deepcopy(SITES[3])
    slip = misspelt(site, way)
    told = refused(site)
    assert {mistake.path for mistake in told} <= {slip, path_of(way)}
    assert all("there is no such setting" in m.expected or "is required" in m.expected for m in told)
    assert [mistake for mistake in told if mistake.path == slip]


@given(st.sampled_from(WAYS), st.sampled_from(RULES))
def test_a_slip_hides_no_rules_mistake(way, rule):
    """Unless it is in what the rule looks at: nobody knows then whether that was meant at all."""
    broken, section = rule
    *_, at_fault = broken
    if any(f"{path}.".startswith((f"{path_of(way)}.", f"{path_of(way)}[")) for path in (*broken, section)):
        return
    site = changed(3, broken)
    (mistake,) = (m for m in refused(site) if m.path == at_fault)
    slip = misspelt(site, way)
    told = refused(site)
    assert mistake in told
    assert slip in {m.path for m in told}


@pytest.mark.parametrize(
    ("slips", "others"),
    [
        ({"pacemaker.stonith_timout": "90s", "pacemaker.fencing.sbd.message_timeout": "70s"}, {}),
        ({"nodes[0].color": "red"}, {"virtual_ip": "10.0.0.1"}),
        ({"pacemaker.stonith_timout": 90}, {"virtual_ip": "10.0.0.1"}),
    ],
)
def test_only_what_is_wrong_whatever_was_meant_is_told(site, slips, others):
    for path, value in (slips | others).items():
        put(site, path, value)
    unknown = {path for path in slips if path.endswith(("timout", "color"))}
    assert {mistake.path for mistake in refused(site)} == unknown | set(others)
