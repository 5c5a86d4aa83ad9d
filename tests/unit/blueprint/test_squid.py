"""What a site says of its proxy in squid.conf: in Squid's order, and nothing that breaks out of its place."""

import copy
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blueprint.proxy import squid_conf_text
from blueprint.render import squid_auth
from blueprint.site import things
from declaration.errors import DeclarationError
from declaration.load import read
from providers.squid import config
from tests.unit.declaration.conftest import SITES, put

DENY = {"action": "deny"}


def site(phase: int = 3, /, **settings):
    declared = copy.deepcopy(SITES[phase])
    declared["squid"] |= settings
    if "access" in settings:
        del declared["squid"]["allow"]
    return read(declared, "x")


def lines(phase: int = 3, /, node: str = "", **settings) -> list[str]:
    return squid_conf_text(site(phase, **settings), "squid-ha/x", node).splitlines()


def starting(word: str, found: list[str]) -> list[str]:
    return [line for line in found if line.split(" ")[0] == word]


def wanted(phase: int = 3, /, **settings) -> config.Wanted:
    (thing,) = [each for each in things(site(phase, **settings), "squid-ha/x") if each.name == "squid-config"]
    assert isinstance(thing.inputs, config.Wanted)
    return thing.inputs


def test_ports_on_all_addresses_or_on_the_virtual_ip_and_loopback():
    assert starting("http_port", lines(more_ports=[8080])) == ["http_port 3128", "http_port 8080"]
    assert starting("http_port", lines(more_ports=[8080], listen="virtual_ip")) == [
        "http_port 192.0.2.10:3128",
        "http_port 127.0.0.1:3128",
        "http_port 192.0.2.10:8080",
        "http_port 127.0.0.1:8080",
    ]


def test_an_address_of_ipv6_stands_in_brackets():
    declared = copy.deepcopy(SITES[2])
    put(declared, "network.public.subnet", "2001:db8::/64")
    put(declared, "network.public.reachable", ["2001:db8::1"])
    put(declared, "nodes[0].address", "2001:db8::11")
    put(declared, "nodes[1].address", "2001:db8::12")
    put(declared, "virtual_ip", "2001:db8::10")
    declared["squid"]["listen"] = "virtual_ip"
    found = squid_conf_text(read(declared, "x"), "squid-ha/x").splitlines()
    assert "http_port [2001:db8::10]:3128" in found
    (thing,) = [each for each in things(read(declared, "x"), "o/x") if each.name == "squid-config"]
    assert thing.inputs.model_dump()["kernel"]["proxy-a"] == {"net.ipv6.ip_nonlocal_bind": "1"}


def test_servers_see_the_address_of_the_node_or_the_virtual_ip():
    assert starting("tcp_outgoing_address", lines()) == []
    for node, address in (("proxy-a", "192.0.2.11"), ("proxy-b", "192.0.2.12")):
        assert starting("tcp_outgoing_address", lines(node=node, outgoing="node"))[0].endswith(f" {address}")
        assert starting("tcp_outgoing_address", lines(node=node, outgoing="virtual_ip"))[0].endswith(" 192.0.2.10")
    texts = [node.files["/etc/squid/squid.conf"].content for node in wanted(outgoing="node").nodes.values()]
    assert texts[0] != texts[1]


def test_squid_may_listen_on_an_address_that_is_not_here_yet_only_where_it_must():
    assert wanted().kernel == {}
    on_address = wanted(listen="virtual_ip")
    assert on_address.kernel["proxy-b"] == {"net.ipv4.ip_nonlocal_bind": "1"}
    file = on_address.nodes["proxy-b"].files["/etc/sysctl.d/60-squid-ha.conf"]
    assert str(file.content).endswith("\nnet.ipv4.ip_nonlocal_bind = 1\n")


