"""YAML read as it is written: values, the line of each setting, and the traps on the way.

Pulumi reads stack files by YAML 1.1's numbers, other tools by YAML 1.2's, and both silently turn ``010`` and ``1.10``
into something else. So scalars are taken from the text here, and what two readers would understand differently is a
mistake.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from declaration.errors import Mistake

_DEEPEST = 20
_MOST = 10_000
"""Settings that a site may have at most; aliases of aliases make billions out of a few lines."""
_NEAR = 0.86
"""How much like a name one has to be that may be meant for it: a letter or two of `squid-ha:site`."""
_NO_SETTING = re.compile(r"[ \t\r]*(#|$)")
_UNSEEN = re.compile(r" *\t|(?:(?!#)[^\n])*?\u00a0")
"""A tab in an indentation; a no-break space anywhere in front of a comment."""
_INIT = "`squid-ha init` writes one"
_NOT_INSIDE = (
    "no encrypted value inside the site (Pulumi would keep it in clear in its state): set it as a key of its own"
    " by `pulumi config set --secret NAME` and write `{secret: NAME}` here"
)


_IN_CLEAR = (
    "an encrypted value: this file holds it for everybody to read, so set it, better a new one, by"
    " `pulumi config set --secret {key} -s STACK`"
)


class NotYaml(Exception):
    """The text cannot be read as YAML at all, or holds no site; the message is a sentence.

    ``beside`` is what a stack file without a site holds instead, as `Document.beside`.
    """

    def __init__(self, message: str, beside: Mapping[str, int] | None = None) -> None:
        super().__init__(message)
        self.beside = beside or {}


@dataclass
class Document:
    """A raw declaration: its ``value``, lines and texts of its settings by path, mistakes of the writing.

    ``doubts`` are mistakes only where the setting is right otherwise: ``no`` for a text that may be any.
    ``beside`` are the other keys of a stack file's configuration, with their lines.
    """

    value: object = None
    lines: dict[str, int] = field(default_factory=dict[str, int])
    texts: dict[str, str] = field(default_factory=dict[str, str])
    mistakes: list[Mistake] = field(default_factory=list[Mistake])
    doubts: list[Mistake] = field(default_factory=list[Mistake])
    beside: dict[str, int] = field(default_factory=dict[str, int])
    size: int = 0

    def line(self, path: str) -> int | None:
        """The line of a setting, or of the nearest section around it that is there."""
        while path:
            if path in self.lines:
                return self.lines[path]
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return self.lines.get("")


def document_of(value: object, *, encrypted: bool = False) -> Document:
    """A declaration that was parsed by somebody else: no lines, but the same search for encrypted values.

    ``encrypted``: it held some, which are in clear by now, so that nobody can tell which.
    """
    document = Document(value)
    if encrypted:
        document.mistakes.append(Mistake("", "an encrypted value somewhere in it", _NOT_INSIDE))
    _find_secrets(value, "", document)
    return document


def parse(text: str, config_key: str) -> Document:
    """The site in ``text``: below ``config`` and ``config_key`` if it is a stack file, else all of it."""
    document = Document()
    root = _compose(text)
    config = _child(root, "config")
    if config is not None:
        document.beside = {name: line for name, line, _ in _entries(config) if name != config_key}
        document.mistakes += [*_repeated(root, ""), *_repeated(config, "config")]
        root = _child(config, config_key)
        if root is None:
            meant = _nearest(config, config_key)
            raise NotYaml(
                f"holds no site: there is no `{config_key}:` under `config:`; {meant or _INIT}.", document.beside
            )
    elif why := _without_config(root, config_key):
        raise NotYaml(f"holds no site: {why}.")
    document.value = _build(root, "", document, 0)
    _find_secrets(document.value, "", document)
    document.mistakes += _in_clear(config, config_key.partition(":")[0], set(_named_secrets(document.value)))
    return document


def _without_config(root: Any, config_key: str) -> str:  # noqa: ANN401
    """Why there is no site where nothing is called `config`; '' where all of it may be one."""
    for name, line, value in _entries(root):
        if name == config_key:
            return f"`config:` is missing above `{name}:` in line {line}, which belongs below it, indented"
        if _child(value, config_key) is not None:
            return f"there is no `config:`; {_meant(name, line)}"
    meant = _nearest(root, "config")
    if meant:
        return f"there is no `config:`; {meant}"
    is_stack_file = root is None or _child(root, "encryptionsalt") is not None
    return f"`{config_key}:` under `config:` is missing; {_INIT}" if is_stack_file else ""


def _nearest(section: Any, key: str) -> str:  # noqa: ANN401
    """Which section below ``section`` may be meant for ``key``, as half a sentence; '' for none."""
    lines = {name: line for name, line, value in _entries(section) if _kind(value) == "mapping"}
    by_letters = {name.lower(): name for name in lines}
    near = difflib.get_close_matches(key, by_letters, n=1, cutoff=_NEAR)
    return _meant(by_letters[near[0]], lines[by_letters[near[0]]]) if near else ""


def _meant(name: str, line: int) -> str:
    return f"perhaps it is meant by `{name}:` in line {line}"


def _entries(section: Any) -> Iterator[tuple[str, int, Any]]:  # noqa: ANN401
    """Name, line and value of what stands in a section; nothing for what is none."""
    for key, value in section.value if section is not None and _kind(section) == "mapping" else ():
        yield str(key.value), key.start_mark.line + 1, value


def _compose(text: str, reader: str = "safe") -> Any:  # noqa: ANN401 ruamel's nodes have no types
    try:
        return YAML(typ=reader, pure=True).compose(text)  # pyright: ignore[reportUnknownMemberType]
    except YAMLError as error:
        if reader == "safe":
            # The reader that collects comments takes twice as long, and sees more of what stands around a mistake.
            return _compose(text, "rt")
        if not isinstance(error, MarkedYAMLError):
            raise NotYaml(f"is not YAML: {str(error).splitlines()[0]}.") from None
        raise NotYaml(f"is not YAML{_trouble(text, error)}.") from None
    except RecursionError:
        raise NotYaml("is no site: its sections lie too deep inside each other.") from None
    except (ValueError, OverflowError):
        # What ruamel itself does not expect: `"\\UFFFFFFFF"`, a version with thousands of digits.
        raise NotYaml("is not YAML: it names a character or a version that there is not.") from None


def _trouble(text: str, error: MarkedYAMLError) -> str:
    """Where and what: a character that cannot be told from a blank, or what the reader says."""
    problem, mark = str(cast("Any", error).problem), cast("Any", error).problem_mark
    if mark is None:
        return f": {problem}"
    last = int(mark.line) + 1
    lines = [(number, line) for number, line in enumerate(text.split("\n")[:last], 1) if not _NO_SETTING.match(line)]
    # What looks like a setting and is one text with the next one is noticed only there.
    for number, line in reversed(lines[-2:]):
        if found := _UNSEEN.match(line):
            name = "a tab" if "\t" in found[0] else "a no-break space (U+00A0)"
            return f" in line {number}: it holds {name}, which looks like a blank and is none"
    return f" in line {last}: {problem}"


def _kind(node: Any) -> str:  # noqa: ANN401
    return str(node.id)


def _child(node: Any, key: str) -> Any:  # noqa: ANN401
    return next((value for name, _, value in _entries(node) if name == key), None)


def _repeated(section: Any, path: str) -> Iterator[Mistake]:  # noqa: ANN401
    """What stands twice in a section around the site; Pulumi refuses such a file."""
    names: set[str] = set()
    for name, line, _ in _entries(section):
        if name in names:
            yield _second(_below(path, name), line)
        names.add(name)


def _second(path: str, line: int) -> Mistake:
    return Mistake(path, "a second time", "each setting once in its section", line)


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _build(node: Any, path: str, document: Document, depth: int) -> object:  # noqa: ANN401
    document.lines.setdefault(path, node.start_mark.line + 1)
    document.size += 1
    if document.size > _MOST:
        raise NotYaml(f"is no site: it has more than {_MOST} settings, or aliases of aliases.")
    if str(node.tag).removeprefix(_TAG) not in _TAGS[_kind(node)]:
        tag = str(node.tag).replace(_TAG, "!!")
        document.mistakes.append(Mistake(path, f"the tag `{tag}`", "the setting without a tag (`!`)"))
        return None
    if depth > _DEEPEST:
        document.mistakes.append(Mistake(path, "an alias of itself or a very deep section", "plain settings"))
        return None
    if _kind(node) == "mapping":
        return _mapping(node, path, document, depth)
    if _kind(node) == "sequence":
        return [_build(item, f"{path}[{index}]", document, depth + 1) for index, item in enumerate(node.value)]
    return _scalar(node, path, document)


def _mapping(node: Any, path: str, document: Document, depth: int) -> dict[str, object]:  # noqa: ANN401
    result: dict[str, object] = {}
    for key, value in node.value:
        name = str(key.value)
        below = _below(path, name)
        line = key.start_mark.line + 1
        if _kind(key) != "scalar" or name == "<<":
            document.mistakes.append(
                Mistake(path, "`<<` or a compound key", "each setting written out: Pulumi expands what it merges", line)
            )
        elif name in result:
            document.mistakes.append(_second(below, line))
        else:
            document.lines[below] = line
            result[name] = _build(value, below, document, depth + 1)
    return result


_TAG = "tag:yaml.org,2002:"
_TAGS = {
    "mapping": {"map"},
    "sequence": {"seq"},
    "scalar": {"str", "int", "float", "bool", "null", "timestamp", "value", "merge"},
}
_OCTAL = re.compile(r"[-+]?0[0-9_]+")
_WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,17})")
"""A number that fits into 64 bits: longer ones are a fraction to some readers, and Python's `int` has a limit too."""
_OTHERWISE = re.compile(r"[-+]?(0x[0-9A-Fa-f_]+|0o[0-7_]+|0b[01_]+|[0-9][0-9_]*)")
_DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}.*")
_TO_SIXTY = re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?")
_SWITCH = re.compile(r"y|n|yes|no|on|off", re.IGNORECASE)


