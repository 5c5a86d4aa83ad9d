"""Clocks as the services tell of them, from what real ones said; and which services keep a clock."""

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blueprint.hosts import things
from blueprint.platforms import PLATFORMS
from declaration.errors import DeclarationError
from declaration.load import read as read_site
from providers.connection.command import Command, Result
from providers.connection.errors import NotVerified
from providers.connection.fake import FakeNode, fake_cluster
from providers.contract import Present
from providers.host import clocks, ntpsec, time, timesyncd, waiting
from providers.host.settings import NodeSettings
from tests.unit.declaration.conftest import SITES

RECORDED = Path(__file__).parents[2] / "recorded/host"


def recorded(name: str) -> str:
    return (RECORDED / f"{name}.txt").read_text()


def ntp(situation: str):
    return ntpsec.parse_clock(recorded(f"ntpq-rv.{situation}"), recorded(f"ntpq-peers.{situation}"))


def test_a_clock_that_ntpsec_keeps():
    clock = ntp("synchronised")
    assert (clock.source, clock.stratum, clock.problem) == ("192.0.2.1", 9, "")
    assert clock.offset == pytest.approx(-0.0000172)
    assert clock.within(0.5)


def test_an_ntpsec_without_a_source_and_one_that_does_not_run():
    assert ntp("unsynchronised").problem == "no source is selected"
    assert ntp("stopped").problem == "ntpd does not answer (Socket error; probably ntpd is not running)"
    assert ntpsec.parse_clock("", "").problem == "ntpd does not answer (ntpq said nothing)"


def test_ntpd_that_is_still_setting_the_clock_does_not_count():
    starting = recorded("ntpq-rv.synchronised").replace("leap=00", "leap=11")
    assert ntpsec.parse_clock(starting, recorded("ntpq-peers.synchronised")).problem == "no source is selected"


def test_a_source_that_is_ahead_makes_a_clock_that_is_slow():
    peers = recorded("ntpq-peers.synchronised").replace("  0.0172 ", "1250.500 ")
    clock = ntpsec.parse_clock(recorded("ntpq-rv.synchronised"), peers)
    assert clock.offset == pytest.approx(-1.2505)
    assert not clock.within(1.25)


def test_the_hosts_own_clock_is_no_source_of_ntpd():
    peers = recorded("ntpq-peers.synchronised").replace("*192.0.2.1 ", "*LOCAL(0)  ")
    assert ntpsec.parse_clock(recorded("ntpq-rv.synchronised"), peers).problem == "no source is selected"


def test_sources_of_ntpd_are_told_in_words_with_their_whole_address():
    assert ntpsec.parse_sources(recorded("ntpq-peers.synchronised")) == [
        "192.0.2.1 (selected, stratum 8, reach 1)",
        "192.0.2.77 (unusable or not reached, stratum 16, reach 0)",
        "2001:db8:1111:2222:3333:4444:5555:6666 (unusable or not reached, stratum 16, reach 0)",
    ]
    assert ntpsec.parse_sources(recorded("ntpq-peers.stopped")) == []


def test_a_clock_that_timesyncd_keeps():
    clock = timesyncd.parse_status(recorded("timesync-status.synchronised"))
    assert (clock.source, clock.stratum, clock.problem) == ("192.0.2.1", 9, "")
    assert clock.offset == pytest.approx(-0.00002)
    assert timesyncd.parse_sources(recorded("timesync-status.synchronised")) == ["192.0.2.1 (2 answers)"]


def test_a_timesyncd_that_was_answered_long_ago():
    status = recorded("timesync-status.synchronised")
    assert timesyncd.parse_status(f"{status}Seconds ago: 2100\n").problem == ""
    assert timesyncd.parse_status(f"{status}Seconds ago: 20000\n").problem == "192.0.2.1 has not answered for 5 h"


