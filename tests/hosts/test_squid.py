"""Squid's configuration and its resource agent on the container pair."""

import pytest

from blueprint.render import squid_conf, squid_logs
from providers.connection.loop import run_sync
from providers.contract import Absent
from providers.host import packages, settings_kind
from providers.host.settings import FileState, NodeSettings, UnitState
from providers.squid import agent, config
from tests.support.things import OWNER, HostError, Site, difference, site

pytestmark = pytest.mark.spare

CONF = "/etc/squid/squid.conf"
DROPIN = "/etc/systemd/system/squid.service.d/squid-ha.conf"
AGENT = "/usr/lib/ocf/resource.d/squid-ha/squid"
NODES = ("qsp-a", "qsp-b")
PACKAGES = packages.Wanted(nodes={node: {"squid": "installed"} for node in NODES}, quiet_units=["squid.service"])
KIND = ("squid.config", "squid-config")


def text(port: int = 3128, extra: str = "", lifetime: int = 1) -> str:
    log = squid_logs.AccessLog("/var/log/squid/access.log", "die")
    rendered = squid_conf.render(
        squid_conf.SquidConf(
            site=OWNER,
            port=port,
            allow=("192.0.2.0/24",),
            visible_hostname="proxy.lab",
            shutdown_lifetime=lifetime,
            logs=squid_logs.Logs(access=(log,), cache_log="/var/log/squid/cache.log"),
            spool="/var/spool/squid",
        )
    )
    return rendered + extra


def wanted(content: str, port: str = "3128") -> config.Wanted:
    settings = NodeSettings(
        directories={"/etc/systemd/system/squid.service.d": "0755 root:root"},
        files={
            CONF: FileState(
                content=content, mode="0644", owner="root:root", check=["squid", "-k", "parse", "-f", "{}"]
            ),
            DROPIN: FileState(content="[Service]\nTimeoutStopSec=20s\n", mode="0644", owner="root:root"),
        },
        units={"squid.service": UnitState(enabled="disabled")},
    )
    return config.Wanted(
        nodes=dict.fromkeys(NODES, settings), unit="squid.service", port=port, probe_url=squid_conf.PROBE_URL
    )


WANTED = wanted(text())


@pytest.fixture(scope="module")
def lab_site(pair) -> Site:
    opened = site(pair)
    opened.apply("host.packages", "packages", PACKAGES)
    return opened


@pytest.fixture(scope="module")
def untouched(lab_site) -> dict[str, list[str]]:
    return {node: lab_site.manifest(node) for node in NODES}


def pid(lab_site) -> str:
    return lab_site.sh("qsp-a", "systemctl show -P MainPID squid").strip()


def files(lab_site) -> list[str]:
    return [lab_site.sh(node, f"cat {CONF}") for node in NODES]


def test_files_come_to_both_nodes_and_nothing_is_started(lab_site, untouched):
    assert untouched
    assert not isinstance(lab_site.observe(*KIND, WANTED), Absent)
    assert lab_site.apply(*KIND, WANTED).values == WANTED
    assert lab_site.sh("qsp-a", "systemctl is-active squid; true").strip() == "inactive"
    assert lab_site.sh("qsp-b", "systemctl show -P TimeoutStopUSec squid").strip() == "20s"


@pytest.mark.turns("drift of squid")
@pytest.mark.parametrize(
    ("change", "path"),
    [
        (f"echo '# by hand' >>{CONF}", f'nodes.qsp-b.files["{CONF}"].content'),
        (f"chmod 0600 {CONF}", f'nodes.qsp-b.files["{CONF}"].mode'),
        (f"chown proxy:proxy {CONF}", f'nodes.qsp-b.files["{CONF}"].owner'),
        (f"rm {CONF}", f'nodes.qsp-b.files["{CONF}"].content'),
        ("systemctl enable squid 2>/dev/null", 'nodes.qsp-b.units["squid.service"].enabled'),
    ],
)
def test_each_property_that_drifts_is_named_and_repaired(lab_site, change, path):
    lab_site.sh("qsp-b", change)
    drift = lab_site.drift(*KIND, WANTED)
    assert path in drift
    assert not any("qsp-a" in each for each in drift)
    lab_site.apply(*KIND, WANTED)
    assert lab_site.drift(*KIND, WANTED) == []


def test_a_running_squid_reads_a_change_without_a_restart(lab_site):
    lab_site.sh("qsp-a", "systemctl start squid")
    before = pid(lab_site)
    moved = wanted(text(3129), "3129")
    lab_site.apply(*KIND, moved, WANTED)
    assert pid(lab_site) == before
    assert "3129" in lab_site.sh("qsp-a", "ss -Hltn")
    assert lab_site.sh("qsp-b", "systemctl is-active squid; true").strip() == "inactive"
    assert lab_site.journal("qsp-a", KIND[1]).keys().isdisjoint({config.PENDING})
    lab_site.apply(*KIND, WANTED, moved)
    assert pid(lab_site) == before


