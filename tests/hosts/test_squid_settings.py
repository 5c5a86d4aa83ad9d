"""What a site may say of its proxy, on the container pair with the real Squid."""

import base64
import copy
import shlex
from dataclasses import replace

import pytest
import yaml

from blueprint import squid
from declaration.load import read
from operations.stacks import render
from providers import reconcile, wire
from providers.host import packages
from providers.squid import config
from tests.support.sites import without_mirror
from tests.support.things import OWNER, HostError, Site, site

pytestmark = pytest.mark.spare

CONF = "/etc/squid/squid.conf"
USERS = "/etc/squid/squid-ha.users"
NODES = ("qsp-a", "qsp-b")
PACKAGES = packages.Wanted(nodes={node: {"squid": "installed"} for node in NODES}, quiet_units=["squid.service"])
KIND = ("squid.config", "squid-config")
# What `openssl passwd -apr1 -salt 12345678 geheim` prints.
SECRETS = {"proxy-users": "anna:$apr1$12345678$RNLsTixqckTL7HJUmaL731"}
REFERENCE = yaml.safe_load(render("lab.yaml.j2", lab="/lab"))["config"]["squid-ha:site"]
NONLOCAL = "/proc/sys/net/ipv4/ip_nonlocal_bind"

LIMITS = ("connect", "parent_connect", "forward", "read", "write", "request", "client_idle", "server_idle")

EVERYTHING = {
    "more_ports": [8080],
    "listen": "virtual_ip",
    "outgoing": "virtual_ip",
    "access": [
        {"action": "deny", "domains": [".bad.example", "worse.example"], "times": ["mon-fri 08:00-17:00", "sat,sun"]},
        {"action": "deny", "methods": ["CONNECT"], "ports": [8443], "networks": ["192.0.2.128/25", "2001:db8::/32"]},
        {"action": "deny", "users": ["eve"]},
        {"action": "allow", "networks": ["127.0.0.0/8"], "authenticated": True},
        {"action": "deny"},
    ],
    "connect_ports": [443, "8000-8999"],
    "auth": {
        "realm": "Proxy of (Example), inc.",
        "basic": {"password_file": {"secret": "proxy-users"}},
        "ttl": "1h",
        "helpers": 5,
    },
    "parents": {
        "proxies": [
            {"host": "192.0.2.1", "domains": [".example.org"], "weight": 3},
            {"host": "2001:db8::7", "port": 8080, "login": "pass", "tls": True},
        ],
        "choose": "in_turn",
        "direct": "as_last_resort",
    },
    "forwarded_for": "remove",
    "via": False,
    "dns": {
        "servers": ["192.0.2.1"],
        "timeout": "5s",
        "append_domain": ".example.org",
        "longest": "1h",
        "failed": "1m",
    },
    "timeouts": dict.fromkeys(LIMITS, "5s"),
    "cache": {"memory": "64M", "disk": {"size": "32M", "max_object": "1M"}},
}


def wanted(**settings) -> config.Wanted:
    declared = without_mirror(copy.deepcopy(REFERENCE))
    declared["squid"] |= settings
    if "access" in settings:
        del declared["squid"]["allow"]
    thing = squid.thing(read(declared, "test"), OWNER)
    assert isinstance(thing.inputs, config.Wanted)
    sealed = config.sealed(thing.inputs, SECRETS.get)
    assert wire.decode(config.Wanted, wire.encode(sealed)) == sealed
    return sealed


PLAIN = wanted()


@pytest.fixture(scope="module")
def lab_site(pair) -> Site:
    opened = site(pair)
    opened = replace(opened, cluster=replace(opened.cluster, secret=SECRETS.get))
    opened.apply("host.packages", "packages", PACKAGES)
    opened.apply(*KIND, PLAIN)
    opened.sh("qsp-a", "systemctl start squid")
    return opened


@pytest.fixture
def plain(lab_site) -> Site:
    lab_site.apply(*KIND, PLAIN)
    return lab_site


def pid(lab_site) -> str:
    return lab_site.sh("qsp-a", "systemctl show -P MainPID squid").strip()


def files(lab_site) -> list[str]:
    return [lab_site.sh(node, f"cat {CONF}") for node in NODES]


