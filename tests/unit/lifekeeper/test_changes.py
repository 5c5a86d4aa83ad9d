"""What LifeKeeper cannot change in place is refused at preview, and not reported as done."""

from typing import Any

import pytest

from blueprint.site import things
from declaration.load import read
from providers.kinds import load_kind
from providers.lifekeeper import mirror, node
from tests.unit.lifekeeper.sites import settings
from tests.unit.lifekeeper.test_providers import OWNER


def put(raw: dict[str, Any], path: str, value: object) -> None:
    *way, last = path.split(".")
    for name in way:
        raw = raw.setdefault(name, {})
    raw[last] = value


def refused(path: str, value: object) -> dict[str, str]:
    """Thing → why it does not change, for a site in which this setting changes."""
    before, after = settings(), settings()
    put(after, path, value)
    old, new = ({each.name: each for each in things(read(raw, "test"), OWNER)} for raw in (before, after))
    judged = {name: getattr(load_kind(each.kind), "refusal", None) for name, each in new.items() if name in old}
    said = {name: judge(old[name].inputs, new[name].inputs) for name, judge in judged.items() if judge}
    return {name: text for name, text in said.items() if text}


@pytest.mark.parametrize(
    ("path", "value", "thing", "setting"),
    [
        ("virtual_ip", "192.0.2.99", "tree-address", "`virtual_ip`"),
        ("mirror.filesystem", "xfs", "tree-mirror", "`mirror.filesystem`"),
        ("mirror.device", "/dev/disk/by-id/scsi-0OTHER", "tree-mirror", "`mirror.device`"),
        ("mirror.mount_point", "/mnt/other", "tree-filesystem", "`mirror.mount_point`"),
        ("lifekeeper.replication.mode", "asynchronous", "tree-mirror", "`lifekeeper.replication.mode`"),
        ("lifekeeper.replication.bitmap", "/opt/bitmap", "tree-mirror", "`lifekeeper.replication.bitmap`"),
        ("lifekeeper.tags", {"squid": "proxy"}, "tree-squid", "the tag"),
        ("lifekeeper.tags", {"filesystem": "/data"}, "tree-mirror", "the filesystem's tag"),
    ],
)
def test_a_change_that_no_command_makes_is_refused(path: str, value: object, thing: str, setting: str) -> None:
    said = refused(path, value)
    assert said[thing].startswith(f"{setting} of "), said
    assert "pulumi destroy --target" in said[thing]


@pytest.mark.parametrize(
    ("path", "value"),
    [("lifekeeper.priorities", [10, 20]), ("lifekeeper.replication.hierarchy", "existing"), ("squid.port", 8080)],
)
def test_other_changes_are_not(path: str, value: object) -> None:
    assert refused(path, value) == {}


def judged(before: dict[str, Any], after: dict[str, Any]) -> str | None:
    """Why the product itself does not become this."""
    old, new = (
        next(each for each in things(read(raw, "test"), OWNER) if each.name == "lifekeeper").inputs
        for raw in (before, after)
    )
    assert isinstance(old, node.Wanted)
    assert isinstance(new, node.Wanted)
    return node.refusal(old, new)


@pytest.mark.parametrize("before", [{}, {"heartbeat": {"interval": "5s", "misses": 3}}])
@pytest.mark.parametrize("away_before", [False, True])
def test_the_heartbeat_does_not_change_on_one_node_alone(before: dict[str, Any], away_before: bool) -> None:
    old, new = settings(**before), settings(heartbeat={"interval": "1s", "misses": 2})
    new["nodes"][1]["away"] = True
    if away_before:
        old["nodes"][1]["away"] = True
    assert "while one of its nodes is away: LCMHBEATTIME from" in (judged(old, new) or "")


def test_with_both_nodes_it_does_and_a_node_that_is_away_keeps_no_other_setting_from_changing() -> None:
    heartbeat = {"interval": "1s", "misses": 2}
    assert judged(settings(), settings(heartbeat=heartbeat)) is None
    old, new = settings(heartbeat=heartbeat), settings(heartbeat=heartbeat, check_interval="60s")
    new["nodes"][1]["away"] = True
    assert judged(old, new) is None


def test_a_node_that_comes_back_is_no_change_of_addresses() -> None:
    away = settings()
    away["nodes"][1]["away"] = True
    old, new = (
        next(each for each in things(read(raw, "test"), OWNER) if each.name == "tree-mirror").inputs
        for raw in (away, settings())
    )
    assert isinstance(old, mirror.Wanted)
    assert isinstance(new, mirror.Wanted)
    assert mirror.refusal(old, new) is None


def mirror_of(raw: dict[str, Any], **shown: str) -> mirror.Wanted:
    """The mirror of a site, as a refresh has recorded it where this was shown on both nodes."""
    wanted = next(each for each in things(read(raw, "test"), OWNER) if each.name == "tree-mirror").inputs
    assert isinstance(wanted, mirror.Wanted)
    nodes = {
        name: node and node.model_copy(update={"properties": {**node.properties, **shown}})
        for name, node in wanted.nodes.items()
    }
    return wanted.model_copy(update={"nodes": nodes})


def with_bitmap(path: str | None) -> dict[str, Any]:
    return settings(replication={"bitmap": path} if path else {})


CUSTOMARY = "/opt/LifeKeeper/bitmap__mnt_mirror"


@pytest.mark.parametrize(("before", "after", "shown"), [(None, "/srv/bitmap", "/srv/bitmap"), ("/b", None, CUSTOMARY)])
def test_the_file_may_follow_a_bitmap_that_was_seen_on_both_nodes(before: Any, after: Any, shown: str) -> None:
    new = mirror_of(with_bitmap(after))
    assert mirror.refusal(mirror_of(with_bitmap(before), bitmap=shown), new) is None
    for seen in ({}, {"bitmap": "/another/bitmap"}):
        told = mirror.refusal(mirror_of(with_bitmap(before), **seen), new)
        assert told is not None
        assert "`pulumi up --refresh` sees that" in told
    on_one = mirror_of(with_bitmap(before), bitmap=shown)
    nodes = {**on_one.nodes, "proxy-b": new.nodes["proxy-b"]}
    assert mirror.refusal(on_one.model_copy(update={"nodes": nodes}), new) is not None


def test_the_file_may_follow_addresses_that_were_seen_on_both_nodes() -> None:
    after = settings()
    for each in after["nodes"]:
        each["replication_address"] = each["replication_address"].replace("172.16.77.1", "172.16.77.2")
    shown = after["nodes"][1]["replication_address"]
    assert mirror.refusal(mirror_of(settings(), replication_address=shown), mirror_of(after)) is None
    told = mirror.refusal(mirror_of(settings()), mirror_of(after))
    assert told is not None
    assert told.startswith("the replication addresses of ")
