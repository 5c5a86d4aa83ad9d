"""Lines built and read back: every command, any values that it may take."""

import json
import re
import string
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from providers.lifekeeper import grammar
from providers.lifekeeper.grammar import Refusal, plain
from providers.lifekeeper.grammar.models import Argument, Option

GRAMMAR = grammar.load()
NAMES = st.text(string.ascii_letters + string.digits, min_size=1, max_size=12)
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\n\x00"), min_size=1, max_size=20)
KINDS: dict[str, st.SearchStrategy[Any]] = {
    "none": st.just(True),
    "any": st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20),
    "text": TEXTS,
    "tag": st.from_regex(r"[A-Za-z/][A-Za-z0-9/._:@%,=-]{0,20}", fullmatch=True),
    "node": st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True),
    "path": NAMES.map(lambda name: f"/{name}"),
    "alphanumeric": NAMES,
    "character": st.characters(codec="utf-8", exclude_characters="\n\x00"),
    "address": st.ip_addresses().map(str),
}


def values_of(item: Option | Argument) -> st.SearchStrategy[Any]:
    if item.value == "choice":
        one: st.SearchStrategy[Any] = st.sampled_from(item.choices)
    elif item.value == "integer":
        one = st.integers(item.minimum or 0, 99_999 if item.maximum is None else item.maximum)
    else:
        one = KINDS[item.value]
    if isinstance(item, Argument) and not item.after and item.value in ("any", "text"):
        one = one.filter(lambda text: not text.startswith("-"))
    return st.lists(one, min_size=1, max_size=3) if item.repeated else one


@st.composite
def calls(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    command = draw(st.sampled_from(GRAMMAR.commands))
    parts = {"media": "/root/sps", "app": "scsi", "type": "netraid"}
    values = {name: value for name, value in parts.items() if "{" + name + "}" in command.program}
    left_out = False
    for item in (*command.options, *command.arguments):
        group = next((group for group in command.exclusive if item.name in group), ())
        placed = isinstance(item, Argument)
        if any(name in values for name in group) or (placed and left_out and not item.required):
            continue
        if item.required or draw(st.booleans()):
            values[item.name] = draw(values_of(item))
        else:
            left_out = left_out or placed
    return command.name, values


@given(calls())
def test_what_is_built_is_read_back(call: tuple[str, dict[str, Any]]):
    name, values = call
    if name == "lkcli" and not values:
        return  # the bare word is refused: it asks for nothing
    read = grammar.parse(grammar.build(name, **values))
    assert (read.command, dict(read.values)) == (name, values)


STARTS = st.sampled_from((["lkcli"], ["ins_list"], ["lkcli", "resource", "create", "ip"], list[str]()))


@given(STARTS, st.lists(st.text(st.characters(codec="utf-8")), max_size=5))
def test_any_line_is_read_or_refused(start: list[str], words: list[str]):
    with suppress(Refusal):
        assert grammar.parse([*start, *words]).command


@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        ("lkcli resource create ip", {"tag": "vip"}, "needs --ipaddr"),
        ("lkcli resource create ip", {"tag": "vip", "ipaddr": "x"}, "--ipaddr .* expects an IP address, not 'x'"),
        ("lkcli resource create ip", {"tag": "v", "ipaddr": "1.2.3.4", "adress": 1}, "has no adress; it has"),
        ("lkcli resource create qsp", {"tag": "q", "service": "squid.service"}, "expects letters and digits"),
        ("lkcli resource create dk", {"tag": "d", "mode": "sync", "device": "/d", "hierarchy": "new"}, "one of sync"),
        ("net_create", {"system": "b", "type": "TCP", "priority": 100}, "a number from 1 to 99, not '100'"),
        ("lkstop", {"running": True, "n": True}, "only one of running, n"),
        ("lkstop", {"running": "yes"}, "takes no value"),
        ("lkcli resource format", {}, "no command of the grammar"),
        ("setup", {"media": "/root/x; reboot"}, "no part of a path"),
        ("setup", {}, "needs media"),
        ("mirror_action", {"tag": "-f", "action": "pause"}, "may not begin with a dash"),
        ("sys_create", {"system": "-d"}, "expects a node"),
    ],
)
def test_a_wrong_line_is_not_built(name: str, values: dict[str, Any], words: str):
    with pytest.raises(Refusal, match=words):
        grammar.build(name, **values)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("lkcli resource create ip --tag vip --address 1.2.3.4", "Unknown option: address"),
        ("lkcli resource create ip --tag", "requires an argument"),
        ("lkcli resource create ip --tag vip", "needs --ipaddr"),
        ("lkcli resource format --tag vip", "unknown subcommand"),
        ("ins_list --tag vip", "Unknown option"),
        ("ins_list vip", "too many arguments"),
        ("ins_create -t x", "needs -a, -r, -i"),
        ("perform_action -t x -a start", "one of restore, remove"),
        ("reboot", "unknown command"),
        ("/usr/bin/ins_list", "unknown command"),
    ],
)
def test_a_wrong_line_is_refused(line: str, words: str):
    with pytest.raises(Refusal, match=words) as refused:
        grammar.parse(line.split())
    assert refused.value.exit_code == 2


