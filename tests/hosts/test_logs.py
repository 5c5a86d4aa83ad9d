"""Squid's logs with the real Squid: conditions, places, owners, a full mirror, and how the log's filesystem is mounted.

The mirror is a small filesystem in memory, mounted where the volume would be: Squid and the agent see no difference.
"""

import json
from typing import Any

import pytest

from blueprint.logs import mirror_files
from blueprint.squid import squid_conf_text
from declaration.load import read
from declaration.site import Site as Declared
from providers.connection.loop import run_sync
from providers.host import packages, settings_kind
from providers.host.settings import FileState, NodeSettings, UnitState
from providers.squid import agent, config
from providers.storage import volume
from tests.support.sites import reference
from tests.support.things import OWNER, Site, site

pytestmark = pytest.mark.spare

NODE, OTHER = "qsp-a", "qsp-b"
NODES = (NODE, OTHER)
CONF, AGENT = "/etc/squid/squid.conf", "/usr/lib/ocf/resource.d/squid-ha/squid"
LOCAL, MIRROR = "/var/log/squid", "/mnt/mirror/squid"
PACKAGES = packages.Wanted(nodes={node: {"squid": "installed"} for node in NODES}, quiet_units=["squid.service"])
KIND = ("squid.config", "squid-config")
RECORD = "http://probe.squid-ha.invalid/record-"
SPACE = "2M"


def declared(pair, **log: object) -> Declared:
    """The reference site with these logs."""
    settings: dict[str, Any] = reference(pair.directory)
    settings["log"] = {"format": "%ts.%03tu %>a %Ss/%03>Hs %rm %ru", **log}
    return read(settings, "test")


def wanted(of: Declared) -> config.Wanted:
    text = squid_conf_text(of, OWNER)
    settings = NodeSettings(
        files={
            CONF: FileState(content=text, mode="0644", owner="root:root", check=["squid", "-k", "parse", "-f", "{}"])
        },
        units={"squid.service": UnitState(enabled="disabled")},
    )
    return config.Wanted(
        nodes=dict.fromkeys(NODES, settings),
        unit="squid.service",
        port="3128",
        probe_url="http://probe.squid-ha.invalid/",
        mounts=["/mnt/mirror"],
    )


class Proxy:
    """The containers with Squid on them, set up for logs as they are declared."""

    def __init__(self, hosts: Site, pair) -> None:
        self.hosts, self.pair = hosts, pair
        self.sh = lambda text, node=NODE: hosts.sh(node, text)

    def with_logs(self, **log: object) -> None:
        """Squid stopped, an empty mirror mounted, the configuration there on both nodes, Squid started on one."""
        of = declared(self.pair, **log)
        self.sh("systemctl stop squid; umount /mnt/mirror 2>/dev/null; mkdir -p /mnt/mirror")
        self.sh(f"mount -t tmpfs -o size={SPACE} tmpfs /mnt/mirror; rm -f {LOCAL}/*.log")
        files = {f"squid/{name}": f"{of.log.mirror_mode} proxy:proxy" for name in mirror_files(of)}
        run_sync(self.hosts.cluster.nodes[NODE].run(
            volume.make_entries("/dev/drbd0", "", "/mnt/mirror", {"squid": "0750 proxy:proxy"}, files)
        ))  # fmt: skip
        self.hosts.apply(*KIND, wanted(of))
        self.sh("systemctl start squid")
        assert self.agent("start") == (0, "")

    def agent(self, action: str, **parameters: str) -> tuple[int, str]:
        """The agent's answer and its reason."""
        given = {"probe_timeout": "5", "CRM_meta_timeout": "60000", **parameters}
        words = " ".join(f"OCF_RESKEY_{name}='{value}'" for name, value in given.items())
        *said, code = self.sh(f"env {words} {AGENT} {action} 2>&1; echo $?").strip().splitlines()
        return int(code), "\n".join(said)

    def ask(self, *urls: str, method: str = "GET") -> None:
        """Requests through the proxy, one after the other; each must get some answer, if only to be cut off then."""
        for url in urls:
            host = url.removeprefix("http://").partition("/")[0]
            request = rf"{method} {url} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
            asked = f"exec 3<>/dev/tcp/127.0.0.1/3128; printf '{request}' >&3; timeout 10 cat <&3 >/dev/null"
            self.sh(f'bash -c "{asked}" 2>/dev/null || true')

    def lines(self, path: str) -> list[str]:
        """Records of a log; without those before the status, which differ each time."""
        return [line.split(" ", 2)[2] for line in self.sh(f"cat {path}").splitlines()]


