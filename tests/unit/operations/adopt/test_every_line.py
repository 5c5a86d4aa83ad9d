"""Whatever stands in a squid.conf is either in that of the site that was described, or listed."""

from __future__ import annotations

import re
import string
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from blueprint.squid import squid_conf_text
from providers.squid.conf import Directive, directives
from tests.support.cuts import ALL
from tests.unit.operations.adopt.squid_files import BASE, MIRROR, OWN, VIP, described, site_of, told

TIMES = ("connect", "read", "write", "request", "forward")
CHOICES: dict[str, Any] = {
    "time": st.tuples(
        st.sampled_from(["0", "1", "1.5", "20", "0.25"]),
        st.sampled_from(["seconds", "minute", "Hours", "days", "weeks", "fortnights", "months", "years", "nonsense"]),
    ).map(" ".join),
    "grace": st.sampled_from(["1 second", "2 seconds", "0 seconds", "0.1 minutes", "0.5 seconds", "5"]),
    "which": st.sampled_from(TIMES),
    "size": st.sampled_from(
        ["0", "1 MB", "900 KB", "0.5 MB", "2097152", "1000 bytes", "3 GB", "1.5 GB", "none", "7 XB"]
    ),
    "small": st.sampled_from(["0", "64 KB", "65536", "1000", "0.5 KB", "1.5 KB"]),
    "icp": st.sampled_from(["0", "7", "3130"]),
    "option": st.lists(
        st.sampled_from(
            [
                "no-query",
                "no-digest",
                "proxy-only",
                "round-robin",
                "sourcehash",
                "weight=3",
                "weight=0",
                "tls",
                "ssl",
                "default",
                "login=PASSTHRU",
                "login=a:b",
                "connect-timeout=5",
                "max-conn=9",
                "no-netdb-exchange",
                "name=other{n}",
                "originserver",
            ]
        ),
        max_size=4,
        unique=True,
    ).map(" ".join),
    "peer": st.sampled_from(
        ["allow news", "allow news\n& deny all", "deny news", "allow office", "allow all", "deny all"]
    ),
    "extra": st.sampled_from(["", "sending", "news", "!news", "ads", "asked", "sending news", "localhost"]),
    "action": st.sampled_from(["allow", "deny"]),
    "module": st.sampled_from(["stdio:", "daemon:", "", "tcp:", "syslog:"]),
    "folder": st.sampled_from(["/var/log/squid", MIRROR, "/srv/logs"]),
    "format": st.sampled_from(["squid", "logformat=common", "combined", "logformat=unknown", ""]),
    "written": st.lists(
        st.sampled_from(
            ["buffer-size=64KB", "rotate=3", "on-error=drop", "on-error=die", "!monitor", "sending", "!ads"]
        ),
        max_size=3,
        unique=True,
    ).map(lambda words: " ".join(sorted(words, key=lambda word: "=" not in word))),
    "word": st.sampled_from(["on", "off", "delete", "transparent", "truncate", "maybe"]),
    "place": st.sampled_from(["/var/spool/squid", "/mnt/mirror/cache", "/srv/cache"]),
    "levels": st.sampled_from(["16 256", "64 256", "16 256 max-size=1000", ""]),
    "kind": st.sampled_from(["aufs", "ufs", "rock"]),
    "megabytes": st.sampled_from(["100", "4000", "8", "many"]),
    "address": st.sampled_from([VIP, OWN, "203.0.113.9", f"{OWN} office", f"{VIP} !news"]),
    "pattern": st.sampled_from(
        ["^ftp: 1440 20% 10080", ". 0 20% 4320", "-i \\.deb$ 1440 90% 9999", ". 60 20% 4320", "^gopher: 1440 0% 1440"]
    ),
    "scheme": st.sampled_from(["basic", "negotiate", "digest"]),
    "param": st.sampled_from(
        [
            "realm Our proxy",
            "realm Ürlaub",
            "children 20",
            "children 9 startup=3 idle=1",
            "credentialsttl 2 hours",
            "credentialsttl 0.1 seconds",
            "keep_alive on",
            "keep_alive off",
            "casesensitive on",
            "casesensitive off",
            "program /usr/lib/squid/basic_ncsa_auth /etc/squid/passwd",
            "program /usr/lib/squid/negotiate_kerberos_auth -k /etc/squid/keytab -i",
            "program /usr/lib/squid/basic_ldap_auth -b dc=example -H ldaps://ldap.example -v 3 more",
            "program /usr/lib/squid/basic_ldap_auth -Z -b dc=example -H ldap://ldap.example",
            "program /usr/lib/squid/basic_ldap_auth -b dc=example ldap.example",
        ]
    ),
    "umask": st.sampled_from(["022", "027", "077", "007", "27"]),
    "message": st.sampled_from(["/var/log/squid", MIRROR, "/srv/logs"]),
    "servers": st.sampled_from(["192.0.2.1", "192.0.2.1 2001:db8::1", "none", "192.0.2.53 192.0.2.54"]),
    "ports": st.sampled_from(
        ["8080", "192.0.2.10:8080", "127.0.0.1:8080", "3129 intercept", "proxy.example:8080", "0"]
    ),
    "method": st.sampled_from(["CONNECT", "CONNECT POST", "GET", "connect"]),
    "local": st.sampled_from(["127.0.0.1/32", "127.0.0.1/32 ::1", "10.0.0.5/32", "127.0.0.0/8"]),
    "other": st.sampled_from(
        [
            "delay_pools 1",
            "cachemgr_passwd none all",
            "coredump_dir /var/spool/squid",
            "coredump_dir /srv",
            "icp_port 3130",
            "logfile_rotate 0",
            "logfile_rotate 10",
            "never_direct allow all",
            "never_direct deny news",
            "via on",
            "always_direct allow news",
            "prefer_direct on",
            "nonhierarchical_direct off",
            "pid_filename /run/squid.pid",
            "visible_hostname proxy.example",
            "visible_hostname our_proxy",
            "append_domain .example",
            "append_domain x",
            "include /etc/squid/conf.d/*.conf",
            "include conf.d/x.conf",
            "cache_effective_user squid",
            "if 1",
            "endif",
        ]
    ),
}
TEMPLATES = (
    "{which}_timeout {time}", "shutdown_lifetime {grace}", "dns_timeout {time}", "client_lifetime {time}",
    "cache_mem {size}", "maximum_object_size {small}", "maximum_object_size_in_memory {small}",
    "cache_dir {kind} {place} {megabytes} {levels}", "tcp_outgoing_address {address}", "refresh_pattern {pattern}",
    "cache_peer p{n}.example parent 3128 {icp} {option}",
    "cache_peer p{n}.example parent 3128 {icp} no-query\n& p{n}.example {peer}",
    "cache_peer p{n}.example sibling 3128 {icp} {option}",
    "access_log {module}{folder}/{n}.log {format} {written}", "access_log none {extra}",
    "cache_log {message}/cache.log", "umask {umask}", "via {word}", "forwarded_for {word}",
    "auth_param {scheme} {param}", "auth_param basic {param}", "auth_param negotiate {param}",
    "dns_nameservers {servers}", "http_port {ports}", "acl CONNECT method {method}", "acl localhost src {local}",
    "acl list{n} method {method}", "{other}", "{other}", "{other}",
)  # fmt: skip
RULE = "acl net{n} src 198.51.100.{n}/32\nhttp_access {action} net{n} {extra}"