def test_a_timesyncd_without_an_answer_and_one_that_does_not_run():
    assert timesyncd.parse_status(recorded("timesync-status.unsynchronised")).problem == "no source is selected"
    assert timesyncd.parse_status("", 3).problem == "systemd-timesyncd does not answer (exit code 3)"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0.0), ("-75us", 75e-6), ("+1.234ms", -1.234e-3), ("+2min 3.5s", -123.5), ("-1h 2min 3s", 3723.0)],
)
def test_offsets_as_systemd_writes_them(text, seconds):
    shown = recorded("timesync-status.synchronised").replace("+20us", text)
    assert timesyncd.parse_status(shown).offset == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "n/a", "+", "20", "1.5", "+20 us", "5parsec"])
def test_what_is_no_offset_is_no_synchronisation(text):
    shown = recorded("timesync-status.synchronised").replace("+20us", text)
    assert timesyncd.parse_status(shown).problem == "no source is selected"


@given(st.text(), st.text(), st.integers(min_value=0, max_value=255))
def test_whatever_the_tools_say_is_a_clock_or_a_problem(one, two, code):
    for clock in (ntpsec.parse_clock(one, two), timesyncd.parse_status(one, code)):
        assert bool(clock.source) != bool(clock.problem)
    assert ntpsec.parse_sources(one, code) is not None


def host(**active: str):
    """A node with these units active or just enabled, and what each service would say."""

    def answer(command: Command) -> Result | str:
        text = str(command)
        if text.startswith("systemctl show"):
            return "\n".join(_block(active.get(unit.split(".")[0].replace("-", "_"))) for unit in clocks.UNITS)
        if text.startswith("chronyc -c -n tracking"):
            return recorded("chronyc-tracking.synchronised")
        if text.startswith("chronyc -c -n sources"):
            return recorded("chronyc-sources.synchronised")
        if text.startswith("ntpq"):
            return recorded("ntpq-rv.synchronised" if "rv" in text else "ntpq-peers.synchronised")
        if "timesync-status" in text:
            return recorded("timesync-status.synchronised")
        return ""

    return FakeNode("proxy-a", answer)


def _block(state: str | None) -> str:
    load = "not-found" if state is None else "loaded"
    active, enabled = {"active": ("active", "enabled"), "enabled": ("inactive", "enabled")}.get(
        state or "", ("inactive", "disabled" if state else "")
    )
    return f"LoadState={load}\nUnitFileState={enabled}\nActiveState={active}\nSubState=running\nNeedDaemonReload=no\n"


@pytest.mark.parametrize(
    ("units", "service"),
    [
        ({"systemd_timesyncd": "active"}, "systemd-timesyncd"),
        ({"ntpsec": "active", "systemd_timesyncd": "enabled"}, "ntpsec"),
        ({"chrony": "active"}, "chrony"),
    ],
)
async def test_an_existing_service_is_found_and_asked_and_nothing_is_changed(units, service):
    node = host(**units)
    reading = await clocks.read(node, clocks.EXISTING)
    assert reading.service == service
    assert str(reading).startswith(f"{service}: source 192.0.2.1, stratum 9")
    assert node.written == []


@pytest.mark.parametrize(
    ("units", "problem"),
    [({}, "no time service runs"), ({"openntpd": "active"}, "openntpd.service runs, whose clock cannot be read")],
)
async def test_no_service_that_can_be_read_is_no_synchronisation(units, problem):
    reading = await clocks.read(host(**units), clocks.EXISTING)
    assert str(reading) == problem
    assert await clocks.read_sources(host(**units), reading.service) == []


async def test_rivals_are_services_that_run_or_will_after_a_boot():
    node = host(chrony="active", ntpsec="enabled", systemd_timesyncd="off", openntpd="active")
    reading = await clocks.read(node, "chrony", ["chrony.service"])
    assert reading.besides == ("ntpsec.service", "openntpd.service")


def site(**settings: object):
    raw = copy.deepcopy(SITES[1])
    raw["time"] = settings
    return read_site(raw, "x")


def thing(name: str, **settings: object) -> Any:
    return next(each for each in things(site(**settings), "squid-ha/x", ()) if each.name == name).inputs


