"""The table of platforms."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from importlib import resources
from typing import Any, get_args

import pytest

from blueprint import paths
from blueprint.platforms import PLATFORMS, Platform
from blueprint.site import things
from declaration.load import read
from declaration.site import Site
from providers import wire
from providers.host import alert, clocks, node
from providers.squid import agent
from tests.support.sites import lab_settings
from tests.unit.declaration.conftest import SITES

DEBIAN = PLATFORMS["debian-12"]
UPSTREAMS = {"corosync.service", "pacemaker.service", "sbd.service"}
"""Units that Corosync, Pacemaker and SBD name themselves and that the engine knows by these names; the table has them
only among those to be kept quiet while packages are installed."""
EVERYWHERE = UPSTREAMS | {
    "systemd-timesyncd.service", "local-fs.target", "multi-user.target", "network-pre.target", "shutdown.target",
    "sysinit.target", "timers.target", "/etc/systemd/system", "/etc/corosync/corosync.conf", "/usr/lib/drbd",
    "/bin/bash", "/bin/sh", "/usr/sbin", "/var/tmp/krb5_",
}  # fmt: skip
"""What systemd, Corosync, DRBD, logrotate, nftables, Kerberos and the file system hierarchy (FHS) name themselves."""
OURS = re.compile(r"(^|[/.])squid-ha([-./]|$)")
PATH = re.compile(r"(?<![\w.:/}$*-])/(?:etc|usr|var|lib|opt|s?bin)/[\w.@/-]*\w")
UNIT = re.compile(r"(?<![\w@./-])[\w@.-]+\.(?:service|timer|path|socket|target|mount)\b")
OWNERS = {"squid_user", "squid_group"}
PACKAGES = re.compile(r"(.*_)?packages")


def test_every_platform_that_can_be_declared_is_in_the_table() -> None:
    assert set(get_args(Site.model_fields["platform"].annotation)) == set(PLATFORMS)


def test_no_name_is_left_out() -> None:
    for platform in PLATFORMS.values():
        assert all(getattr(platform, field.name) for field in fields(platform))


def other(name: str) -> str:
    """What it is called on the invented platform: a path, a unit or a word like it."""
    way, slash, last = name.rpartition("/")
    return f"{way.replace('/', '/other-')}{slash}other-{last}"


def invented(value: Any) -> Any:
    """The same part of the table with every name another one."""
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{each.name: invented(getattr(value, each.name)) for each in fields(value)})
    if isinstance(value, Mapping):
        return {key: invented(each) for key, each in value.items()}
    if isinstance(value, tuple):
        return tuple(invented(each) for each in value)
    return other(value) if isinstance(value, str) and value else value


def named(value: Any, field: str) -> Iterator[tuple[str, str]]:
    """Every name in the table with the field that has it."""
    if is_dataclass(value) and not isinstance(value, type):
        for each in fields(value):
            yield from named(getattr(value, each.name), each.name)
    elif isinstance(value, Mapping | tuple):
        for each in value.values() if isinstance(value, Mapping) else value:
            yield from named(each, field)
    elif isinstance(value, str) and value:
        yield field, value


def texts(value: Any) -> Iterator[str]:
    """All texts in an input, the keys of maps too."""
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield key
            yield from texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from texts(each)
    elif isinstance(value, str):
        yield value


def has(text: str, field: str, name: str) -> bool:
    """Whether a text has a name of the table; a user or a group also as the owner of something (``user:group``).

    The name of a package or a user is an ordinary word: one that stands alone, or as an owner.
    """
    if field in OWNERS:
        return text == name or any(name in word.split(":") for word in text.split() if ":" in word)
    if PACKAGES.fullmatch(field):
        return text == name
    before = r"(?<![\w.])" if name.startswith("/") else r"(?<![\w.@-])"
    return re.search(rf"{before}{re.escape(name)}(?![\w-])", text) is not None


def left(site: Site) -> set[str]:
    """Debian's names in the inputs of a site's things, each with the thing's name."""
    return {
        f"{thing.name}: {field} {name}"
        for thing in things(site, "squid-ha/test")
        for text in texts(wire.encode(thing.inputs))
        for field, name in named(DEBIAN, "")
        if has(text, field, name)
        and name not in UPSTREAMS
        # Elsewhere `squid` is a program, a directory on the mirror, or a tag.
        and (thing.kind == "host.packages" or not PACKAGES.fullmatch(field))
    }


def strange(site: Site) -> set[str]:
    """Paths of the system and units in the inputs of a site's things that neither the invented platform has, nor this
    program made, nor every platform has: names that somebody wrote down outside of the table."""
    return {
        f"{thing.name}: {name}"
        for thing in things(site, "squid-ha/test")
        for text in texts(wire.encode(thing.inputs))
        for name in [*PATH.findall(text), *UNIT.findall(text)]
        if "other-" not in name
        and not OURS.search(name)
        and not any(name == each or name.startswith(f"{each}/") for each in EVERYWHERE)
    }