@pytest.fixture(scope="module")
def proxy(pair) -> Proxy:
    hosts = site(pair)
    hosts.apply("host.packages", "packages", PACKAGES)
    settings = NodeSettings(
        directories={"/usr/lib/ocf/resource.d/squid-ha": "0755 root:root"},
        files={AGENT: FileState(content=agent.text(), mode="0755", owner="root:root")},
    )
    for node in NODES:
        hosts.sh(node, "mkdir -p /usr/lib/ocf/resource.d")
    hosts.apply("host.settings", "squid-agent", settings_kind.Wanted(nodes=dict.fromkeys(NODES, settings)))
    return Proxy(hosts, pair)


def test_requests_come_into_the_logs_whose_conditions_they_fit(proxy):
    proxy.with_logs(
        unless={"domains": [".monitor.example"], "methods": ["HEAD"]},
        additional=[
            {"file": "refused.log", "only": {"status": ["403", "500-599"]}, "format": "%ts %>a %Ss %rm %ru"},
            {"file": "tunnels.log", "place": "local", "only": {"methods": ["CONNECT"], "ports": [25]}},
            {"file": "elsewhere.log", "place": "mirror", "only": {"networks": ["192.0.2.200/32"]}},
        ],
    )
    proxy.ask("http://127.0.0.1/own", "http://a.monitor.example/x")
    proxy.ask("127.0.0.1:25", method="CONNECT")
    proxy.ask("http://a.monitor.example/head", method="HEAD")
    main = proxy.lines(f"{LOCAL}/access.log")
    assert [line.partition(" ")[2] for line in main] == [
        "GET http://127.0.0.1/own", "GET http://a.monitor.example/x", "CONNECT 127.0.0.1:25",
    ]  # fmt: skip
    assert proxy.lines(f"{MIRROR}/access.log") == main
    refused = proxy.lines(f"{MIRROR}/refused.log")
    assert [line.split(" ", 1)[1] for line in refused if "127.0.0.1" in line] == [
        "GET http://127.0.0.1/own", "CONNECT 127.0.0.1:25",
    ]  # fmt: skip
    assert proxy.lines(f"{LOCAL}/refused.log") == refused
    assert [line.rsplit(" ", 1)[0] for line in proxy.lines(f"{LOCAL}/tunnels.log")], "the tunnel has no record"
    assert proxy.lines(f"{MIRROR}/elsewhere.log") == []


def test_squids_own_messages_may_go_to_the_mirror_and_the_files_keep_owner_and_mode(proxy):
    proxy.with_logs(cache="mirror", access="mirror", mirror_mode="0644")
    proxy.ask("http://127.0.0.1/1")
    assert "Starting Squid Cache" in proxy.sh(f"cat {MIRROR}/cache.log")
    assert proxy.sh(f"ls {LOCAL}/access.log 2>/dev/null || echo none").strip() == "none"
    # As logrotate does it: renamed, and made anew by Squid.
    proxy.sh(
        f"mv {MIRROR}/access.log {MIRROR}/access.log-1; mv {MIRROR}/cache.log {MIRROR}/cache.log-1; squid -k rotate"
    )
    proxy.sh(
        f"for i in $(seq 100); do [ -f {MIRROR}/access.log ] && [ -f {MIRROR}/cache.log ] && exit; sleep 0.1; done"
    )
    found = run_sync(
        proxy.hosts.cluster.nodes[NODE].run(
            volume.entries_mounted("/mnt/mirror", ["squid", "squid/access.log", "squid/cache.log", "squid/none"])
        )
    )
    assert volume.parse_entries(found.stdout, ["squid", "squid/access.log", "squid/cache.log", "squid/none"]) == {
        "squid": "0750 proxy:proxy",
        "squid/access.log": "0644 proxy:proxy",
        "squid/cache.log": "0644 proxy:proxy",
        "squid/none": None,
    }


