"""Whatever a node says of its files, units, platform and addresses is understood, or said not to be."""

from __future__ import annotations

import base64
import ipaddress
import json
import math
import shlex

from hypothesis import example, given
from hypothesis import strategies as st

from operations.adopt.read import parse_gateway
from providers.connection.command import Result, command
from providers.connection.errors import Unknown
from providers.connection.files import Found, parse_files
from providers.host import changes, chrony, dpkg, facts, firewall
from providers.host.systemd import UnitFound, parse_units
from tests.unit.host.test_firewall import RULES, listing
from tests.unit.parsers.texts import any_json_like, any_like, line, recorded, told

name = st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True)


# Files

PATHS = ["/a", "/b"]
READ = [
    "file 644 0:0 root:root\nYWJj\nabsent - - -\n\n",
    "link - - -\nL2I=\ndirectory 755 0:33 root:UNKNOWN\n\n",
    "other - - -\n\nfile 4755 1000:513 UNKNOWN:domain users\n\n",
]
contents = st.binary(max_size=30)
modes = st.from_regex(r"[0-7]{4}", fullmatch=True)
founds = st.builds(
    Found, st.just("/a"), st.sampled_from(["file", "directory"]), contents, modes, name.map("root:{}".format)
) | st.builds(Found, st.just("/a"), st.sampled_from(["link", "absent", "other"]), contents)


@given(any_like(READ))
@example("")
@example("file 644 0:0 root:root")
@example("file\n\nabsent - - -\n\n")
@example("door - - -\n\nabsent - - -\n\n")
@example("file 644 0:0 root:root\n=\nabsent - - -\n\n")
@example("file 644 0 root:root\n\nabsent - - -\n\n")
# A file that goes between two looks at it leaves its first line out.
@example("\nabsent - - -\n\n")
@example("\n\nabsent - - -\n\n")
# Its second line is lost, and the next one's first is no content.
@example("file 644 0:0 root:root\nfile 644 0:0 root:root\n\n\n")
def test_whatever_is_said_of_files_is_what_stands_there_or_unknown(text):
    found = told(lambda: parse_files(text, PATHS), Unknown)
    if found is not None:
        assert list(found) == PATHS
        assert all(each.mode or each.kind not in ("file", "directory") for each in found.values())


def shown(each: Found) -> str:
    """As the script on the node prints it."""
    content = base64.b64encode(each.content).decode()
    mode, owner = (each.mode.lstrip("0") or "0", each.owner) if each.mode else ("-", "-")
    return f"{each.kind} {mode} {'0:7' if each.mode else '-'} {owner}\n{content}\n"


@given(st.lists(founds, max_size=3))
def test_files_read_back_one_after_the_other(listed):
    wanted = {f"/{i}": Found(f"/{i}", each.kind, each.content, each.mode, each.owner) for i, each in enumerate(listed)}
    assert parse_files("".join(map(shown, wanted.values())), list(wanted)) == wanted


@given(founds)
def test_what_was_found_reads_back_from_the_journal(found):
    assert Found.from_text(found.path, found.to_text()) == found


JOURNALLED = [Found("/a", "file", b"abc", "0644", "root:root").to_text(), Found("/a", "absent").to_text()]


@given(any_like(JOURNALLED) | any_json_like(JOURNALLED))
@example("")
@example("[]")
@example("{}")
@example('{"kind": "door", "content": "", "mode": "", "owner": ""}')
@example('{"kind": "file", "content": "=", "mode": "", "owner": ""}')
@example('{"kind": "file", "content": null, "mode": 644, "owner": ""}')
def test_whatever_the_journal_says_of_a_file_is_what_stood_there_or_unknown(text):
    found = told(lambda: Found.from_text("/a", text), Unknown)
    if found is not None:
        assert found.kind in ("absent", "file", "link", "directory", "other")
        assert isinstance(found.mode + found.owner, str)


# Units

UNITS = recorded("systemctl-show/*.txt")
SHOWN = (
    "LoadState=loaded\nActiveState=active\nSubState=running\nUnitFileState=enabled\nNeedDaemonReload=no\n\n"
    "LoadState=not-found\nActiveState=inactive\nSubState=dead\nUnitFileState=\nNeedDaemonReload=no\n"
)