async def test_an_existing_service_is_never_absent_and_tells_what_is_wrong():
    wanted = thing("time", service="existing")
    assert isinstance(wanted, time.Wanted)
    assert wanted.nodes["proxy-a"].settings == NodeSettings()
    good = await time.observe(fake_cluster(host(ntpsec="active")), wanted)
    assert isinstance(good, Present)
    assert good.values == wanted
    none = await time.observe(fake_cluster(host()), wanted)
    assert isinstance(none, Present)
    assert none.values.nodes["proxy-a"].synchronised == "no: no time service runs"


def test_what_is_installed_follows_the_service():
    def packages(**settings: object) -> set[str]:
        return set(thing("packages", **settings).nodes["proxy-a"]) & {"chrony", "ntpsec"}

    assert packages(servers=["192.0.2.1"]) == {"chrony"}
    assert packages(service="ntpsec", pools=["pool.example.org"]) == {"ntpsec"}
    assert packages(service="existing") == set()
    quiet = thing("packages", service="ntpsec", servers=["192.0.2.1"]).quiet_units
    assert "ntpsec.service" in quiet
    assert thing("packages", servers=["192.0.2.1"]).quiet_units == thing("packages", service="existing").quiet_units


def test_configurations_say_what_is_declared():
    declared = {"servers": ["192.0.2.1", "ntp.example.org"], "pools": ["pool.example.org"], "minimum_sources": 2}
    for service, path, least in (
        ("chrony", "/etc/chrony/chrony.conf", "minsources 2"),
        ("ntpsec", "/etc/ntpsec/ntp.conf", "tos minsane 2"),
    ):
        settings = thing("time", service=service, **declared).nodes["proxy-a"].settings
        lines = settings.files[path].content.splitlines()
        assert {"server 192.0.2.1 iburst", "server ntp.example.org iburst", "pool pool.example.org iburst"} <= set(
            lines
        )
        assert least in lines
        (unit,) = settings.units.values()
        assert set(unit.restart_on) == set(settings.files)


def test_a_configuration_from_dhcp_does_not_take_the_place_of_ntpsecs():
    files = thing("time", service="ntpsec", servers=["192.0.2.1"]).nodes["proxy-a"].settings.files
    assert 'IGNORE_DHCP="yes"' in files["/etc/default/ntpsec"].content


def test_the_file_of_deployed_sites_stays_as_it_is():
    content = thing("time", servers=["192.0.2.1"]).nodes["proxy-a"].settings.files["/etc/chrony/chrony.conf"].content
    assert content.splitlines()[1:4] == [
        "server 192.0.2.1 iburst", "minsources 1", "driftfile /var/lib/chrony/chrony.drift",
    ]  # fmt: skip


@given(st.lists(st.one_of(st.text(), st.from_regex(r"[a-z0-9.:;#\n -]{1,20}")), max_size=3), st.booleans())
def test_no_source_breaks_out_of_its_line(sources, pools):
    for service in ("chrony", "ntpsec"):
        try:
            settings = {"service": service, "pools" if pools else "servers": sources}
            wanted, declared = thing("time", **settings), site(**settings).time
        except DeclarationError:
            continue
        assert declared is not None
        content = next(iter(wanted.nodes["proxy-a"].settings.files.values())).content
        word = "pool" if pools else "server"
        rows = [line.split() for line in content.splitlines() if line.split()[:1] == [word]]
        assert [row[1] for row in rows] == list(declared.pools if pools else declared.servers)
        assert all(row == [word, row[1], "iburst"] for row in rows)
        assert len(content.splitlines()) == len(sources) + {"chrony": 8, "ntpsec": 9}[service]


OFF = {
    "chrony": ("chronyc-tracking.synchronised", "0.000003660", "3.000000000"),
    "ntpsec": ("ntpq-peers.synchronised", "  0.0172 ", "-3000.000 "),
}
"""Which recording says how far off the clock is, how it says so, and how it would of a clock that is 3 s fast."""