@st.composite
def files(draw: st.DrawFn) -> str:
    """A usual file with some lines more, before it and behind."""

    def filled(template: str, number: int) -> str:
        for _ in range(2):
            names = {name for _, name, _, _ in string.Formatter().parse(template) if name}
            template = template.format(**{name: draw(CHOICES[name]) for name in names - {"n"}}, n=number)
        return template.replace("& deny", f"cache_peer_access p{number}.example deny").replace(
            "& ", "cache_peer_access "
        )

    many = draw(st.lists(st.sampled_from(TEMPLATES), max_size=9))
    rules = "\n".join(filled(RULE, number) for number in range(draw(st.integers(0, 3))))
    lines = [filled(template, number) for number, template in enumerate(many)]
    # The first log is the main one, and that has to be on the mirror.
    lines.sort(key=lambda line: line.startswith("access_log"))
    first = draw(st.integers(0, sum(not line.startswith("access_log") for line in lines)))
    return "\n".join([*lines[:first], BASE.format(rules=rules), *lines[first:]])


SECONDS = {
    "second": 1,
    "minute": 60,
    "hour": 3600,
    "day": 86400,
    "week": 604800,
    "fortnight": 1209600,
    "month": 2592000,
}
BYTES = {"bytes": 1, "KB": 1024, "MB": 1024**2, "GB": 1024**3}
SIZES = ("cache_mem", "maximum_object_size", "maximum_object_size_in_memory")
NO_EFFECT = {
    "via on", "forwarded_for on", "prefer_direct off", "refresh_pattern ^gopher: 1440 0% 1440",
    "auth_param basic casesensitive off", "umask 027", "nonhierarchical_direct off",
}  # fmt: skip
"""What Squid does by itself, or whatever it does."""
LOOPBACK = {("src", "127.0.0.1/32"), ("src", "::1"), ("src", "::1/128")}
USUAL = LOOPBACK | {("method", "CONNECT")}
OWN_LISTS = {"connect": {("method", "CONNECT")}, "localhost": {("src", "127.0.0.1/32")}}
"""Squid's own, unless they are said."""