def test_rules_keep_their_order_and_the_login_comes_last_in_each():
    auth = {"basic": {"password_file": {"secret": "u"}}}
    access = [
        {"action": "deny", "users": ["eve"], "times": ["mon-fri 08:00-17:00", "sat"]},
        {"action": "allow", "authenticated": True, "networks": ["10.0.0.0/8"], "domains": [".a.example", "b.example"]},
        {"action": "allow", "networks": ["192.0.2.0/24"], "methods": ["GET", "CONNECT"], "ports": [443, "8000-8999"]},
        DENY,
    ]
    found = lines(auth=auth, access=access, include=["/etc/squid/conf.d/*.conf"])
    assert found[found.index("include /etc/squid/conf.d/*.conf") + 1 :][:4] == [
        # Without `all`, the browser would ask eve for another name.
        "http_access deny rule_1_times rule_1_users all",
        "http_access allow rule_2_networks rule_2_domains rule_2_users",
        "http_access allow rule_3_networks rule_3_methods rule_3_ports",
        "http_access deny all",
    ]
    assert [line for line in found if line.startswith("acl rule_")] == [
        "acl rule_1_times time MTWHF 08:00-17:00",
        "acl rule_1_times time A 00:00-24:00",
        "acl rule_1_users proxy_auth_regex -i ^eve$",
        "acl rule_2_networks src 10.0.0.0/8",
        "acl rule_2_domains dstdomain -n .a.example",
        "acl rule_2_domains dstdomain -n b.example",
        "acl rule_2_users proxy_auth REQUIRED",
        "acl rule_3_networks src 192.0.2.0/24",
        "acl rule_3_methods method GET",
        "acl rule_3_methods method CONNECT",
        "acl rule_3_ports port 443",
        "acl rule_3_ports port 8000-8999",
    ]
    defined = min(i for i, line in enumerate(found) if line.startswith("acl rule_1_users"))
    assert max(i for i, line in enumerate(found) if line.startswith("auth_param")) < defined
    assert starting("http_access", found)[-1] == "http_access deny all"


def test_a_name_fits_in_capital_and_small_letters_and_as_a_whole():
    """Under `basic` as the file has it, under `ldap` as Squid makes it small, under Kerberos as the ticket has it."""
    access = [{"action": "deny", "users": ["Mallory", "a.b+c-d_e/f@EXAMPLE.ORG"]}, DENY]
    for auth in ({"basic": {"password_file": {"secret": "u"}}}, {"kerberos": {"keytab": "/k"}}):
        found = [line.split() for line in lines(auth=auth, access=access) if line.startswith("acl rule_1_users")]
        assert [words[2:4] for words in found] == [["proxy_auth_regex", "-i"]] * 2
        mallory, other = (re.compile(words[4], re.IGNORECASE) for words in found)
        assert all(mallory.search(name) for name in ("Mallory", "mallory", "MALLORY"))
        assert not any(mallory.search(name) for name in ("mallory2", "xmallory", "mallory@EXAMPLE.ORG"))
        assert other.search("a.b+c-d_e/f@example.org")
        assert not any(other.search(name) for name in ("aXb+c-d_e/f@example.org", "a.bbc-d_e/f@example.org"))


def test_names_of_a_file_of_passwords_may_have_capitals():
    told = "auth_param basic casesensitive on"
    ldap = {"uri": "ldaps://h.example", "base": "dc=x"}
    assert told in lines(auth={"basic": {"password_file": {"secret": "u"}}})
    assert told not in lines(auth={"ldap": ldap})
    assert told not in lines(auth={"kerberos": {"keytab": "/k"}})


def test_the_short_form_with_a_login_demands_it():
    found = starting("http_access", lines(auth={"basic": {"password_file": {"secret": "u"}}}))
    assert found[-3:] == [
        "http_access allow clients logged_in",
        "http_access allow localhost",
        "http_access deny all",
    ]


