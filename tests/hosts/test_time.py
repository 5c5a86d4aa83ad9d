"""Time synchronisation on the container pair, against the lab's time source."""

import pytest

from blueprint.platforms import PLATFORMS
from blueprint.render import chrony_conf, ntpsec_conf
from providers.contract import Absent
from providers.host import packages, time
from providers.host.settings import FileState, NodeSettings, UnitState
from tests.support.things import OWNER, HostError, Site, site

pytestmark = pytest.mark.spare

SERVICES = PLATFORMS["debian-12"].time_services
CONF = "/etc/chrony/chrony.conf"
NODES = ("qsp-a", "qsp-b")
PACKAGES = packages.Wanted(
    nodes={node: {"chrony": "installed"} for node in ("qsp-a", "qsp-b")}, quiet_units=["chrony.service"]
)
NO_ANSWER = r"qsp-.: the clock is not synchronised .* 6 s: no source is selected; sources: 192.0.2.77 \(unusable"


def wanted(
    *servers: str, pools: tuple[str, ...] = (), least: int = 1, wait: str = "120", max_offset: str = "0.5"
) -> time.Wanted:
    text = chrony_conf.render(OWNER, SERVICES["chrony"], servers, least, pools)
    settings = NodeSettings(
        files={CONF: FileState(content=text, mode="0644", owner="root:root")},
        units={"chrony.service": UnitState(enabled="enabled", active="active", restart_on=[CONF])},
    )
    node = time.NodeTime(settings=settings)
    return time.Wanted(nodes={"qsp-a": node, "qsp-b": node}, max_offset=max_offset, wait=wait)


def ntpsec(*servers: str, least: int = 1, wait: str = "120") -> time.Wanted:
    texts = {
        "/etc/ntpsec/ntp.conf": ntpsec_conf.render(OWNER, SERVICES["ntpsec"], servers, least),
        "/etc/default/ntpsec": ntpsec_conf.defaults(OWNER),
    }
    settings = NodeSettings(
        files={path: FileState(content=text, mode="0644", owner="root:root") for path, text in texts.items()},
        units={"ntpsec.service": UnitState(enabled="enabled", active="active", restart_on=list(texts))},
    )
    node = time.NodeTime(settings=settings)
    return time.Wanted(nodes=dict.fromkeys(NODES, node), max_offset="0.5", wait=wait, service="ntpsec")


WANTED = wanted("192.0.2.1")
NTPSEC = ntpsec("192.0.2.1")
NTPSEC_PACKAGES = packages.Wanted(
    nodes={node: {"ntpsec": "installed"} for node in NODES}, quiet_units=["chrony.service", "ntpsec.service"]
)
EXISTING = time.Wanted(
    nodes=dict.fromkeys(NODES, time.NodeTime(settings=NodeSettings())), max_offset="0.5", service="existing"
)
ASK = "ask() { systemctl is-enabled $1; systemctl is-active $1; }; ask"
RIVAL = r"""
printf '[Service]\nExecStart=/usr/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n' \
    >/etc/systemd/system/openntpd.service
systemctl daemon-reload; systemctl enable --now openntpd 2>/dev/null
"""
TIMESYNCD = r"""
mkdir -p /etc/systemd/system/systemd-timesyncd.service.d /etc/systemd/timesyncd.conf.d
cat >/etc/systemd/system/systemd-timesyncd.service.d/lab.conf <<'END'
# Without the right to set the clock, which no container has: it measures all the same.
[Unit]
ConditionCapability=
ConditionVirtualization=
[Service]
AmbientCapabilities=
CapabilityBoundingSet=
ExecStart=
ExecStart=/lib/systemd/systemd-timesyncd
END
printf '[Time]\nNTP=192.0.2.1\n' >/etc/systemd/timesyncd.conf.d/lab.conf
systemctl daemon-reload; systemctl restart systemd-timesyncd
"""


@pytest.fixture(scope="module")
def lab_site(pair) -> Site:
    opened = site(pair)
    opened.apply("host.packages", "packages", PACKAGES)
    return opened


def test_it_waits_until_the_clock_is_right(lab_site):
    found = lab_site.observe("host.time", "time", WANTED)
    assert not isinstance(found, Absent)
    assert found.values.nodes["qsp-a"].synchronised == "no: chronyd does not answer (506 Cannot talk to daemon)"
    present = lab_site.apply("host.time", "time", WANTED)
    assert present.values == WANTED
    assert present.facts["clock"]["qsp-b"].startswith("chrony: source 192.0.2.1, stratum 9, offset ")


