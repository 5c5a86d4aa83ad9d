"""What a site may say of its proxy, on the container pair with the real Squid."""

import base64
import copy
import shlex
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import yaml

from blueprint import squid
from declaration.load import read
from declaration.logformat import CODES
from declaration.squid_access import DAYS
from lab import control
from lab.addresses import ORIGIN
from operations.stacks import render
from providers import reconcile, wire
from providers.host import packages
from providers.squid import config
from tests.support import logformats, name_server
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


def wanted(platform: str = "debian-12", /, **settings) -> config.Wanted:
    declared: dict[str, Any] = without_mirror(copy.deepcopy(REFERENCE)) | {"platform": platform}
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


PAGE = "http://192.0.2.1:9999/"
"""Nobody listens there: the answer to a request that is allowed is 503."""
_ASK = r"""
exec 3<>"/dev/tcp/$0/3128"
printf '%b\r\n\r\n' "$1" >&3
read -r -t 60 _ status _ <&3; echo "$status"
"""


def ask(lab_site, login: str = "", *headers: str, method: str = "GET", url: str = PAGE, node: str = "qsp-a") -> str:
    """The status that the proxy on the first node answers a request with."""
    lines = [f"{method} {url} HTTP/1.1", f"Host: {urlsplit(url).netloc}", *headers, "Connection: close"]
    if login:
        lines.append(f"Proxy-Authorization: Basic {base64.b64encode(login.encode()).decode()}")
    if method == "POST":
        lines.append("Content-Length: 0")
    proxy = "127.0.0.1" if node == "qsp-a" else "192.0.2.11"
    return lab_site.sh(node, shlex.join(["bash", "-c", _ASK, proxy, r"\r\n".join(lines)])).strip()


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


NAMES = ("www.bad.example", "closed.example", "later.example", "upload.example", "other.example")


@pytest.fixture
def named(plain) -> Iterator[Site]:
    """The origin under some names, which Squid reads together with its configuration: there is no name server."""
    plain.sh("qsp-a", f"cp -p /etc/hosts /root/hosts && echo '{ORIGIN} {' '.join(NAMES)}' >>/etc/hosts")
    yield plain
    plain.sh("qsp-a", "mv /root/hosts /etc/hosts")


UPLOADS = {"action": "allow", "domains": ["upload.example"], "networks": ["127.0.0.0/8"]}
NO_POSTS = {"action": "deny", "methods": ["POST"]}
DECISIONS = {
    ("GET", "http://other.example/"): "200",
    ("GET", "http://www.bad.example/"): "403",
    ("DELETE", "http://other.example/"): "403",
    ("GET", "http://other.example:8444/"): "403",
    ("GET", "http://other.example:8445/"): "503",
    ("GET", "http://closed.example/"): "403",
    ("GET", "http://later.example/"): "200",
    ("POST", "http://other.example/"): "403",
}


def hours(hosts: Site) -> tuple[list[str], list[str]]:
    """Times that the node's clock is in, for two hours more at least, and times that it is not in."""
    day, hour = map(int, hosts.sh("qsp-a", "date '+%w %H'").split())
    today, tomorrow, another = (DAYS[(day + later) % 7] for later in (0, 1, 3))
    here, there = (["00:00-14:00"], "18:00-20:00") if hour < 12 else (["10:00-24:00", "00:00-02:00"], "04:00-08:00")
    return [f"{today},{tomorrow} {each}" for each in here], [another, f"{today},{tomorrow} {there}"]


def ruled(hosts: Site, *disputed: dict[str, Any]) -> config.Wanted:
    """Rules by domain, method, port and time, and among them two whose order decides on uploads."""
    now, another = hours(hosts)
    return wanted(
        access=[
            {"action": "deny", "domains": [".bad.example"]},
            {"action": "deny", "methods": ["DELETE"]},
            {"action": "deny", "ports": ["8440-8444"]},
            {"action": "deny", "domains": ["closed.example"], "times": now},
            {"action": "deny", "domains": ["later.example"], "times": another},
            *disputed,
            {"action": "allow", "networks": ["127.0.0.0/8"]},
            {"action": "deny"},
        ]
    )


def test_the_first_rule_that_fits_a_request_decides(named):
    before = PLAIN
    for order, upload in (((UPLOADS, NO_POSTS), "200"), ((NO_POSTS, UPLOADS), "403")):
        now = ruled(named, *order)
        named.apply(*KIND, now, before)
        expected = {**DECISIONS, ("POST", "http://upload.example/"): upload}
        assert {each: ask(named, method=each[0], url=each[1]) for each in expected} == expected
        assert ask(named, url="http://other.example/", node="qsp-b") == "403", "the last word is for everybody else"
        before = now


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


