"""YAML's own traps: what two readers of one file would take for different values is refused, with what to write."""

import pytest

from declaration.errors import DeclarationError, StackFileError
from declaration.load import from_stack_file, read, refuse_misreadings
from operations import stacks

SITE = stacks.render("site.yaml.j2", phase=3, stack="x")
HOOK = "    hooks: [{name: tell, when: after-deploy, where: local, command: 'true', triggers: [TRIGGER]}]\n"
KEEP, NAME, TRIGGER, COMPRESS = "rotation.keep", "nodes[0].name", "hooks[0].triggers[0]", "rotation.compress"


def written(path: str, value: str) -> str:
    """The site with one setting as it is written: a number, a name, a text that may be any, a truth value."""
    replaced = {KEEP: "keep: 14", NAME: "name: proxy-a", COMPRESS: "# compress: true"}
    if path == TRIGGER:
        return SITE + HOOK.replace("TRIGGER", value)
    old = replaced[path]
    assert old in SITE
    return SITE.replace(old, f"{old.removeprefix('# ').split(':')[0]}: {value}")


OCTAL, DIGITS, NUMBER, QUOTES = "leading zeros", "plain digits", "a whole number", "in quotes"

# where, what is written there, what the sentence says
TRAPS = [
    (KEEP, "010", OCTAL), (NAME, "010", QUOTES), (TRIGGER, "010", "octal"), (KEEP, "0014", OCTAL),
    (KEEP, "0o17", DIGITS), (NAME, "0o17", QUOTES), (KEEP, "0x1f", DIGITS), (TRIGGER, "0x1F", QUOTES),
    (KEEP, "0b11", DIGITS), (KEEP, "1_4", DIGITS), (NAME, "1_4", QUOTES), (KEEP, "+14", DIGITS),
    (KEEP, "1.10", NUMBER), (TRIGGER, "1.10", QUOTES), (KEEP, "14.0", NUMBER), (KEEP, ".5", NUMBER),
    (TRIGGER, ".5", QUOTES), (KEEP, "5.", NUMBER), (KEEP, "1e3", NUMBER), (TRIGGER, "1e3", QUOTES),
    (KEEP, ".inf", NUMBER), (KEEP, "-.INF", NUMBER), (KEEP, ".nan", NUMBER), (KEEP, "1e400", NUMBER),
    (KEEP, "1:30", NUMBER), (TRIGGER, "1:30", "base of 60"), (TRIGGER, "12:30:45.5", "base of 60"),
    (TRIGGER, "190:20:30", QUOTES), (NAME, "1:30", "uname -n"),
    (KEEP, "~", NUMBER), (NAME, "~", "nothing is written"), (TRIGGER, "null", "nothing is written"),
    (TRIGGER, "NULL", "nothing is written"), (NAME, "", "nothing is written"), (KEEP, "", NUMBER),
    (KEEP, "no", NUMBER), (NAME, "no", QUOTES), (TRIGGER, "no", QUOTES), (TRIGGER, "Yes", QUOTES),
    (NAME, "on", QUOTES), (TRIGGER, "OFF", QUOTES), (TRIGGER, "y", QUOTES), (TRIGGER, "N", "truth value"),
    (COMPRESS, "no", "`true` or `false`"), (COMPRESS, "on", "`true` or `false`"), (COMPRESS, "0", "`true` or `false`"),
    (COMPRESS, "'true'", "without quotes"), (COMPRESS, "~", "`true` or `false`"),
    (TRIGGER, "true", QUOTES), (TRIGGER, "False", QUOTES), (KEEP, "true", NUMBER),
    (KEEP, "2024-01-01", "date"), (TRIGGER, "2024-1-1", "date"), (TRIGGER, "2001-12-14t21:59:43.10-05:00", "date"),
    (TRIGGER, "2001-12-14 21:59:43", "date"),
    (KEEP, "'14'", "without quotes"), (KEEP, "!!int '14'", "without a tag"), (TRIGGER, "!!str 14", "instead of a tag"),
    (KEEP, "!!str 14", "instead of a tag"), (TRIGGER, "!!binary aGk=", "without a tag"), (KEEP, "!foo 14", "a tag"),
    (KEEP, "!!python/object:os.system {}", "without a tag"), (TRIGGER, "!!set {a}", "without a tag"),
    (TRIGGER, "!!python/object/apply:os.system [id]", "without a tag"), (TRIGGER, "!!timestamp 'x'", "without a tag"),
    (TRIGGER, '"a\\nb"', "without line breaks"), (TRIGGER, '"a\\0b"', "without line breaks"),
    (TRIGGER, '"a\\u200Bb"', "invisible"), (TRIGGER, '"a\\Nb"', "without line breaks"),
    (TRIGGER, '"a\\Lb"', "without line breaks"), (TRIGGER, '"\\e[31m"', "control"),
    (KEEP, "١٤", NUMBER), (KEEP, "\uff11\uff14", NUMBER), (KEEP, "1 4", NUMBER), (KEEP, "1,4", NUMBER),
    (KEEP, "=", NUMBER),
    (TRIGGER, "[a]", "text"), (TRIGGER, "{a: b}", "text"), (KEEP, "[14]", NUMBER), (KEEP, "{}", NUMBER),
]  # fmt: skip


@pytest.mark.thorough
@pytest.mark.parametrize(("path", "value", "sentence"), TRAPS)
def test_a_trap_is_refused_where_it_stands(path, value, sentence):
    with pytest.raises(DeclarationError) as caught:
        read(written(path, value), "x.yaml")
    hits = [m for m in caught.value.mistakes if m.path == path and sentence in m.expected]
    assert hits, str(caught.value)
    assert hits[0].line is not None


