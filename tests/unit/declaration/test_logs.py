"""What a site may say of its logs and of the mirror that holds them: wrong declarations, and what right ones mean."""

import pytest

from declaration.load import read
from declaration.logformat import shows_address
from tests.unit.declaration.conftest import changed, put, told

EXTRA = {"file": "denied.log", "only": {"status": ["403"]}}


def more(**changes: object) -> list[object]:
    return [{**EXTRA, **changes}]


# what is set, to what, what the sentence says; of the site of phase 3, one setting at a time
WRONG = [
    ("log.access", "remote", "`local`, `mirror` or `both`"),
    ("log.access", True, "`local`, `mirror` or `both`"),
    ("log.access", "local", "nothing else is written on the mirror"),
    ("log.cache", "both", "`local` or `mirror`"),
    ("log.cache", "none", "`local` or `mirror`"),
    ("log.on_lost", "fail", "without `on_full: drop`"),
    ("log.on_lost", "stop", "`degrade` or `fail`"),
    ("log.mirror_mode", "0666", "`0600`, `0640` or `0644`"),
    ("log.mirror_mode", 640, "in quotes"),
    ("log.mirror_mode", 0o640, "in quotes"),
    ("log.mirror_file", "cache.log", "Squid's own"),
    ("log.format", "%ts %ru\\", "does not end in a backslash"),
    ("log.only", ["GET"], "a section with `networks`"),
    ("log.only.networks", ["192.0.2.5/24"], "`192.0.2.0/24` holds 192.0.2.5"),
    ("log.only.networks", "192.0.2.0/24", "a list"),
    ("log.only.networks", ["192.0.2.0/24", "192.0.2.0/24"], "each entry once"),
    ("log.only.networks", ["all"], "such as `192.0.2.0/24`"),
    ("log.only.domains", ["*.example.org"], "`.example.org` for it and all below it"),
    ("log.only.domains", ["example.org\nhttp_access allow all"], "without line breaks"),
    ("log.only.domains", ["example.org other.org"], "a domain such as"),
    ("log.only.domains", ["http://example.org"], "a domain such as"),
    ("log.only.domains", ["192.0.2.1"], "a domain such as"),
    ("log.only.domains", ["-n"], "a domain such as"),
    ("log.only.domains", [".example.org", "www.example.org"], "only `.example.org`, which holds it"),
    ("log.only.domains", ["example.org", ".example.org"], "only `.example.org`, which holds it"),
    ("log.only.domains", [".a.example.org", ".example.org"], "only `.example.org`, which holds it"),
    ("log.only.ports", ["443"], "without quotes"),
    ("log.only.ports", [0], "at least 1"),
    ("log.only.ports", [443, 443], "each entry once"),
    ("log.only.methods", ["get"], "capital letters"),
    ("log.only.methods", ["GET POST"], "capital letters"),
    ("log.only.methods", ["GET", "GET"], "each entry once"),
    ("log.only.methods", [True], "in quotes"),
    ("log.only.status", [403], "put it in quotes"),
    ("log.only.status", ["600"], "such as '403'"),
    ("log.only.status", ["599-500"], "`500-599`"),
    ("log.only.status", ["4xx"], "such as '403'"),
    ("log.only.referer", ["x"], "known here: `networks`"),
    ("log.unless.method", ["GET"], "perhaps `methods`"),
    ("log.additional", EXTRA, "a list"),
    ("log.additional", ["denied.log"], "a section with `file`"),
    ("log.additional", [{"place": "local"}], "required"),
    ("log.additional", more(file="../denied.log"), "without directories"),
    ("log.additional", more(file="denied"), "ends in `.log`"),
    ("log.additional", more(file="cache.log"), "Squid's own"),
    ("log.additional", more(file="access.log"), "begin like that of log.local_file"),
    ("log.additional", more(file="access.log.denied", place="mirror"), "begin like that of log.mirror_file"),
    ("log.additional", [EXTRA, EXTRA], "begin like that of log.additional[0].file"),
    ("log.additional", more(place="nowhere"), "`local`, `mirror` or `both`"),
    ("log.additional", more(format="%zz"), "`%zz` is none"),
    ("log.additional", more(only={"status": ["403", "403"]}), "each entry once"),
    ("log.additional", more(on_full="drop"), "`log.on_full` is one"),
    ("mirror.durability", "async", "`relaxed`, `1s` or `sync`"),
    ("mirror.durability", 1, "in quotes"),
    ("mirror.durability", "2s", "`relaxed`, `1s` or `sync`"),
    ("mirror.data_journal", "yes", "`true` or `false`"),
    ("mirror.failure", "detach", "a section with `on_error`"),
    ("mirror.failure.on_error", "panic", "`detach` or `pass_on`"),
    ("mirror.failure.disk_timeout", 60, "a number alone has no unit"),
    ("mirror.failure.disk_timeout", "0s", "between 1s and 600s"),
    ("mirror.failure.disk_timeout", "1h", "between 1s and 600s"),
    ("mirror.failure.disk_timeout", "1050ms", "tenths of seconds"),
    ("mirror.failure.peer_timeout", "0s", "a multiple of 6s"),
    ("mirror.failure.peer_timeout", "40s", "a multiple of 6s"),
    ("mirror.failure.peer_timeout", "21m", "a multiple of 6s"),
    ("mirror.failure.ko_count", 7, "known here: `on_error`"),
]


