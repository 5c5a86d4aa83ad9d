"""Logs of a squid.conf by hand: what the declaration has no words for is listed, whatever else of them is declared."""

from __future__ import annotations

import pytest

from tests.unit.operations.adopt.squid_files import BEFORE, COMMON, described, is_listed, told, with_lines

UNSAID = {
    "cache_log /var/log/squid/other.log": "Squid's own messages elsewhere",
    "umask 007": "a mode of the logs other than",
    "access_log stdio:/var/log/squid/more.log squid buffer-size=64KB rotate=3": "the options `buffer-size=`, `rotate=`",
    "access_log stdio:/var/log/squid/more.log logformat=squid on-error=drop": "`on-error=drop` of a local log",
    "access_log stdio:/var/log/squid/more.log squid !monitor !sending": "a log without requests of one kind",
}


@pytest.mark.parametrize("text", UNSAID)
def test_what_has_no_words_is_listed_with_the_reason(text: str) -> None:
    is_listed(text, UNSAID[text])


def test_a_log_on_the_mirror_that_squid_stops_for_is_listed_beside_one_that_may_be_dropped() -> None:
    draft = described(COMMON + "access_log stdio:/mnt/mirror/squid/more.log logformat=squid on-error=drop\n")
    assert draft.site["log"]["on_full"] == "drop"
    assert ["that Squid stops for" in each for each in told(draft)[BEFORE]] == [True]


def test_of_a_log_at_both_places_that_cannot_be_declared_both_lines_are_listed() -> None:
    draft = described("access_log stdio:/mnt/mirror/squid/0.log combined\n" + COMMON)
    assert draft.site["log"]["mirror_file"] == "0.log"
    assert [len(told(draft).get(line, [])) for line in (BEFORE, BEFORE + 1)] == [1, 1]


def test_a_line_that_goes_on_in_the_next_is_read_whole() -> None:
    text = "logformat ours %ts \\\n  %>a\naccess_log stdio:/var/log/squid/more.log ours"
    draft, notes = with_lines(text)
    assert notes == {}
    assert draft.site["log"]["additional"][0]["format"] == "%ts %>a"


def test_a_log_without_two_lists_of_one_kind_is_one_without_the_values_of_both() -> None:
    text = "acl test src 192.0.2.251/32\naccess_log stdio:/var/log/squid/more.log squid !monitor !test all"
    draft, notes = with_lines(text)
    assert notes == {}
    (more,) = draft.site["log"]["additional"]
    assert more["unless"] == {"networks": ["192.0.2.250/32", "192.0.2.251/32"]}