def test_a_file_that_squid_does_not_accept_reaches_no_node(lab_site):
    before = files(lab_site)
    with pytest.raises(HostError, match=r"nothing was changed on any node") as refused:
        lab_site.apply(*KIND, wanted(text(extra="no_such_directive on\n")), WANTED)
    assert "no_such_directive" in str(refused.value)
    assert files(lab_site) == before
    assert lab_site.sh("qsp-a", "ls -d /run/squid-ha-check* 2>/dev/null; true") == ""


def test_what_parses_but_does_not_serve_is_taken_back_everywhere(lab_site):
    """The parser cannot know on which port Squid shall be found."""
    before = files(lab_site)
    broken = wanted(text(4000), "3128")
    with pytest.raises(
        HostError, match=r"the old configuration is back on qsp-a, qsp-b and Squid serves with it again"
    ):
        lab_site.apply(*KIND, broken, WANTED)
    assert files(lab_site) == before
    assert lab_site.sh("qsp-a", "systemctl is-active squid").strip() == "active"
    assert lab_site.apply(*KIND, WANTED).values == WANTED


def test_a_squid_that_dies_of_its_new_configuration_comes_back_with_the_old(lab_site):
    before = files(lab_site)
    # The parser does not look whether the log's directory exists; Squid ends when it cannot open it.
    content = text().replace("stdio:/var/log/squid/access.log", "stdio:/nowhere/access.log")
    with pytest.raises(HostError, match=r"the old configuration is back"):
        lab_site.apply(*KIND, wanted(content), WANTED)
    assert files(lab_site) == before
    assert lab_site.sh("qsp-a", "systemctl is-active squid").strip() == "active"


def test_a_run_cut_off_before_the_reload_is_finished_by_the_next(lab_site):
    lab_site.sh("qsp-a", f"sed -i s/3128/3130/ {CONF} && systemctl reload squid")
    new = wanted(text(extra="# new\n"))
    for node in NODES:
        lab_site.sh(node, f"cat >{CONF} <<'END'\n{text(extra='# new')}\nEND")
        run_sync(lab_site.cluster.of(KIND[1]).journal(node).put({config.PENDING: CONF}))
    assert lab_site.drift(*KIND, new) == []
    lab_site.apply(*KIND, new)
    assert "3128" in lab_site.sh("qsp-a", "ss -Hltn")
    lab_site.apply(*KIND, WANTED, new)


def test_the_agent_runs_and_probes_a_real_squid(lab_site):
    settings = NodeSettings(
        directories={"/usr/lib/ocf/resource.d/squid-ha": "0755 root:root"},
        files={AGENT: FileState(content=agent.text(), mode="0755", owner="root:root")},
    )
    thing = settings_kind.Wanted(nodes=dict.fromkeys(NODES, settings))
    lab_site.sh("qsp-a", "mkdir -p /usr/lib/ocf/resource.d; systemctl stop squid")
    lab_site.sh("qsp-b", "mkdir -p /usr/lib/ocf/resource.d")
    lab_site.apply("host.settings", "squid-agent", thing)
    act = f"export OCF_RESKEY_probe_timeout=3 OCF_RESKEY_stop_grace=4; {AGENT} $0; echo $?"

    def run(action: str) -> str:
        return lab_site.sh("qsp-a", act.replace("$0", action)).strip()

    assert run("monitor") == "7"
    assert [run("start"), run("monitor"), run("start")] == ["0", "0", "0"]
    lab_site.sh("qsp-a", "systemctl kill -s STOP squid")
    assert run("monitor") == "1"
    assert run("stop") == "0"
    assert lab_site.sh("qsp-a", "pgrep -c squid; true").strip() == "0"
    assert [run("monitor"), run("stop"), run("start"), run("monitor")] == ["7", "0", "0", "0"]
    lab_site.sh("qsp-a", "systemctl kill -s KILL squid")
    assert run("monitor") == "7"
    assert run("stop") == "0"
    lab_site.remove("host.settings", "squid-agent", thing)
    for node in NODES:
        lab_site.sh(node, "rmdir -p /usr/lib/ocf/resource.d 2>/dev/null; true")


def test_removal_brings_the_distributions_configuration_back(lab_site, untouched):
    lab_site.remove(*KIND, WANTED)
    for node, before in untouched.items():
        # `systemctl enable` and `disable` also turn SysV's links, which systemd does not read where there is a unit.
        left = [line for line in difference(before, lab_site.manifest(node)) if "/rc" not in line]
        assert left == []
        assert lab_site.journal(node, KIND[1]) == {}
