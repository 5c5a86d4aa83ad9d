"""squid.conf as something to take directives from, one after the other; what nobody took is left over.

A line counts as taken only once the site's file says what it says. What is left out of it, and of a line that is not
taken at all, `Reader.unsaid` remembers with the reason; the rest is left over without one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from pydantic import ValidationError

from declaration.types import Settings
from providers.squid.conf import Directive, directives

T = TypeVar("T")


class NotSaid(Exception):
    """The declaration has no words for this; the text says for what."""


def from_file(values: Iterable[str]) -> bool:
    """Whether an access list's values stand in a file of their own: ``"/etc/squid/list"``, ``parameters("...")``."""
    return any('"' in value for value in values)


def fits(section: type[Settings], setting: str, value: object) -> bool:
    """Whether the declaration takes this value there, whatever else it says."""
    try:
        section.model_validate({setting: value})
    except ValidationError as error:
        return all(each["loc"][:1] != (setting,) for each in error.errors())
    return True


class Reader:
    """The directives of one file. Access lists count as taken once something that is expressed asks for them."""

    def __init__(self, text: str, file: str) -> None:
        self._lines = text.split("\n")
        self._all = directives(text, file)
        self._taken: set[int] = set()
        self.lost: list[tuple[Directive, str]] = []
        """What has no words, and for what in it."""
        self.lists: dict[str, tuple[str, tuple[str, ...]]] = {}
        for each in self.of("acl"):
            if len(each.words) > 1:
                self._define(each.words[0].lower(), each.words[1], each.words[2:])

    def _define(self, name: str, kind: str, rest: tuple[str, ...]) -> None:
        values = tuple(word for word in rest if not word.startswith("-") or word == "--")
        known = self.lists.get(name, (kind, ()))
        self.lists[name] = (known[0], (*known[1], *values))

    def of(self, name: str) -> list[Directive]:
        """All directives of that name."""
        return [each for each in self._all if each.name == name]

    def take(self, name: str, fits: Callable[[Directive], bool]) -> list[Directive]:
        """All directives of that name of which ``fits`` knows that they are expressed whole, taken."""
        found = [each for each in self.of(name) if fits(each)]
        self.done(*found)
        return found

    def value(self, name: str, read: Callable[[str], T | None], why: str) -> T | None:
        """What the last directive of that name says by ``read``: the last one is what counts.

        ``read`` returns None for what the site's file has no words for, which is ``why``.
        """
        found = self.of(name)
        if not found:
            return None
        self.overridden(found)
        made = read(" ".join(found[-1].words))
        if made is None:
            self.unsaid(found[-1], why)
        else:
            self.done(found[-1])
        return made

    def overridden(self, found: list[Directive]) -> None:
        """Of these only the last one counts."""
        for each in found[:-1]:
            self.unsaid(each, f"what line {found[-1].line} says otherwise: the later line counts")

    def done(self, *taken: Directive) -> None:
        """These are expressed."""
        self._taken.update(map(id, taken))

    def unsaid(self, each: Directive, what: str) -> None:
        """There are no words for ``what``: this directive, or something in it, the rest of which is expressed."""
        self.done(each)
        self.lost.append((each, what))

    def used(self, names: Iterable[str]) -> None:
        """These access lists are expressed."""
        wanted = {name.lower() for name in names}
        self.done(*(each for each in self.of("acl") if each.words and each.words[0].lower() in wanted))

    def raw(self, each: Directive, skip: int) -> str:
        """A directive's line as it stands in the file, without its first ``skip`` words: blanks count in formats."""
        line = self._whole(each).strip()
        return line.split(None, skip)[skip] if len(line.split(None, skip)) > skip else ""

    def _whole(self, each: Directive) -> str:
        """Its line, and those that it goes on in."""
        held = ""
        for whole in self._lines[each.line - 1 :]:
            line = whole.partition("\r")[0].lstrip()
            if not line or line.startswith("#"):
                continue
            held += line
            if not held.endswith("\\"):
                break
            held = held[:-1]
        return held

    def left(self) -> list[Directive]:
        """What nobody took."""
        return [each for each in self._all if id(each) not in self._taken]
