"""The proxy's settings: wrong ones are refused, customary ones are accepted, rules of access are weighed."""

import copy
import ipaddress
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from declaration.load import read
from declaration.rules.access_cover import covers, deciding
from declaration.squid_access import AccessRule, days_of, minutes_of, ports_of
from tests.unit.declaration.conftest import SITES, told

LOCAL = ["192.0.2.0/24"]
DENY = {"action": "deny"}
ALLOW = {"action": "allow", "networks": LOCAL}
AUTH = {"basic": {"password_file": {"secret": "proxy-users"}}}
LDAP = {"uri": "ldaps://ldap.example.org", "base": "dc=example,dc=org"}
PARENT = {"host": "parent.example.org"}


def squid(phase: int = 3, /, **settings) -> dict:
    """A site whose proxy says this, with rules of access instead of networks where it has any."""
    site = copy.deepcopy(SITES[phase])
    site["squid"] |= settings
    if "access" in settings:
        site["squid"].pop("allow", None)
    return site


def rules(*given: dict, **settings) -> dict:
    return squid(access=list(given), **settings)


def first(**conditions) -> dict:
    return rules({"action": "allow", **conditions}, DENY)


WRONG = [
    (squid(more_ports=[3128]), "squid.more_ports[0]", "taken by squid.port"),
    (squid(more_ports=[8080, 8080]), "squid.more_ports[1]", "taken by squid.more_ports[0]"),
    (squid(more_ports=[22]), "squid.more_ports[0]", "taken by ssh.port"),
    (squid(more_ports=[7789]), "mirror.port", "taken by squid.more_ports[0]"),
    (squid(more_ports=[5406]), "squid.more_ports[0]", "taken by Corosync"),
    (squid(more_ports=["8080"]), "squid.more_ports[0]", "without quotes"),
    (squid(more_ports=[70000]), "squid.more_ports[0]", "at most 65535"),
    (squid(more_ports=8080), "squid.more_ports", "a list"),
    (squid(listen="vip"), "squid.listen", "`all` or `virtual_ip`"),
    (squid(1, listen="virtual_ip"), "squid.listen", "a site with a `virtual_ip`"),
    (squid(outgoing="standby"), "squid.outgoing", "`node` or `virtual_ip`"),
    (squid(1, outgoing="virtual_ip"), "squid.outgoing", "a site with a `virtual_ip`"),
    (squid(access=[]), "squid.access", "at least 1"),
    (squid(access="allow all"), "squid.access", "a list"),
    (squid(access=["allow"]), "squid.access[0]", "a section with `action`"),
    (rules({"networks": LOCAL}, DENY), "squid.access[0].action", "required"),
    (rules({"action": "permit"}, DENY), "squid.access[0].action", "`allow` or `deny`"),
    (first(networks=[]), "squid.access[0].networks", "at least 1"),
    (first(networks=None), "squid.access[0].networks", "a list"),
    (first(networks=["192.0.2.1"]), "squid.access[0].networks[0]", "192.0.2.1/32"),
    (first(networks=["all"]), "squid.access[0].networks[0]", "such as `192.0.2.0/24`"),
    (first(networks=LOCAL + LOCAL), "squid.access[0].networks[1]", "each entry once"),
    (first(networks=LOCAL, domains=["*.example.org"]), "squid.access[0].domains[0]", "`.example.org`"),
    (first(networks=LOCAL, domains=["bücher.example"]), "squid.access[0].domains[0]", "in ASCII"),
    (first(networks=LOCAL, domains=["192.0.2.7"]), "squid.access[0].domains[0]", "a domain such as"),
    (first(networks=LOCAL, domains=["a b"]), "squid.access[0].domains[0]", "a domain such as"),
    (first(networks=LOCAL, domains=['"/etc/passwd"']), "squid.access[0].domains[0]", "a domain such as"),
    (first(networks=LOCAL, domains=["a.org #"]), "squid.access[0].domains[0]", "a domain such as"),
    (first(networks=LOCAL, domains=["a.org\nhttp_access allow all"]), "squid.access[0].domains[0]", "line breaks"),
    (first(networks=LOCAL, domains=["-n"]), "squid.access[0].domains[0]", "a domain such as"),
    (first(networks=LOCAL, domains=["www.a.org", ".a.org"]), "squid.access[0].domains[0]", "only `.a.org`"),
    (first(networks=LOCAL, methods=["get"]), "squid.access[0].methods[0]", "in capital letters"),
    (first(networks=LOCAL, methods=["GET POST"]), "squid.access[0].methods[0]", "in capital letters"),
    (first(networks=LOCAL, ports=["https"]), "squid.access[0].ports[0]", "such as `443`"),
    (first(networks=LOCAL, ports=[0]), "squid.access[0].ports[0]", "such as `443`"),
    (first(networks=LOCAL, ports=[True]), "squid.access[0].ports[0]", "such as `443`"),
    (first(networks=LOCAL, ports=["900-800"]), "squid.access[0].ports[0]", "from the smaller"),
    (first(networks=LOCAL, ports=["1-65536"]), "squid.access[0].ports[0]", "at most 65535"),
    (first(networks=LOCAL, ports=["443\n"]), "squid.access[0].ports[0]", "line breaks"),
    (first(networks=LOCAL, times=["mon-fri 22:00-06:00"]), "squid.access[0].times[0]", "across midnight"),
    (first(networks=LOCAL, times=["mo-fr"]), "squid.access[0].times[0]", "such as `mon-fri 08:00-17:00`"),
    (first(networks=LOCAL, times=["8:00-17:00"]), "squid.access[0].times[0]", "such as `mon-fri 08:00-17:00`"),
    (first(networks=LOCAL, times=["08:00-24:30"]), "squid.access[0].times[0]", "such as `mon-fri 08:00-17:00`"),
    (first(networks=LOCAL, times=[1020]), "squid.access[0].times[0]", "in quotes"),
    (first(networks=LOCAL, times=["mon-wed-fri"]), "squid.access[0].times[0]", "such as `mon-fri 08:00-17:00`"),
    (first(networks=LOCAL, time=["mon"]), "squid.access[0].time", "perhaps `times`"),
    (rules(first(users=["x"])["squid"]["access"][0], DENY), "squid.access[0].users", "a way to log in"),
    (rules({"action": "allow", "authenticated": True}, DENY), "squid.access[0].authenticated", "a way to log in"),
    (rules({"action": "allow", "users": ["a b"]}, DENY, auth=AUTH), "squid.access[0].users[0]", "a user's name"),
    (rules({"action": "allow", "users": ["REQUIRED"]}, DENY, auth=AUTH), "squid.access[0].users[0]", "authenticated"),
    (rules({"action": "allow", "users": ["-i"]}, DENY, auth=AUTH), "squid.access[0].users[0]", "a user's name"),
    (rules({"action": "allow", "users": ['"/etc/shadow"']}, DENY, auth=AUTH), "squid.access[0].users[0]", "name"),
    (rules(ALLOW, DENY, auth=AUTH), "squid.auth", "a rule under `access`"),
    # open
    (rules({"action": "allow"}, DENY), "squid.access[0]", "lets everybody"),
    (first(domains=[".example.org"]), "squid.access[0]", "lets everybody"),
    (first(networks=["0.0.0.0/0"]), "squid.access[0].networks[0]", "lets everybody"),
    (first(networks=["::/0"]), "squid.access[0].networks[0]", "lets everybody"),
    (first(networks=["8.8.8.0/24"], times=["mon"]), "squid.access[0].networks[0]", "public addresses"),
    (rules(ALLOW), "squid.access[0]", "as the last rule"),
    (rules({**ALLOW, "action": "deny"}), "squid.access[0]", "as the last rule"),
    (rules(DENY, ALLOW), "squid.access[1]", "as the last rule"),
    # out of reach
    (rules(DENY, ALLOW, DENY), "squid.access[1]", "squid.access[0] decides"),
    (rules(ALLOW, ALLOW, DENY), "squid.access[1]", "squid.access[0] decides"),
    (rules(ALLOW, {"action": "deny", "networks": ["192.0.2.128/25"]}, DENY), "squid.access[1]", "decides"),
    (rules({**ALLOW, "ports": [22]}, DENY), "squid.access[0].ports", "`squid.safe_ports`"),
    (rules({**ALLOW, "ports": [8443], "methods": ["CONNECT"]}, DENY), "squid.access[0].ports", "`squid.connect_ports`"),
    (
        rules({**ALLOW, "ports": [22, 8443], "methods": ["CONNECT"]}, DENY, connect_ports=["1-443"]),
        "squid.access[0].ports",
        "both have the same one",
    ),
    (
        rules(
            {"action": "deny", "networks": ["192.0.2.0/25"]},
            {"action": "deny", "domains": [".example"]},
            {"action": "deny", "networks": ["192.0.2.128/25"]},
            ALLOW,
            DENY,
        ),
        "squid.access[3]",
        "squid.access[0] and squid.access[2] together decide on every request",
    ),
    (
        rules(
            {"action": "allow", "networks": ["0.0.0.0/0"]},
            {"action": "allow", "networks": ["::/0"]},
            DENY,
            DENY,
            allow_public=True,
        ),
        "squid.access[2]",
        "together decide",
    ),
    (
        rules({"action": "deny", "users": ["Eve"]}, {"action": "allow", "users": ["eVe"]}, DENY, auth=AUTH),
        "squid.access[1]",
        "squid.access[0] decides",
    ),
    (
        rules({"action": "allow", "users": ["Eve", "eve"]}, DENY, auth=AUTH),
        "squid.access[0].users[1]",
        "each entry once",
    ),
    # ports of others
    (squid(connect_ports=[443, 22]), "squid.connect_ports[1]", "`squid.safe_ports` has too"),
    (squid(connect_ports=["81-200"]), "squid.connect_ports[0]", "`squid.safe_ports` has too"),
    (squid(safe_ports=[80]), "squid.connect_ports[0]", "`squid.safe_ports` has too"),
    (squid(connect_ports=[]), "squid.connect_ports", "at least 1"),
    (squid(connect_ports=["all"]), "squid.connect_ports[0]", "such as `443`"),
    (squid(connect_ports=[443, 443]), "squid.connect_ports[1]", "each entry once"),
    (squid(safe_ports=["80 443"]), "squid.safe_ports[0]", "such as `443`"),
    # login
    (squid(auth={}), "squid.auth", "`basic`, `ldap` or `kerberos`"),
    (squid(auth={**AUTH, "ldap": LDAP}), "squid.auth.ldap", "in one place"),
    (squid(auth={"basic": {"password_file": "anna:$apr1$x"}}), "squid.auth.basic.password_file", "{secret: NAME}"),
    (squid(auth={"basic": {"password_file": {"secret": "a b"}}}), "squid.auth.basic.password_file.secret", "--secret"),
    (squid(auth={**AUTH, "realm": 'x" y'}), "squid.auth.realm", "a text for the login window"),
    (squid(auth={**AUTH, "realm": "x\nhttp_access allow all"}), "squid.auth.realm", "line breaks"),
    (squid(auth={**AUTH, "ttl": "1500ms"}), "squid.auth.ttl", "whole seconds"),
    (squid(auth={**AUTH, "helpers": 0}), "squid.auth.helpers", "at least 1"),
    (squid(auth={**AUTH, "digest": {}}), "squid.auth.digest", "known here: `realm`"),
    (squid(auth={"ldap": {**LDAP, "uri": "ldap.example.org"}}), "squid.auth.ldap.uri", "such as `ldaps://"),
    (squid(auth={"ldap": {**LDAP, "uri": "ldaps://h:65536"}}), "squid.auth.ldap.uri", "such as `ldaps://"),
    (squid(auth={"ldap": {**LDAP, "uri": "ldaps://h/; id"}}), "squid.auth.ldap.uri", "such as `ldaps://"),
    (squid(auth={"ldap": {**LDAP, "base": 'ou="x"'}}), "squid.auth.ldap.base", "a name in the directory"),
    (squid(auth={"ldap": {**LDAP, "filter": "(uid=*)"}}), "squid.auth.ldap.filter", "one `%s`"),
    (squid(auth={"ldap": {**LDAP, "filter": "(uid=%s%v)"}}), "squid.auth.ldap.filter", "one `%s`"),
    (squid(auth={"ldap": {**LDAP, "filter": "(uid=%s"}}), "squid.auth.ldap.filter", "one `%s`"),
    (squid(auth={"ldap": {**LDAP, "start_tls": True}}), "squid.auth.ldap.start_tls", "encrypted already"),
    (squid(auth={"ldap": {**LDAP, "bind_dn": "cn=x"}}), "squid.auth.ldap.bind_password", "{secret: NAME}"),
    (squid(auth={"ldap": {**LDAP, "bind_password": {"secret": "x"}}}), "squid.auth.ldap.bind_dn", "whom"),
    (squid(auth={"kerberos": {}}), "squid.auth.kerberos.keytab", "required"),
    (squid(auth={"kerberos": {"keytab": "/etc/*.keytab"}}), "squid.auth.kerberos.keytab", "absolute path"),
    (squid(auth={"kerberos": {"keytab": "proxy.keytab"}}), "squid.auth.kerberos.keytab", "absolute path"),
    (squid(auth={"kerberos": {"keytab": "/k", "principal": "proxy"}}), "squid.auth.kerberos.principal", "HTTP/proxy"),
    # parents
    (squid(parents={"proxies": []}), "squid.parents.proxies", "at least 1"),
    (squid(parents=[PARENT]), "squid.parents", "a section with `proxies`"),
    (squid(parents={"proxies": [{"host": "a b"}]}), "squid.parents.proxies[0].host", "a host name or an address"),
    (squid(parents={"proxies": [{"host": "192.0.2.10"}]}), "squid.parents.proxies[0].host", "outside of this site"),
    (squid(parents={"proxies": [{"host": "PROXY-A"}]}), "squid.parents.proxies[0].host", "outside of this site"),
    (squid(parents={"proxies": [{"host": "proxy-a"}]}), "squid.parents.proxies[0].host", "outside of this site"),
    (squid(parents={"proxies": [PARENT, PARENT]}), "squid.parents.proxies[1].host", "proxies[0] is the same"),
    (squid(parents={"proxies": [{**PARENT, "port": 0}]}), "squid.parents.proxies[0].port", "at least 1"),
    (squid(parents={"proxies": [{**PARENT, "weight": 0}]}), "squid.parents.proxies[0].weight", "at least 1"),
    (squid(parents={"proxies": [{**PARENT, "login": "a:b"}]}), "squid.parents.proxies[0].login", "`none` or `pass`"),
    (squid(parents={"proxies": [{**PARENT, "domains": []}]}), "squid.parents.proxies[0].domains", "at least 1"),
    (squid(parents={"proxies": [PARENT], "choose": "random"}), "squid.parents.choose", "`first`, `in_turn`"),
    (squid(parents={"proxies": [PARENT], "direct": True}), "squid.parents.direct", "`never` or `as_last_resort`"),
    # headers, DNS, time limits, cache
    (squid(forwarded_for=True), "squid.forwarded_for", "`add`, `unknown`"),
    (squid(forwarded_for="delete"), "squid.forwarded_for", "`remove`"),
    (squid(via="off"), "squid.via", "`true` or `false`"),
    (squid(dns={"servers": []}), "squid.dns.servers", "at least 1"),
    (squid(dns={"servers": ["ns.example.org"]}), "squid.dns.servers[0]", "such as `192.0.2.11`"),
    (squid(dns={"servers": ["192.0.2.1"] * 2}), "squid.dns.servers[1]", "each entry once"),
    (squid(dns={"timeout": "500ms"}), "squid.dns.timeout", "whole seconds"),
    (squid(dns={"append_domain": "example.org"}), "squid.dns.append_domain", "a dot in front"),
    (squid(dns={"longest": "1m", "failed": "2m"}), "squid.dns.failed", "less than `longest`"),
    (squid(dns={"longest": "30s"}), "squid.dns.longest", "more than `failed`, 1m unless"),
    (squid(dns={"longest": "60s"}), "squid.dns.longest", "more than `failed`, 1m unless"),
    (squid(dns={"failed": "6h"}), "squid.dns.failed", "less than `longest`, 6h unless"),
    (squid(timeouts={"connect": 60}), "squid.timeouts.connect", "has no unit"),
    (squid(timeouts={"connect": "0s"}), "squid.timeouts.connect", "at least `1s`"),
    (squid(timeouts={"idle": "1m"}), "squid.timeouts.idle", "known here: `connect`"),
    (squid(cache={"memory": 256}), "squid.cache.memory", "a number alone has no unit"),
    (squid(cache={"memory": "512k"}), "squid.cache.memory", "at least `1M`"),
    (squid(cache={"max_object_in_memory": "1G"}), "squid.cache.max_object_in_memory", "at most `memory`"),
    (squid(cache={"disk": {}}), "squid.cache.disk.size", "required"),
    (squid(cache={"disk": {"size": "1M"}}), "squid.cache.disk.size", "at least `16M`"),
    (squid(cache={"disk": {"size": "1G", "max_object": "2G"}}), "squid.cache.disk.max_object", "at most `size`"),
    (squid(cache={"disk": {"size": "1G", "where": "/cache"}}), "squid.cache.disk.where", "`local` or `mirror`"),
    (squid(2, cache={"disk": {"size": "1G", "where": "mirror"}}), "squid.cache.disk.where", "a site with a `mirror`"),
    # left out on purpose
    (squid(ssl_bump="all"), "squid.ssl_bump", "on purpose: opening its clients' TLS"),
    (squid(**{"ssl-bump": True}), "squid.ssl-bump", "on purpose: opening its clients' TLS"),
    (squid(intercept=True), "squid.intercept", "on purpose: a proxy that clients do not know of"),
]