@given(any_like([SHOWN, *UNITS]))
@example("")
@example("Failed to connect to bus: No such file or directory\n")
@example(SHOWN.split("\n\n", maxsplit=1)[0])
@example(SHOWN.replace("LoadState=loaded\n", ""))
def test_whatever_systemctl_says_is_the_state_of_each_unit_or_unknown(text):
    found = told(lambda: parse_units(text, ["a", "b"]), Unknown)
    if found is not None:
        assert [unit.name for unit in found.values()] == ["a", "b"]
        assert all(unit.state in ("active", "inactive", "failed") for unit in found.values())


units = st.builds(
    UnitFound, name=name, exists=st.booleans(), enabled=st.sampled_from(["enabled", "disabled", "static", ""]),
    active=st.sampled_from(["active", "inactive", "failed", "activating", "deactivating", "reloading"]), sub=name,
    needs_reload=st.booleans(),
)  # fmt: skip


@given(st.lists(units, min_size=1, max_size=3, unique_by=lambda unit: unit.name), st.randoms(use_true_random=False))
def test_units_read_back_whatever_the_order_of_their_properties(wanted, dice):
    blocks: list[str] = []
    for unit in wanted:
        rows = [
            f"LoadState={'loaded' if unit.exists else 'not-found'}\n", f"UnitFileState={unit.enabled}\n",
            f"ActiveState={unit.active}\n", f"SubState={unit.sub}\n",
            f"NeedDaemonReload={'yes' if unit.needs_reload else 'no'}\n",
        ]  # fmt: skip
        dice.shuffle(rows)
        blocks.append("".join(rows))
    assert list(parse_units("\n".join(blocks), [unit.name for unit in wanted]).values()) == wanted


NOTED = [changes.unit_text(UnitFound("a", True, "enabled", "active", "running", needs_reload=False))]


@given(any_like(NOTED) | any_json_like(NOTED))
@example("")
@example("[]")
@example("{}")
@example('{"exists": true, "enabled": "some day", "active": "active"}')
@example('{"exists": true, "enabled": "", "active": null}')
def test_whatever_the_journal_says_of_a_unit_is_how_it_was_or_unknown(text):
    found = told(lambda: changes.unit_from("a", text), Unknown)
    if found is not None:
        assert found.state in ("active", "inactive", "failed")
        assert found.enabled in ("enabled", "disabled", "masked", "static", "")


@given(units)
def test_what_a_unit_was_reads_back_from_the_journal(unit):
    found = changes.unit_from(unit.name, changes.unit_text(unit))
    assert (found.exists, found.enabled, found.state) == (unit.exists, unit.enabled, unit.state)


# Facts

RELEASES = recorded("host/os-release.*.txt")


@given(any_like(RELEASES))
@example('ID="debian\nVERSION_ID="12"\n')
@example("PRETTY_NAME='Debian\nID=debian\n")
@example("ID=debian\nVERSION_ID=12\\")
@example('VERSION_ID="12"\n')
def test_whatever_os_release_says_is_a_platform(text):
    platform = facts.parse_platform(text)
    assert platform == "unknown" or "ID=" in text.replace("VERSION_ID=", "")


@given(line.filter(bool), line)
def test_a_platform_reads_back_however_it_is_quoted(one, version):
    # What shlex quotes is read by a shell as it was; os-release(5) is written for one.
    text = f"NAME=x\nID={shlex.quote(one)}\nVERSION_ID={shlex.quote(version)}\n"
    assert facts.parse_platform(text) == "-".join(part for part in (one, version) if part)


ADDRESSED = recorded("ip-json-address/*.txt")


