"""The contract of a kind says all that is asked of one, and is the only one to say it."""

import re
from pathlib import Path

from providers import contract

ROOT = Path(contract.__file__).parents[1]
SOURCES = [each for part in ("providers", "blueprint", "operations") for each in sorted((ROOT / part).rglob("*.py"))]
OPTIONAL = re.compile(r'getattr\((?:load_kind\([\w.]+\)|_module\(\w+\)|module), "(\w+)"')


def test_all_that_a_kind_may_offer_is_described() -> None:
    texts = [text for each in SOURCES if "load_kind" in (text := each.read_text())]
    asked = {name for text in texts for name in OPTIONAL.findall(text)}
    described = re.findall(r"^- ``(\w+)(?:\(.*\) -> .+| = .+)``: ", contract.__doc__ or "", re.MULTILINE)
    assert asked == set(described)


def test_the_mark_of_a_change_that_was_begun_stands_in_one_place() -> None:
    marks = re.compile(r'^[\w, ]+ = .*"pending"', re.MULTILINE)
    having = {str(each.relative_to(ROOT)) for each in SOURCES if marks.search(each.read_text())}
    assert having == {"providers/contract.py"}