class Meaning:
    """Directives of one file in a form that has no names of lists, formats and parents, and one unit of each kind."""

    def __init__(self, text: str) -> None:
        self.all = directives(text)
        self.lists: dict[str, set[tuple[str, str]]] = {}
        for each in self.named("acl"):
            self.lists.setdefault(each.words[0].lower(), set()).update(self.values(each))
        self.formats = {each.words[0]: " ".join(each.words[1:]) for each in self.named("logformat")}
        self.peers: dict[str, str] = {}
        for each in self.named("cache_peer"):
            name = next((word[5:] for word in each.words if word.startswith("name=")), each.words[0])
            self.peers[name.lower()] = each.words[0]

    def named(self, name: str) -> list[Directive]:
        return [each for each in self.all if each.name == name]

    def values(self, each: Directive) -> set[tuple[str, str]]:
        return {(each.words[1], word) for word in each.words[2:] if not word.startswith("-")}

    def says_more(self, each: Directive) -> bool:
        """Whether a line here has all words of that one: all servers in one line, a helper with its defaults."""
        words = set(each.words) - {"startup=1", "idle=1"}
        return each.name in ("dns_nameservers", "auth_param") and any(
            words <= set(it.words) for it in self.named(each.name)
        )

    def asked(self, words: tuple[str, ...]) -> frozenset[Any]:
        made: set[Any] = set()
        for word in words:
            name, sign = word.lower().lstrip("!"), word.startswith("!")
            found = self.lists.get(name, OWN_LISTS.get(name, {("", name)}))
            found = OWN_LISTS["localhost"] if found <= LOOPBACK else found
            kinds = {kind for kind, _ in found}
            inner = tuple(value for _, value in found)
            if name in ("squid_ha_probe", "all"):
                continue
            if kinds == {"any-of"}:
                made |= self.asked(tuple(value for value in inner if not value.startswith("squid_ha_record")))
            elif kinds == {"all-of"} and not sign:
                made |= self.asked(inner)
            else:
                made.add((sign, frozenset(found)))
        return frozenset(made)

    def of(self, each: Directive) -> Any:
        words = " ".join(each.words)
        found = re.fullmatch(r"([0-9.]+) ([A-Za-z]+?)s?", words.removeprefix("basic credentialsttl "))
        if found and found[2].lower() in SECONDS:
            return each.name, "seconds", float(found[1]) * SECONDS[found[2].lower()]
        if each.name in SIZES:
            number, _, unit = words.partition(" ")
            known = BYTES.get(unit or "bytes") if re.fullmatch(r"[0-9.]+", number) else None
            return each.name, float(number) * known if known else words
        readers = {
            "http_access": lambda: (each.words[0], self.asked(each.words[1:])),
            "cache_peer": lambda: self.peer(each),
            "cache_peer_access": lambda: (
                self.peers.get(each.words[0].lower()), each.words[1], self.asked(each.words[2:])
            ),
            "access_log": lambda: self.log(each),
            "umask": lambda: int(words, 8) & 0o666 if words.startswith("0") else words,
        }  # fmt: skip
        return each.name, readers.get(each.name, lambda: words)()

    def peer(self, each: Directive) -> Any:
        options = {"tls" if word == "ssl" else word for word in each.words[4:] if not word.startswith("name=")}
        icp = "0" if each.words[3] == "7" or "no-query" in options else each.words[3]
        return each.words[:3], icp, frozenset(options - {"no-query", "no-digest", "weight=1"})

    def log(self, each: Directive) -> Any:
        options = dict(word.split("=") for word in each.words[1:] if "=" in word)
        lists = [word for word in each.words[1:] if "=" not in word]
        if lists and lists[0] in ("squid", "combined", "common"):
            options["logformat"] = lists.pop(0)
        options = {"on-error": "die", "logformat": "squid"} | options
        options["logformat"] = self.formats.get(options["logformat"], options["logformat"])
        return each.words[0], frozenset(options.items()), self.asked(tuple(lists))


@settings(max_examples=300 if ALL else 40)
@given(files())
def test_every_line_is_in_the_site_that_was_described_or_listed(text: str) -> None:
    draft = described(text)
    notes, found = told(draft), Meaning(text)
    made = Meaning(squid_conf_text(site_of(draft), "x/y", "qsp-a"))
    said = [made.of(each) for each in made.all]
    known = USUAL.union(*made.lists.values())
    for each in found.all:
        if each.line in notes or str(each) in NO_EFFECT or re.fullmatch(r"cache_peer_access \S+ allow all", str(each)):
            continue
        if each.name == "acl":
            assert found.values(each) <= known, f"{each} is neither listed nor in the site"
        else:
            assert found.of(each) in said or made.says_more(each), f"{each} is neither listed nor in the site"