@pytest.mark.turns("drift of time")
@pytest.mark.parametrize(
    ("change", "path"),
    [
        ("echo >>/etc/chrony/chrony.conf", f'nodes.qsp-a.settings.files["{CONF}"].content'),
        ("chmod 0600 /etc/chrony/chrony.conf", f'nodes.qsp-a.settings.files["{CONF}"].mode'),
        ("chown _chrony /etc/chrony/chrony.conf", f'nodes.qsp-a.settings.files["{CONF}"].owner'),
        ("systemctl disable chrony 2>/dev/null", 'nodes.qsp-a.settings.units["chrony.service"].enabled'),
        ("systemctl stop chrony", 'nodes.qsp-a.settings.units["chrony.service"].active'),
    ],
)
def test_each_property_that_drifts_is_named_and_repaired(lab_site, change, path):
    lab_site.sh("qsp-a", change)
    assert path in lab_site.drift("host.time", "time", WANTED)
    assert not any("qsp-b" in each for each in lab_site.drift("host.time", "time", WANTED))
    assert lab_site.apply("host.time", "time", WANTED).values == WANTED


def test_a_clock_without_a_source_is_drift(lab_site):
    lab_site.sh("qsp-b", "chronyc offline && chronyc reset sources; chronyc -c tracking", ok=None)
    lab_site.sh("qsp-b", "systemctl restart chrony && chronyc offline")
    assert lab_site.drift("host.time", "time", WANTED) == ["nodes.qsp-b.synchronised"]
    lab_site.sh("qsp-b", "chronyc online")
    assert lab_site.apply("host.time", "time", WANTED).values == WANTED


ASKED_OFTEN = """
chronyc delete 192.0.2.1 && chronyc add server 192.0.2.1 iburst minpoll 0 maxpoll 0
for _ in $(seq 300); do ! chronyc -c -n sources | grep -q '^.,[*],' || exit 0; sleep 0.2; done
exit 1
"""
SILENT = """
ip route add blackhole 192.0.2.1/32
for _ in $(seq 300); do [ "$(chronyc -c -n sources | cut -d, -f7)" -le 16 ] || exit 0; sleep 0.2; done
exit 1
"""


def test_a_server_that_has_become_silent_is_drift_although_chronyd_tracks_on(lab_site):
    lab_site.sh("qsp-b", ASKED_OFTEN)
    assert lab_site.drift("host.time", "time", WANTED) == []
    try:
        lab_site.sh("qsp-b", SILENT)
        assert lab_site.sh("qsp-b", "chronyc -c -n tracking").strip().endswith("Normal")
        assert lab_site.drift("host.time", "time", WANTED) == ["nodes.qsp-b.synchronised"]
    finally:
        lab_site.sh("qsp-b", "ip route del blackhole 192.0.2.1/32; systemctl restart chrony")
    assert lab_site.apply("host.time", "time", WANTED).values == WANTED


def test_a_server_that_does_not_answer_is_named(lab_site):
    with pytest.raises(HostError, match=NO_ANSWER):
        lab_site.apply("host.time", "time", wanted("192.0.2.77", wait="6"), WANTED)
    assert lab_site.apply("host.time", "time", WANTED).values == WANTED


# Four answers of the one that does answer: on its own it would be followed from the first ones on.
HEARD = r"""
for _ in $(seq 300); do
    [ "$(chronyc -c -n sources | grep ',192\.0\.2\.1,' | cut -d, -f6)" -ge 17 ] 2>/dev/null && exit 0
    sleep 0.2
done
chronyc -n sources; exit 1
"""
FOLLOWS_NONE = ["nodes.qsp-a.synchronised", "nodes.qsp-b.synchronised"]


def test_too_few_sources_for_chrony_are_refused_and_the_silent_one_is_named(lab_site):
    servers = ("192.0.2.1", "192.0.2.77")
    both = wanted(*servers, least=2, wait="8")
    told = r"qsp-.: the clock is not synchronised .* 8 s: no source is selected; sources: .*192\.0\.2\.77 \(unusable"
    with pytest.raises(HostError, match=told):
        lab_site.apply("host.time", "time", both, WANTED)
    for node in NODES:
        lab_site.sh(node, HEARD)
    assert lab_site.drift("host.time", "time", both) == FOLLOWS_NONE, (
        "one source is not enough, however well it answers"
    )
    either = wanted(*servers)
    assert lab_site.apply("host.time", "time", either, both).values == either
    assert lab_site.apply("host.time", "time", WANTED, either).values == WANTED


def test_the_servers_of_a_pool_are_followed(lab_site):
    pool = wanted(pools=("pool.example",))
    try:
        for node in NODES:
            lab_site.sh(node, "cp -p /etc/hosts /root/hosts && echo '192.0.2.1 pool.example' >>/etc/hosts")
        present = lab_site.apply("host.time", "time", pool, WANTED)
    finally:
        for node in NODES:
            lab_site.sh(node, "mv /root/hosts /etc/hosts")
    assert present.values == pool
    for node in NODES:
        assert present.facts["clock"][node].startswith("chrony: source 192.0.2.1, stratum 9, offset ")
    assert lab_site.apply("host.time", "time", WANTED, pool).values == WANTED


