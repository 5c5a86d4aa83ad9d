"""Logging in at the proxy by a real directory (OpenLDAP) and real tickets (MIT Kerberos), both on the other node.

Their packages are not in the lab's source; they are fetched by the machine's own apt configuration, as the image's are.
"""

import base64
import copy
import shlex
from collections.abc import Iterator
from dataclasses import replace

import pytest

from blueprint import squid
from declaration.load import read
from lab import addresses, control, image
from lab.image import packages as offer
from lab.image import recipe, sources
from lab.image.releases.build import PORT, Built
from providers.squid import config
from tests.hosts.test_squid_settings import KIND, PACKAGES, REFERENCE
from tests.support.sites import without_mirror
from tests.support.things import OWNER, Site, site

pytestmark = [pytest.mark.spare, pytest.mark.timeout(1200)]

SOURCE = "packages-login"
SERVERS = ("slapd", "krb5-kdc", "krb5-admin-server", "krb5-user", "curl")
PROXY, DIRECTORY = "qsp-a", "qsp-b"
SECRETS = {"ldap-bind": "geheim: mit Leerzeichen und 'Zeichen'"}
REALM, PRINCIPAL, KEYTAB = "LAB.EXAMPLE", "HTTP/proxy.lab.example", "/etc/squid/proxy.keytab"
NOWHERE = "http://192.0.2.1:9999/"
"""A port that nobody listens on: whoever is let in gets 503, and nobody else does."""

INSTALL = f"""
echo 'deb [trusted=yes] http://{addresses.ORIGIN}:{PORT}/ ./' >/etc/apt/sources.list.d/login.list
apt-get -qq update
# Neither is to start with what its package makes up.
printf '#!/bin/sh\\nexit 101\\n' >/usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d
DEBIAN_FRONTEND=noninteractive apt-get -qqy install {" ".join(SERVERS)} >/dev/null 2>&1
rm /usr/sbin/policy-rc.d
"""
SLAPD = f"""
mkdir -p /var/lib/lab-ldap
cat >/root/slapd.conf <<'END'
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
pidfile /run/lab-slapd.pid
modulepath /usr/lib/ldap
moduleload back_mdb
database mdb
suffix "dc=example,dc=org"
directory /var/lib/lab-ldap
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="cn=proxy user,dc=example,dc=org" read by * none
END
cat >/root/people.ldif <<'END'
dn: dc=example,dc=org
objectClass: domain
dc: example

dn: cn=proxy user,dc=example,dc=org
objectClass: inetOrgPerson
cn: proxy user
sn: proxy
userPassword: {SECRETS["ldap-bind"]}

dn: uid=anna,dc=example,dc=org
objectClass: inetOrgPerson
uid: anna
cn: Anna
sn: A
userPassword: geheim

dn: uid=bob,dc=example,dc=org
objectClass: inetOrgPerson
uid: bob
cn: Bob
sn: B
title: guest
userPassword: geheim
END
slapadd -f /root/slapd.conf -l /root/people.ldif
systemd-run --quiet --unit=lab-slapd /usr/sbin/slapd -d 0 -f /root/slapd.conf -h ldap://0.0.0.0:3890
for i in $(seq 100); do bash -c 'exec 3<>/dev/tcp/127.0.0.1/3890' 2>/dev/null && exit 0; sleep 0.1; done
journalctl -u lab-slapd >&2; exit 1
"""
KRB5 = f"""
cat >/etc/krb5.conf <<'END'
[libdefaults]
    default_realm = {REALM}
    dns_lookup_kdc = false
    dns_canonicalize_hostname = false
    rdns = false
[realms]
    {REALM} = {{
        kdc = 192.0.2.12
    }}
END
"""
KDC = f"""
{KRB5}
mkdir -p /var/lib/krb5kdc /etc/krb5kdc
printf '[realms]\\n {REALM} = {{\\n database_name = /var/lib/krb5kdc/principal\\n }}\\n' >/etc/krb5kdc/kdc.conf
kdb5_util create -s -r {REALM} -P master >/dev/null
kadmin.local -q 'addprinc -pw geheim anna' >/dev/null
kadmin.local -q 'addprinc -randkey {PRINCIPAL}' >/dev/null
kadmin.local -q 'ktadd -k /root/proxy.keytab {PRINCIPAL}' >/dev/null
echo '192.0.2.11 proxy.lab.example' >>/etc/hosts
systemd-run --quiet --unit=lab-kdc /usr/sbin/krb5kdc -n -r {REALM}
for i in $(seq 100); do echo geheim | kinit anna >/dev/null 2>&1 && kdestroy && exit 0; sleep 0.1; done
journalctl -u lab-kdc >&2; exit 1
"""


