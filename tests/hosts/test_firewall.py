"""The firewall on containers with the real nft: what is let in and refused, drift, removal, and no locking out."""

import pytest

from blueprint.firewall import things
from declaration.load import read
from lab import addresses, control
from lab.addresses import CLIENT
from providers.host import firewall
from tests.support.sites import on_containers
from tests.support.things import HostError, Site, difference, site

pytestmark = pytest.mark.spare

RULES = "/etc/squid-ha/firewall.nft"
FOREIGN = (
    "add table inet somebody; add chain inet somebody input { type filter hook input priority 10; policy accept; }"
)
LISTEN = (
    "for p in 3128 9100 9200; do systemd-run --quiet --unit=listen-$p socat TCP-LISTEN:$p,fork,reuseaddr PIPE; done"
)


@pytest.fixture(scope="module")
def hosts(pair) -> Site:
    made = site(pair)
    for name in pair.names:
        made.sh(
            name, "apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qqy install nftables socat >/dev/null"
        )
        made.sh(name, f"nft '{FOREIGN}'; {LISTEN}")
    return made


@pytest.fixture(scope="module")
def declared(pair):
    given = on_containers(pair.directory)
    given["firewall"] = {"openings": [{"port": 9100, "networks": [f"{CLIENT}/32"]}]}
    return given


@pytest.fixture(scope="module")
def wanted(declared) -> firewall.Wanted:
    return wanted_of(declared)


def wanted_of(declared) -> firewall.Wanted:
    (thing,) = things(read(declared, "test"))
    assert isinstance(thing.inputs, firewall.Wanted)
    return thing.inputs


@pytest.fixture(scope="module")
def untouched(hosts, pair):
    return {name: (hosts.manifest(name), ruleset(hosts, name)) for name in pair.names}


@pytest.fixture(scope="module")
def loaded(hosts, wanted, untouched):
    hosts.apply("host.firewall", "firewall", wanted)


def ruleset(hosts: Site, name: str) -> str:
    return hosts.sh(name, "nft list ruleset")


def connect(namespace: str, target: str, port: int, protocol: str = "TCP") -> str:
    """What socat says when it connects from there; '' when it gets in."""
    argv = ["socat", "-T2", "-", f"{protocol}:{target}:{port},connect-timeout=3"]
    answer = control.call("run", namespace=namespace, argv=argv, input="hello\n", timeout=20)
    return "" if answer["code"] == 0 and (protocol != "TCP" or answer["out"] == "hello\n") else answer["err"]


def test_before_it_every_port_answers(hosts, untouched):
    assert [connect("client", "192.0.2.11", port) for port in (3128, 9100, 9200)] == ["", "", ""]


def test_what_is_needed_passes_and_the_rest_is_refused(hosts, loaded):
    assert connect("client", "192.0.2.11", 3128) == ""
    assert connect("client", "192.0.2.11", 9100) == ""
    assert "refused" in connect("client", "192.0.2.11", 9200)
    assert "refused" in connect("origin", "192.0.2.11", 9100), "the opening is for the client only"
    assert hosts.sh("qsp-b", "ping -c1 -W2 192.0.2.11 >/dev/null && echo there").strip() == "there"
    assert "refused" in hosts.sh("qsp-b", "socat -T2 - TCP:192.0.2.11:9100,connect-timeout=3 2>&1 || true")


