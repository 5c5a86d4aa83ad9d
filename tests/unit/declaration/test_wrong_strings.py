"""Every setting that takes text, found by walking the models: nothing hidden, no shell, no look-alike gets in.

A new setting is covered as soon as it stands in a model. One that is to take more than its type's plain characters has
to say so below, with why that cannot break out of the place where it ends up.
"""

import copy
import re
from fnmatch import fnmatch
from typing import Any

import pytest

from declaration.errors import DeclarationError, Mistake
from declaration.load import read
from tests.support.string_settings import KEY, StringSetting, string_settings
from tests.unit.declaration.conftest import SITES

SETTINGS = string_settings()

FREE = {
    "ssh.proxy_command": "split into words, then filled in; runs without a shell (providers/connection/access.py)",
    "pacemaker.fencing.none": "a reason for people, rendered nowhere",
    "log.*format": "one line of squid.conf, of Squid's own codes (tests/unit/blueprint/test_rendered.py)",
    "hooks.command": "one argument of the hook's script (tests/unit/blueprint/test_hooks.py)",
    "hooks.triggers": "only compared, rendered nowhere",
    "hooks.environment.KEY": "quoted, on standard input (tests/unit/blueprint/test_hooks.py)",
}
"""Settings that take any text on one line, without the `[0]` of lists, and why that is safe."""

ALLOWED = {
    "squid.include": "*?",
    "squid.probe_url": "&%=?~",
    "drill.url": "&%=?~",
    "alerts.webhook.url": "&%=?",
    "squid.auth.ldap.filter": "&|!<>~*%() ",
    "squid.auth.ldap.base": "= ",
    "squid.auth.ldap.bind_dn": "= ",
    "squid.auth.realm": "() ",
    "ssh.identity": "~ ",
    "ssh.known_hosts": "~ ",
    "rotation.date_suffix": "%",
    "adopted.files.owner": " \\",
}
"""Characters with a meaning to shells that other settings need: paths, addresses, filters, formats, names."""

SCRIPTS = {
    f"lifekeeper.{section}.{each}"
    for section in ("generic[0]", "squid_scripts")
    for each in ("restore", "remove", "quick_check", "recover")
}
"""Settings that are the text of a script: many lines, on standard input into a file of its own."""

ANY_LETTER = {"squid.auth.ldap.base", "squid.auth.ldap.bind_dn", "adopted.files[0].owner", *SCRIPTS}
"""Settings that name what may have letters of any script: one word in double quotes of squid.conf, or for chown."""

HIDDEN = [
    "\0", "\n", "\r", "\t", "\x1b", "\x7f", "\x85", "\xad", "\u200b", "\u200d", "\u200e", "\u200f", "\u202e", "\u2066",
    "\u2028", "\u2029", "\ufeff", "\ud800", "\U000e0041", "\xa0", "\u3000", "\u2007", "\u3164", "\u115f", "\u034f",
    "\ufe0f", "\ue000", "\U0010ffff",
]  # fmt: skip
META = [
    ";id", "$(id)", "${IFS}", "`id`", "|id", "&id", "&&id", ">x", "<x", "'", '"', "\\", "\\n", "!", "{a,b}", "#x", "^",
    "*", "?", "[a]", "%", " id", " ", "~", "(id)",
]  # fmt: skip
LOOK_ALIKES = {
    "a": "\u0430", "e": "\u0435", "o": "\u043e", "s": "\uff53", "r": "\u0433", "m": "\u217f", "1": "\uff11",
    "2": "\u0662", "5": "\U0001d7d3", "A": "\u0391", "-": "\u2010", ".": "\uff0e", "/": "\u2215", ":": "\ua789",
}  # fmt: skip


FIRST_ENTRY = {"drill.gaps": "node-off", "pacemaker.adopted.options": "no-quorum-policy"}
OTHER_ENTRY = {"drill.gaps.KEY": "squid-hung", "pacemaker.adopted.options.KEY": "stonith-enabled"}
"""Names that are right in a section of the site's own names, where `FIRST` and `KEY` are not."""


def _plain(path: str) -> str:
    return path.replace("[0]", "")


def is_free(setting: StringSetting) -> bool:
    """Whether it takes any text on one line."""
    return any(fnmatch(_plain(setting.path), pattern) for pattern in FREE)


def place(raw: Any, path: str, value: object) -> None:
    """Set a value deep in plain data, making the sections and lists around it."""
    parts = re.findall(r"\[0\]|[^.\[\]]+", path)
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        name = 0 if part == "[0]" else part
        empty: Any = value if last else [] if parts[index + 1] == "[0]" else {}
        if isinstance(raw, list):
            if not raw:
                raw.append(empty)
        elif name not in raw or (not last and not isinstance(raw[name], type(empty))):
            raw[name] = empty
        if last:
            raw[name] = value
        raw = raw[name]


def where(setting: StringSetting, text: object) -> str:
    """Where a text stands that is given to ``setting``; each in a place of its own, so that all are given at once."""
    if setting.key:
        return f"{setting.path}.{text}"
    path = setting.path.replace(f".{KEY}.", ".OTHER.")
    return f"{path.removesuffix(KEY)}{OTHER_ENTRY[path]}" if path in OTHER_ENTRY else path


