"""No value breaks out of the place that it is rendered into: every setting, in every file and parameter of a site.

Each setting that takes text is set to right texts with every character that it lets in, at the start and at the end.
However the text, a site must be made of the same things, files of the same lines, lines of the same settings. Formats
with a reader of their own are read back.
"""

import copy
import shlex
import string
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from blueprint import proxy
from blueprint.platforms import PLATFORMS
from blueprint.render import chrony_conf, ntpsec_conf
from blueprint.site import things
from declaration.addresses import Host
from declaration.errors import DeclarationError
from declaration.load import read
from declaration.logformat import LogFormat
from declaration.paths import BlockDevicePath, MountPoint
from declaration.types import FileName
from providers import wire
from providers.pacemaker import sbd_conf
from tests.support.string_settings import StringSetting
from tests.unit.declaration.conftest import SITES
from tests.unit.declaration.test_wrong_strings import EXAMPLES, place, sentences, where

OWNER = "squid-ha/x"
RIGHT = {each: text for each, text in EXAMPLES.items() if not (each.choices or each.duration or each.key)}
"""Every setting that is not a choice or a time, with a right text."""
CHARACTERS = "\\#\"'`{}()[];:,%$&=!<>|*~ @-ä"
"""What means something to one of the formats."""
MARK = "~value~"

LOCAL_ONLY = [{"action": "allow", "networks": ["10.0.0.0/8"]}, {"action": "deny"}]

# what a setting needs beside it to be right at all: others' settings are taken out or put in
COMPANY: dict[str, dict[str, Any]] = {
    "squid.access[0].": {"squid.allow": None, "squid.access": [*LOCAL_ONLY]},
    "squid.access[0].users": {"squid.auth": {"kerberos": {"keytab": "/etc/squid/proxy.keytab"}}},
    "squid.auth.ldap.": {"squid.auth": {"ldap": {"uri": "ldaps://x.example.org", "base": "dc=x"}}},
    "squid.auth.ldap.bind_dn": {"squid.auth.ldap.bind_password": {"secret": "x"}},
    "squid.auth.kerberos.principal": {"squid.auth": {"kerberos": {"keytab": "/etc/squid/proxy.keytab"}}},
    "log.additional[0].": {"log.additional": [{"file": "more.log"}]},
    "squid.auth.realm": {"squid.auth": {"kerberos": {"keytab": "/etc/squid/proxy.keytab"}}},
    "squid.parents.proxies[0].domains": {"squid.parents": {"proxies": [{"host": "parent.example.org"}]}},
    "pacemaker.fencing.none": {"pacemaker.fencing": {}},
    "hooks[0].": {"hooks": [{"name": "x", "when": "after-deploy", "where": "active", "command": "x"}]},
    "rotation.size": {"rotation.schedule": None},
    # The example is the name that the site's own interface has.
    "lifekeeper.address.backup_interface": {"network.public.interface": "lan0"},
}


def site_with(setting: StringSetting, text: str) -> Any:
    """A site that has this text in this setting, or None where its rules refuse that."""
    raw = copy.deepcopy(SITES[3])
    for path, needs in COMPANY.items():
        if setting.path.startswith(path):
            for other, value in needs.items():
                _put(raw, other, copy.deepcopy(value))
    place(raw, where(setting, text), text)
    try:
        return read(raw, "x")
    except DeclarationError:
        return None


def _put(raw: Any, path: str, value: object) -> None:
    if value is not None:
        place(raw, path, value)
        return
    *way, last = path.split(".")
    for part in way:
        raw = raw[part]
    raw.pop(last, None)


def shape(site: Any, text: str) -> list[Any]:
    """What a site is made of, with the text taken out, and of each line of a file only the first word."""
    return [
        [thing.name, thing.kind, thing.after, _shape(wire.encode(thing.inputs), text)] for thing in things(site, OWNER)
    ]


def _shape(value: Any, text: str) -> Any:
    if isinstance(value, dict):
        return {name.replace(text, MARK): _shape(below, text) for name, below in sorted(value.items())}
    if isinstance(value, list):
        return [_shape(each, text) for each in value]
    if isinstance(value, str) and "\n" in value:
        words = [line.split(" ")[0] for line in value.splitlines()]
        return [MARK if "/" in word or text in word else word for word in words]
    return type(value).__name__


@cache
def accepted() -> dict[StringSetting, list[str]]:
    """Right texts for every plain setting, with all that it lets in."""
    found: dict[StringSetting, list[str]] = {each: [text] for each, text in RIGHT.items()}
    for character in CHARACTERS:
        for at in (0.0, 1.0):
            tried = {each: _inserted(text, character, at) for each, text in RIGHT.items()}
            for each, sentence in sentences(tried).items():
                if not sentence or "each entry once" in sentence:
                    found[each].append(tried[each])
    return found


def _inserted(text: str, character: str, at: float) -> str:
    cut = round(len(text) * at)
    return text[:cut] + character + text[cut:]