def _scalar(node: Any, path: str, document: Document) -> object:  # noqa: ANN401
    text, tag = str(node.value), str(node.tag).removeprefix(_TAG)
    if node.style is not None:
        if tag != "str":
            document.mistakes.append(Mistake(path, f"`!!{tag}` and text in quotes", "the setting without a tag (`!`)"))
        return text
    mistaken = _misread(text)
    if mistaken:
        document.mistakes.append(Mistake(path, text, mistaken))
        return text
    value = _plain(text, tag)
    if tag == "str" and isinstance(value, int):
        document.mistakes.append(Mistake(path, f"`!!str` and {text}", f"text in quotes ('{text}') instead of a tag"))
    if value is not None and not isinstance(value, str):
        document.texts[path] = text
    doubtful = _doubtful(text) if isinstance(value, str) else ""
    if doubtful:
        document.doubts.append(Mistake(path, text, doubtful))
    return value


def _misread(text: str) -> str:
    """What should stand instead of text without quotes that no two readers take alike; empty where all is well."""
    quoted = f"text in quotes ('{text}')"
    if _OCTAL.fullmatch(text):
        return f"a number without leading zeros, or {quoted}: YAML may read this as octal"
    if _DATE.fullmatch(text):
        return f"{quoted}: YAML may read this as a date"
    if _OTHERWISE.fullmatch(text) and not _WHOLE.fullmatch(text):
        return f"a number in plain digits, or {quoted}: YAML reads this as a number, and not everywhere as the same"
    return ""


