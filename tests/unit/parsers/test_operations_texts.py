"""Whatever nodes say of requests, logs and records, and whatever stands in a stack file, is understood, or refused."""

from __future__ import annotations

import math
import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from declaration import load
from declaration.errors import DeclarationError
from operations import stacks
from operations.logs import ask
from operations.logs.cursor import File
from operations.proof import read
from operations.proof.model import LogLine, Request
from operations.verify import requests, rotation
from operations.verify.rotation import LogFile
from providers.connection.errors import Unknown
from tests.unit.parsers.texts import any_like, line, told

word = st.from_regex(r"[A-Za-z0-9_.-]{1,12}", fullmatch=True)
path = word.map("/mnt/mirror/squid/{}".format)
whole = st.integers(0, 2**63)

# Requests

SENT = ["v1-1\t1795358255.974513\t1795358256.2\t200\t\nv1-2\t2.0\t4.0\t-\tno connection\n"]


@given(any_like(SENT))
@example("lost connection")
@example("v1-1\t1\t2\t200")
@example("v1-1\tx\t2\t200\t")
@example("v1-1\tnan\t2\t200\t")
@example("v1-1\t1\t1e999\t200\t")
@example(f"v1-1\t1\t2\t{'9' * 5000}\t")
@example("v1-1\t1\t2\t٣\t")
def test_whatever_is_said_of_requests_are_requests_or_unknown(text):
    for each in told(lambda: requests.parse(text), Unknown) or ():
        assert math.isfinite(each.start + each.end)
        assert each.status is None or not each.error


seconds = st.decimals(0, 10**10, places=6).map(float)
errors = st.sampled_from(["no connection", "no HTTP answer", "nothing within 15 s"])
sent = st.builds(Request, id=word, start=seconds, end=seconds, status=st.integers(100, 999)) | st.builds(
    Request, id=word, start=seconds, end=seconds, status=st.none(), error=errors
)


@given(st.lists(sent, max_size=3))
def test_requests_read_back(wanted):
    rows = [f"{r.id}\t{r.start:.6f}\t{r.end:.6f}\t{r.status or '-'}\t{r.error}\n" for r in wanted]
    assert requests.parse("".join(rows)) == wanted


# The mirror's logs


@given(any_like(["12 4096 /mnt/mirror/squid/access.log\n13 0 /mnt/mirror/squid/access.log-20260101.gz\n"]))
@example("x y z")
@example("stat: cannot statx")
@example("12 4096")
@example(f"{'9' * 5000} 1 /a")
def test_whatever_is_said_of_the_rotated_logs_are_files_or_unknown(text):
    for file in (told(lambda: rotation.parse_files(text), Unknown) or {}).values():
        assert isinstance(file.inode + file.size, int)


@given(st.dictionaries(path, st.builds(LogFile, whole, whole)))
def test_rotated_logs_read_back(wanted):
    text = "".join(f"{file.inode} {file.size} {name}\n" for name, file in wanted.items())
    assert rotation.parse_files(text) == wanted


DIGEST = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@given(any_like([f"12 4096 {DIGEST} access.log\n13 -1 {DIGEST} access.log-20260101.gz\n"]))
@example("ls: cannot open a")
@example("ls: cannot open")
@example(f"12 4096 {DIGEST}")
@example(f"{'9' * 5000} 1 {DIGEST} access.log")
def test_whatever_is_said_of_the_files_of_a_log_are_files_or_unknown(text):
    for file in told(lambda: ask.parse_listing(text), Unknown) or ():
        assert isinstance(file.inode + file.size, int)


@given(st.lists(st.builds(File, whole, st.integers(-1, 2**63), st.just(DIGEST), line.filter(bool)), max_size=3))
def test_files_of_a_log_read_back(wanted):
    text = "".join(f"{each.inode} {each.size} {each.digest} {each.name}\n" for each in wanted)
    assert ask.parse_listing(text) == wanted


# Records

FOUND = "/mnt/mirror/squid/access.log\0001795358255.974 3 192.0.2.1 TCP_MISS/200 512 GET http://x/r/v1-1 - - -\n"


@given(any_like([FOUND, FOUND * 2]))
@example("grep: x: binary file matches\n")
@example("\0")
@example("a\0b\0c")
def test_whatever_the_search_for_records_prints_is_lines_of_a_file(text):
    for each in read.parse(text):
        assert f"{each.file}\0{each.text}" in text
        assert "\n" not in each.file + each.text


records = st.builds(LogLine, file=path, text=st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"])))


@given(st.lists(records, max_size=3))
def test_records_read_back_whatever_stands_in_them(wanted):
    assert read.parse("".join(f"{each.file}\0{each.text}\n" for each in wanted)) == wanted


# The stack file

STACKS = [stacks.render("site.yaml.j2", phase=phase, stack="x") for phase in (1, 3)]
BITS = [
    *string.punctuation, *" \n\t\r\x85\u2028\ufeff\0a0", "&a ", "*a", "<<: ", "!!int ", "!<%ff> ", "---\n", "...\n",
    "%YAML 1.1\n", "%TAG ! x\n", "? ", "- ", "a: ", '"\\x', '"\\U0011', "config:\n", "  squid-ha:site:\n", "\n    ",
]  # fmt: skip
yaml = st.lists(st.sampled_from(BITS), max_size=30).map("".join)


def refused_or_right(text: str) -> None:
    told(lambda: load.read(text, "test"), DeclarationError)


@given(st.text() | yaml | yaml.map("config:\n  squid-ha:site: {}".format))
@example("")
@example("\0")
@example("[" * 5000)
@example("{a: " * 5000)
@example("- " * 5000)
@example('"\\UFFFFFFFF"')
@example('config: {squid-ha:site: "\\U00110000"}')
@example('config: {squid-ha:site: {engine: "\\uD800"}}')
@example(f"%YAML 1.{'9' * 5000}\n--- a")
@example("config: &a {squid-ha:site: *a}")
@example("config: {squid-ha:site: {? [a] : b}}")
@example(f"config: {{squid-ha:site: {{port: {'9' * 5000}}}}}")
@pytest.mark.filterwarnings("ignore::ruamel.yaml.error.ReusedAnchorWarning")
def test_whatever_stands_in_a_stack_file_is_refused_as_a_declaration(text):
    refused_or_right(text)


@given(any_like(STACKS))
@pytest.mark.filterwarnings("ignore::ruamel.yaml.error.ReusedAnchorWarning")
def test_a_stack_file_with_something_changed_is_a_site_or_refused_as_a_declaration(text):
    refused_or_right(text)