# A proxy of its own beside the site's, at an address that is not the site's. It notes whom it hears, and what of them.
# It keeps no connection open: Squid, once it reads its configuration, sends the next request there as if to a server.
PARENT = """
ip address add 192.0.2.50/24 dev eth0
rm -f /var/log/squid/parent*.log
cat >/root/parent.conf <<'END'
http_port 3200
pid_filename /run/parent.pid
shutdown_lifetime 1 second
client_persistent_connections off
logformat seen %>a|%{X-Forwarded-For}>h|%{Via}>h|%ru
access_log stdio:/var/log/squid/parent.log logformat=seen
cache_log /var/log/squid/parent-cache.log
http_access allow all
END
systemd-run --quiet --collect --unit=parent squid --foreground -n parent -f /root/parent.conf
for i in $(seq 100); do bash -c 'exec 3<>/dev/tcp/192.0.2.50/3200' 2>/dev/null && exit 0; sleep 0.1; done; exit 1
"""
PARENTS = {"proxies": [{"host": "192.0.2.50", "port": 3200}], "direct": "never"}


@pytest.fixture
def parent(plain) -> Iterator[Site]:
    """The pair with that proxy on the second node."""
    plain.sh("qsp-b", PARENT)
    yield plain
    plain.apply(*KIND, PLAIN)
    plain.sh("qsp-b", "systemctl stop parent; ip address delete 192.0.2.50/24 dev eth0; rm /root/parent.conf")


def seen(hosts: Site, least: int) -> list[list[str]]:
    """Who asked the parent, X-Forwarded-For and Via, of each request; waits for so many."""
    there = f"grep -a ':9999/' /var/log/squid/parent.log >/root/seen; [ $(wc -l </root/seen) -ge {least} ]"
    found = hosts.sh(
        "qsp-b", f"for _ in $(seq 100); do {there} && break; sleep 0.1; done; cat /root/seen; rm /root/seen"
    )
    return [unquote(line).split("|")[:3] for line in found.splitlines()]


def test_requests_go_by_the_parent_and_from_the_address_that_are_declared(parent):
    parent.sh("qsp-a", "ip address add 192.0.2.10/24 dev eth0")
    before = PLAIN
    for outgoing in ("virtual_ip", "node"):
        now = wanted(outgoing=outgoing, parents=PARENTS)
        parent.apply(*KIND, now, before)
        assert ask(parent) == "503", "the parent's answer"
        before = now
    assert [address for address, *_ in seen(parent, 2)] == ["192.0.2.10", "192.0.2.11"]
    parent.apply(*KIND, PLAIN, before)
    assert ask(parent) == "503"
    assert len(seen(parent, 2)) == 2, "without a parent it is asked no more"
    parent.sh("qsp-a", "ip address delete 192.0.2.10/24 dev eth0")


CLIENT, OTHER = "127.0.0.1", "203.0.113.9"
FORWARDED = {
    ("add", True): f"{OTHER}, {CLIENT}",
    ("add", False): f"{OTHER}, {CLIENT}",
    ("unknown", True): f"{OTHER}, unknown",
    ("keep", False): OTHER,
    ("remove", True): "-",
    ("replace", False): CLIENT,
}


def test_others_are_told_of_client_and_proxy_what_is_declared(parent):
    before = PLAIN
    for forwarded_for, via in FORWARDED:
        now = wanted(parents=PARENTS, forwarded_for=forwarded_for, via=via)
        parent.apply(*KIND, now, before)
        assert ask(parent, "", f"X-Forwarded-For: {OTHER}") == "503", "the parent's answer"
        before = now
    heard = seen(parent, len(FORWARDED))
    assert [of_client for _, of_client, _ in heard] == list(FORWARDED.values())
    assert [of_proxy.startswith("1.1 proxy.lab (squid/") for *_, of_proxy in heard] == [via for _, via in FORWARDED]
    assert {of_proxy for *_, of_proxy in heard[1::2]} == {"-"}


def test_a_declared_name_server_is_asked(plain, pair):
    asked = pair.directory / "asked-names"
    script = str(Path(name_server.__file__))
    control.call("spawn", name="names", namespace="origin", argv=[sys.executable, script, ORIGIN, str(asked)])
    try:
        name_server.wait(asked)
        by_name = wanted(dns={"servers": [ORIGIN], "timeout": "5s"})
        plain.apply(*KIND, by_name, PLAIN)
        assert ask(plain, url="http://only-dns-knows.example/") == "200"
    finally:
        control.call("end", name="names")
    assert "only-dns-knows.example" in asked.read_text().split()
    plain.apply(*KIND, PLAIN, by_name)


def test_squid_takes_every_format_code_that_a_site_may_use(plain):
    assert logformats.refused(plain, "qsp-b", [*sorted(CODES), "zz"]) == ["zz"]


def test_squid_reads_no_format_code_as_a_shorter_one_and_text(plain):
    assert logformats.cut_short(plain, "qsp-b") == []


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