def site(**changes: object) -> dict[str, Any]:
    """The site of phase 3 with all that has to do with files of the distribution."""
    raw = copy.deepcopy(SITES[3])
    raw["squid"] |= {
        "include": ["/srv/lists/*.conf"],
        "auth": {
            "ldap": {
                "uri": "ldaps://ldap.example.org", "base": "dc=example,dc=org", "bind_dn": "cn=squid,dc=example,dc=org",
                "bind_password": {"secret": "ldap"},
            },
            "kerberos": {"keytab": "/srv/keytab", "principal": "HTTP/proxy.example.org@EXAMPLE.ORG"},
        },
        "cache": {"disk": {"size": "64M"}},
    }  # fmt: skip
    raw["firewall"] = "nftables"
    raw["alerts"] = {"webhook": {"url": "https://alerts.example.org/"}}
    return raw | changes


def with_basic(raw: dict[str, Any]) -> dict[str, Any]:
    raw["squid"]["auth"] = {"basic": {"password_file": {"secret": "users"}}}
    return raw


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Platform:
    """An invented platform in Debian's place."""
    made: Platform = invented(DEBIAN)
    monkeypatch.setitem(PLATFORMS, "debian-12", made)
    return made


DECLARED = {
    "chrony": site(),
    "ntpsec": with_basic(site(time={"service": "ntpsec", "servers": ["192.0.2.1"]})),
    "xfs": site(mirror=SITES[3]["mirror"] | {"filesystem": "xfs"}),
    "one node": copy.deepcopy(SITES[1]),
    "lifekeeper": lab_settings(engine="lifekeeper") | {"alerts": site()["alerts"]},
}


@pytest.mark.parametrize("declared", DECLARED)
def test_no_name_of_debian_is_left_in_the_things_of_another_platform(declared: str, elsewhere: Platform) -> None:
    assert left(read(copy.deepcopy(DECLARED[declared]), declared)) == set()


@pytest.mark.parametrize("declared", DECLARED)
def test_no_path_and_no_unit_of_a_site_stands_outside_of_the_table(declared: str, elsewhere: Platform) -> None:
    assert strange(read(copy.deepcopy(DECLARED[declared]), declared)) == set()


def test_a_name_that_stands_outside_of_the_table_is_found() -> None:
    """Debian's own names are such ones, where the invented platform's are looked for."""
    assert {
        "sbd: /etc/default/sbd", "time: /var/lib/chrony/chrony.drift", "time: /var/log/chrony", "time: chrony.service",
        "firewall: nftables.service",
    } <= strange(read(copy.deepcopy(DECLARED["chrony"]), "chrony"))  # fmt: skip


def test_all_names_of_a_site_come_from_the_table(elsewhere: Platform) -> None:
    """So that none is left out above because it is never used: each is in the things of one of these sites."""
    inputs = [
        text
        for declared in DECLARED.values()
        for thing in things(read(copy.deepcopy(declared), "test"), "squid-ha/test")
        for text in texts(wire.encode(thing.inputs))
    ]
    missing = {name for field, name in named(elsewhere, "") if not any(has(text, field, name) for text in inputs)}
    assert missing == set()


@pytest.mark.parametrize("declared", DECLARED)
def test_debians_names_are_found_where_they_are(declared: str) -> None:
    found = left(read(copy.deepcopy(DECLARED[declared]), declared))
    assert {"squid-config: squid_configuration /etc/squid/squid.conf", "packages: squid_packages squid"} <= found


def test_what_states_of_debian_leave_unsaid_is_what_stands_in_the_table() -> None:
    for platform in PLATFORMS.values():
        assert platform.clock_units == clocks.UNITS
        assert platform.squid_configuration == node.SQUID_CONFIGURATION == agent.CONFIGURATION
        assert platform.squid_unit == agent.UNIT
        assert {name: each.unit for name, each in platform.time_services.items()} == alert.TIME_UNITS
        assert f"{platform.squid_directory}/{paths.SQUID_USERS}" == "/etc/squid/squid-ha.users"
        assert f"{platform.squid_directory}/{paths.SQUID_LDAP}" == "/etc/squid/squid-ha.ldap"


def test_nodes_of_debian_are_wanted_as_they_were_and_others_with_their_own_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def wanted() -> dict[str, Any]:
        made = things(read(copy.deepcopy(SITES[3]), "test"), "squid-ha/test")
        return wire.encode(next(thing.inputs for thing in made if thing.kind == "host.node"))

    assert "squid_configuration" not in wanted()
    monkeypatch.setitem(PLATFORMS, "debian-12", invented(DEBIAN))
    assert wanted()["squid_configuration"] == "/other-etc/other-squid/other-squid.conf"


def test_scripts_of_debian_are_their_files_byte_for_byte() -> None:
    for package, file, made in (("squid", "agent.sh", agent.text()), ("host", "alert.sh", alert.text())):
        assert made == resources.files(f"providers.{package}").joinpath(file).read_text(encoding="utf-8")


def test_scripts_of_another_platform_have_its_names_and_none_that_breaks_out() -> None:
    text = agent.text("other.service", "/etc/squid.service.conf")
    assert "\nunit=${OCF_RESKEY_unit:-other.service}\n" in text
    assert ":-/etc/squid.service.conf}\n" in text
    for name in ("x}; id; #", "a b", "$(id)", "a\nb", ""):
        with pytest.raises(ValueError, match="no plain word"):
            agent.text(configuration=name)
