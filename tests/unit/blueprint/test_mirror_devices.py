"""The mirror's disk has another path on each node: what each thing of the site is told of it."""

from __future__ import annotations

from typing import Any

import pytest

from blueprint.site import things
from declaration.load import read
from providers import applied, wire
from providers.kinds import load_kind
from providers.places import belongs_to
from tests.support.sites import lab_settings

OWN = "/dev/disk/by-id/of-b"
COMMON = "/dev/disk/by-id/virtio-data"
NAMES = ("qsp-a", "qsp-b")
KINDS = {"pacemaker": "storage.mirror", "lifekeeper": "lifekeeper.mirror"}


def mirror_of(engine: str, *, own: str | None = OWN, away: bool = False, **mirror: str) -> Any:
    raw: dict[str, Any] = lab_settings(engine=engine)
    raw["mirror"] |= mirror
    raw["nodes"][1] |= {"mirror_device": own} if own else {}
    raw["nodes"][1] |= {"away": True} if away else {}
    return next(each for each in things(read(raw, "test"), "o/s") if each.kind == KINDS[engine]).inputs


@pytest.mark.parametrize("engine", KINDS)
def test_each_node_has_its_own_path_and_the_thing_still_belongs_to_both(engine: str) -> None:
    wanted = mirror_of(engine)
    assert wanted.devices == {"qsp-a": COMMON, "qsp-b": OWN}
    assert [wanted.device_on(name) for name in NAMES] == [COMMON, OWN]
    assert belongs_to(wanted, NAMES) == list(NAMES)
    assert wire.decode(load_kind(KINDS[engine]).Wanted, wire.encode(wanted)) == wanted


@pytest.mark.parametrize("engine", KINDS)
@pytest.mark.parametrize("own", [None, COMMON])
def test_a_site_whose_nodes_have_one_path_is_applied_as_by_earlier_releases(engine: str, own: str | None) -> None:
    wanted = mirror_of(engine, own=own)
    assert wanted.devices == {}
    assert not [path for path in applied.digests(wanted) if path.startswith("devices")]
    before = {name: each for name, each in wire.encode(wanted).items() if name != "devices"}
    assert wire.decode(load_kind(KINDS[engine]).Wanted, before) == wanted


def test_what_is_on_the_disk_is_noted_where_it_is_to_be_wiped_and_changes_no_other_site() -> None:
    kept, wiped = mirror_of("pacemaker"), mirror_of("pacemaker", on_remove="wipe")
    assert (kept.filesystem, kept.label) == (None, None)
    assert (wiped.filesystem, wiped.label) == ("ext3", "squid-mirror")
    assert not {"filesystem", "label"} & {*applied.digests(kept), *wire.encode(kept)}


@pytest.mark.parametrize("engine", KINDS)
def test_a_node_that_is_away_is_not_among_those_that_the_thing_belongs_to(engine: str) -> None:
    wanted = mirror_of(engine, away=True)
    assert wanted.devices == {"qsp-a": COMMON}
    assert belongs_to(wanted, NAMES) == ["qsp-a"]


def test_the_file_of_drbd_is_one_for_both_nodes_and_names_both_disks() -> None:
    first, second = (
        next(each.content for each in half.settings.files.values() if "resource " in (each.content or ""))
        for half in mirror_of("pacemaker").nodes.values()
    )
    assert first == second
    assert f"disk {COMMON};" in first.split("on qsp-a {")[1].split("}")[0]
    assert f"disk {OWN};" in first.split("on qsp-b {")[1].split("}")[0]


def test_the_resource_of_lifekeeper_has_its_own_device_on_each_node() -> None:
    nodes = mirror_of("lifekeeper").nodes
    assert [nodes[name].properties for name in NAMES] == [{"device": COMMON}, {"device": OWN}]