def _doubtful(text: str) -> str:
    """The same for text that is wrong only where any text would be right."""
    quoted = f"text in quotes ('{text}')"
    if _SWITCH.fullmatch(text):
        return f"{quoted}, or `true` or `false`: YAML reads this here as text and elsewhere as a truth value"
    if _TO_SIXTY.fullmatch(text):
        return f"{quoted}: YAML may read this as a number to the base of 60"
    return ""


def _plain(text: str, tag: str) -> object:
    """What YAML makes of text without quotes; ``tag`` is what its reader resolved."""
    if tag == "null":
        return None
    if tag == "bool":
        return text.lower() == "true"
    if _WHOLE.fullmatch(text):
        return int(text)
    try:
        return float(text) if tag == "float" else text
    except ValueError:
        return text


def _find_secrets(value: object, path: str, document: Document) -> None:
    if isinstance(value, Mapping):
        section = cast("Mapping[str, object]", value)
        if set(section) == {"secure"}:
            document.mistakes.append(Mistake(path, "an encrypted value", _NOT_INSIDE))
            return
        for name, below in section.items():
            _find_secrets(below, _below(path, name), document)
    elif isinstance(value, list):
        for index, below in enumerate(cast("list[object]", value)):
            _find_secrets(below, f"{path}[{index}]", document)


def _named_secrets(value: object) -> Iterator[str]:
    """What the site names by `{secret: NAME}`, whatever else of it may be wrong."""
    if isinstance(value, Mapping):
        section = cast("Mapping[str, object]", value)
        name = section.get("secret")
        if len(section) == 1 and isinstance(name, str):
            yield name
        for below in section.values():
            yield from _named_secrets(below)
    elif isinstance(value, list):
        for below in cast("list[object]", value):
            yield from _named_secrets(below)


def _in_clear(config: Any, project: str, names: Collection[str]) -> Iterator[Mistake]:  # noqa: ANN401
    """Keys beside the site that hold a secret of it as it is: `pulumi config set` without `--secret`."""
    for key, line, value in _entries(config):
        prefix, _, name = key.partition(":")
        if prefix == project and name in names and _child(value, "secure") is None:
            yield Mistake(key, "a secret in clear", _IN_CLEAR.format(key=key), line)