def test_words_take_one_dash_or_two_letters_only_one():
    one = grammar.parse(["lkcli", "resource", "create", "ip", "-tag", "vip", "--ipaddr=192.0.2.10"])
    assert dict(one.values) == {"tag": "vip", "ipaddr": "192.0.2.10"}


def test_help_is_asked_for():
    assert grammar.parse(["lkcli", "resource", "create", "ip", "--help"]).help
    assert grammar.parse(["lkcli", "--help"]).help


@pytest.mark.parametrize("command", GRAMMAR.commands, ids=[command.name for command in GRAMMAR.commands])
def test_the_own_help_is_as_expected(command: grammar.Command):
    assert grammar.differences(command.name, grammar.help_text(command.name)) == []


def test_another_help_is_told_with_both_lines():
    name = "lkcli resource create ip"
    other = grammar.help_text(name).replace("--ipaddr <ipaddr>", "--ip <address>")
    (difference,) = grammar.differences(name, other)
    assert difference.expected == "--ipaddr <ipaddr>"
    assert difference.found is not None
    assert difference.found.startswith("--ip <address>")
    assert grammar.differences(name, other, used=["tag", "device"]) == []
    assert grammar.differences(name, "") != []


QSP = "lkcli resource create qsp"
OPTIONS = "    --tag <tag>\n    --service <service>\n    --switchback <type>\n"
OTHERS_HELP = {
    "the general usage": f"Usage: lkcli <command> [options]\n    resource create qsp\n    start\n{OPTIONS}",
    "the usage of all that can be created": f"usage: lkcli resource create <kind>\n{OPTIONS}",
    "the usage of another kind": f"Usage:\n    lkcli resource create ip [options]\n\nOptions:\n{OPTIONS}",
    "the same word of another subcommand": f"Usage: lkcli resource extend qsp\n{OPTIONS}",
    "an error": f"lkcli: unknown subcommand\n{OPTIONS}",
    "nothing": "",
}


@pytest.mark.parametrize("said", OTHERS_HELP.values(), ids=OTHERS_HELP)
def test_help_that_is_not_the_subcommands_own_is_told_whatever_options_it_names(said: str):
    (difference,) = grammar.differences(QSP, said, used=["tag", "service"])
    assert difference.expected.startswith("Usage: lkcli resource create qsp --tag <tag>")
    assert difference.found == next((line for line in map(str.strip, said.splitlines()) if "lkcli" in line), None)


OWN_HELP = [
    f"Usage: lkcli resource create qsp [options]\n{OPTIONS}",
    f"lkcli 9.9.0\nusage: /opt/LifeKeeper/bin/lkcli resource create qsp --tag TAG\n{OPTIONS}",
    f"Usage:\n    lkcli resource create qsp --tag TAG\n\nOptions:\n{OPTIONS}",
    f"NAME\n    lkcli resource create qsp - protects a service\n{OPTIONS}",
    f"USAGE: create {{dk|ip|qsp}}\n{OPTIONS}",
]


@pytest.mark.parametrize("said", OWN_HELP)
def test_help_that_names_the_subcommand_is_taken_however_it_is_laid_out(said: str):
    assert grammar.differences(QSP, said, used=["tag", "service"]) == []


def test_help_that_ends_with_an_exit_code_that_the_grammar_does_not_know_is_told_with_it():
    (difference,) = grammar.differences(QSP, grammar.help_text(QSP), exit_code=2)
    assert difference.expected == "exit code 0 of its --help"
    assert difference.found == f"exit code 2: {grammar.help_text(QSP).splitlines()[0]}"
    data = json.loads(grammar.exported())
    data["codes"]["help"]["2"] = {"means": "it printed its help"}
    assert plain.differences(data, QSP, grammar.help_text(QSP), exit_code=2) == []


def test_exit_codes_are_words():
    assert grammar.explain(4, "ins_create") == "it exists already (exit code 4)"
    assert grammar.explain(8, "ins_remove").endswith("remove what depends on it first")
    assert "the command on the other system" in grammar.explain(77, "lcdremexec")
    assert grammar.explain(1, "lkcli resource create ip").startswith("it failed (exit code 1)")
    assert grammar.explain(4, "netraid create").startswith("it failed (exit code 4)")


LCDI = re.compile(r"(app|typ|ins|dep|eqv|hry|net|sys|flg)_[a-z]+")
LCDI_PAGES = {"MAN-types", "MAN-instances", "MAN-relationship", "MAN-networks", "MAN-flag"} | {
    "LCDI-applications",
    "LCDI-systems",
}


def test_only_the_commands_of_the_databases_interface_have_its_exit_codes():
    """Their pages alone list what 1 to 9 mean; of another command such a number is not known to mean anything."""
    with_them = {command.name for command in GRAMMAR.commands if command.codes == "lcdi"}
    assert with_them == {command.name for command in GRAMMAR.commands if LCDI.fullmatch(command.name)}
    assert with_them == {command.name for command in GRAMMAR.commands if LCDI_PAGES & {*command.source}}


