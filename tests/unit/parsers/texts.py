"""Texts for parsers: any, and what real hosts said with lines lost, doubled and moved, cut off, or with other words."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

RECORDED = Path(__file__).parents[2] / "recorded"
_WORD = re.compile(r"[^\s\"'<>/=:,|{}\[\]]+")
ODD = [
    *("", "-", "nan", "1.2.3", "-1", "٣", "²", "1e999", "9" * 5000, "INFINITY", "null", "x y"),
    *"\"'\\{}[]<>&=:|%/#\r\0\v\x1c\x85",
]
"""Words that a tool could print by another release, and what breaks out of quotes, numbers and lines."""
odd = st.sampled_from(ODD) | st.text(max_size=8)
line = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=30)
"""What stays on its line, whoever splits it."""

Draw = Callable[[st.SearchStrategy[Any]], Any]


def recorded(pattern: str) -> list[str]:
    """All recordings of that name, which may have wildcards."""
    texts = [path.read_text() for path in sorted(RECORDED.glob(pattern))]
    assert texts, pattern
    return texts


def _lines(draw: Draw, text: str) -> str:
    rows = text.splitlines(keepends=True) or [""]
    at = draw(st.integers(0, len(rows) - 1))
    to = draw(st.integers(0, len(rows)))
    way = draw(st.sampled_from(["lost", "doubled", "moved", "new"]))
    row = [] if way == "lost" else [rows[at]] if way != "new" else [draw(odd) + "\n"]
    kept = rows[:at] + rows[at + 1 :] if way in ("lost", "moved") else rows
    return "".join(kept[:to] + row + kept[to:])


def _cut(draw: Draw, text: str) -> str:
    return text[: draw(st.integers(0, len(text)))]


def _word(draw: Draw, text: str) -> str:
    words = list(_WORD.finditer(text))
    if not words:
        return text
    word = draw(st.sampled_from(words))
    return text[: word.start()] + draw(odd) + text[word.end() :]


def _inserted(draw: Draw, text: str) -> str:
    at = draw(st.integers(0, len(text)))
    return text[:at] + draw(odd) + text[at:]


@st.composite
def mangled(draw: Draw, texts: Sequence[str]) -> str:
    """One of these texts, changed in up to three places."""
    text = draw(st.sampled_from(texts))
    for _ in range(draw(st.integers(0, 3))):
        text = draw(st.sampled_from([_lines, _cut, _word, _inserted]))(draw, text)
    return text


def any_like(texts: Sequence[str]) -> st.SearchStrategy[str]:
    """Any text at all, and these mangled."""
    return st.one_of(mangled(texts), mangled(texts), st.text())


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(ODD) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)


@st.composite
def any_json_like(draw: Draw, texts: Sequence[str]) -> str:
    """Well-formed, with another value, or none, in one place of one of these."""
    document: Any = json.loads(draw(st.sampled_from(texts)))
    # Whatever holds something else is a place, the whole as well.
    top = {"": document}
    holder, key = draw(st.sampled_from(list(_places(top))))
    if draw(st.booleans()):
        holder[key] = draw(values)
    elif holder is not top:
        del holder[key]
    return json.dumps(top[""])


def _places(value: Any) -> list[tuple[Any, Any]]:
    keys = list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    return [place for key in keys for place in ((value, key), *_places(value[key]))]


def told(parse: Callable[[], Any], *declared: type[Exception]) -> Any:
    """What the parser made of it; None for an error that it declares."""
    with contextlib.suppress(*declared):
        return parse()
    return None