@pytest.mark.parametrize(("site", "path", "sentence"), WRONG)
def test_a_wrong_setting_is_refused(site, path, sentence):
    assert told(site, path, sentence)


def test_networks_or_rules_but_not_both_and_not_neither(site):
    site["squid"]["access"] = [ALLOW, DENY]
    assert told(site, "squid.access", "not both")
    del site["squid"]["access"], site["squid"]["allow"]
    assert told(site, "squid.allow", "or rules under `access`")


RIGHT = [
    rules(ALLOW, DENY),
    rules({"action": "deny", "domains": [".bad.example"]}, ALLOW, DENY),
    rules({"action": "allow", "networks": ["0.0.0.0/0"]}, DENY, allow_public=True),
    rules({"action": "allow"}, DENY, allow_public=True),
    rules(
        {"action": "allow", "networks": ["0.0.0.0/0"]},
        {"action": "allow", "networks": ["::/0"]},
        DENY,
        allow_public=True,
    ),
    rules(ALLOW, {"action": "deny", "networks": ["0.0.0.0/0"]}, {"action": "deny", "networks": ["::/0"]}, DENY),
    rules(ALLOW, DENY, DENY),
    rules({"action": "allow", "networks": ["0.0.0.0/0"], "authenticated": True}, DENY, auth=AUTH),
    rules({"action": "allow", "users": ["anna@EXAMPLE.ORG", "b/c"]}, DENY, auth={"kerberos": {"keytab": "/k"}}),
    rules({**ALLOW, "ports": [8443], "methods": ["CONNECT"]}, DENY, connect_ports=[443, "8000-8999"]),
    rules({**ALLOW, "times": ["fri-mon", "tue,wed 00:00-24:00", "18:00-24:00"]}, DENY),
    squid(auth=AUTH, allow=["0.0.0.0/0"]),
    squid(auth={"ldap": {**LDAP, "filter": "(&(uid=%s)(memberOf=cn=proxy,dc=x))"}, "kerberos": {"keytab": "/k"}}),
    squid(auth={"ldap": {**LDAP, "base": "ou=Größe,dc=x", "bind_dn": "cn=a b", "bind_password": {"secret": "l"}}}),
    squid(more_ports=[8080, 80], listen="virtual_ip", outgoing="virtual_ip"),
    squid(1, outgoing="node"),
    squid(parents={"proxies": [PARENT, {**PARENT, "port": 8080}, {"host": "2001:db8::7"}], "choose": "in_turn"}),
    squid(forwarded_for="remove", via=False, dns={"servers": ["192.0.2.1", "2001:db8::1"], "timeout": "5s"}),
    squid(dns={"longest": "61s"}),
    squid(dns={"failed": "5h"}),
    squid(dns={"longest": "30s", "failed": "10s"}),
    squid(connect_ports=["22-80", "443-8443"]),
    squid(auth={"ldap": {**LDAP, "uri": "ldaps://h:65535"}}),
    squid(timeouts={"connect": "30s"}, cache={"memory": "1G", "disk": {"size": "2G", "where": "mirror"}}),
]