def test_passwords_are_in_files_of_their_own():
    ldap = {"uri": "ldaps://h.example", "base": "dc=x", "bind_dn": "cn=p", "bind_password": {"secret": "l"}}
    inputs = wanted(auth={"ldap": ldap})
    assert {path: each.name for path, each in inputs.secrets.items()} == {"/etc/squid/squid-ha.ldap": "l"}
    sealed = config.sealed(inputs, {"l": "geheim"}.get)
    assert "geheim" not in sealed.model_dump_json()
    file = sealed.nodes["proxy-b"].files["/etc/squid/squid-ha.ldap"]
    assert (file.mode, file.owner, str(file.content)[:7]) == ("0640", "root:proxy", "scrypt:")
    assert any("-W /etc/squid/squid-ha.ldap" in line for line in lines(auth={"ldap": ldap}))


def test_parents():
    proxies = [
        {"host": "p.example", "weight": 3, "login": "pass", "tls": True, "domains": [".a.example"]},
        {"host": "2001:db8::7", "port": 8080},
    ]
    found = lines(parents={"proxies": proxies, "choose": "by_client"})
    assert starting("cache_peer", found) == [
        "cache_peer p.example parent 3128 0 no-query no-digest name=parent_1 sourcehash weight=3 login=PASSTHRU tls",
        "cache_peer 2001:db8::7 parent 8080 0 no-query no-digest name=parent_2 sourcehash",
    ]
    assert starting("cache_peer_access", found) == [
        "cache_peer_access parent_1 allow parent_1_domains",
        "cache_peer_access parent_1 deny all",
    ]
    assert "never_direct allow all" in found
    assert "nonhierarchical_direct off" in lines(parents={"proxies": proxies, "direct": "as_last_resort"})


def test_the_largest_object_stands_before_the_directory_that_it_is_for():
    found = lines(cache={"disk": {"size": "2G", "where": "mirror", "max_object": "100M"}})
    place = found.index("maximum_object_size 100 MB")
    assert found[place + 1] == "cache_dir aufs /mnt/mirror/cache 2048 16 256"
    assert "cache_dir aufs /var/spool/squid 1024 16 256" in lines(cache={"disk": {"size": "1G"}})


def test_a_cache_on_the_mirror_has_a_directory_there_before_squid_starts_with_it():
    settings = {"cache": {"disk": {"size": "1G", "where": "mirror"}}}
    (filesystem,) = [each for each in things(site(**settings), "o/x") if each.name == "filesystem"]
    assert filesystem.inputs.model_dump()["directories"]["cache"] == "0750 proxy:proxy"
    (squid,) = [each for each in things(site(**settings), "o/x") if each.name == "squid-config"]
    assert "tree-filesystem" in squid.after


def test_ports_of_others_are_kept_from_included_files():
    assert wanted().reserved == {}
    assert wanted().included == {}
    assert wanted(include=["/x"]).included == {"proxy-a": "as accepted", "proxy-b": "as accepted"}
    reserved = wanted(include=["/x"]).reserved
    assert {port: reserved[port] for port in ("22", "5405", "7789")} == {
        "22": "SSH",
        "5405": "Corosync",
        "7789": "the mirror",
    }


