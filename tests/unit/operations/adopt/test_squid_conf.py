"""squid.conf by hand: what the site's file has words for is said in it, and every other line is listed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from operations.adopt.quantities import seconds, size
from tests.unit.operations.adopt.squid_files import COMMON, described, is_listed, site_of, told, with_lines

UNSAID = {
    "refresh_pattern -i \\.iso$ 10080 90% 43200 override-expire": "how long what is kept counts as fresh",
    "acl few src 192.0.2.7/32\ntcp_outgoing_address 192.0.2.77 few": "an address for some of the requests",
    "tcp_outgoing_address 203.0.113.9": "neither the node's in the clients' network nor the virtual IP",
    "tcp_outgoing_address 192.0.2.10\ntcp_outgoing_address 192.0.2.11": "behind one for all requests",
    "cache_peer up.example parent 3128 0 no-query proxy-only": "`proxy-only`, without which this parent is declared",
    "cache_peer up.example parent 3128 0 login=ops:x connect-timeout=5": "its login, `connect-timeout`, without",
    "cache_peer up.example parent 3128 3130": "questions by ICP",
    "cache_peer up.example parent http 0": "no words for it",
    "cache_peer up.example sibling 3128 0": "no words for it",
    "cache_peer up.example parent 3128 0\ncache_peer_access up.example deny news": "which requests go to this parent",
    "cache_peer up.example parent 3128 0\ncache_peer_access up.example allow office": "which requests go to this",
    "cache_peer up.example parent 3128 0\ncache_peer_access up.example allow news office": "which requests go to this",
    "cache_peer up.example parent 3128 0\nprefer_direct on": "no words for it",
    "maximum_object_size 1 GB": "the largest object without a cache on disk",
    "cache_dir aufs /var/spool/squid 100 16 256\nmaximum_object_size 1 GB": "the largest object behind the `cache_dir`",
    "cache_dir aufs /var/spool/squid 100 32 256": "32 256: the directory is declared, and has 16 256 there",
    "cache_dir aufs /var/spool/squid 100 16 256 max-size=1000": "16 256 max-size=1000: the directory is declared",
    "cache_dir aufs /var/spool/squid 100 16 256\ncache_dir aufs /mnt/mirror/cache 900 16 256": "no words for it",
    "cache_dir aufs /var/spool/squid": "no words for it",
    "cache_mem 0": "it takes 1M and more",
    "cache_mem 1000 bytes": "it takes 1M and more",
    "maximum_object_size_in_memory 1000 bytes": "not of whole kilobytes",
    "read_timeout 1500 milliseconds": "not of whole seconds",
    "connect_timeout 0": "not of whole seconds",
    "request_timeout 1 year": "not of whole seconds",
    "via maybe": "no words for it",
    "visible_hostname our_proxy": "a name that is none of a host",
    "via off\nread_timeout 5 minutes\nread_timeout 5 minutes\nvia on": "what line",
    "auth_param basic program /usr/lib/squid/basic_ncsa_auth /etc/squid/passwd": "no words for it",
    "auth_param basic realm Our proxy": "no words for it",
    "auth_param basic children 5": "no words for it",
    "auth_param basic credentialsttl 2 hours": "no words for it",
    "auth_param negotiate program /usr/lib/squid/negotiate_kerberos_auth -k /etc/squid/keytab": "none of its rules",
    "acl tunnels method CONNECT POST": "no words for it",
    "acl tunnels method CONNECT": "no words for it",
    "acl localhost src 10.0.0.5/32": "no words for it",
    "coredump_dir /var/crash": "no words for it",
    "nonhierarchical_direct off": "no words for it",
    "http_port 192.0.2.77:3129": "an address of its own, 192.0.2.77",
}


@pytest.mark.parametrize("text", UNSAID)
def test_what_has_no_words_is_listed_with_the_reason(text: str) -> None:
    is_listed(text, UNSAID[text])


SAID: dict[str, dict[str, Any]] = {
    "refresh_pattern ^ftp: 1440 20% 10080\nrefresh_pattern . 0 20% 4320": {},
    "via on\nforwarded_for on\nprefer_direct off\ncoredump_dir /var/spool/squid": {},
    "cache_mem 268435456": {"cache": {"memory": "256M"}},
    "cache_mem 1.5 GB": {"cache": {"memory": "1536M"}},
    "maximum_object_size_in_memory 524288 bytes": {"cache": {"max_object_in_memory": "512k"}},
    "read_timeout 1.5 minutes": {"timeouts": {"read": "90s"}},
    "client_lifetime 2 Fortnights": {"timeouts": {"client_lifetime": "28d"}},
    "tcp_outgoing_address 192.0.2.11": {"outgoing": "node"},
    "tcp_outgoing_address 192.0.2.10": {"outgoing": "virtual_ip"},
    "dns_nameservers 192.0.2.1\ndns_nameservers 192.0.2.2 192.0.2.1": {"dns": {"servers": ["192.0.2.1", "192.0.2.2"]}},
    "cache_log /var/log/squid/cache.log": {},
    "maximum_object_size 64 MB\ncache_dir aufs /var/spool/squid 100 16 256": {
        "cache": {"disk": {"size": "100M", "where": "local", "max_object": "64M"}}
    },
    "nonhierarchical_direct off\ncache_peer up.example parent 3128 0\ncache_peer_access up.example allow news": {
        "parents": {
            "proxies": [{"host": "up.example", "port": 3128, "domains": [".news.example"]}],
            "choose": "first",
            "direct": "as_last_resort",
        }
    },
    "cache_peer up.example parent 3128 0 no-query\ncache_peer_access UP.example allow all\nnever_direct allow all": {
        "parents": {"proxies": [{"host": "up.example", "port": 3128}], "choose": "first", "direct": "never"}
    },
}


@pytest.mark.parametrize("text", SAID)
def test_what_has_words_is_said_and_not_listed(text: str) -> None:
    plain, _ = with_lines("")
    draft, notes = with_lines(text)
    assert notes == {}
    assert draft.site["squid"] == plain.site["squid"] | SAID[text]


PAST_PARENTS = {
    "": [1],
    "nonhierarchical_direct on": [2],
    "nonhierarchical_direct off\nnonhierarchical_direct on": [3],
    "nonhierarchical_direct on\nnonhierarchical_direct off": [2],
    "nonhierarchical_direct off": [],
    "never_direct allow all": [],
}


@pytest.mark.parametrize("text", PAST_PARENTS)
def test_tunnels_that_go_past_the_parents_are_listed(text: str) -> None:
    draft, notes = with_lines(f"cache_peer up.example parent 3128 0 no-query\n{text}".rstrip())
    assert draft.site["squid"]["parents"]["direct"] == ("never" if "never" in text else "as_last_resort")
    assert sorted(notes) == PAST_PARENTS[text]
    told = [each for found in notes.values() for each in found]
    assert ["tunnels" in each for each in told] == [not text.endswith("off")] * len(told)


def test_a_list_of_tunnels_and_more_is_not_taken_for_that_of_tunnels() -> None:
    draft = described(COMMON.replace("acl asked", "acl CONNECT method CONNECT POST\nacl asked"))
    assert "connect_ports" not in draft.site["squid"]
    whats = [each for found in told(draft).values() for each in found]
    assert any("deny CONNECT !SSL_ports" in each for each in whats)
    assert any("acl CONNECT method CONNECT POST" in each for each in whats)


PASSWORDS = """\
auth_param basic program /usr/lib/squid/basic_ncsa_auth /etc/squid/passwd
auth_param basic realm Our proxy
auth_param basic children 5 startup=5 idle=1
auth_param basic credentialsttl 2 hours
"""


def test_a_login_that_has_no_words_is_listed_with_the_rules_that_ask_for_it_and_the_rest_is_a_site() -> None:
    draft = described(PASSWORDS + COMMON.replace("allow office", "allow office asked"))
    notes = told(draft)
    assert sorted(notes)[:4] == [1, 2, 3, 4]
    asking = [each for found in notes.values() for each in found if "`http_access allow office asked`" in each]
    assert ["login itself" in each for each in asking] == [True]
    assert site_of(draft).squid.auth is None


TICKETS = """\
auth_param negotiate program /usr/lib/squid/negotiate_kerberos_auth -d -k /etc/squid/keytab -s GSS_C_NO_NAME
auth_param negotiate children 20 startup=0 idle=1
auth_param negotiate keep_alive on
auth_param basic program /usr/lib/squid/basic_ldap_auth -R -b dc=example -f (uid=%s) -H ldaps://ldap.example
auth_param basic children 5
auth_param basic realm Our proxy
auth_param basic credentialsttl 1.5 hours # as long as a meeting
auth_param basic casesensitive off
"""


def test_of_a_login_what_has_no_words_is_listed() -> None:
    draft = described(TICKETS + COMMON.replace("allow office", "allow office asked"))
    auth = draft.site["squid"]["auth"]
    assert auth == {
        "ldap": {"uri": "ldaps://ldap.example", "base": "dc=example", "filter": "(uid=%s)"},
        "kerberos": {"keytab": "/etc/squid/keytab"},
        "realm": "Our proxy",
        "ttl": "90m",
        "helpers": 5,
    }
    notes = {line: found for line, found in told(draft).items() if line <= TICKETS.count("\n")}
    assert sorted(notes) == [1, 2, 4]
    assert "`-d`" in notes[1][0]
    assert "this number of helpers" in notes[2][0]
    assert "`-R`" in notes[4][0]


def test_the_file_that_debian_ships_makes_no_noise() -> None:
    recorded = Path(__file__).parents[3] / "recorded/squid-parse/as-installed.txt"
    shipped = re.findall(r"Processing: (.*)", recorded.read_text())
    draft = described("\n".join(shipped))
    # The list of all private networks, which Debian's file defines and asks for nowhere.
    assert {each.what.split("`")[1].split()[1] for each in draft.notes} == {"localnet"}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("90 seconds", "90s"),
        ("1 second", "1s"),
        ("0.5 hours", "30m"),
        ("1 Week", "7d"),
        ("1 month", "30d"),
        ("0.1 seconds", None),
        ("60", None),
        ("soon", None),
    ],
)
def test_times(text: str, wanted: str | None) -> None:
    assert seconds(text) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("1024 MB", "1024M"), ("2 gb", "2G"), ("2048", "2k"), ("3145728 bytes", "3M"), ("0 MB", None), ("7 bytes", None)],
)
def test_sizes(text: str, wanted: str | None) -> None:
    assert size(text) == wanted