@pytest.mark.parametrize("site", RIGHT)
def test_customary_settings_are_accepted(site):
    assert read(site, "x").squid


REACHED = [
    (ALLOW, {"action": "deny", "networks": ["192.0.0.0/16"]}),
    ({"action": "deny", "networks": ["192.0.2.0/25"]}, {"action": "deny", "networks": LOCAL}),
    ({"action": "deny", "domains": [".a.example"]}, {"action": "deny", "domains": [".example"]}),
    ({"action": "deny", "domains": ["a.example"]}, {"action": "deny", "domains": [".a.example"]}),
    ({"action": "deny", "methods": ["GET"]}, {"action": "deny", "networks": LOCAL}),
    ({"action": "deny", "ports": ["80"]}, {"action": "deny", "ports": ["80", "443"]}),
    ({"action": "deny", "times": ["mon-fri"]}, {"action": "deny", "times": ["fri-sat"]}),
    ({"action": "deny", "times": ["08:00-12:00"]}, {"action": "deny", "times": ["mon 11:00-13:00"]}),
    ({"action": "deny", "users": ["a"]}, {"action": "deny", "authenticated": True}),
    ({"action": "deny", "authenticated": True}, {"action": "deny", "networks": LOCAL}),
    ({"action": "deny", "networks": ["0.0.0.0/0"]}, {"action": "deny", "domains": [".example"]}),
]


