"""Rules of access by hand: what Squid does with a request is what the described site does with it."""

from __future__ import annotations

from typing import Any

import pytest

from declaration.errors import DeclarationError
from declaration.squid_access import days_of, minutes_of
from operations.adopt import access
from operations.adopt.directives import Reader
from tests.unit.operations.adopt.squid_files import COMMON, described, site_of

WORKDAYS, WEEK = (1, 2, 3, 4, 5), (0, 1, 2, 3, 4, 5, 6)
NINE_TO_TEN, NINE_TO_FIVE, WHOLE_DAY = (540, 600), (540, 1020), (0, 1440)
TIMES = {
    "acl t time M T 9:00-10:00": [((1, 2), NINE_TO_TEN)],
    "acl t time MT 9:00-10:00": [((1, 2), NINE_TO_TEN)],
    "acl t time DA 9:00-17:00": [((*WORKDAYS, 6), NINE_TO_FIVE)],
    "acl t time D S 9:00-17:00": [((0, *WORKDAYS), NINE_TO_FIVE)],
    "acl t time D 09:00-17:00 A 9:00-10:00": [(WORKDAYS, NINE_TO_FIVE), ((6,), NINE_TO_TEN)],
    "acl t time M 9:00-10:00 9:00-17:00": [((1,), NINE_TO_TEN), (WEEK, NINE_TO_FIVE)],
    "acl t time SMTWHFA 9:00-10:00": [(WEEK, NINE_TO_TEN)],
    "acl t time SMTWHFA": [(WEEK, WHOLE_DAY)],
    "acl t time M H": [((1, 4), WHOLE_DAY)],
    "acl t time 9:00-10:00 A": [(WEEK, NINE_TO_TEN), ((6,), WHOLE_DAY)],
    "acl t time M-W---- 9:00-10:00": [((1, 3), NINE_TO_TEN)],
    "acl t time A\nacl t time D 9:00-17:00": [((6,), WHOLE_DAY), (WORKDAYS, NINE_TO_FIVE)],
    "acl t time D\nacl T time 9:00-17:00": [(WORKDAYS, WHOLE_DAY), (WEEK, NINE_TO_FIVE)],
}
"""Lists of times → days (Sunday is 0) and minutes by `ACLTimeData::parse` of Squid."""


@pytest.mark.parametrize("lists", TIMES)
def test_a_list_of_times_is_declared_for_the_days_that_squid_takes_it_for(lists: str) -> None:
    reader = Reader(f"{lists}\n", "squid.conf")
    times = access.rule(reader, ("deny", "t"))["times"]
    assert [(days_of(each), minutes_of(each)) for each in times] == TIMES[lists]


OFFICE = {"action": "allow", "networks": ["192.0.2.0/24"]}
NO_NEWS = {"action": "deny", "domains": [".news.example"]}
REST, NO_REST = {"action": "allow"}, {"action": "deny"}
LISTS = """\
acl office src 192.0.2.0/24
acl news dstdomain .news.example
acl ads url_regex -i ads
acl Safe_ports port 80 443
acl world src 0.0.0.0/0 ::/0
acl many src "/etc/squid/many"
"""
LAST: dict[str, list[dict[str, Any]]] = {
    "deny news": [NO_NEWS, REST, NO_REST],
    "allow office\ndeny news": [OFFICE, NO_NEWS, REST, NO_REST],
    "deny news\ndeny !Safe_ports": [NO_NEWS, REST, NO_REST],
    "deny news\ndeny manager": [NO_NEWS, REST, NO_REST],
    "deny news\ndeny !office": [NO_NEWS, OFFICE, NO_REST],
    "allow office\ndeny !office": [OFFICE, NO_REST],
    "allow office\ndeny world": [OFFICE, {**NO_REST, "networks": ["0.0.0.0/0", "::/0"]}, NO_REST],
    "allow office\ndeny all\ndeny news": [OFFICE, NO_REST, NO_NEWS, NO_REST],
    "deny news\nallow office": [NO_NEWS, OFFICE, NO_REST],
    "deny ads\ndeny !office": [OFFICE, NO_REST],
}
"""Rules → those that are declared: what none fits is for Squid the opposite of the last, for the declaration denied."""


def rules_of(text: str) -> tuple[list[dict[str, Any]], list[tuple[str, str]]]:
    reader = Reader(LISTS + "".join(f"http_access {line}\n" for line in text.split("\n")), "squid.conf")
    found, lost = access.read(reader)
    return found["access"], [(" ".join(each.words), reason) for each, reason in lost]


@pytest.mark.parametrize("text", LAST)
def test_what_no_rule_fits_is_declared_as_squid_takes_it(text: str) -> None:
    made, lost = rules_of(text)
    assert made == LAST[text]
    assert [words for words, _ in lost] == [line for line in text.split("\n") if "ads" in line]


@pytest.mark.parametrize(
    "text", ["allow office\ndeny ads", "deny ads\ndeny news", "deny !many\ndeny news", "deny !many"]
)
def test_a_proxy_is_not_opened_to_all_without_a_denial_that_has_no_words(text: str) -> None:
    made, lost = rules_of(text)
    assert REST not in made
    assert made[-1] == NO_REST
    words, reason = lost[-1]
    assert text.endswith(words)
    assert "what no rule fits" in reason


def test_a_rule_without_an_access_list_is_skipped_as_squid_skips_it() -> None:
    reader = Reader(f"{LISTS}http_access allow office\nhttp_access deny\nhttp_access deny news\n", "squid.conf")
    made, _ = access.read(reader)
    assert made["access"] == rules_of("allow office\ndeny news")[0]
    assert [(str(each), what) for each, what in reader.lost] == [
        ("http_access deny", "a rule without an access list, which Squid skips")
    ]


def test_a_proxy_whose_last_rule_denies_some_requests_is_a_site_that_says_it_is_open() -> None:
    draft = described(COMMON.replace("deny all", "deny news"))
    with pytest.raises(DeclarationError, match="allow_public"):
        site_of(draft)
    draft.site["squid"]["allow_public"] = True
    assert [rule.action for rule in site_of(draft).squid.access] == ["allow", "deny", "allow", "deny"]