_ASK = r"""
exec 3<>/dev/tcp/127.0.0.1/3128
printf 'GET http://192.0.2.1:9999/ HTTP/1.1\r\nHost: 192.0.2.1:9999\r\n%s\r\nConnection: close\r\n\r\n' "$0" >&3
read -r -t 60 _ status _ <&3; echo "$status"
"""


def ask(lab_site, login: str = "") -> str:
    """The status that the proxy answers a request with."""
    header = f"Proxy-Authorization: Basic {base64.b64encode(login.encode()).decode()}" if login else "X-Nobody: yes"
    return lab_site.sh("qsp-a", f"bash -c {shlex.quote(_ASK)} {shlex.quote(header)}").strip()


def with_line(line: str) -> config.Wanted:
    """The plain configuration with one more line, which no declaration would make."""
    nodes = {}
    for name, settings in PLAIN.nodes.items():
        file = settings.files[CONF]
        changed = file.model_copy(update={"content": f"{file.content}{line}\n"})
        nodes[name] = settings.model_copy(update={"files": {**settings.files, CONF: changed}})
    return PLAIN.model_copy(update={"nodes": nodes})


def test_everything_that_a_site_may_say_is_taken_by_squid(plain):
    before = pid(plain)
    everything = wanted(**EVERYTHING)
    assert "geheim" not in everything.model_dump_json()
    assert SECRETS["proxy-users"] not in everything.model_dump_json()
    assert plain.apply(*KIND, everything, PLAIN).values == everything
    assert pid(plain) != before, "a cache on disk wants a start"
    assert any("starts anew" in line for line in plain.told)
    assert plain.sh("qsp-a", "ls -d /var/spool/squid/0F").strip() == "/var/spool/squid/0F"
    listening = plain.sh("qsp-a", "ss -Hltn").split()
    assert {"192.0.2.10:3128", "192.0.2.10:8080", "127.0.0.1:3128", "127.0.0.1:8080"} <= set(listening)
    for node in NODES:
        assert plain.sh(node, f"stat -c '%a %U:%G' {USERS}").strip() == "640 root:proxy"
        assert plain.sh(node, f"cat {NONLOCAL}").strip() == "1"
    assert [ask(plain), ask(plain, "anna:falsch"), ask(plain, "anna:geheim")] == ["407", "407", "503"]
    assert plain.journal("qsp-a", KIND[1]).keys().isdisjoint({config.PENDING, config.RESTART})
    assert plain.drift(*KIND, everything) == []

    # Ports are taken over without a start.
    moved = wanted(**{**EVERYTHING, "more_ports": [8081]})
    before = pid(plain)
    plain.apply(*KIND, moved, everything)
    assert pid(plain) == before
    assert "192.0.2.10:8081" in plain.sh("qsp-a", "ss -Hltn").split()

    plain.sh("qsp-b", f"echo 'eve:x' >>{USERS}; echo 0 >{NONLOCAL}")
    assert set(plain.drift(*KIND, moved)) == {
        f'nodes.qsp-b.files["{USERS}"].content',
        'kernel.qsp-b["net.ipv4.ip_nonlocal_bind"]',
    }
    plain.apply(*KIND, moved)
    assert plain.drift(*KIND, moved) == []
    assert "eve" not in plain.sh("qsp-b", f"cat {USERS}")

    plain.apply(*KIND, PLAIN, moved)
    assert [plain.sh(node, f"cat {NONLOCAL}; ls {USERS} 2>&1; true").split()[0] for node in NODES] == ["0", "0"]
    assert "No such file" in plain.sh("qsp-b", f"ls {USERS} 2>&1; true")
    assert ask(plain) == "503"
    assert not any("geheim" in line or SECRETS["proxy-users"] in line for line in plain.told)


def test_a_port_that_does_not_open_is_taken_back_everywhere(plain):
    before = files(plain)
    with pytest.raises(HostError, match=r"does not listen on 192\.0\.2\.99:3999; the old configuration is back"):
        plain.apply(*KIND, with_line("http_port 192.0.2.99:3999"), PLAIN)
    assert files(plain) == before
    assert plain.apply(*KIND, PLAIN).values == PLAIN