@given(any_like(ADDRESSED) | any_json_like(ADDRESSED))
@example('Object "address" is unknown')
@example("{}")
@example("[1]")
@example('[["ifname"]]')
@example('[{"ifname": "lo", "addr_info": [{}]}]')
@example('[{"ifname": "lo", "addr_info": null}]')
@example('[{"ifname": "lo", "addr_info": [{"local": "localhost"}]}]')
@example('[{"ifname": "lo", "addr_info": [{"local": 5}]}]')
def test_whatever_ip_says_are_addresses_or_unknown(text):
    for interface, there in (told(lambda: facts.parse_addresses(text), Unknown) or {}).items():
        assert isinstance(interface, str)
        assert all(ipaddress.ip_address(each) for each in there)
    for each in told(lambda: facts.parse_prefixes(text), Unknown) or []:
        assert ipaddress.ip_address(each.text)
        assert isinstance(each.prefix, int)


@given(st.dictionaries(name, st.lists(st.ip_addresses().map(str), max_size=3), max_size=3))
def test_addresses_read_back(wanted):
    links = [{"ifname": link, "addr_info": [{"local": each, "prefixlen": 24} for each in there]}
             for link, there in wanted.items()]  # fmt: skip
    text = json.dumps([*links, {}])
    assert facts.parse_addresses(text) == wanted
    assert facts.parse_prefixes(text) == [
        facts.Address(link, each, 24, "") for link, there in wanted.items() for each in there
    ]


ROUTED = recorded("ip-json-route/*.txt")


@given(any_like(ROUTED) | any_json_like(ROUTED))
@example("")
@example("RTNETLINK answers: no")
@example("{}")
@example("[1]")
@example('[{"dst": "default", "gateway": null}]')
@example('[{"dst": "default", "dev": 5}]')
def test_whatever_ip_says_of_routes_is_a_gateway_or_unknown(text):
    for each in told(lambda: parse_gateway(text), Unknown) or ():
        assert isinstance(each, str)


@given(name, st.ip_addresses().map(str))
def test_the_first_default_route_reads_back(link, gateway):
    assert parse_gateway(json.dumps([{"dev": link, "gateway": gateway}, {"dev": "other"}])) == (link, gateway)
    assert parse_gateway("[]") == parse_gateway("") == ("", "")


# The firewall

LOADED = f"{listing(RULES)}\n{listing(RULES)}\n"


@given(any_like([LOADED, "\n\n"]) | any_json_like([listing(RULES)]).map(lambda text: f"{text}\n{listing(RULES)}\n"))
@example("")
@example(listing(RULES))
@example("Error: syntax error\n\n")
@example("[]\n\n")
@example("{}\n\n")
@example('{"nftables": null}\n\n')
@example('{"nftables": [{}]}\n\n')
@example('{"nftables": [{"rule": {}}]}\n\n')
@example('{"nftables": [{"chain": "input"}]}\n\n')
def test_whatever_nft_says_is_a_verdict_on_the_table_or_unknown(text):
    verdict = told(lambda: firewall.parse(text), Unknown)
    assert verdict is None or verdict


@given(any_like(recorded("host/corosync.*.txt")), any_like(recorded("host/conffile.*.txt")), st.text())
def test_whatever_corosync_and_dpkg_say_there_is_an_answer(conf, conffiles, path):
    cluster = facts.parse_cluster_name(conf)
    assert (cluster is None) == (not conf.strip())
    assert facts.is_distributed(conffiles, path) in (True, False)


# The clock

TRACKING = recorded("host/chronyc-tracking.*.txt")
SYNCHRONISED = recorded("host/chronyc-tracking.synchronised.txt")[0]
SOURCES = recorded("host/chronyc-sources.*.txt")
SELECTED = recorded("host/chronyc-sources.synchronised.txt")[0]


@given(any_like(TRACKING), st.integers(0, 255))
@example(SYNCHRONISED.replace(",9,", ",x,"), 0)
@example(SYNCHRONISED.replace(",9,", f",{'9' * 5000},"), 0)
@example(SYNCHRONISED.replace("0.000003660", "nan"), 0)
@example(SYNCHRONISED.replace("0.000003660", "1e999"), 0)
@example(SYNCHRONISED.replace(",192.0.2.1,", ",,"), 0)
@example("506 Cannot talk to daemon\n", 1)
def test_whatever_chrony_says_is_a_clock_or_a_problem(text, code):
    clock = chrony.parse_tracking(text, code)
    assert bool(clock.source) != bool(clock.problem)
    assert math.isfinite(clock.offset)