def test_the_links_of_the_cluster_pass_between_the_nodes_only(hosts, loaded):
    """UDP that is let in and meets nobody is answered by the kernel; the counted packets tell."""
    for port, address in ((5405, "192.0.2.11"), (5406, "172.16.77.11")):
        listen(hosts, f"UDP-RECV:{port},bind={address}", port)
        hosts.sh("qsp-b", f"echo token | socat -u - UDP:{address}:{port}")
        assert hosts.sh("qsp-a", f"{soon('[ -s /run/got ]')}; cat /run/got") == "token\n"
        hosts.sh("qsp-a", "systemctl stop udp; rm -f /run/got")
    listen(hosts, "UDP-RECV:5405", 5405)
    connect("client", "192.0.2.11", 5405, "UDP")
    # What was sent before has arrived by the time that this has.
    hosts.sh("qsp-b", "echo token | socat -u - UDP:192.0.2.11:5405")
    assert hosts.sh("qsp-a", f"{soon('[ -s /run/got ]')}; cat /run/got") == "token\n", "the client's got in too"
    hosts.sh("qsp-a", "systemctl stop udp; rm -f /run/got")


def soon(condition: str) -> str:
    """Shell words that wait ten seconds at most until the condition holds."""
    return f"for _ in $(seq 100); do ! {condition} || break; sleep 0.1; done"


def listen(hosts: Site, source: str, port: int) -> None:
    """Have qsp-a keep what arrives there in /run/got."""
    hosts.sh("qsp-a", f"systemd-run --quiet --collect --unit=udp socat -u {source} CREATE:/run/got")
    hosts.sh("qsp-a", soon(f"ss -Hlun 'sport = :{port}' | grep -q ."))


def test_applying_it_again_changes_nothing(hosts, loaded, wanted, pair):
    before = {name: hosts.sh(name, "nft -a list ruleset") for name in pair.names}
    hosts.apply("host.firewall", "firewall", wanted)
    assert {name: hosts.sh(name, "nft -a list ruleset") for name in pair.names} == before
    assert hosts.drift("host.firewall", "firewall", wanted) == []


ICMP_RULE = "$(nft -a list table inet squid_ha | sed -n 's/.*ICMP.*handle //p')"
CHANGES = {
    "a rule added by hand": ("nft add rule inet squid_ha input tcp dport 23 accept", "rules"),
    "a rule taken out by hand": (f"nft delete rule inet squid_ha input handle {ICMP_RULE}", "rules"),
    "the table flushed": ("nft flush table inet squid_ha", "rules"),
    "the table gone": ("nft delete table inet squid_ha", "rules"),
    "the file changed": ("echo '# mine' >> /etc/squid-ha/firewall.nft", "settings.files"),
    "not loaded at boot": ("systemctl disable squid-ha-firewall", "settings.units"),
}  # fmt: skip


@pytest.mark.turns("drift of the firewall")
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_by_hand_is_drift_and_repaired(hosts, loaded, wanted, change):
    made, path = CHANGES[change]
    hosts.sh("qsp-b", made)
    found = hosts.drift("host.firewall", "firewall", wanted)
    assert len(found) == 1, found
    assert found[0].startswith(f"nodes.qsp-b.{path}"), found
    hosts.apply("host.firewall", "firewall", wanted)
    assert hosts.drift("host.firewall", "firewall", wanted) == []


def test_it_is_there_after_a_boot(hosts, loaded, wanted, pair):
    hosts.sh("qsp-b", "systemctl restart squid-ha-firewall; systemctl is-enabled squid-ha-firewall")
    assert hosts.drift("host.firewall", "firewall", wanted) == []
    hosts.sh("qsp-b", "systemctl start nftables && systemctl reload nftables && systemctl restart nftables")
    assert hosts.drift("host.firewall", "firewall", wanted) == [], "Debian's own unit took the table away"
    hosts.sh("qsp-b", f"systemctl stop nftables; systemctl start squid-ha-firewall; nft '{FOREIGN}'")


def test_a_table_that_would_shut_ssh_out_is_refused_before_it_is_loaded(hosts, loaded, declared, wanted):
    other = {**declared, "ssh": {**declared["ssh"], "port": 2222}}
    before = ruleset(hosts, "qsp-a")
    with pytest.raises(HostError, match=r"port 22 .*would close.*\n.*ssh_ports: \[22\]"):
        hosts.apply("host.firewall", "firewall", wanted_of(other), previous=wanted)
    assert ruleset(hosts, "qsp-a") == before


