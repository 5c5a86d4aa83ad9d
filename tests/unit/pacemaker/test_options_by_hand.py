"""Options that nobody declares, and that keep a node from taking over, are drift, and taken back."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path

import pytest

from providers import reconcile
from providers.connection.errors import Refused
from providers.contract import Absent, Present
from providers.pacemaker import options
from providers.pacemaker.cib import Cib
from providers.pacemaker.model import Primitive
from tests.unit.pacemaker.simulation import SimulatedCluster
from tests.unit.pacemaker.test_constraints_by_hand import configuration
from tests.unit.pacemaker.test_tree import OPTIONS, converged, whole
from tests.unit.pacemaker.tools import Tools

HARMFUL = pytest.mark.parametrize(
    ("option", "path"),
    [
        ("symmetric-cluster=false", "properties.symmetric-cluster"),
        ("startup-fencing=false", "properties.startup-fencing"),
        ("shutdown-lock=true", "properties.shutdown-lock"),
        ("is-managed=false", "resource_defaults.is-managed"),
        ("maintenance=true", "resource_defaults.maintenance"),
    ],
)


@HARMFUL
async def test_an_option_by_which_no_node_takes_over_is_drift_and_taken_back(
    tools: Tools, tmp_path: Path, option: str, path: str
) -> None:
    simulated = await whole(tools, tmp_path, ())
    before = configuration(simulated)
    set_option(simulated, path, option.partition("=")[2])
    seen = await options.observe(simulated.cluster("options"), OPTIONS)
    assert isinstance(seen, Present)
    assert [each.path for each in reconcile.differences(OPTIONS, seen.values)] == [path]
    await converged(simulated, "options", OPTIONS, "options")
    assert configuration(simulated) == before
    await options.remove(simulated.cluster("options"), OPTIONS)
    assert option.partition("=")[0] not in simulated.file.read_text()


@HARMFUL
@pytest.mark.parametrize("first", [True, False], ids=["first", "later"])
async def test_where_others_have_resources_too_it_is_refused_and_nothing_is_written(
    tools: Tools, tmp_path: Path, option: str, path: str, *, first: bool
) -> None:
    simulated = SimulatedCluster.fresh(tools, tmp_path / "cib.xml") if first else await whole(tools, tmp_path, ())
    database = Primitive(id="db", agent="ocf:heartbeat:Dummy")
    simulated.file.write_text(Cib.parse(simulated.file.read_text()).with_member(database, None).text())
    set_option(simulated, path, option.partition("=")[2])
    before, journals = simulated.file.read_text(), copy.deepcopy(simulated.journals.opened)
    with pytest.raises(Refused, match=f"`{option}`.*it counts for db too") as refused:
        await options.converge(simulated.cluster("options"), OPTIONS, Absent())
    section = {"properties": "crm_config", "resource_defaults": "rsc_defaults"}[path.partition(".")[0]]
    command = f"`crm_attribute --type {section} --name {option.partition('=')[0]} --delete`"
    assert command in (refused.value.remedy or "")
    assert simulated.file.read_text() == before
    assert {key: each.values for key, each in simulated.journals.opened.items() if each.values} == {
        key: each.values for key, each in journals.items() if each.values
    }


async def test_where_nothing_keeps_a_node_away_others_resources_are_no_hindrance(tools: Tools, tmp_path: Path) -> None:
    simulated = SimulatedCluster.fresh(tools, tmp_path / "cib.xml")
    database = Primitive(id="db", agent="ocf:heartbeat:Dummy")
    simulated.file.write_text(Cib.parse(simulated.file.read_text()).with_member(database, None).text())
    await converged(simulated, "options", OPTIONS, "options")
    assert effective(simulated, "stonith-enabled") == "true"


async def test_a_fencing_device_of_others_is_no_reason_to_refuse_and_the_reset_is_said(
    tools: Tools, tmp_path: Path
) -> None:
    simulated = await whole(tools, tmp_path, ())
    device = Primitive(id="ipmi", agent="stonith:external/sbd")
    simulated.file.write_text(Cib.parse(simulated.file.read_text()).with_member(device, None).text())
    set_option(simulated, "properties.shutdown-lock", "true")
    told: list[str] = []
    cluster = dataclasses.replace(simulated.cluster("options"), progress=told.append)
    await options.converge(cluster, OPTIONS, Absent())
    assert told == ["Setting an option of the cluster back that is not declared: shutdown-lock=true"]
    assert effective(simulated, "shutdown-lock") is None


def effective(simulated: SimulatedCluster, option: str) -> str | None:
    return Cib.parse(simulated.file.read_text()).options(*options.SECTIONS["properties"]).get(option)


def set_option(simulated: SimulatedCluster, path: str, value: str, set_id: str = "") -> None:
    section, _, name = path.partition(".")
    place, own = options.SECTIONS[section]
    simulated.file.write_text(
        Cib.parse(simulated.file.read_text()).with_options(place, set_id or own, {name: value}).text()
    )


async def test_one_that_another_set_says_is_overruled_and_that_set_is_left(tools: Tools, tmp_path: Path) -> None:
    simulated = await whole(tools, tmp_path, ())
    set_option(simulated, "properties.symmetric-cluster", "false", "somebodys")
    for _ in range(2):
        await converged(simulated, "options", OPTIONS, "options")
        assert effective(simulated, "symmetric-cluster") == "true"
        simulated.applied["options"] = None
    await options.remove(simulated.cluster("options"), OPTIONS)
    assert effective(simulated, "symmetric-cluster") == "false", "as it was"


async def test_one_that_was_found_is_given_back_and_one_that_came_later_is_not(tools: Tools, tmp_path: Path) -> None:
    simulated = SimulatedCluster.fresh(tools, tmp_path / "cib.xml")
    set_option(simulated, "properties.shutdown-lock", "true")
    for _ in range(2):
        await converged(simulated, "options", OPTIONS, "options")
        assert effective(simulated, "shutdown-lock") is None
        assert effective(simulated, "startup-fencing") is None
        set_option(simulated, "properties.startup-fencing", "false")
    await converged(simulated, "options", OPTIONS, "options")
    await options.remove(simulated.cluster("options"), OPTIONS)
    assert effective(simulated, "shutdown-lock") == "true"
    assert effective(simulated, "startup-fencing") is None


async def test_what_is_as_it_is_by_itself_is_no_drift_nor_startup_fencing_without_fencing(
    tools: Tools, tmp_path: Path
) -> None:
    simulated = await whole(tools, tmp_path, ())
    set_option(simulated, "properties.symmetric-cluster", "true")
    set_option(simulated, "properties.startup-fencing", "false")
    unfenced = OPTIONS.model_copy(update={"properties": {**OPTIONS.properties, "stonith-enabled": "false"}})
    seen = await options.observe(simulated.cluster("options"), unfenced)
    assert isinstance(seen, Present)
    assert [each.path for each in reconcile.differences(unfenced, seen.values)] == ["properties.stonith-enabled"]