RENDERED = [setting for setting, text in RIGHT.items() if site_with(setting, text)]


def test_most_settings_can_be_rendered_alone():
    """Others clash with the rest of the site that they are tried in; their types are those of these."""
    left = [setting.path for setting in RIGHT if setting not in RENDERED]
    assert len(RENDERED) >= 45, left


@pytest.mark.thorough
@pytest.mark.parametrize("setting", RENDERED, ids=lambda setting: setting.path)
def test_no_accepted_text_changes_the_shape_of_a_site(setting):
    expected = shape(site_with(setting, EXAMPLES[setting]), EXAMPLES[setting])
    for text in accepted()[setting]:
        site = site_with(setting, text)
        if site is not None:
            assert shape(site, text) == expected, text


def squid_reads(text: str) -> list[str]:
    """The settings of a squid.conf as Squid puts them together: a backslash at the end takes the next line with it."""
    whole: list[str] = []
    going_on = False
    for line in text.splitlines():
        stripped = line.lstrip()
        if not going_on and (not stripped or stripped.startswith("#")):
            continue
        if going_on:
            whole[-1] += stripped
        else:
            whole.append(stripped)
        going_on = whole[-1].endswith("\\")
        whole[-1] = whole[-1].removesuffix("\\")
    return whole


LOG_FORMAT: TypeAdapter[str] = TypeAdapter(LogFormat)
PLAIN = "".join(sorted(set(string.printable) - set("\t\n\r\x0b\x0c")))


AWKWARD = st.sampled_from(["", "\\", "\\\\", "#", '"', "'", "${x}", " ", "{", "\\n", "%ru", "%{User-Agent}>h"])


@given(AWKWARD, st.sampled_from(["%ts", "%>a %ru"]), st.text(PLAIN, max_size=5), AWKWARD)
def test_a_log_format_is_one_setting_of_squid_conf(before, codes, between, after):
    text = before + codes + between + after
    try:
        LOG_FORMAT.validate_python(text)
    except ValidationError:
        return
    raw = copy.deepcopy(SITES[3])
    raw["log"]["format"] = "%ts"
    expected = squid_reads(proxy.squid_conf_text(read(raw, "x"), OWNER))
    raw["log"]["format"] = text
    found = squid_reads(proxy.squid_conf_text(read(raw, "x"), OWNER))
    changed = [(one, other) for one, other in zip(expected, found, strict=True) if one != other]
    if text != "%ts" and len(changed) == 1:
        assert changed == [("logformat squid_ha %ts", f"logformat squid_ha {text}")]
    else:
        # a format of Squid's own has no line, and another name
        assert text == "%ts" or " " not in text


PATHS = st.lists(st.sampled_from([*"/.-_+@:=,%$`'\"\\ ;#&", "data", "sdb"]), max_size=8).map(
    lambda parts: "/dev/" + "".join(parts)
)


def taken(adapter: TypeAdapter[str], text: str) -> bool:
    try:
        adapter.validate_python(text)
    except ValidationError:
        return False
    return True


@given(PATHS)
def test_a_disk_is_one_word_to_the_shell_that_reads_sbds_settings(path):
    if not taken(TypeAdapter(BlockDevicePath), path):
        return
    text = sbd_conf.render(sbd_conf.SbdConf(path, "/dev/watchdog", 10, 37))
    assert f"SBD_DEVICE={path}" in shlex.split(text, comments=True)
    assert all(len(shlex.split(line)) == 1 for line in text.splitlines()[1:])


@given(st.lists(st.sampled_from([*"/.-_+@:=,%$`'\"\\ ;#&{}*?~", "mnt", "mirror"]), max_size=8).map("/".join))
def test_a_mount_point_is_one_plain_word(path):
    """In logrotate's file, systemd's unit and squid.conf it stands without quotes."""
    if taken(TypeAdapter(MountPoint), f"/{path}"):
        assert shlex.split(path) == [path]
        assert not set(path) & set("%$\\\"'{}*?~#; ")


@given(st.text(max_size=12))
def test_a_file_name_is_one_plain_word(text):
    if taken(TypeAdapter(FileName), text):
        assert set(text) <= set(string.ascii_letters + string.digits + "._-")
        assert text[0] not in ".-"


@given(st.lists(st.text("ab.-:1%/ \n#", max_size=8), max_size=3), st.integers(1, 16))
def test_a_time_source_is_one_line_of_its_own(texts, least):
    servers = [text for text in texts if taken(TypeAdapter(Host), text)]
    known = PLATFORMS["debian-12"].time_services
    for name, render in (("chrony", chrony_conf.render), ("ntpsec", ntpsec_conf.render)):
        text = render(OWNER, known[name], servers, least)
        lines = [line.split() for line in text.splitlines() if line.startswith("server")]
        assert lines == [["server", server, "iburst"] for server in servers]
