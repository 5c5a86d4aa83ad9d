"""From a file or from Pulumi's configuration to a `Site`, or to its mistakes at once.

A rule between settings waits for a part with a wrong value until that is right, for what follows from it is no mistake.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any, cast

from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from declaration.errors import DeclarationError, Mistake, StackFileError
from declaration.explain import Location, explain, show
from declaration.rules import mistakes_of
from declaration.site import Site, with_implied
from declaration.slips import as_meant, without
from declaration.source import Document, NotYaml, document_of, parse

CONFIG_KEY = "squid-ha:site"
"""Where a stack file holds the site, under ``config``."""

_Raw = Mapping[str, object]


@dataclass(frozen=True)
class Declared:
    """A site, and the stack file's text that declares it: its lines, and what stands beside the site."""

    site: Site
    document: Document
    source: str

    def refuse(self, mistakes: Sequence[Mistake]) -> None:
        """Raise `DeclarationError`, with lines, for mistakes that others have found in it; not for none."""
        if mistakes:
            raise DeclarationError(_in_order(mistakes, self.document), self.source)


def from_stack_file(path: Path) -> Site:
    """The site declared in a stack file. Raises `DeclarationError` with line numbers."""
    return declared_in(path).site


def declared_in(path: Path) -> Declared:
    """The same with its text, for who looks at more than the site. Raises `DeclarationError` with line numbers."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror or str(error) if isinstance(error, OSError) else "it is not text in UTF-8"
        raise StackFileError(f"cannot be read: {reason}.", str(path)) from None
    document = _document(text, str(path))
    return Declared(_site(document, str(path)), document, str(path))


def refuse_misreadings(path: Path) -> Mapping[str, int]:
    """Raise `DeclarationError` for what is wrong with a stack file though the site that Pulumi read from it is right.

    Pulumi hands over ``010`` as 8, ``0x1f`` as 31 and a secret as text, encrypted or in clear; only the file's text
    shows it. Without a file of this name the site came from elsewhere, and there is nothing to compare.

    Returns what stands beside the site in it (`Document.beside`).
    """
    try:
        document = parse(path.read_text(encoding="utf-8"), CONFIG_KEY)
    except NotYaml as error:
        return error.beside
    except (OSError, UnicodeDecodeError):
        return {}
    mistakes = [*document.mistakes, *document.doubts]
    if mistakes:
        raise DeclarationError(_in_order(mistakes, document), str(path))
    return document.beside


def read(given: object, source: str, *, encrypted: bool = False) -> Site:
    """The site declared by ``given``: a stack file's text, a site's text, or a site as Pulumi hands it over.

    ``source`` says in the error where it came from. ``encrypted``: Pulumi says that the key held encrypted values,
    which it hands over in clear. Raises `DeclarationError` with every mistake.
    """
    document = _document(given, source) if isinstance(given, str) else document_of(given, encrypted=encrypted)
    return _site(document, source)


def _site(document: Document, source: str) -> Site:
    value = document.value
    if isinstance(value, Mapping):
        mistakes = _once(_mistakes(cast("_Raw", value)), document)
    else:
        expected = "a section with `engine`, `platform`, `nodes` and so on"
        mistakes = document.mistakes or [Mistake("", show(value), expected)]
    if mistakes:
        raise DeclarationError(_in_order(mistakes, document), source)
    return Site.model_validate(value)


def _document(text: str, source: str) -> Document:
    try:
        return parse(text, CONFIG_KEY)
    except NotYaml as error:
        raise StackFileError(str(error), source) from None


@dataclass
class _Parts:
    """The parts of a site, each by itself: values of those that are right, names of the others, what is wrong."""

    sound: dict[str, Any] = field(default_factory=dict[str, Any])
    unsound: set[str] = field(default_factory=set[str])
    mistakes: list[Mistake] = field(default_factory=list[Mistake])
    unknown: list[Location] = field(default_factory=list[Location])

    def wrong(self, location: Location, kind: str, context: Mapping[str, Any], found: object, message: str) -> None:
        """Note what pydantic says of one setting."""
        self.mistakes.append(explain(location, kind, context, found, message))
        if kind == "extra_forbidden":
            self.unknown.append(location)

    def together(self) -> list[Mistake]:
        """What does not hold together in the sound parts; the others are never looked at."""
        return mistakes_of(Site.model_construct(None, **self.sound), self.unsound)


def _mistakes(raw: _Raw) -> list[Mistake]:
    """Mistakes part by part, so that one unsound part hides nothing of the others."""
    written = _parts(raw)
    if not written.unknown:
        return written.mistakes + written.together()
    guessed, rest = _parts(as_meant(raw, written.unknown)), _parts(without(raw, written.unknown))
    rest.sound.update({name: guessed.sound[name] for name in rest.unsound & set(guessed.sound)})
    rest.unsound = guessed.unsound
    in_rest = rest.together()
    return written.mistakes + [mistake for mistake in guessed.together() if mistake in in_rest]


def _parts(raw: _Raw) -> _Parts:
    given = with_implied(raw)
    parts = _Parts()
    for name, setting in Site.model_fields.items():
        if name in given:
            _check(name, given[name], parts)
        elif setting.is_required():
            parts.unsound.add(name)
            parts.wrong((name,), "missing", {}, None, "")
    for name in given:
        if name not in Site.model_fields:
            parts.wrong((name,), "extra_forbidden", {}, given[name], "")
    return parts


def _check(name: str, value: object, parts: _Parts) -> None:
    try:
        parts.sound[name] = _adapter(name).validate_python(value, strict=True)
    except ValidationError as error:
        parts.unsound.add(name)
        for each in error.errors(include_url=False):
            parts.wrong((name, *each["loc"]), each["type"], each.get("ctx", {}), each["input"], each["msg"])


@cache
def _adapter(name: str) -> TypeAdapter[Any]:
    """What checks one part of a site; made once, which takes longer than to check."""
    return TypeAdapter(_annotation(Site.model_fields[name]))


def _annotation(setting: FieldInfo) -> Any:  # noqa: ANN401 a type form
    """A field's type with its constraints, as it would be written in an annotation."""
    annotation: Any = setting.annotation
    for extra in setting.metadata:
        annotation = Annotated[annotation, extra]
    return annotation


def _once(mistakes: list[Mistake], document: Document) -> list[Mistake]:
    """Each mistake once; where the writing itself is at fault, what follows from it is left out."""
    at_fault = [mistake.path for mistake in document.mistakes if mistake.path]
    followed = [m for m in mistakes if not any(_within(m.path, path) for path in at_fault)]
    as_written = [replace(m, found=document.texts.get(m.path, m.found)) for m in followed]
    wrong = {mistake.path for mistake in as_written}
    doubts = [doubt for doubt in document.doubts if doubt.path not in wrong]
    return list(dict.fromkeys([*document.mistakes, *as_written, *doubts]))


def _within(path: str, section: str) -> bool:
    return path == section or path.startswith((f"{section}.", f"{section}["))


def _in_order(mistakes: Sequence[Mistake], document: Document) -> list[Mistake]:
    """In the order of the file."""
    located = [replace(mistake, line=mistake.line or document.line(mistake.path)) for mistake in mistakes]
    return sorted(located, key=lambda mistake: (mistake.line is None, mistake.line or 0))
