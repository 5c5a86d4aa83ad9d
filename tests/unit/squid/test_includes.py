"""Reading Squid's language, and what files that it includes may not do."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.connection.command import Command
from providers.connection.errors import CommandFailed, Refused, Unknown
from providers.connection.fake import FakeNode
from providers.squid import conf, includes
from providers.squid.conf import Endpoint, RequestLog
from providers.squid.includes import Finding
from tests.unit.local import LocalNode

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


LOGGING_IN = "auth_param basic program /usr/lib/squid/basic_ncsa_auth /etc/squid/users\n"
FAKE = "auth_param basic program /usr/lib/squid/basic_fake_auth"


def judge(text: str, *, may_be_open: bool = False, own: str = OWN) -> str:
    return str(found(text, may_be_open=may_be_open, own=own) or "")


def found(text: str, *, may_be_open: bool = False, own: str = OWN) -> Finding | None:
    return includes.judge(conf.directives(own), conf.directives(text, "/x"), reserved=RESERVED, may_be_open=may_be_open)


def endpoints(text: str) -> list[Endpoint]:
    return conf.endpoints(conf.directives(text))


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
    ("http_port 3200\nhttp_port 3200", "takes a port that another line has already: `http_port 3200` (/x line 1)"),
    ("http_port 127.0.0.1:3200\nhttps_port 3200 tls-cert=/x", "`http_port 127.0.0.1:3200` (/x line 1)"),
    ("http_port 127.0.0.1:3200\nhttp_port 0.0.0.0:3200", "another line has already"),
    ("http_port 0.0.0.0:3200\nhttp_port [::]:3200", "another line has already"),
    ("follow_x_forwarded_for allow all", "takes from anybody"),
    ("FOLLOW_X_FORWARDED_FOR \\\n allow all", "takes from anybody"),
    ("follow_x_forwarded_for allow !clients", "takes from anybody"),
    ("follow_x_forwarded_for deny clients\nfollow_x_forwarded_for allow all", "takes from anybody"),
    ("acl front src 8.8.8.8\nfollow_x_forwarded_for allow front", "takes from anybody"),
    ("acl front src 10.0.0.1\nacl front src 0/0\nfollow_x_forwarded_for allow front", "takes from anybody"),
    ('acl front src "/etc/squid/proxies"\nfollow_x_forwarded_for allow front', "takes from anybody"),
    ("acl in proxy_auth REQUIRED\nfollow_x_forwarded_for allow in", "takes from anybody"),
    ("if 1 = 1\nfollow_x_forwarded_for allow all\nendif", "takes from anybody"),
    ("http_port 3129 require-proxy-header\nproxy_protocol_access allow all", "takes from anybody"),
    (
        f"{FAKE}\nacl in proxy_auth REQUIRED\nhttp_access allow in",
        "who has logged in is for `auth_param basic program …` to say (/x line 1)",
    ),
    (f"acl in proxy_auth_regex .\nhttp_access allow in\n{FAKE}", "which nobody can tell"),
    ("external_acl_type e %SRC /bin/true\nacl u ext_user REQUIRED\nhttp_access allow u", "may let anybody"),
    ("acl u ext_user_regex .\nhttp_access allow u", "may let anybody"),
    ("configuration_includes_quoted_values on", "cannot be told"),
    ("acl x src 10.0.0.0/0.255.255.255\nhttp_access allow x", "may let anybody"),
]


@pytest.mark.parametrize(("text", "reason"), REFUSED)
def test_what_would_make_it_another_site_is_refused(text, reason):
    said = judge(text)
    assert reason in said
    assert "/x line" in said


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
    "http_port 127.0.0.1:3200\nhttp_port 192.0.2.7:3200\nicp_port 3200",
    "http_port 0.0.0.0:3200\nhttp_port [2001:db8::2]:3200",
    "icp_port 3200\nicp_port 3200\nsnmp_port 3401\nsnmp_port 3401",
    "if ${process_number} = 1\nhttp_port 3200\nelse\nhttp_port 3200\nendif",
    "acl front src 10.0.0.1\nfollow_x_forwarded_for allow front\nfollow_x_forwarded_for deny all",
    "follow_x_forwarded_for allow localhost\nacl_uses_indirect_client off",
    "http_port 3129 require-proxy-header\nproxy_protocol_access allow clients",
    f"{FAKE}\nacl in proxy_auth REQUIRED\nhttp_access allow clients in",
    "acl x src 10.0.0.0/255.0.0.0\nhttp_access allow x",
    "configuration_includes_quoted_values off",
    "adapted_http_access allow all\nhttp_reply_access allow all",
    "refresh_pattern . 0 20% 4320",
]


@pytest.mark.parametrize("text", ACCEPTED)
def test_what_only_adds_to_the_site_is_not(text):
    assert judge(text) == ""


@pytest.mark.parametrize(
    "line", [FAKE, "AUTH_PARAM digest program /x", "auth_param basic key_extras x", "auth_param ntlm program /x"]
)
def test_who_logs_in_is_not_decided_by_a_file_where_the_site_says_it(line):
    said = judge(line, own=f"{LOGGING_IN}{OWN}")
    assert said.startswith("/x line 1: `auth_param")
    assert "which the site's file does under `auth`; take it out" in said


def test_what_does_not_decide_who_logs_in_may_stand_in_a_file():
    text = (
        "auth_param basic children 50\nauth_param basic realm x y\nauth_param digest nonce_garbage_interval 5 minutes\n"
    )
    assert judge(text, own=f"{LOGGING_IN}{OWN}") == ""


PASSWORD = "hidden"
LDAP = f"auth_param basic program /usr/lib/squid/basic_ldap_auth -b dc=x -D cn=y -w {PASSWORD} ldap.example.org"
SECRETS = [
    (LDAP, LOGGING_IN),
    (f"{LDAP}\nacl in proxy_auth REQUIRED\nhttp_access allow in", ""),
    (f"acl squid_ha_x snmp_community {PASSWORD}", ""),
    (f"acl clients snmp_community {PASSWORD}", ""),
    (f"http_port 3128 name={PASSWORD}", ""),
    (f"https_port 3200 tls-key={PASSWORD}\nhttp_port 3200 name={PASSWORD}", ""),
]


@pytest.mark.parametrize(("text", "more"), SECRETS)
def test_no_password_of_a_file_is_said_again(text, more):
    finding = found(text, own=f"{more}{OWN}")
    assert finding is not None
    assert PASSWORD not in f"{finding} {finding.brief}"


@pytest.mark.parametrize("text", [text for text, _ in REFUSED])
def test_the_state_gets_no_more_of_a_file_than_path_line_and_directive(text):
    finding = found(text)
    assert finding is not None
    words = text.lower().replace("\\", " ").split()
    place, _, rest = finding.brief.partition(": ")
    assert place.startswith("/x line ")
    assert rest.split()[0] in words
    values = {word for word in words if "/" in word or "." in word.strip(".")}
    # The site's own rules and the names of others on the nodes are no text of the file.
    assert not values.intersection(rest.split())


@pytest.mark.parametrize(
    "text",
    [
        "follow_x_forwarded_for allow all",
        "proxy_protocol_access allow all",
        "configuration_includes_quoted_values on",
        f"{FAKE}\nacl in proxy_auth REQUIRED\nhttp_access allow in",
    ],
)
def test_a_site_that_is_open_on_purpose_may_take_addresses_and_users_on_trust(text):
    assert judge(text, may_be_open=True, own=f"{LOGGING_IN}{OWN}") == ""


def test_a_site_that_is_open_on_purpose_may_include_what_opens_it():
    assert judge("http_access allow manager all", may_be_open=True) == ""
    assert judge("acl clients src 0.0.0.0/0", may_be_open=True) == ""
    assert "fits every request" in judge("http_access allow all", may_be_open=True)


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def files(by_name: dict[str, str]) -> FakeNode:
    """A node on which a pattern matches the files that begin with it up to its star."""

    def answer(command: Command) -> str:
        patterns = command.argv[4:]
        found = [name for pattern in patterns for name in by_name if name.startswith(pattern.partition("*")[0])]
        return "".join(f"{encoded(name)}\n{encoded(by_name[name])}\n" for name in found)

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


async def test_ports_of_files_are_looked_for_but_those_that_a_condition_decides():
    port = "http_port 32{}\nif 1 = 2\nhttp_port 33{}\n{}endif\n"
    by_name = {
        "/etc/squid/conf.d/a.conf": port.format("01", "01", ""),
        "/etc/squid/conf.d/b.conf": "include /etc/more/c\nhttps_port 192.0.2.7:3444 tls-cert=/x\nhttp_port name:3205\n",
        "/etc/more/c": port.format("02", "02", "include /etc/more/d\n"),
        "/etc/more/d": "http_port 3203\n",
    }
    included = await includes.check(files(by_name), OWN, reserved=RESERVED, may_be_open=False)
    assert [str(each) for each in included.endpoints] == ["port 3201", "192.0.2.7:3444", "port 3202"]
    assert set(included.files) == set(by_name)


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ("http_port 3129\n", True),
        ("# by somebody\n\n  http_port \t 3129  # here \r\n", True),
        ("http_port \\\n  3129", True),
        ("\n# by somebody\nhttp_port 3129\n  # here\n", True),
        ("http_port 3130\n", False),
        ("http_port 3129\nhttp_port 3130\n", False),
        ("#http_port 3129\n", False),
    ],
)
def test_comments_make_no_difference_between_files_and_all_else_does(other, same):
    assert (includes.digest("http_port 3129\n") == includes.digest(other)) is same


async def test_what_stands_in_the_way_of_reading_is_told(tmp_path):
    folder = tmp_path / "conf.d"
    folder.mkdir()
    node, pattern = LocalNode(), f"{folder}/*.conf"
    none = await includes.read(node, [pattern])
    assert str(none.trouble) == f"squid.conf: `include {pattern}` names no file that is there, at which Squid ends"
    (folder / "a.conf").write_text(f"via off\nif 1 = 2\ninclude {folder}/missing\nendif\n")
    well = await includes.read(node, [pattern])
    assert (well.trouble, set(well.files)) == (None, {f"{folder}/a.conf"})
    (folder / "b.conf").write_text(f"\ninclude {folder}/more-*\n")
    (folder / "a.conf").unlink()
    nested = (await includes.read(node, [pattern])).trouble
    assert nested is not None
    assert nested.brief == f"{folder}/b.conf line 2: include names no file that is there, at which Squid ends"
    (folder / "b.conf").unlink()
    (folder / "c.conf").symlink_to(folder / "nowhere")
    assert str((await includes.read(node, [pattern])).trouble).startswith(f"{folder}/c.conf: is a link to nothing")
    (folder / "c.conf").unlink()
    (folder / "d.conf").mkdir()
    assert str((await includes.read(node, [pattern])).trouble).startswith(f"{folder}/d.conf: is a directory")


async def test_a_file_that_cannot_be_read_is_not_taken_for_an_empty_one(tmp_path, monkeypatch):
    base64_of_the_name_alone = tmp_path / "bin" / "base64"
    base64_of_the_name_alone.parent.mkdir()
    base64_of_the_name_alone.write_text('#!/bin/sh\n[ $# -gt 1 ] && exit 1\nexec /usr/bin/base64 "$@"\n')
    base64_of_the_name_alone.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    (tmp_path / "x").write_text("via off\n")
    with pytest.raises(CommandFailed):
        await includes.read(LocalNode(), [f"{tmp_path}/x"])


@pytest.mark.parametrize("said", ["L3g=\nL\n", "/x\n!special\n"])
async def test_an_answer_that_is_not_understood_is_told_of_its_node(said):
    with pytest.raises(Unknown, match=r"^qsp-a: what is said of the files that squid.conf includes is not understood"):
        await includes.read(FakeNode("qsp-a", lambda _: said), ["/x"])


async def test_files_that_are_not_text_differ():
    def node(byte: bytes) -> FakeNode:
        lines = [base64.b64encode(each).decode() for each in (b"/x", b"visible_hostname " + byte)]
        return FakeNode("a", lambda _: "".join(f"{line}\n" for line in lines))

    first, second = [await includes.read(node(byte), ["/x"]) for byte in (b"\xe4", b"\xf6")]
    assert first.files != second.files


async def test_without_an_include_nothing_is_read():
    node = FakeNode("a", lambda command: pytest.fail(str(command)))
    await includes.check(node, "http_port 3128\n", reserved={}, may_be_open=False)


def test_where_squid_listens_is_read_from_its_configuration():
    assert endpoints(OWN) == [Endpoint("", 3128), Endpoint("2001:db8::1", 8080)]
    assert endpoints("http_port 192.0.2.1:80 name=x # y\nhttp_port x\n#http_port 1") == [Endpoint("192.0.2.1", 80)]


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
    endpoints(text)
    conf.request_logs(text)