def test_a_stratum_that_is_no_number_is_a_problem_and_shown():
    problem = chrony.parse_tracking(SYNCHRONISED.replace(",9,", ",x,")).problem
    assert problem.startswith("what chronyd says is not understood (C0000201,192.0.2.1,x,")


@given(any_like(TRACKING), any_like(SOURCES))
@example(SYNCHRONISED, SELECTED.replace(",6,7,1,", ",5000,7,1,"))
@example(SYNCHRONISED, SELECTED.replace(",6,7,1,", ",x,7,1,"))
@example(SYNCHRONISED, "")
def test_a_clock_of_chrony_is_right_only_while_a_source_is_heard(tracking, sources):
    asked = command("chronyc")
    clock = chrony.clock([Result(asked, 0, tracking, ""), Result(asked, 0, sources, "")])
    assert clock.problem or ",*," in sources


@given(any_like(SOURCES), st.integers(0, 1))
@example("506 Cannot talk to daemon\n", 1)
@example("^,*,192.0.2.1,8,6,7,1,0,0", 0)
def test_whatever_chrony_says_of_its_sources_is_a_text_of_each(text, code):
    found = chrony.parse_sources(text, code)
    assert len(found) <= len(text.splitlines())
    assert all(", stratum " in each for each in found)


# Packages and accounts

PACKAGES = recorded("host/dpkg.*.txt")


@given(any_like(["squid\tinstalled\t5.7-2+deb12u6\nsbd\tconfig-files\t1.5.2-1\nzip\thalf-configured\t3.0\n"]))
@example("dpkg-query: no packages found matching squid\n")
@example("\t\t\n\tinstalled\n")
@example("a\tinstalled\t1\tmore\n")
def test_whatever_dpkg_says_are_packages_that_are_there(text):
    for package in dpkg.parse_packages(text).values():
        assert package.status not in {"", "not-installed", "config-files"}


versions = st.from_regex(r"[0-9][0-9a-z.+~:-]{0,8}", fullmatch=True)
statuses = st.sampled_from(["installed", "half-configured", "unpacked"])


@given(st.dictionaries(name, st.builds(dpkg.Package, statuses, versions)))
def test_packages_read_back(wanted):
    text = "".join(f"{each}\t{package.status}\t{package.version}\n" for each, package in wanted.items())
    assert dpkg.parse_packages(text + "gone\tconfig-files\t1\n") == {**wanted}


@given(any_like([*PACKAGES, "root:x:0:0:root:/root:/bin/bash\n+nis::::::\n# none\nproxy:x:13:\n"]))
@example(":x:0\n")
def test_whatever_stands_in_account_files_are_sorted_names_without_their_fields(text):
    names = dpkg.parse_names(text)
    assert names == sorted(set(names))
    assert not any(":" in each or each.startswith(("#", "+")) for each in names)


@given(any_like(["/var/lib/apt/lists\n/var/lib/squid\n/var/spool/squid\nfind: x: Permission denied\n"]))
@example("/var/lib/dpkg")
@example("var/lib\n")
def test_whatever_find_says_are_directories_that_are_not_the_machines_own(text):
    found = dpkg.parse_directories(text)
    assert found == sorted(set(found) & set(text.splitlines()))
    assert all(each.startswith("/") for each in found)
    assert not any(f"{each}/".startswith(f"{root}/") for each in found for root in dpkg.HOUSEKEEPING)


@given(any_like(recorded("host/apt-simulated-purge.txt")))
@example("Purg\nRemv \n")
@example("E: Unable to locate package squid\n")
def test_whatever_apt_simulates_only_what_it_would_remove_is_named(text):
    rows = [line.split() for line in text.splitlines()]
    removed = {row[1] for row in rows if row[:1] in (["Purg"], ["Remv"]) and len(row) > 1}
    assert dpkg.parse_simulated_removal(text) == removed


@given(any_like(recorded("host/apt-depends.txt")))
@example("<virtual>\n  Depends: libc6\n")
@example("\n \n")
def test_whatever_apt_says_of_dependencies_are_names_of_real_packages(text):
    for each in dpkg.parse_dependencies(text):
        assert each == each.strip()
        assert not each.startswith("<")