@pytest.mark.parametrize("name", ["perform_action", "lcdstatus", "lkkeyins", "mirror_action", "extmgrDoExtend.pl"])
def test_another_command_that_fails_has_failed_whatever_the_number(name: str):
    told = {grammar.explain(code, name).replace(str(code), "N") for code in range(1, 10)}
    assert told == {"it failed (exit code N): see its output and /var/log/lifekeeper.log on that node"}
    assert grammar.explain(0, name).startswith("it worked")


RAW: dict[str, Any] = yaml.safe_load(Path(grammar.__file__).with_name("grammar.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("command", RAW["commands"], ids=[command["name"] for command in RAW["commands"]])
def test_every_command_says_what_it_prints_and_what_has_to_hold_before_or_that_it_is_unknown(command: dict[str, Any]):
    assert ("records" in command) == (command["output"] == "records")
    assert command["output"] not in ("text", "none"), "that it prints something is no knowledge of what"
    before = command["before"]
    assert before == "unknown" or (isinstance(before, list) and all(each and each != "unknown" for each in before))


@pytest.mark.parametrize("left_out", ["output", "before"])
def test_a_command_that_does_not_say_so_is_refused(left_out: str):
    lists = next(command for command in RAW["commands"] if command["name"] == "ins_list")
    assert grammar.Command.model_validate(lists).before == "unknown"
    with pytest.raises(ValidationError, match=left_out):
        grammar.Command.model_validate({key: value for key, value in lists.items() if key != left_out})


NO_ID = 'ERROR 104052: Cannot get the hardware ID of the device "/dev/sdb"'
SAID = [
    NO_ID,
    f'BEGIN create of "datarep-mirror"\n{NO_ID}\nEND failed create',
    "Cannot get the hardware ID of the device /dev/sdb",
    "ERROR: 104052 the device has no hardware ID",
]


@pytest.mark.parametrize("said", SAID)
@pytest.mark.parametrize("name", ["lkcli resource create dk", "netraid create"])
def test_a_disk_without_a_hardware_id_is_told_with_its_cure(said: str, name: str):
    told = grammar.explain(1, name, said)
    assert told.startswith("the disk has no hardware ID, by which DataKeeper knows a disk again (exit code 1): ")
    assert "GPT partition" in told
    assert "/opt/LifeKeeper/subsys/scsi/resources/DEVNAME/device_pattern on both nodes" in told


@pytest.mark.parametrize("said", ["", "ERROR 104053: something else", "104052 blocks", "error of 1104052 bytes"])
def test_what_is_no_known_error_means_what_its_exit_code_does(said: str):
    name = "lkcli resource create dk"
    assert grammar.explain(1, name, said) == grammar.explain(1, name)


def test_the_text_of_a_known_error_is_made_from_its_parts():
    data = GRAMMAR.plain()
    assert plain.error_text(data, "104052", device="/dev/sdb") == NO_ID
    with pytest.raises(KeyError):
        plain.error_text(data, "104052")
    with pytest.raises(KeyError):
        plain.error_text(data, "1", device="/dev/sdb")


@pytest.mark.parametrize(
    ("name", "used", "certainty"),
    [
        ("lkcli resource create dk", {"hierarchy": "new"}, "confirmed"),
        ("lkcli resource create dk", {"hierarchy": "existing"}, "assumed"),
        ("lkcli resource create dk", {"hierarchy": "new", "bitmap": "/b"}, "assumed"),
        ("lkcli resource create dk", {"hierarchy": "new", "bitmap": None}, "confirmed"),
        ("netraid create", {"hierarchy": "Replicate New Filesystem", "switchback": "intelligent"}, "confirmed"),
        ("netraid create", {"hierarchy": "Replicate Existing Filesystem"}, "assumed"),
        ("lkcli resource create qsp", {}, "assumed"),
        ("net_create", {"system": "qsp-b", "priority": None}, "confirmed"),
        ("net_create", {"system": "qsp-b", "priority": 1}, "documented"),
        ("lcdremexec", {"dest": "qsp-b", "separate": False}, "confirmed"),
        ("lklicmgr", {}, "confirmed"),
        ("lkbackup", {"create": True, "file": "/b"}, "confirmed"),
    ],
)
def test_a_line_is_as_certain_as_the_least_certain_of_what_it_has(name: str, used: dict[str, object], certainty: str):
    assert GRAMMAR.command(name).certainty_of(used) == certainty


def test_without_pydantic_and_yaml_it_is_the_same():
    data = json.loads(grammar.exported())
    line = ["lkcli", "resource", "create", "ip", "--tag", "vip", "--ipaddr", "192.0.2.10"]
    assert plain.parse(data, line) == grammar.parse(line)
    assert plain.help_text(data, "lkcli") == grammar.help_text("lkcli")