def mistakes_with(texts: dict[StringSetting, Any]) -> list[Mistake]:
    """What is wrong with a site in which every one of these settings has its text."""
    raw = copy.deepcopy(SITES[3])
    for setting, text in texts.items():
        if setting.key:
            right = "1s" if setting.duration else "x"
            place(raw, f"{setting.path}.{FIRST_ENTRY.get(setting.path, 'FIRST')}", right)
            _section(raw, setting.path)[text] = right
        else:
            place(raw, where(setting, text), text)
    with pytest.raises(DeclarationError) as caught:
        read(raw, "test")
    return list(caught.value.mistakes)


def _section(raw: Any, path: str) -> Any:
    for part in re.findall(r"\[0\]|[^.\[\]]+", path):
        raw = raw[0 if part == "[0]" else part]
    return raw


def sentences(texts: dict[StringSetting, Any]) -> dict[StringSetting, str]:
    """For each setting the sentence by which its own text is refused; '' where it is not."""
    by_path: dict[str, str] = {}
    for mistake in mistakes_with(texts):
        by_path.setdefault(mistake.path, mistake.expected)
    told: dict[StringSetting, str] = {}
    for setting, text in texts.items():
        path = shown(where(setting, text))
        # A secret among other values is refused as a whole.
        whole = path.removesuffix(".secret") if f"{KEY}.secret" in setting.path else path
        told[setting] = by_path.get(path, "") or by_path.get(whole, "")
        if setting.key:
            # pydantic shows a name that is no Unicode at all by question marks
            told[setting] = next((text for at, text in by_path.items() if at.startswith(f"{setting.path}.")), "")
    return told


def shown(path: str) -> str:
    """A path as it is told: what cannot be seen in it is escaped."""
    return path if path.isprintable() else path.encode("unicode_escape").decode()


def _examples() -> dict[StringSetting, str]:
    """A right text for each setting, out of the sentence that refuses a wrong one."""
    free = {each: "%ts" if each.path.endswith(".format") else "text of a reason" for each in SETTINGS if is_free(each)}
    told = sentences({each: ";" for each in SETTINGS if each not in free})
    found: dict[StringSetting, str] = {}
    for setting, sentence in told.items():
        example = re.search(r"such as [`']([^`']+)[`']", sentence) or re.search(r"`([^`]+)`", sentence)
        found[setting] = setting.choices[0] if setting.choices else example[1] if example else ""
    return found | free


EXAMPLES = _examples()


def test_the_walk_finds_the_settings():
    paths = {setting.path for setting in SETTINGS}
    assert {"engine", "nodes[0].name", "squid.allow[0]", "timeouts.squid.stop", "hooks[0].environment"} <= paths
    assert len(SETTINGS) > 100
    plain = {_plain(path) for path in paths}
    assert set(ALLOWED) <= plain, "an exception for a setting that is no longer there"
    assert all(any(fnmatch(path, pattern) for path in plain) for pattern in FREE)


def test_every_sentence_has_an_example_that_is_right():
    """What is said to be right is taken, however it may clash with the rest of this site."""
    assert [setting.path for setting in SETTINGS if not EXAMPLES[setting]] == []
    told = {each.path for each in mistakes_with({**EXAMPLES, SETTINGS[0]: ";"}) if "such as" in each.expected}
    wrong = sentences({each: ";" for each in SETTINGS if not is_free(each)})
    refused = sentences({**EXAMPLES, SETTINGS[0]: ";"})
    assert [s.path for s in SETTINGS[1:] if refused[s] and refused[s] == wrong.get(s)] == [], told


@pytest.mark.thorough
@pytest.mark.parametrize("character", HIDDEN, ids=ascii)
def test_nothing_hidden_gets_into_any_setting(character):
    for text in ("{}" + character, character + "{}"):
        given = [each for each in SETTINGS if character not in "\n\t" or each.path not in SCRIPTS]
        told = sentences({setting: text.format(EXAMPLES[setting]) for setting in given})
        assert [setting.path for setting, sentence in told.items() if not sentence] == []


@pytest.mark.thorough
@pytest.mark.parametrize("meta", META, ids=ascii)
def test_no_shell_gets_into_any_setting(meta):
    allowed = {each: set(ALLOWED.get(_plain(each.path), "")) for each in SETTINGS if not is_free(each)}
    plain = [each for each, characters in allowed.items() if not set(meta) & characters and each.path not in SCRIPTS]
    told = sentences({setting: EXAMPLES[setting] + meta for setting in plain})
    assert [setting.path for setting, sentence in told.items() if not sentence] == []


@pytest.mark.parametrize("letter", LOOK_ALIKES)
def test_no_look_alike_gets_into_any_setting(letter):
    texts = {
        setting: example.replace(letter, LOOK_ALIKES[letter], 1)
        for setting, example in EXAMPLES.items()
        if not is_free(setting) and setting.path not in ANY_LETTER and letter in example
    }
    assert [setting.path for setting, sentence in sentences(texts).items() if not sentence] == []


NUMBERS = {"squid.access[0].ports[0]", "squid.connect_ports[0]", "squid.safe_ports[0]"}
"""Text or a number: a port or a range of ports."""
SWITCHES = {"rotation.date_suffix"}
"""Text or a truth value: a format, or whether there is one."""


@pytest.mark.parametrize("value", [1, 1.5, True, [], ["x"], {}, {"x": 1}], ids=repr)
def test_no_other_kind_of_value_gets_into_any_setting(value):
    others = SWITCHES if value is True else NUMBERS if value == 1 else set[str]()
    given = [each for each in SETTINGS if not each.key and each.path not in others]
    told = sentences(dict.fromkeys(given, value))
    assert [setting.path for setting, sentence in told.items() if not sentence] == []