@pytest.mark.parametrize(("path", "value", "sentence"), WRONG)
def test_a_wrong_setting_is_refused(site, path: str, value: object, sentence: str):
    put(site, path, value)
    assert told(site, path, sentence, below=True)


# of the site of a phase: settings, path at fault, sentence
TOGETHER = [
    (2, {"log.access": "mirror"}, "log.access", "there is no mirror"),
    (2, {"log.cache": "mirror"}, "log.cache", "there is no mirror"),
    (2, {"log.additional": more(place="mirror")}, "log.additional[0].place", "there is no mirror"),
    (3, {"mirror.filesystem": "xfs", "mirror.durability": "1s"}, "mirror.durability", "nothing in between"),
    (3, {"mirror.filesystem": "xfs", "mirror.data_journal": True}, "mirror.data_journal", "never holds data"),
    (3, {"log.on_full": "drop", "log.format": "useragent"}, "log.format", "`%ru`"),
    (3, {"log.on_full": "drop", "log.format": "%ts %>a %<ru"}, "log.format", "`%ru`"),
    (3, {"log.on_full": "drop", "log.access": "local", "log.cache": "mirror"}, "log.on_full", "its own record"),
]


@pytest.mark.parametrize(("phase", "changes", "path", "sentence"), TOGETHER)
def test_what_makes_no_sense_together_is_refused(phase, changes, path, sentence):
    assert told(changed(phase, changes), path, sentence)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("log.access", "mirror"),
        ("log.cache", "mirror"),
        ("log.additional", [EXTRA, {"file": "tunnels.log", "only": {"methods": ["CONNECT"], "ports": [443]}}]),
        ("log.additional", [{**EXTRA, "place": "local"}, {**EXTRA, "place": "mirror"}]),
        ("log.only.domains", [".example.org", "example.net", "www.example.net"]),
        ("log.unless", {"networks": ["192.0.2.7/32", "fd00::/8"], "status": ["200", "300-399"]}),
        ("mirror.durability", "1s"),
        ("mirror.data_journal", True),
        ("mirror.failure", {"on_error": "pass_on", "disk_timeout": "30s", "peer_timeout": "1m"}),
    ],
)
def test_customary_settings_are_accepted(site, path, value):
    put(site, path, value)
    assert read(site, "x").phase == 3


def test_domains_are_compared_as_dns_does(site):
    put(site, "log.only.domains", ["WWW.Example.ORG"])
    assert read(site, "x").log.only.domains == ("www.example.org",)


@pytest.mark.parametrize(
    ("text", "shown"),
    [("squid", True), ("common", True), ("combined", True), ("useragent", False), ("%ts %>ru", True),
     ("%ts %http::rp", True), ("%ts %rm", False), ("%ts %<ru", False)],
)  # fmt: skip
def test_formats_that_tell_what_was_asked_for(text, shown):
    assert shows_address(text) == shown