@pytest.mark.parametrize(("earlier", "later"), REACHED)
def test_a_rule_that_may_be_reached_is_left_alone(earlier, later):
    assert not covers(rule(**earlier), rule(**later))


COVERED = [
    ({}, {"domains": [".a"]}),
    ({"networks": ["192.0.2.0/25", "192.0.2.128/25"]}, {"networks": LOCAL}),
    ({"networks": ["0.0.0.0/0", "::/0"]}, {"domains": [".example"]}),
    ({"domains": [".example"]}, {"domains": ["example", "a.example", ".b.example"]}),
    ({"ports": ["1-100", "101-65535", "0-0"][:2]}, {"ports": ["90-110"]}),
    ({"times": ["mon-fri 08:00-12:00", "12:01-17:00"]}, {"times": ["tue,wed 11:00-13:00"]}),
    ({"times": ["sun-sat"]}, {"networks": LOCAL}),
    ({"authenticated": True}, {"users": ["a"]}),
    ({"users": ["a", "b"]}, {"users": ["b"], "networks": LOCAL}),
    ({"users": ["A"]}, {"users": ["a"]}),
    ({"methods": ["GET", "HEAD"]}, {"methods": ["GET"]}),
]


@pytest.mark.parametrize(("earlier", "later"), COVERED)
def test_a_rule_behind_one_that_holds_all_of_it_is_seen(earlier, later):
    assert covers(rule(**earlier), rule(**later))