@pytest.mark.parametrize("digits", [19, 5000])
def test_a_number_longer_than_any_is_an_ordinary_mistake(digits):
    """Python's own limit of digits is 4300."""
    with pytest.raises(DeclarationError) as caught:
        read(written(KEEP, "1" * digits), "x.yaml")
    assert [m for m in caught.value.mistakes if m.path == KEEP and DIGITS in m.expected]


@pytest.mark.parametrize(
    ("old", "new", "path", "sentence"),
    [
        ("    squid:\n", "    squid: &s\n      <<: {port: 1}\n", "squid", "each setting written out"),
        ("      port: 3128\n", "      port: 3128\n      port: 3129\n", "squid.port", "once"),
        ("    squid:\n", "    time: {servers: [a.example.org]}\n    squid:\n", "time", "once"),
        ("      port: 3128\n", "      'port': 3128\n      \"port\": 3128\n", "squid.port", "once"),
        ("      port: 3128\n", "      ? [port]\n      : 3128\n", "squid", "each setting written out"),
        ("      port: 3128\n", "      Port: 3128\n", "squid.Port", "perhaps `port`"),
        ("      port: 3128\n", "      \u0440\u043ert: 3128\n", "squid.\u0440\u043ert", "no such setting"),
        ("      port: 3128\n", "      on: 3128\n", "squid.on", "no such setting"),
        ("      port: 3128\n", "      1: 3128\n", "squid.1", "no such setting"),
        ("      port: 3128\n", "      ~: 3128\n", "squid.~", "no such setting"),
    ],
)
def test_traps_between_settings_are_refused(old, new, path, sentence):
    assert old in SITE
    with pytest.raises(DeclarationError) as caught:
        read(SITE.replace(old, new, 1), "x.yaml")
    assert any(m.path == path and sentence in m.expected for m in caught.value.mistakes), str(caught.value)


@pytest.mark.parametrize(
    ("text", "path", "line"),
    [
        (f"{SITE}  squid-ha:site: {{}}\n", "config.squid-ha:site", SITE.count("\n") + 1),
        (f"{SITE}  'squid-ha:site': {{}}\n", "config.squid-ha:site", SITE.count("\n") + 1),
        (f"{SITE}config: {{}}\n", "config", SITE.count("\n") + 1),
        (f"encryptionsalt: a\nencryptionsalt: b\n{SITE}", "encryptionsalt", 2),
        (SITE.replace("config:\n", "config:\n  squid-ha:a: x\n  squid-ha:a: y\n"), "config.squid-ha:a", None),
    ],
)
def test_what_stands_twice_around_the_site_is_refused_as_pulumi_does(text, path, line):
    with pytest.raises(DeclarationError) as caught:
        read(text, "x.yaml")
    (mistake,) = caught.value.mistakes
    assert (mistake.path, mistake.found) == (path, "a second time")
    assert mistake.line == (line or next(n for n, each in enumerate(text.splitlines(), 1) if ": y" in each))


BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 10)}]\n" for n in range(9)
)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (BOMB, "aliases of aliases"),
        (SITE + "---\n" + SITE, "is not YAML"),
        (SITE.replace("engine:", "\tengine:"), "is not YAML in line"),
        (SITE.replace("squid:", "squid:\x00"), "is not YAML"),
        (SITE.replace("nodes:", "nodes: *none\n    x:"), "undefined alias"),
        ("%YAML 3.0\n---\n" + SITE, "is not YAML"),
    ],
)
def test_what_is_no_usable_yaml_is_refused(text, sentence):
    with pytest.raises(StackFileError, match=sentence):
        read(text, "x.yaml")


PORT = "      port: 3128\n"
AT_PORT = SITE[: SITE.index(PORT)].count("\n") + 1
BLANK, TAB = "it holds a no-break space (U+00A0), which looks like a blank", "it holds a tab, which looks like a blank"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("      port:\u00a03128\n", BLANK),
        ("\u00a0     port: 3128\n", BLANK),
        ("      \tport: 3128\n", TAB),
        ("\tport: 3128\n", TAB),
        ("      port: [3128 # not\u00a0here\n", ""),
    ],
)
def test_what_looks_like_a_blank_and_is_none_is_told_in_its_line(line, said):
    with pytest.raises(StackFileError) as caught:
        read(SITE.replace(PORT, line, 1), "x.yaml")
    assert (
        (f"is not YAML in line {AT_PORT}: {said}" in caught.value.reason) if said else "U+" not in caught.value.reason
    )


@pytest.mark.parametrize("value", ["14", "14 # days", "&keep 14", "14   "])
def test_customary_writing_is_accepted(value):
    rotation = read(written(KEEP, value), "x").rotation
    assert rotation is not None
    assert rotation.keep == 14


def test_line_ends_and_marks_of_other_systems_are_accepted():
    assert read("\ufeff" + SITE.replace("\n", "\r\n"), "x").phase == 3


@pytest.mark.parametrize(("value", "right"), [("010", False), ("0x1f", False), ("14", True)])
def test_what_pulumi_reads_otherwise_is_refused_by_the_program_too(tmp_path, value, right):
    """Pulumi hands over 8 for 010, which is right in itself."""
    path = tmp_path / "Pulumi.x.yaml"
    path.write_text(written(KEEP, value))
    if right:
        refuse_misreadings(path)
        assert from_stack_file(path).phase == 3
    else:
        with pytest.raises(DeclarationError, match=KEEP):
            refuse_misreadings(path)


@pytest.mark.parametrize("content", [None, "config: {}", "[", "\udcff"])
def test_a_site_from_elsewhere_has_nothing_to_compare(tmp_path, content):
    path = tmp_path / "Pulumi.x.yaml"
    if content is not None:
        path.write_bytes(content.encode(errors="surrogateescape"))
    refuse_misreadings(path)
