"""``python -m setup.docs``: write what is generated where it differs: pages of the settings, schema, command lines."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from setup.docs import lifekeeper
from setup.docs.pages import pages
from setup.docs.schema import stack_schema
from setup.places import PROJECT

PAGES = Path("docs/settings")
SCHEMA = Path("stacks/schema.json")
LIFEKEEPER = Path("docs/lifekeeper-commands.md")


def files() -> dict[Path, str]:
    """The text of all that is generated, by its path in the project."""
    schema = json.dumps(stack_schema(), indent=1, ensure_ascii=False) + "\n"
    return {SCHEMA: schema, LIFEKEEPER: lifekeeper.page(), **{PAGES / name: text for name, text in pages().items()}}


def stale(project: Path = PROJECT) -> list[Path]:
    """What differs from what would be generated, is missing, or is a page of what is no longer there."""
    wanted = files()
    there = [path.relative_to(project) for path in (project / PAGES).glob("*.md")]
    differing = [path for path, text in wanted.items() if not _says(project / path, text)]
    return sorted({*differing, *(path for path in there if path not in wanted)})


def write(project: Path = PROJECT) -> list[Path]:
    """Write or remove what is stale. Returns its paths."""
    wanted, changed = files(), stale(project)
    for path in changed:
        if path in wanted:
            (project / path).parent.mkdir(parents=True, exist_ok=True)
            (project / path).write_text(wanted[path], encoding="utf-8")
        else:
            (project / path).unlink()
    return changed


def _says(path: Path, text: str) -> bool:
    return path.exists() and path.read_text(encoding="utf-8") == text


if __name__ == "__main__":
    sys.stdout.write("".join(f"{path} written\n" for path in write()) or "all up to date\n")
