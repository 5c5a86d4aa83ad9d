"""Whatever a node says of its files, units, platform and addresses is understood, or said not to be."""

from __future__ import annotations

import base64
import ipaddress
import json
import shlex

from hypothesis import example, given
from hypothesis import strategies as st

from providers.connection.errors import Unknown
from providers.connection.files import Found, parse_files
from providers.host import facts
from providers.host.maintenance import lifekeeper, pacemaker
from providers.host.systemd import UnitFound, parse_units
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


@given(st.dictionaries(name, st.lists(st.ip_addresses().map(str), max_size=3), max_size=3))
def test_addresses_read_back(wanted):
    links = [{"ifname": link, "addr_info": [{"local": each, "prefixlen": 24} for each in there]}
             for link, there in wanted.items()]  # fmt: skip
    assert facts.parse_addresses(json.dumps([*links, {}])) == wanted


@given(any_like(recorded("host/corosync.*.txt")), any_like(recorded("host/conffile.*.txt")), st.text())
def test_whatever_corosync_and_dpkg_say_there_is_an_answer(conf, conffiles, path):
    cluster = facts.parse_cluster_name(conf)
    assert (cluster is None) == (not conf.strip())
    assert facts.is_distributed(conffiles, path) in (True, False)


@given(any_like(recorded("pacemaker/crm_mon-*.xml")))
def test_whatever_crm_mon_says_somebody_is_online_or_there_is_no_cluster(text):
    standing = pacemaker.parse(text)
    assert standing is None or standing.online


@given(any_like(["# ours\nLKCHECKINTERVAL=120\nexport LKCHECKINTERVAL=60 # was 30\n"]), line)
def test_an_interval_reads_back_from_whatever_file_it_is_set_in_and_leaves_it(text, value):
    assert lifekeeper.interval(lifekeeper.changed(text, value)) == value
    assert lifekeeper.interval(lifekeeper.changed(text, "")) == ""