def test_a_rival_that_runs_is_drift_and_switched_off(lab_site):
    """Debian lets only one time service be installed, but a unit may be anybody's."""
    lab_site.sh("qsp-a", RIVAL)
    # chrony's unit gives way to a rival that is started.
    assert lab_site.drift("host.time", "time", WANTED) == [
        'nodes.qsp-a.settings.units["chrony.service"].active',
        "nodes.qsp-a.synchronised",
        "nodes.qsp-a.besides",
    ]
    assert lab_site.apply("host.time", "time", WANTED).values == WANTED
    assert lab_site.sh("qsp-a", f"{ASK} openntpd; true").split() == ["disabled", "inactive"]
    lab_site.apply("host.time", "time", wanted("192.0.2.1", max_offset="0.4"), WANTED)
    assert lab_site.sh("qsp-a", f"{ASK} openntpd; true").split() == ["disabled", "inactive"]


def test_removal_brings_the_distributions_file_and_the_rival_back(lab_site):
    lab_site.remove("host.time", "time", WANTED)
    for node in ("qsp-a", "qsp-b"):
        assert lab_site.sh(node, "dpkg --verify chrony | grep /etc/; true") == ""
        states = lab_site.sh(node, "systemctl is-enabled chrony; systemctl is-active chrony; true").split()
        assert states == ["disabled", "inactive"]
        assert lab_site.journal(node, "time") == {}
    assert lab_site.sh("qsp-a", f"{ASK} openntpd").split() == ["enabled", "active"]
    lab_site.sh("qsp-a", "systemctl disable --now openntpd 2>/dev/null; rm /etc/systemd/system/openntpd.service")


def test_ntpsec_takes_chronys_place_and_keeps_the_clock(lab_site):
    lab_site.apply("host.packages", "packages", NTPSEC_PACKAGES, PACKAGES)
    present = lab_site.apply("host.time", "time", NTPSEC)
    assert present.values == NTPSEC
    for node in NODES:
        assert present.facts["clock"][node].startswith("ntpsec: source 192.0.2.1, stratum 9, offset ")
        assert lab_site.sh(node, f"{ASK} ntpsec").split() == ["enabled", "active"]
        assert "not-found" in lab_site.sh(node, f"{ASK} chrony 2>&1; systemctl show -P LoadState chrony; true")
    lab_site.sh("qsp-b", "echo >>/etc/ntpsec/ntp.conf; systemctl stop ntpsec")
    assert lab_site.drift("host.time", "time", NTPSEC) == [
        'nodes.qsp-b.settings.files["/etc/ntpsec/ntp.conf"].content',
        'nodes.qsp-b.settings.units["ntpsec.service"].active',
        "nodes.qsp-b.synchronised",
    ]
    assert lab_site.apply("host.time", "time", NTPSEC).values == NTPSEC


def test_too_few_sources_for_ntpsec_is_told_with_all_of_them(lab_site):
    told = r"8 s: no source is selected; sources: 192.0.2.1 \(.*\), 192.0.2.77 \(unusable or not reached"
    with pytest.raises(HostError, match=told):
        lab_site.apply("host.time", "time", ntpsec("192.0.2.1", "192.0.2.77", least=2, wait="8"), NTPSEC)
    lab_site.remove("host.time", "time", NTPSEC)
    for node in NODES:
        assert lab_site.sh(node, "dpkg --verify ntpsec | grep /etc/; true") == ""
        assert lab_site.sh(node, f"{ASK} ntpsec; true").split() == ["disabled", "inactive"]
        assert lab_site.journal(node, "time") == {}


def test_an_existing_service_is_only_looked_at(lab_site):
    """ntpsec on one node, timesyncd on the other; then a node on which nothing keeps the clock."""
    lab_site.remove("host.packages", "packages", NTPSEC_PACKAGES)
    lab_site.sh("qsp-a", "apt-get -qy install ntpsec >/dev/null 2>&1")
    lab_site.sh("qsp-a", "sed -i -e /^pool/d -e '/^tos/d' /etc/ntpsec/ntp.conf; echo 'server 192.0.2.1 iburst'"
                         " >>/etc/ntpsec/ntp.conf; systemctl restart ntpsec")  # fmt: skip
    lab_site.sh("qsp-b", TIMESYNCD)
    before = {node: lab_site.manifest(node) for node in NODES}
    present = lab_site.apply("host.time", "time", EXISTING)
    assert present.values == EXISTING
    assert present.facts["clock"]["qsp-a"].startswith("ntpsec: source 192.0.2.1, stratum 9")
    assert present.facts["clock"]["qsp-b"].startswith("systemd-timesyncd: source 192.0.2.1, stratum 9")
    assert {node: lab_site.manifest(node) for node in NODES} == before
    lab_site.sh("qsp-b", "systemctl stop systemd-timesyncd")
    found = lab_site.observe("host.time", "time", EXISTING)
    assert found.values.nodes["qsp-b"].synchronised == "no: no time service runs"
    assert lab_site.sh("qsp-b", "systemctl is-active systemd-timesyncd; true").strip() == "inactive"
    with pytest.raises(HostError, match=r"qsp-b: the clock is not .* 3 s: no time service runs; sources: none"):
        lab_site.apply("host.time", "time", EXISTING.model_copy(update={"wait": "3"}))
    lab_site.remove("host.time", "time", EXISTING)
    assert {node: lab_site.manifest(node) for node in ("qsp-a",)} == {"qsp-a": before["qsp-a"]}
