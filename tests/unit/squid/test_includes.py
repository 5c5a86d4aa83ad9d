"""Reading Squid's language, and what files that it includes may not do."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.connection.command import Command
from providers.connection.errors import Refused
from providers.connection.fake import FakeNode
from providers.squid import conf, includes
from providers.squid.conf import Endpoint, RequestLog

OWN = """\
http_port 3128
http_port [2001:db8::1]:8080
acl clients src 192.0.2.0/24
acl squid_ha_probe dstdomain -n probe.squid-ha.invalid
http_access deny squid_ha_probe
include /etc/squid/conf.d/*.conf
http_access allow clients
http_access deny all
"""
RESERVED = {"22": "SSH", "5405": "Corosync"}


def judge(text: str, *, may_be_open: bool = False) -> str:
    return includes.judge(conf.directives(OWN), conf.directives(text, "/x"), reserved=RESERVED, may_be_open=may_be_open)


REFUSED = [
    ("http_access allow all", "may let anybody"),
    ("  HTTP_ACCESS allow all", "may let anybody"),
    ("http_access \\\nallow all", "may let anybody"),
    ("# \\\nhttp_access allow all", "may let anybody"),
    ("acl x src 10.0.0.0/8 \\\n#  192.168.0.0/16 \\\n  0.0.0.0/0\nhttp_access allow x", "may let anybody"),
    ("acl x src 10.0.0.0/8 \\\n  # old\n  0.0.0.0/0\nhttp_access allow x", "may let anybody"),
    ("acl x src 10.0.0.0/8 \\\n\n  \n0.0.0.0/0\nhttp_access allow x", "may let anybody"),
    ("acl x src 10.0.0.0/8 \\\r\n 0.0.0.0/0\r\nhttp_access allow x\r\n", "may let anybody"),
    ("acl x src 10.0.0.0/8 \\\rmore\n 0.0.0.0/0\nhttp_access allow x", "may let anybody"),
    ("if ${process_number} = 1\nhttp_access allow all\nendif", "may let anybody"),
    ("http_access allow !clients", "may let anybody"),
    ("http_access allow CONNECT", "may let anybody"),
    ("http_access allow manager", "may let anybody"),
    ("http_access allow nowhere_defined", "may let anybody"),
    ("acl x src 8.8.8.0/24\nhttp_access allow x", "may let anybody"),
    ("acl x src 10.0.0.0/8\nacl X src 8.8.8.8\nhttp_access allow x", "may let anybody"),
    ("acl x src 192.168.0.1-193.0.0.1\nhttp_access allow x", "may let anybody"),
    ('acl x src "/etc/squid/networks"\nhttp_access allow x', "may let anybody"),
    ("acl x src ::ffff:0:0/96\nhttp_access allow x", "may let anybody"),
    ("acl x src ::ffff:8.8.8.0-::ffff:8.8.8.255\nhttp_access allow x", "may let anybody"),
    ("acl x src all\nhttp_access allow x", "may let anybody"),
    ("acl x src 0/0\nhttp_access allow x", "may let anybody"),
    ("acl x external helper\nhttp_access allow x", "may let anybody"),
    ("acl x any-of clients all\nhttp_access allow x", "may let anybody"),
    ("acl x all-of x\nhttp_access allow x", "may let anybody"),
    ("acl clients src 0.0.0.0/0", "opens the site's own rule `http_access allow clients`"),
    ("acl CLIENTS src 8.8.8.8", "opens the site's own rule `http_access allow clients`"),
    ("acl squid_ha_probe dstdomain .", "an access list of this program"),
    ("http_access deny all", "fits every request"),
    ("http_port 3128", "gives Squid already"),
    ("http_port 127.0.0.1:8080 intercept", "gives Squid already"),
    ("https_port 22 tls-cert=/x", "a port that SSH has"),
    ("icp_port 5405", "a port that Corosync has"),
]


@pytest.mark.parametrize(("text", "reason"), REFUSED)
def test_what_would_make_it_another_site_is_refused(text, reason):
    found = judge(text)
    assert reason in found
    assert "/x line" in found


ACCEPTED = [
    "",
    "#http_access allow all",
    "acl x src 10.0.0.0/8 192.168.1.7 fd00::/8 ::ffff:10.0.0.0/104 10.1.0.1-10.1.0.9\nhttp_access allow x",
    "acl x src 8.8.8.8\nhttp_access deny x",
    "acl x src 8.8.8.8\nacl in proxy_auth REQUIRED\nhttp_access allow x in",
    "http_access allow localhost manager",
    "acl x all-of clients CONNECT\nacl y any-of x localhost\nhttp_access allow y",
    "acl clients src 10.0.0.0/8",
    "acl Safe_ports port 8443\nacl SSL_ports port 8443",
    "http_port 3129\nicp_port 0\nhttp_port 192.0.2.7:3130",
    "refresh_pattern . 0 20% 4320",
]


@pytest.mark.parametrize("text", ACCEPTED)
def test_what_only_adds_to_the_site_is_not(text):
    assert judge(text) == ""


def test_a_site_that_is_open_on_purpose_may_include_what_opens_it():
    assert judge("http_access allow manager all", may_be_open=True) == ""
    assert judge("acl clients src 0.0.0.0/0", may_be_open=True) == ""
    assert "fits every request" in judge("http_access allow all", may_be_open=True)


def files(by_name: dict[str, str]) -> FakeNode:
    """A node on which a pattern matches the files that begin with it up to its star."""

    def answer(command: Command) -> str:
        patterns = command.argv[4:]
        found = [name for pattern in patterns for name in by_name if name.startswith(pattern.partition("*")[0])]
        texts = [part for name in found for part in (name, by_name[name])]
        return "".join(base64.b64encode(text.encode()).decode() + "\n" for text in texts)

    return FakeNode("a", answer)


async def check(by_name: dict[str, str]) -> None:
    await includes.check(files(by_name), OWN, reserved=RESERVED, may_be_open=False)


async def test_files_that_files_include_are_read_too():
    with pytest.raises(Refused, match=r"^a: /etc/more/b line 2: `http_access allow all` may let anybody"):
        await check({"/etc/squid/conf.d/a.conf": "include /etc/more/b\n", "/etc/more/b": "\nhttp_access allow all\n"})


async def test_files_that_include_each_other_are_read_once():
    await check({"/etc/squid/conf.d/a.conf": "include /etc/squid/conf.d/*.conf\n"})


@pytest.mark.parametrize("pattern", ['"/etc/x y"', "conf.d/*.conf", "/etc/../x", "/etc/$(id)", "/etc/`id`"])
async def test_what_cannot_be_followed_is_refused(pattern):
    with pytest.raises(Refused, match="cannot be followed"):
        await check({"/etc/squid/conf.d/a.conf": f"include {pattern}\n"})


async def test_without_an_include_nothing_is_read():
    node = FakeNode("a", lambda command: pytest.fail(str(command)))
    await includes.check(node, "http_port 3128\n", reserved={}, may_be_open=False)


def test_where_squid_listens_is_read_from_its_configuration():
    assert conf.endpoints(OWN) == [Endpoint("", 3128), Endpoint("2001:db8::1", 8080)]
    assert conf.endpoints("http_port 192.0.2.1:80 name=x # y\nhttp_port x\n#http_port 1") == [Endpoint("192.0.2.1", 80)]


def test_logs_of_every_request_are_told_from_others():
    text = """\
logformat own %ts %>a
logformat long %ts %ru
access_log stdio:/a logformat=squid on-error=die !squid_ha_probe
access_log stdio:/b logformat=own on-error=die !squid_ha_probe
access_log stdio:/c logformat=long
access_log stdio:/d logformat=squid on-error=drop !squid_ha_probe
access_log stdio:/e logformat=squid on-error=die some_list
access_log syslog:local4 squid
"""
    assert conf.request_logs(text) == [RequestLog("/a", True), RequestLog("/b", False), RequestLog("/c", True)]


@pytest.mark.parametrize(
    ("old", "new", "restart"),
    [
        ("http_port 1", "http_port 2", False),
        ("", "cache_dir aufs /c 100 16 256", True),
        ("cache_dir aufs /c 100 16 256", "", True),
        ("cache_dir aufs /c 100 16 256", "cache_dir   aufs /c 100 16 256 # same", False),
        ("cache_mem 1 MB", "cache_mem 2 MB", False),
    ],
)
def test_a_start_is_asked_for_only_where_a_running_squid_does_not_take_the_change(old, new, restart):
    assert conf.needs_restart(old, new) is restart


@given(st.text())
def test_any_text_can_be_read(text):
    for each in conf.directives(text):
        assert each.name
        assert not any(word.startswith("#") for word in (each.name, *each.words))
    conf.endpoints(text)
    conf.request_logs(text)