def test_a_squid_that_leaves_no_record_gets_its_old_file_back(plain):
    before = files(plain)
    with pytest.raises(HostError, match=r"no record of it in /var/log/squid/access\.log; the old configuration is"):
        plain.apply(*KIND, without_records(), PLAIN)
    assert files(plain) == before
    assert plain.apply(*KIND, PLAIN).values == PLAIN


def without_records() -> config.Wanted:
    """A log of every request, by its look, behind one that ends the list for every request."""
    nodes = {}
    for name, settings in PLAIN.nodes.items():
        file = settings.files[CONF]
        content = str(file.content).replace("access_log ", "access_log none all\naccess_log ", 1)
        nodes[name] = settings.model_copy(
            update={"files": {**settings.files, CONF: file.model_copy(update={"content": content})}}
        )
    return PLAIN.model_copy(update={"nodes": nodes})


@pytest.mark.turns("refused include")
@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("http_access allow all", r"conf\.d/site\.conf line 1: `http_access allow all` may let anybody use the proxy"),
        ("acl clients src 0.0.0.0/0", r"opens the site's own rule `http_access allow clients`"),
        ("http_port 22", r"takes a port that SSH has"),
        ("http_port 3128", r"takes a port that the site's file gives Squid already"),
        ("http_access deny all", r"fits every request"),
        ("follow_x_forwarded_for allow all", r"takes from anybody whose address a request is said to come from"),
        ("auth_param basic program /bin/true\nacl u proxy_auth REQUIRED\nhttp_access allow u", r"nobody can tell"),
    ],
)
def test_an_included_file_that_would_make_another_site_is_refused(plain, line, reason):
    plain.sh("qsp-b", f"mkdir -p /etc/squid/conf.d; printf '%s\\n' '{line}' >/etc/squid/conf.d/site.conf")
    before = files(plain)
    with pytest.raises(HostError, match=reason) as refused:
        plain.apply(*KIND, wanted(include=["/etc/squid/conf.d/*.conf"]), PLAIN)
    assert str(refused.value).startswith("qsp-b:")
    assert files(plain) == before
    plain.sh("qsp-b", "rm /etc/squid/conf.d/site.conf")


def test_an_included_file_that_adds_to_the_site_is_read(plain):
    extra = "acl guests src 192.0.2.200/29\nhttp_access allow guests\nhttp_port 127.0.0.1:3999\n"
    for node in NODES:
        plain.sh(node, f"mkdir -p /etc/squid/conf.d; printf '%s' '{extra}' >/etc/squid/conf.d/site.conf")
    with_include = wanted(include=["/etc/squid/conf.d/site*.conf"])
    plain.apply(*KIND, with_include, PLAIN)
    assert "127.0.0.1:3999" in plain.sh("qsp-a", "ss -Hltn").split()
    assert plain.drift(*KIND, with_include) == []

    # Edited on both nodes: drift, and Squid reads them in the next run without a start.
    for node in NODES:
        plain.sh(node, "sed -i 's/3999/3998/' /etc/squid/conf.d/site.conf")
    assert plain.drift(*KIND, with_include) == ["included.qsp-a", "included.qsp-b"]
    before = pid(plain)
    plain.apply(*KIND, with_include)
    assert pid(plain) == before
    assert "127.0.0.1:3998" in plain.sh("qsp-a", "ss -Hltn").split()
    assert plain.drift(*KIND, with_include) == []

    # Missing where Squid does not run now: Squid would not start there.
    plain.sh("qsp-b", "mv /etc/squid/conf.d/site.conf /root/site.conf")
    assert plain.drift(*KIND, with_include) == ["included.qsp-b"]
    with pytest.raises(HostError, match=r"^qsp-b: .* names no file that is there, at which Squid ends"):
        plain.apply(*KIND, with_include)
    plain.sh("qsp-b", "mv /root/site.conf /etc/squid/conf.d/site.conf")

    # A port that Squid cannot open, and goes on without.
    for node in NODES:
        plain.sh(node, "echo 'http_port 192.0.2.99:3997' >>/etc/squid/conf.d/site.conf")
    with pytest.raises(HostError, match=r"does not listen on 192\.0\.2\.99:3997; what was edited in included files"):
        plain.apply(*KIND, with_include)
    for node in NODES:
        plain.sh(node, "sed -i '/3997/d' /etc/squid/conf.d/site.conf")
    plain.apply(*KIND, with_include)
    assert plain.drift(*KIND, with_include) == []
    plain.apply(*KIND, PLAIN, with_include)
    assert "included" not in plain.journal("qsp-a", KIND[1])


