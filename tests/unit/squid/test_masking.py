"""Passwords of a squid.conf: the file that its lines are listed in goes into git."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.squid.conf import directives
from providers.squid.masking import in_file, shown
from tests.unit.operations.adopt.squid_files import with_lines

HELPER = "auth_param basic program /usr/lib/squid/helper"
NAMES = ("pass", "pw", "passwd", "password", "secret", "token", "bindpw", "db_password", "PASSWORD", "auth-token")
KEYS = ("api-key", "ApiKey", "key", "bearer", "proxy-auth")
SHAPES = (
    f"{HELPER} -b dc=example -w {{}} -f uid=%s",
    f"{HELPER} -w{{}}",
    f"{HELPER} -y {{}}",
    f"{HELPER} -y{{}}",
    f'{HELPER} "-w" "{{}}" -R',
    f'{HELPER} "-w" "two {{}}" -R',
    f"{HELPER} '-w' 'two words {{}}'",
    f'{HELPER} "-w{{}}"',
    f'{HELPER} "-w{{}} {{}}"',
    f"{HELPER} -w two\\ {{}}",
    f'{HELPER} -w "a\\" {{}}" x',
    f'{HELPER} "-w {{}}"',
    "external_acl_type who %LOGIN /usr/bin/who --proxy http://u:{}@h.example/",
    "external_acl_type who %LOGIN /usr/bin/who --proxy=http://u:{}@h.example:3128",
    'external_acl_type who %LOGIN /usr/bin/who "ldap://u:{}@h.example/"',
    "external_acl_type who %LOGIN /usr/bin/who http://{}@h.example/",
    "external_acl_type who %LOGIN /usr/bin/who u:{}@h.example:3128",
    "external_acl_type who %LOGIN /usr/bin/who --dsn DSN:mysql:host=h;password={}",
    'external_acl_type who %LOGIN /usr/bin/who {{"user": "u", "password": "{}"}}',
    'external_acl_type who %LOGIN /usr/bin/who {{"user":"u","secret":"{}"}}',
    "icap_service checked reqmod_precache icap://h.example/?token={} bypass=on",
    "access_log tcp://u:{}@h.example:514 squid",
    "cache_peer up.example parent 3128 0 login=ops:{}",
    "cache_peer up.example parent 3128 0 login=:{} proxy-only",
    "cachemgr_passwd {} all",
    "acl readers snmp_community {}",
    "wccp2_service standard 0 password={}",
    'request_header_add Authorization "Basic {}" all',
    "request_header_add X-Given {} all",
    "request_header_replace Authorization Basic {}",
    'reply_header_add Set-Cookie "id=1; {}" office',
    "reply_header_replace X-Key {}",
    "header_replace Cookie a=b; {}",
    "acl ours req_header Proxy-Authorization ^Basic {}",
    f'{HELPER} --header "Authorization: Basic {{}}" -R',
    f"{HELPER} --header Authorization:Basic {{}}",
    f'{HELPER} -H "Cookie: a=b; c={{}}"',
    f"{HELPER} -H 'X-Api-Key: two {{}}' -R",
    f'{HELPER} -U "user%{{}}"',
    f"{HELPER} -Uuser%{{}}",
    f'{HELPER} "-U" "OFFICE/user%two {{}}"',
    f"{HELPER} --user user%{{}}",
    f"{HELPER} --user=user%{{}}",
    *(
        f"{HELPER} {before}{name}{between}{{}}{behind} -R"
        for name in NAMES + KEYS
        for before, between, behind in [
            ("--", "=", ""),
            ("", "=", ""),
            ("", ":", ""),
            ("", ": ", ""),
            ("", " = ", ""),
            ("--", " ", ""),
            ("-", " ", ""),
            ('"--', '" "', '"'),
            ("--", '="two ', '"'),
            ('"--', "=two ", '"'),
        ]
    ),
)
END = "9xQz"
SECRETS = st.text(string.ascii_letters + string.digits + "!$%&*+,-./:;<=>?@[]^_{|}~#\\", max_size=12).map(
    lambda text: text + END
)


@pytest.mark.parametrize("shape", SHAPES)
@given(secret=SECRETS)
def test_a_password_is_never_shown(shape: str, secret: str) -> None:
    (line,) = directives(shape.format(*[secret] * shape.count("{}")))
    assert END not in shown(line)
    assert shown(line).startswith(line.name)


@pytest.mark.parametrize("shape", SHAPES)
@given(secret=SECRETS.filter(lambda secret: not secret.endswith("\\")), where=st.integers(0, 99), comment=st.booleans())
def test_in_a_file_neither_in_a_comment_nor_in_a_directive_of_several_lines(
    shape: str, secret: str, where: int, *, comment: bool
) -> None:
    line = shape.format(*[secret] * shape.count("{}"))
    text = f"via on\n#{line}\n" if comment else f"via on\n  {line[:where]}\\\n\n# more\n\t{line[where:]}\nvia off\n"
    assert END not in in_file(text)
    assert len(in_file(text).splitlines()) == len(text.splitlines())


def test_a_file_without_passwords_is_shown_as_it_is() -> None:
    text = "\n".join(("", *PLAIN, "\t# a comment  with blanks", "acl a src \\", "  192.0.2.1 \\", "#", " 192.0.2.2\r"))
    assert in_file(text) == text


def test_around_a_password_a_file_is_shown_as_it_is() -> None:
    text = "via on\n  cache_peer  up parent 3128 0 login=joe:S3cret\r\n## cachemgr_passwd S3cret all\nvia  off"
    assert in_file(text) == ("via on\n  cache_peer up parent 3128 0 login=joe:…\r\n## cachemgr_passwd … all\nvia  off")
    split = "cache_peer up \\\n  login=joe:S3\\\ncret\nvia on\n"
    assert in_file(split) == "cache_peer …\n…\n…\nvia on\n"


PLAIN = (
    "auth_param basic program /usr/lib/squid/basic_ncsa_auth /etc/squid/passwd",
    "cache_peer up.example parent 3128 0 login=PASSTHRU proxy-only",
    "icap_service checked reqmod_precache icap://h.example:1344/scan bypass=on",
    "refresh_pattern -i \\.iso$ 10080 90% 43200 override-expire",
    "acl late time MTWHF 18:00-24:00",
    "http_port [2001:db8::1]:3128 name=inner",
    "auth_param basic realm office",
    "acl login proxy_auth REQUIRED",
    "acl auth proxy_auth REQUIRED",
    "http_access allow auth office",
    "request_header_access Authorization allow all",
    "reply_header_access Set-Cookie deny office",
    "refresh_pattern -i \\.iso$ 10080 90% 43200 ignore-auth override-expire",
    "external_acl_type who %>{Authorization} /usr/lib/squid/helper",
    "https_port 3129 cert=/etc/squid/proxy.pem key=/etc/squid/proxy.key name=inner",
    "external_acl_type who %LOGIN /usr/bin/who --key /etc/squid/who.pem",
    "auth_param basic program /usr/lib/squid/basic_ldap_auth -U secondary -u uid",
    "auth_param negotiate program /usr/lib/squid/negotiate_kerberos_auth -s HTTP/proxy.example@EXAMPLE.ORG",
)


@pytest.mark.parametrize("line", PLAIN)
def test_what_is_no_password_is_shown(line: str) -> None:
    (found,) = directives(line)
    assert shown(found) == line


def test_what_is_around_a_password_is_shown() -> None:
    lines = {
        'request_header_add X-Given "two words" all': "request_header_add X-Given …",
        f"{HELPER} -U user%word -R": f"{HELPER} -U user%… -R",
        f"{HELPER} --key=word -R": f"{HELPER} --key=… -R",
        f'{HELPER} -H "Authorization: Basic word" http://h.example/': f'{HELPER} -H "Authorization: …',
        "acl readers snmp_community one two": "acl readers snmp_community …",
    }
    assert {line: shown(*directives(line)) for line in lines} == lines


@pytest.mark.parametrize(
    "line", ["access_log tcp://u:Zq1secret@h.example:514 squid", "access_log x:/l?pw=Zq1secret squid"]
)
def test_the_reason_that_is_given_names_no_password_either(line: str) -> None:
    _, notes = with_lines(line)
    assert notes
    assert not [each for found in notes.values() for each in found if "Zq1secret" in each]