def broken(wanted):
    """As if a bug had made the rules: the text is right for the guard, and wrong for the kernel."""
    node = wanted.nodes["qsp-a"]
    shut = node.settings.files[RULES].content.replace("tcp dport 22 accept", "tcp dport 22 tcp flags syn drop")
    file = node.settings.files[RULES].model_copy(update={"content": shut})
    settings = node.settings.model_copy(update={"files": {**node.settings.files, RULES: file}})
    return wanted.model_copy(update={"nodes": {"qsp-a": node.model_copy(update={"settings": settings})}})


def test_a_table_that_lets_nobody_in_after_all_is_taken_back_at_once(hosts, loaded, wanted):
    with pytest.raises(HostError, match="no new connection got in"):
        hosts.apply("host.firewall", "firewall", broken(wanted), previous=wanted)
    assert hosts.sh("qsp-a", f"grep -c 'syn drop' {RULES}; true").strip() == "0", "what locks out was made to last"
    assert hosts.drift("host.firewall", "firewall", wanted) == [], "the rules from before are not loaded again"


def test_a_first_table_that_lets_nobody_in_goes(hosts, loaded, wanted):
    hosts.sh("qsp-a", f"rm {RULES}; nft delete table inet squid_ha")
    with pytest.raises(HostError, match="no new connection got in"):
        hosts.apply("host.firewall", "firewall", broken(wanted), previous=wanted)
    assert "squid_ha" not in ruleset(hosts, "qsp-a")
    hosts.apply("host.firewall", "firewall", wanted)
    assert hosts.drift("host.firewall", "firewall", wanted) == []


def test_a_run_cut_off_under_the_timer_is_finished_by_the_next(hosts, loaded, wanted, monkeypatch):
    """The rules are right by then, and so is the file: only the timer would still take them away."""

    class Killed(Exception):
        pass

    async def killed(node: object) -> None:
        raise Killed

    hosts.sh("qsp-a", "nft delete table inet squid_ha")
    with monkeypatch.context() as patched:
        patched.setattr(firewall, "answers_afresh", killed)
        with pytest.raises(Killed):
            hosts.apply("host.firewall", "firewall", wanted)
    assert hosts.drift("host.firewall", "firewall", wanted) == []
    active = f"systemctl is-active {firewall.UNDO}.timer || :"
    assert hosts.sh("qsp-a", active).strip() == "active"
    hosts.apply("host.firewall", "firewall", wanted)
    assert hosts.sh("qsp-a", active).strip() == "inactive"
    assert hosts.drift("host.firewall", "firewall", wanted) == []


def test_the_nodes_own_timer_takes_it_back_where_nobody_else_does(hosts, loaded, wanted, monkeypatch):
    """As when the run is killed while it waits for a new connection."""

    class Killed(Exception):
        pass

    async def killed(node: object) -> None:
        raise Killed

    monkeypatch.setattr(firewall, "answers_afresh", killed)
    monkeypatch.setattr(firewall, "UNDO_AFTER", 3)
    with pytest.raises(Killed):
        hosts.apply("host.firewall", "firewall", broken(wanted), previous=wanted)
    back = "nft list table inet squid_ha | grep -q 'dport 22 accept'"
    hosts.sh("qsp-a", f"for _ in $(seq 100); do {back} && exit 0; sleep 0.2; done; exit 1")
    assert hosts.drift("host.firewall", "firewall", wanted) == []


def test_removal_takes_away_the_own_table_and_nothing_else(hosts, loaded, wanted, pair, untouched):
    hosts.remove("host.firewall", "firewall", wanted)
    for name in pair.names:
        before, rules = untouched[name]
        assert ruleset(hosts, name) == rules
        assert difference(before, hosts.manifest(name)) == []
    hosts.remove("host.firewall", "firewall", wanted)
    assert connect("client", addresses.address(addresses.Network.PUBLIC, 11), 9200) == ""
