"""Every setting of a site, found by walking the tree, with what is said about it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from declaration.errors import DeclarationError
from declaration.load import read
from declaration.site import Phase
from setup.docs import template
from setup.docs.tree import Tree, is_secret, section_in, site_tree


@dataclass(frozen=True)
class Setting:
    """A setting: its ``path`` (``nodes[].name``), its ``node`` in the tree, and whether its section must have it."""

    path: str
    node: Tree
    required: bool

    @property
    def name(self) -> str:
        """Its last part."""
        return self.path.rpartition(".")[2]

    @property
    def part(self) -> str:
        """The part of the site that it belongs to, such as `squid`."""
        return self.path.partition(".")[0].removesuffix("[]")

    @property
    def section(self) -> Tree | None:
        """The section that it is, or a list of; None for a secret, which is written as one value."""
        found = section_in(self.node)
        return None if found is None or is_secret(found) else found

    @property
    def below(self) -> str:
        """What paths of its own settings begin with."""
        return f"{self.path}[]" if "items" in self.node else self.path


def walk(section: Tree, above: str = "") -> Iterator[Setting]:
    """The settings of a section, each followed by its own."""
    for name, node in section["properties"].items():
        path = f"{above}.{name}" if above else name
        setting = Setting(path, node, required=name in section.get("required", []))
        yield setting
        if setting.section is not None:
            yield from walk(setting.section, setting.below)


@cache
def settings() -> dict[str, Setting]:
    """All settings by path, in the order of the models."""
    return {setting.path: setting for setting in walk(site_tree())}


@cache
def shown(phase: Phase) -> dict[str, template.Line]:
    """The settings that `squid-ha init` writes for a phase."""
    return template.settings(phase, settings())


def from_phase(path: str) -> int:
    """The first phase whose sites can make use of a setting: that of its line, its mention, or its section.

    The first site that `squid-ha init` writes with it tells, in a line or in a comment.
    """
    above = path.rpartition(".")[0].removesuffix("[]")
    word = re.compile(rf"\b{re.escape(path.rpartition('.')[2])}\b")
    lines = [phase for phase in template.PHASES if path in shown(phase)]
    words = [phase for phase in template.PHASES if word.search(_block(path, phase))]
    least = from_phase(above) if above else 1
    own = next(iter(lines or words), least)
    return max(least, own)


def _block(path: str, phase: Phase) -> str:
    line = shown(phase).get(settings()[path].part)
    return template.block(phase, line) if line is not None else ""


@cache
def needed_in(part: str) -> tuple[Phase, ...]:
    """The phases whose sites are refused without this part."""
    return tuple(phase for phase in template.PHASES if _is_refused_without(part, phase))


def _is_refused_without(part: str, phase: Phase) -> bool:
    site = template.site(phase)
    if part not in site:
        return False
    del site[part]
    try:
        read(site, "without a part")
    except DeclarationError:
        return True
    return False