def rule(action: str = "deny", **conditions) -> AccessRule:
    return AccessRule.model_validate({"action": action, **conditions})


# rules before, the rule behind them, places of those that decide
TOGETHER = [
    ([{"networks": ["192.0.2.0/25"]}, {"networks": ["192.0.2.128/25"]}], {"networks": LOCAL}, (0, 1)),
    ([{"networks": ["0.0.0.0/0"]}, {"networks": ["::/0"]}], {"domains": [".example"]}, (0, 1)),
    ([{"ports": ["1-80"]}, {"ports": ["443"]}, {"ports": ["81-100"]}], {"ports": ["70-90"]}, (0, 2)),
    ([{"times": ["mon-wed"]}, {"times": ["thu-sun"]}], {"networks": LOCAL}, (0, 1)),
    ([{"times": ["00:00-12:00"]}, {"times": ["12:01-24:00"]}], {"times": ["fri 08:00-17:00"]}, (0, 1)),
    ([{"domains": [".a"]}, {"domains": ["b"]}], {"domains": ["x.a", "b"]}, (0, 1)),
    ([{"methods": ["GET"]}, {"methods": ["HEAD"]}], {"methods": ["HEAD", "GET"], "ports": ["80"]}, (0, 1)),
    ([{"users": ["A"]}, {"users": ["b"]}], {"users": ["a", "B"]}, (0, 1)),
    ([{"networks": ["192.0.2.0/25"], "ports": ["80", "443"]}, {"networks": ["192.0.2.128/25"]}],
     {"networks": LOCAL, "ports": ["80"]}, (0, 1)),
    ([{"ports": ["80"]}, {"networks": LOCAL}], {"networks": LOCAL, "ports": ["80-90"]}, (1,)),
    ([{"networks": ["192.0.2.0/25"]}, {"networks": ["192.0.2.128/26"]}], {"networks": LOCAL}, ()),
    ([{"networks": ["192.0.2.0/25"], "ports": ["80"]}, {"networks": ["192.0.2.128/25"], "ports": ["81-90"]}],
     {"networks": LOCAL, "ports": ["80-90"]}, ()),
    ([{"networks": ["192.0.2.0/25"]}, {"networks": ["192.0.2.128/25"], "authenticated": True}],
     {"networks": LOCAL}, ()),
    ([{"authenticated": True}, {"authenticated": True}], {"networks": LOCAL}, ()),
    ([], {}, ()),
]  # fmt: skip