def off(service: str, right_at: int) -> FakeNode:
    """A node where ``service`` runs and whose clock is 3 s fast, but right from the look number ``right_at`` on."""
    name, right, wrong = OFF[service]
    calm, looks = host(**{service: "active"}), 0

    def answer(command: Command) -> Result | str:
        nonlocal looks
        looks += str(command).startswith("systemctl show")
        said = calm.answer(command)
        return (
            said.replace(right, wrong)
            if isinstance(said, str) and said == recorded(name) and looks < right_at
            else said
        )

    return FakeNode("proxy-a", answer)


async def waited(monkeypatch: pytest.MonkeyPatch, node: FakeNode, wait: str, **settings: object) -> list[str]:
    """The lines of progress of a wait without pauses that reports every look."""
    told: list[str] = []

    async def at_once(*args: Any, **more: Any) -> Any:
        return await waiting.until(*args, **{**more, "pause": 0.0})

    monkeypatch.setattr(waiting, "REPORT_EVERY", 0.0)
    monkeypatch.setattr(time, "until", at_once)
    wanted = thing("time", **settings).model_copy(update={"wait": wait})
    await time.wait_synchronised(fake_cluster(node, progress=told.append), node, wanted)
    return told


STILL_OFF = "proxy-a: waiting for the time, source 192.0.2.1, stratum 9, offset +3.000000 s (0 of 60 s)"


@pytest.mark.parametrize(
    ("service", "command"), [("chrony", "chronyc makestep"), ("ntpsec", "systemctl restart ntpsec.service")]
)
async def test_a_clock_that_is_off_is_set_once_and_waited_for_with_lines_of_progress(service, command, monkeypatch):
    node = off(service, right_at=3)
    told = await waited(monkeypatch, node, "60", service=service, servers=["192.0.2.1"])
    assert told == ["proxy-a: setting the clock by -3.000 s", STILL_OFF, STILL_OFF]
    assert [str(each) for each in node.written] == [command]


async def test_on_another_platform_its_own_units_are_looked_at_and_set(monkeypatch):
    debian = PLATFORMS["debian-12"]
    ntpd = replace(debian.time_services["ntpsec"], unit="ntpd.service")
    monkeypatch.setitem(
        PLATFORMS, "debian-12",
        replace(debian, time_services={**debian.time_services, "ntpsec": ntpd}, other_clock_units=("phc2sys.service",)),
    )  # fmt: skip
    wanted = thing("time", service="ntpsec", servers=["192.0.2.1"])
    assert str(wanted.step) == "systemctl restart ntpd.service"
    assert wanted.keepers == {
        "chrony.service": "chrony", "ntpd.service": "ntpsec", "systemd-timesyncd.service": "systemd-timesyncd",
        "phc2sys.service": "",
    }  # fmt: skip
    node = FakeNode("proxy-a", lambda command: "\n".join([_block("active")] * 4) if "show" in str(command) else "")
    reading = await clocks.read(node, "ntpsec", ["ntpd.service"], units=wanted.keepers)
    assert reading.besides == ("chrony.service", "systemd-timesyncd.service", "phc2sys.service")


async def test_a_clock_that_stays_off_is_told_with_its_sources_and_not_set_a_second_time(monkeypatch):
    node = off("chrony", right_at=10**9)
    said = (
        r"proxy-a: the clock is not synchronised to within 0.5 s .* offset \+3.000000 s; sources: 192.0.2.1 \(selected"
    )
    with pytest.raises(NotVerified, match=said):
        await waited(monkeypatch, node, "0.1", servers=["192.0.2.1"])
    assert [str(each) for each in node.written] == ["chronyc makestep"]


async def test_the_clock_of_an_existing_service_is_waited_for_and_left_to_it(monkeypatch):
    node = off("chrony", right_at=3)
    assert await waited(monkeypatch, node, "60", service="existing") == [STILL_OFF, STILL_OFF]
    assert node.written == []