def test_the_usual_agent_leaves_no_trace_in_any_log(proxy):
    proxy.with_logs()
    assert proxy.agent("monitor") == (0, "")
    assert proxy.lines(f"{MIRROR}/access.log") == proxy.lines(f"{LOCAL}/access.log") == []


def test_where_records_are_dropped_the_agent_notices_it_and_its_end(proxy):
    proxy.with_logs(on_full="drop")
    look = {"record_log": f"{MIRROR}/access.log", "record_url": RECORD}
    assert proxy.agent("monitor", **look) == (0, "")
    (line,) = proxy.lines(f"{MIRROR}/access.log")
    assert f"GET {RECORD}{NODE}-" in line
    assert proxy.lines(f"{LOCAL}/access.log") == [], "the probe's record is on the mirror only"

    proxy.sh("dd if=/dev/zero of=/mnt/mirror/filler bs=1k 2>/dev/null || true")
    # What is left of the log's last page is written full, and then nothing more fits.
    proxy.ask(*(f"http://127.0.0.1/{'x' * 900}{number}" for number in range(12)))
    code, said = proxy.agent("monitor", **look)
    assert code == 190
    assert f"its records do not reach {MIRROR}/access.log" in said
    assert proxy.agent("monitor", **look, record_lost="fail")[0] == 1
    assert proxy.agent("monitor") == (0, ""), "Squid serves on"
    assert len(proxy.lines(f"{LOCAL}/access.log")) == 12

    proxy.sh("rm /mnt/mirror/filler")
    assert proxy.agent("monitor", **look) == (0, ""), "Squid writes again as soon as there is space"


def test_where_squid_stops_it_ends_and_the_local_log_has_what_it_answered_until_then(proxy):
    """Squid ends its worker at each record that it cannot write, and itself when that goes on."""
    proxy.with_logs(on_full="stop")
    proxy.sh("dd if=/dev/zero of=/mnt/mirror/filler bs=1k 2>/dev/null || true")
    request = "GET http://127.0.0.1/$i HTTP/1.1\\r\\nHost: 127.0.0.1\\r\\nConnection: close\\r\\n\\r\\n"
    answered = proxy.sh(
        f"""timeout 120 bash -c 'i=0; while systemctl -q is-active squid; do i=$((i + 1))
        (exec 3<>/dev/tcp/127.0.0.1/3128 && printf "{request}" >&3 && read -r line <&3 && echo "$i") 2>/dev/null
        done; true'"""
    ).split()
    assert answered
    assert proxy.agent("monitor")[0] == 7
    recorded = {line.rsplit("/", 1)[1] for line in proxy.lines(f"{LOCAL}/access.log")}
    assert set(answered) <= recorded


def test_the_log_is_mounted_as_declared_at_start_and_by_a_reload_under_a_running_squid(proxy):
    proxy.with_logs()
    mounted = {"log_mount": "/mnt/mirror"}

    def options() -> list[str]:
        table = json.loads(proxy.sh("findmnt --json --output OPTIONS /mnt/mirror"))
        return table["filesystems"][0]["options"].split(",")

    proxy.sh("systemctl stop squid")
    assert proxy.agent("start", **mounted, log_mount_options="sync") == (0, "")
    assert "sync" in options()
    process = proxy.sh("systemctl show -P MainPID squid")
    assert proxy.agent("reload-agent", **mounted, log_mount_options="async") == (0, "")
    assert "sync" not in options()
    assert proxy.sh("systemctl show -P MainPID squid") == process
    code, said = proxy.agent("reload-agent", **mounted, log_mount_options="no_such_option")
    assert code == 1
    assert "/mnt/mirror cannot be mounted with no_such_option" in said
