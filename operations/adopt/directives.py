"""squid.conf as something to take directives from, one after the other; what nobody took is left over."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from providers.squid.conf import Directive, directives


def from_file(values: Iterable[str]) -> bool:
    """Whether an access list's values stand in a file of their own: ``"/etc/squid/list"``, ``parameters("...")``."""
    return any('"' in value for value in values)


class Reader:
    """The directives of one file. Access lists count as taken once something that is expressed asks for them."""

    def __init__(self, text: str, file: str) -> None:
        self._lines = text.split("\n")
        self._all = directives(text, file)
        self._taken: set[int] = set()
        self.lists: dict[str, tuple[str, tuple[str, ...]]] = {}
        for each in self.of("acl"):
            if len(each.words) > 1:
                self._define(each.words[0].lower(), each.words[1], each.words[2:])

    def _define(self, name: str, kind: str, rest: tuple[str, ...]) -> None:
        values = tuple(word for word in rest if not word.startswith("-") or word == "--")
        known = self.lists.get(name, (kind, ()))
        self.lists[name] = (known[0], (*known[1], *values))

    def of(self, name: str) -> list[Directive]:
        """All directives of that name, not taken."""
        return [each for each in self._all if each.name == name]

    def take(self, name: str, fits: Callable[[Directive], bool] = lambda _each: True) -> list[Directive]:
        """All directives of that name that fit, taken."""
        found = [each for each in self.of(name) if fits(each)]
        for each in found:
            self.done(each)
        return found

    def last(self, name: str) -> str:
        """What the last directive of that name says, which is the one that counts; '' without any. Takes them all."""
        found = self.take(name)
        return " ".join(found[-1].words) if found else ""

    def done(self, *taken: Directive) -> None:
        """These are expressed."""
        self._taken.update(map(id, taken))

    def used(self, names: Iterable[str]) -> None:
        """These access lists are expressed."""
        wanted = {name.lower() for name in names}
        self.done(*(each for each in self.of("acl") if each.words and each.words[0].lower() in wanted))

    def raw(self, each: Directive, skip: int) -> str:
        """A directive's line as it stands in the file, without its first ``skip`` words: blanks count in formats."""
        line = self._lines[each.line - 1].strip()
        return line.split(None, skip)[skip] if len(line.split(None, skip)) > skip else ""

    def left(self) -> list[Directive]:
        """What nobody took."""
        return [each for each in self._all if id(each) not in self._taken]