@pytest.mark.parametrize(("before", "later", "places"), TOGETHER)
def test_a_rule_that_several_together_leave_nothing_for_is_seen(before, later, places):
    assert deciding([rule(**each) for each in before], rule(**later)) == places


NETWORKS = ["10.0.0.0/8", "10.0.0.0/9", "10.128.0.0/9", "10.1.0.0/16", "10.1.1.0/24", "0.0.0.0/0", "fd00::/8", "::/0"]
DOMAINS = ["example", ".example", "a.example", ".a.example", "b.example"]
TIMES = ["mon", "sun-sat", "mon-fri 08:00-12:00", "11:00-18:00", "sat,sun 00:00-24:00"]
CONDITIONS = {
    "networks": (NETWORKS, ["10.1.1.7", "10.200.0.1", "192.0.2.1", "fd00::1", "2001:db8::1"]),
    "domains": (DOMAINS, ["example", "a.example", "x.a.example", "b.example", "192.0.2.9"]),
    "methods": (["GET", "POST"], ["GET", "POST", "PUT"]),
    "ports": (["80", "443", "1-100", "80-443"], [80, 90, 443, 8080]),
    "times": (TIMES, [(day, minute) for day in range(7) for minute in (0, 480, 660, 720, 1080, 1439)]),
    "users": (["a", "b"], [None, "a", "b", "c"]),
}