def wanted(**auth: object) -> config.Wanted:
    declared = without_mirror(copy.deepcopy(REFERENCE))
    declared["squid"]["auth"] = auth
    inputs = squid.thing(read(declared, "test"), OWNER).inputs
    assert isinstance(inputs, config.Wanted)
    return config.sealed(inputs, SECRETS.get)


@pytest.fixture(scope="module")
def served(lab, lab_image: image.Image, tmp_path_factory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("login")
    apt = offer.Apt(lab_image.tree, sources.machine_sources(recipe.SUITE), folder / "apt", folder / "log")
    offer.collect(apt, (SERVERS,), folder / "packages")
    offer.index(folder / "packages", folder / "log")
    argv = Built(lab_image.tree, folder / "packages").serve(addresses.ORIGIN)
    control.call("spawn", name=SOURCE, namespace="origin", argv=argv)
    yield
    control.call("end", name=SOURCE)


@pytest.fixture(scope="module")
def hosts(served, pair) -> Site:
    opened = site(pair)
    opened = replace(opened, cluster=replace(opened.cluster, secret=SECRETS.get))
    opened.apply("host.packages", "packages", PACKAGES)
    opened.sh(DIRECTORY, INSTALL)
    return opened


def ask(hosts: Site, name: str, password: str) -> str:
    """The status that the proxy answers a request with."""
    login = base64.b64encode(f"{name}:{password}".encode()).decode()
    return status(hosts, f"-H 'Proxy-Authorization: Basic {login}'")


def status(hosts: Site, options: str) -> str:
    proxy = "-x http://proxy.lab.example:3128 --resolve proxy.lab.example:3128:192.0.2.11"
    line = f"curl -s -o /dev/null -w '%{{http_code}}' --max-time 30 {proxy} {options} {NOWHERE} || true"
    return hosts.sh(DIRECTORY, line).strip()


def test_a_directory_lets_in_whom_it_knows(hosts):
    hosts.sh(DIRECTORY, SLAPD)
    ldap = {
        "uri": "ldap://192.0.2.12:3890",
        "base": "dc=example,dc=org",
        "filter": "(&(uid=%s)(!(title=guest)))",
        "bind_dn": "cn=proxy user,dc=example,dc=org",
        "bind_password": {"secret": "ldap-bind"},
    }
    hosts.apply(*KIND, wanted(ldap=ldap))
    hosts.sh(PROXY, "systemctl restart squid")
    assert status(hosts, "") == "407"
    assert ask(hosts, "anna", "geheim") == "503"
    assert [ask(hosts, "anna", wrong) for wrong in ("falsch", "", "Geheim")] == ["407"] * 3
    assert ask(hosts, "bob", "geheim") == "407", "the filter leaves him out"
    assert [ask(hosts, name, "geheim") for name in ("nobody", "*", "anna)(uid=*")] == ["407"] * 3
    log = hosts.sh(PROXY, "tail -n 20 /var/log/squid/access.log")
    assert " anna " in log

    # A password that was right is not asked for again while `ttl` lasts; another one is, and then nobody can tell.
    assert ask(hosts, "anna", "geheim") == "503"
    hosts.sh(DIRECTORY, "systemctl stop lab-slapd")
    assert ask(hosts, "anna", "geheim") == "503"
    assert ask(hosts, "anna", "falsch") in {"407", "500"}


def test_a_ticket_lets_in_whoever_has_one(hosts):
    hosts.sh(DIRECTORY, KDC)
    keytab = hosts.sh(DIRECTORY, "base64 -w0 /root/proxy.keytab").strip()
    for node in (PROXY, DIRECTORY):
        hosts.sh(node, f"echo {keytab} | base64 -d >{KEYTAB}; chown root:proxy {KEYTAB}; chmod 0640 {KEYTAB}")
    hosts.sh(PROXY, KRB5)
    hosts.apply(*KIND, wanted(kerberos={"keytab": KEYTAB, "principal": f"{PRINCIPAL}@{REALM}"}))
    hosts.sh(PROXY, "systemctl is-active -q squid || systemctl start squid")
    negotiate = "--proxy-negotiate -U :"
    assert status(hosts, negotiate) == "407", "without a ticket"
    hosts.sh(DIRECTORY, f"echo {shlex.quote('geheim')} | kinit anna >/dev/null")
    assert status(hosts, negotiate) == "503"
    assert f"anna@{REALM}" in hosts.sh(PROXY, "tail -n 5 /var/log/squid/access.log")
    assert ask(hosts, "anna", "geheim") == "407", "a password is no ticket"
    hosts.sh(DIRECTORY, "kdestroy")
    assert status(hosts, negotiate) == "407"