def test_a_keytab_that_squid_cannot_read_is_refused(plain):
    with pytest.raises(HostError, match=r"/etc/squid/proxy.keytab is not there, or proxy, as whom Squid runs"):
        plain.apply(*KIND, wanted(auth={"kerberos": {"keytab": "/etc/squid/proxy.keytab"}}), PLAIN)


def test_a_directory_and_kerberos_are_taken_by_squid(plain):
    for node in NODES:
        plain.sh(node, "install -m 0640 -o root -g proxy /dev/null /etc/squid/proxy.keytab")
    auth = {
        "ldap": {
            "uri": "ldap://192.0.2.1:3890",
            "start_tls": True,
            "base": "ou=Größe und mehr,dc=example,dc=org",
            "filter": "(&(objectClass=person)(|(uid=%s)))",
            "bind_dn": "cn=proxy user,dc=example",
            "bind_password": {"secret": "proxy-users"},
        },
        "kerberos": {"keytab": "/etc/squid/proxy.keytab", "principal": "HTTP/proxy.example.org@EXAMPLE.ORG"},
    }
    both = wanted(auth=auth)
    plain.apply(*KIND, both, PLAIN)
    helper = plain.sh("qsp-a", "tr '\\0' '\\n' </proc/$(pgrep -f basic_ldap_auth | head -1)/cmdline").split("\n")
    assert "ou=Größe und mehr,dc=example,dc=org" in helper
    assert "(&(objectClass=person)(|(uid=%s)))" in helper
    assert not any(SECRETS["proxy-users"] in word for word in helper)
    plain.apply(*KIND, PLAIN, both)


# A proxy of its own beside the site's, at an address that is not the site's.
PARENT = """
ip address add 192.0.2.50/24 dev eth0
cat >/root/parent.conf <<'END'
http_port 3200
pid_filename /run/parent.pid
access_log stdio:/var/log/squid/parent.log
cache_log /var/log/squid/parent-cache.log
http_access allow all
END
systemd-run --quiet --unit=parent squid --foreground -n parent -f /root/parent.conf
for i in $(seq 100); do bash -c 'exec 3<>/dev/tcp/192.0.2.50/3200' 2>/dev/null && exit 0; sleep 0.1; done; exit 1
"""
SEEN = "grep -a ':9999/' /var/log/squid/parent.log | awk '{print $3}'"


def test_requests_go_by_the_parent_and_from_the_address_that_are_declared(plain):
    plain.sh("qsp-b", PARENT)
    plain.sh("qsp-a", "ip address add 192.0.2.10/24 dev eth0")
    parents = {"proxies": [{"host": "192.0.2.50", "port": 3200}], "direct": "never"}
    before = PLAIN
    for outgoing in ("virtual_ip", "node"):
        now = wanted(outgoing=outgoing, parents=parents)
        plain.apply(*KIND, now, before)
        assert ask(plain) == "503", "the parent's answer"
        before = now
    assert plain.sh("qsp-b", SEEN).split() == ["192.0.2.10", "192.0.2.11"]
    plain.apply(*KIND, PLAIN, before)
    assert ask(plain) == "503"
    assert len(plain.sh("qsp-b", SEEN).split()) == 2, "without a parent it is asked no more"
    plain.sh("qsp-a", "ip address delete 192.0.2.10/24 dev eth0")
    plain.sh("qsp-b", "systemctl stop parent; ip address delete 192.0.2.50/24 dev eth0")


def test_differences_of_a_secret_show_digests_only(lab_site):
    one = wanted(auth={"basic": {"password_file": {"secret": "proxy-users"}}})
    unsealed = {
        node: settings.model_copy(
            update={"files": {**settings.files, USERS: settings.files[USERS].model_copy(update={"content": "scrypt:"})}}
        )
        for node, settings in one.nodes.items()
    }
    other = config.sealed(one.model_copy(update={"nodes": unsealed}), {"proxy-users": "anna:other"}.get)
    shown = [str(each) for each in reconcile.differences(other, one) if USERS in each.path]
    assert len(shown) == 2
    assert all("scrypt:" in each and "anna" not in each for each in shown)