def meets(conditions: AccessRule, request: dict) -> bool:
    """A plain reading of what a rule means, to compare with."""
    host, (day, minute), user = request["domains"], request["times"], request["users"]
    address = ipaddress.ip_address(request["networks"])
    inside = [ipaddress.ip_network(each) for each in conditions.networks]
    return (
        (not inside or any(address in net for net in inside if net.version == address.version))
        and (not conditions.domains or any(_is_in(host, domain) for domain in conditions.domains))
        and (not conditions.methods or request["methods"] in conditions.methods)
        and (not conditions.ports or any(a <= request["ports"] <= b for a, b in map(ports_of, conditions.ports)))
        and (
            not conditions.times
            or any(day in days_of(t) and minutes_of(t)[0] <= minute <= minutes_of(t)[1] for t in conditions.times)
        )
        and (not conditions.users or user in conditions.users)
        and (not conditions.authenticated or user is not None)
    )


def _is_in(host: str, domain: str) -> bool:
    return host == domain.removeprefix(".") or (domain.startswith(".") and host.endswith(domain))


some_rules = st.fixed_dictionaries(
    {},
    optional={
        **{
            name: st.lists(st.sampled_from(values), min_size=1, unique=True) for name, (values, _) in CONDITIONS.items()
        },
        "authenticated": st.booleans(),
    },
)
requests = st.fixed_dictionaries({name: st.sampled_from(values) for name, (_, values) in CONDITIONS.items()})


@given(some_rules, some_rules, requests)
def test_what_counts_as_out_of_reach_is(earlier, later, request):
    if covers(rule(**earlier), rule(**later)) and meets(rule(**later), request):
        assert meets(rule(**earlier), request)


def condition(name: str) -> st.SearchStrategy[dict]:
    values = st.lists(st.sampled_from(CONDITIONS[name][0]), min_size=1, max_size=3, unique=True)
    return values.map(lambda drawn: {name: drawn})


@given(st.sampled_from(sorted(CONDITIONS)), st.sampled_from(sorted(CONDITIONS)), requests, st.data())
def test_what_several_rules_are_said_to_decide_on_none_of_them_leaves(name, other, request, data):
    """A rule for each value of the later one, with or without one condition more: others hardly ever fit together."""
    none = st.just({})
    beside = data.draw(none | condition(other))
    later = beside | data.draw(condition(name))
    drawn = [beside | {name: [value]} | data.draw(none | none | condition(other)) for value in later[name]]
    before = [rule(**each) for each in drawn + data.draw(st.lists(some_rules, max_size=2))]
    places = deciding(before, rule(**later))
    for one, another in itertools.product(CONDITIONS[name][1], CONDITIONS[other][1]):
        asked = request | {other: another, name: one}
        if places and meets(rule(**later), asked):
            assert any(meets(before[place], asked) for place in places)
