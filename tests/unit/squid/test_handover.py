"""Squid between the boot's hands and the engine's, on nodes that are functions."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from blueprint.site import things
from declaration.load import read
from providers import binding, wire
from providers.connection.command import Command, Result
from providers.connection.errors import Refused
from providers.connection.fake import FakeJournals, FakeNode, fake_cluster
from providers.host import phases
from providers.host.settings import NodeSettings, UnitState
from providers.squid import config
from tests.support.phases import Phase, example

UNIT = "squid.service"
ENGINE, BOOT = UnitState(enabled="disabled"), UnitState(enabled="enabled", active="active")
MIRROR = "/mnt/mirror"


def wanted(nodes: str, unit: UnitState, mounts: tuple[str, ...] = ()) -> config.Wanted:
    """A configuration without files; one node per letter."""
    return config.Wanted(
        nodes={name: NodeSettings(units={UNIT: unit}) for name in nodes},
        unit=UNIT,
        port="3128",
        probe_url="http://probe.invalid/",
        mounts=list(mounts),
    )


ONE, TWO, THREE = wanted("a", BOOT), wanted("ab", ENGINE), wanted("ab", ENGINE, (MIRROR,))


@pytest.mark.parametrize(
    ("previous", "after"), [(ONE, ONE), (ONE, TWO), (TWO, TWO), (TWO, THREE), (THREE, TWO), (THREE, THREE)]
)
def test_each_phase_is_reached_from_the_one_before_and_left_for_it(
    previous: config.Wanted, after: config.Wanted
) -> None:
    assert config.refusal(previous, after) is None


@pytest.mark.parametrize("previous", [TWO, THREE])
def test_a_pair_does_not_become_a_single_node_in_place(previous: config.Wanted) -> None:
    assert "pulumi destroy" in (config.refusal(previous, ONE) or "")


def test_a_node_that_is_away_is_not_a_node_less() -> None:
    assert config.refusal(TWO, wanted("a", ENGINE)) is None


def test_a_single_node_comes_to_a_mirror_by_way_of_a_pair() -> None:
    assert "out of the file" in (config.refusal(ONE, THREE) or "")


def test_a_unit_that_somebody_enabled_by_hand_is_still_the_engines() -> None:
    """After a refresh the previous inputs are what was found on the nodes."""
    found = wanted("ab", UnitState(enabled="enabled"))
    assert config.refusal(found, THREE) is None


@dataclass
class Host:
    """A node with a Squid, of which only its unit matters here."""

    active: bool
    enabled: bool = False
    mounted: bool = False
    stopped: int = 0
    touched: list[str] = field(default_factory=list)

    def __call__(self, command: Command) -> Result | str:
        text = str(command)
        if text.startswith("systemctl show"):
            state, enabled = "active" if self.active else "inactive", "enabled" if self.enabled else "disabled"
            return f"LoadState=loaded\nUnitFileState={enabled}\nActiveState={state}\nSubState=x\nNeedDaemonReload=no\n"
        if text.startswith("mountpoint"):
            return Result(command, 0 if self.mounted else 1, "", "")
        if text.startswith("systemctl disable"):
            self.enabled = False
        if text.startswith("systemctl stop"):
            self.active, self.stopped = False, self.stopped + 1
        if text.startswith(("systemctl start", "systemctl restart", "systemctl reload")):
            self.touched.append(text)
        if text.startswith("ask Squid"):
            return "HTTP/1.1 403 Forbidden"
        return ""


@dataclass
class Hosts:
    a: Host
    b: Host
    journals: FakeJournals = field(default_factory=FakeJournals)

    async def converge(self, state: config.Wanted) -> None:
        nodes = [FakeNode("a", self.a), FakeNode("b", self.b)]
        cluster = fake_cluster(*nodes, journals=self.journals, thing="squid-config")
        await config.converge(cluster, state, await config.observe(cluster, state))

    async def was_configured(self, state: config.Wanted) -> None:
        """As the `up` before left it."""
        await self.converge(state)
        self.a.touched.clear()
        self.b.touched.clear()


async def test_a_running_squid_is_taken_from_the_boot_and_runs_on() -> None:
    hosts = Hosts(a=Host(active=True), b=Host(active=False))
    await hosts.was_configured(ONE)
    hosts.a.enabled = True
    await hosts.converge(TWO)
    assert not hosts.a.enabled
    assert (hosts.a.active, hosts.a.stopped, hosts.a.touched) == (True, 0, [])
    assert (hosts.b.active, hosts.b.touched) == (False, [])


async def test_a_second_squid_that_ran_on_the_new_node_ends() -> None:
    hosts = Hosts(a=Host(active=True), b=Host(active=True, enabled=True))
    await hosts.was_configured(ONE)
    await hosts.converge(TWO)
    assert hosts.a.active, "the one that clients used was stopped"
    assert not hosts.b.active


async def test_the_site_s_own_squid_is_kept_on_whichever_node_it_runs() -> None:
    hosts = Hosts(a=Host(active=True), b=Host(active=True))
    await hosts.was_configured(wanted("b", BOOT))
    await hosts.converge(TWO)
    assert (hosts.a.active, hosts.b.active) == (False, True)


async def test_of_two_strangers_one_is_left() -> None:
    hosts = Hosts(a=Host(active=True, enabled=True), b=Host(active=True, enabled=True))
    await hosts.converge(TWO)
    assert (hosts.a.active, hosts.b.active) == (True, False)


async def test_what_the_engine_runs_is_not_judged_here() -> None:
    hosts = Hosts(a=Host(active=False, enabled=True), b=Host(active=False, enabled=True))
    await hosts.converge(TWO)
    hosts.a.active = hosts.b.active = True
    await hosts.converge(TWO)
    assert (hosts.a.stopped, hosts.b.stopped) == (0, 0)


async def test_squid_does_not_read_of_a_mirror_that_is_not_mounted_where_it_runs() -> None:
    hosts = Hosts(a=Host(active=True), b=Host(active=False, mounted=True))
    await hosts.converge(TWO)
    await hosts.journals.opened["a", "squid-config"].put({config.PENDING: "/etc/squid/squid.conf"})
    with pytest.raises(Refused, match=r"a: .*/mnt/mirror, where it shall log, is not mounted"):
        await hosts.converge(THREE)
    assert hosts.a.touched == []
    hosts.a.mounted = True
    await hosts.converge(THREE)
    assert hosts.a.touched == ["systemctl reload -- squid.service"]


def test_the_texts_name_the_way() -> None:
    for text in (phases.TO_ONE_NODE, phases.TWO_STEPS_AT_ONCE):
        assert "pulumi up" in text


def test_pulumi_says_so_at_the_preview() -> None:
    """A check never opens a connection, and a failed one ends the run before anything is changed."""
    provider = binding.load("squid.config")
    olds, news = ({binding.IDENTITY: "squid-ha/lab/squid-config", **wire.encode(state)} for state in (THREE, ONE))
    (failure,) = provider.check(olds, news).failures
    assert failure.reason == phases.TO_ONE_NODE
    assert provider.check({}, news).failures == []
    assert provider.check({**olds, "nodes": "of another release"}, news).failures == []


@pytest.mark.parametrize("phase", [2, 3])
def test_the_engine_waits_for_nothing_else_once_no_boot_starts_squid_any_more(phase: Phase) -> None:
    """A node that boots in between has no Squid until the next `up`, so this is as short as can be."""
    by_name = {thing.name: thing for thing in things(read(example(phase), "example"), "o/s")}

    def needs(name: str) -> set[str]:
        return {each for after in by_name[name].after for each in (after, *needs(after))}

    assert needs("tree-squid") - needs("squid-config") == {"squid-config"}