KNOWN = {
    "acl", "auth_param", "http_access", "http_port", "tcp_outgoing_address", "visible_hostname", "shutdown_lifetime",
    "access_log", "cache_log", "logfile_rotate", "logformat", "coredump_dir", "refresh_pattern", "cache_peer",
    "cache_peer_access", "never_direct", "dns_nameservers", "append_domain", "dns_timeout", "connect_timeout",
    "cache_mem", "maximum_object_size_in_memory", "include", "#",
}  # fmt: skip
awkward = st.text(
    st.sampled_from([*"ab.0-/\\\"'#;$`(){}%!&|=*,: \n\r\t\x00", "ä", "\u2028", "\u202e", "\x85", "€"]), max_size=12
)
PLACES = [
    (("squid", "access", 0, "domains", 0), "a.example"),
    (("squid", "access", 0, "methods", 0), "GET"),
    (("squid", "access", 0, "ports", 0), "80"),
    (("squid", "access", 0, "times", 0), "mon"),
    (("squid", "access", 0, "users", 0), "a"),
    (("squid", "access", 0, "networks", 0), "10.0.0.0/8"),
    (("squid", "auth", "realm"), "R"),
    (("squid", "auth", "ldap", "uri"), "ldaps://h"),
    (("squid", "auth", "ldap", "base"), "dc=x"),
    (("squid", "auth", "ldap", "filter"), "(uid=%s)"),
    (("squid", "auth", "ldap", "bind_dn"), "cn=x"),
    (("squid", "auth", "kerberos", "keytab"), "/k"),
    (("squid", "auth", "kerberos", "principal"), "HTTP/x"),
    (("squid", "parents", "proxies", 0, "host"), "p"),
    (("squid", "parents", "proxies", 0, "domains", 0), "a.example"),
    (("squid", "dns", "append_domain"), ".a"),
    (("squid", "dns", "servers", 0), "192.0.2.1"),
    (("squid", "visible_hostname"), "x"),
    (("squid", "include", 0), "/etc/x"),
    (("squid", "cache", "memory"), "64M"),
    (("squid", "timeouts", "connect"), "30s"),
]
FULL = {
    "access": [
        {
            "action": "deny", "domains": ["a.example"], "methods": ["GET"], "ports": ["80"], "times": ["mon"],
            "users": ["a"], "networks": ["10.0.0.0/8"],
        },
        DENY,
    ],
    "auth": {
        "ldap": {"uri": "ldaps://h", "base": "dc=x", "bind_dn": "cn=x", "bind_password": {"secret": "l"}},
        "kerberos": {"keytab": "/k"},
    },
    "parents": {"proxies": [{"host": "p", "domains": ["a.example"]}]},
    "dns": {"servers": ["192.0.2.1"]},
    "cache": {},
    "timeouts": {},
    "include": ["/etc/x"],
}  # fmt: skip


def full() -> dict:
    declared = copy.deepcopy(SITES[3])
    declared["squid"] |= copy.deepcopy(FULL)
    del declared["squid"]["allow"]
    return declared


@given(st.sampled_from(PLACES), awkward, awkward)
def test_no_value_breaks_out_of_its_place(place, before, after):
    path, good = place
    declared = full()
    here = declared
    for part in path[:-1]:
        here = here[part]
    here[path[-1]] = before + good + after
    plain = squid_conf_text(read(full(), "x"), "o/x").splitlines()
    try:
        text = squid_conf_text(read(declared, "x"), "o/x")
    except DeclarationError:
        return
    found = text.split("\n")
    assert {line.split(" ")[0] for line in found if line} <= KNOWN
    assert abs(len(found) - len(plain) - 1) <= 4, "a line more for a setting that was not there, a day, and no others"
    assert [line for line in found if line.startswith("http_access")] == [
        line for line in plain if line.startswith("http_access")
    ]
    assert not any(line.endswith("\\") for line in found)
    assert text.isprintable() or not re.search(r"[^\n\x20-\x7e\w]", text)


@given(st.lists(st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"])), min_size=1))
def test_a_programs_words_come_back_from_the_line_that_they_are_written_in(words):
    assert tokens(squid_auth.words(words)) == words


def tokens(line: str) -> list[str]:
    """A line as Squid reads a program's words; seen with a real Squid 5.7 and a program that prints its arguments."""
    made: list[str] = []
    rest = line
    while rest:
        if rest.startswith('"'):
            match = re.match(r'"((?:\\.|[^"\\])*)"', rest, re.DOTALL)
            assert match
            made.append(re.sub(r"\\(.)", r"\1", match[1], flags=re.DOTALL))
        else:
            match = re.match(r"[^ ]+", rest)
            assert match
            made.append(match[0])
        rest = rest[match.end() :].removeprefix(" ")
    return made


@pytest.mark.parametrize("setting", ["ssl_bump", "intercept", "tproxy"])
def test_interception_is_left_out_with_a_word_why(setting):
    with pytest.raises(DeclarationError, match="on purpose"):
        site(**{setting: True})
