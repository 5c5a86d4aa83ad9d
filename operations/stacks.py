"""The project's stack files: making sure that there is one and Pulumi knows its stack.

``python -m operations.stacks lab`` writes the lab's from its template. Pulumi keeps things of its own in a stack file
(the salt of its encryption, secrets), and rewrites the file when it likes: so a file is compared by what it says, and
what is Pulumi's is carried over.
"""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, cast, get_args

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from declaration.engines import Engine
from declaration.load import CONFIG_KEY, read
from operations.credentials import MASK, without_passwords
from operations.files import write_whole
from operations.project import project_root, stack_file
from operations.trouble import StackTrouble

# What is Pulumi's own in a stack file, beside `config`.
_PULUMIS = ("secretsprovider", "encryptedkey", "encryptionsalt", "environment")
_PULUMI_SECONDS = 120
_NO_STACK = re.compile(r"no stack named '([^']+)' found")


def render(template: str, root: Path | None = None, **variables: object) -> str:
    """The text of a template of ``stacks/templates``."""
    return _templates((root or project_root()) / "stacks" / "templates").get_template(template).render(**variables)


@cache
def _templates(folder: Path) -> Environment:
    """The templates of a folder; kept, because to compile one takes longer than anything else done with it."""
    return Environment(
        loader=FileSystemLoader(folder),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # noqa: S701 YAML, not HTML
    )


def write_lab(root: Path | None = None, engine: str | None = None) -> bool:
    """Make the lab's stack file what its template says now. Says whether that changed anything.

    Without ``engine`` it keeps the one that it names. Raises `StackTrouble` for a file that cannot be read, as what is
    Pulumi's in it would be lost.
    """
    root = root or project_root()
    path = stack_file("lab", root)
    existing = _text_of(path) if path.exists() else None
    begun = _load(existing or "", path)
    wanted = render("lab.yaml.j2", root, lab=str(root / ".lab"), engine=engine or _engine_in(begun))
    read(wanted, "stacks/templates/lab.yaml.j2")
    text = carried_over(wanted, existing, path)
    if text == existing:
        return False
    write_whole(path, text.encode())
    return True


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
        raise StackTrouble(f"{path} cannot be read: {why}.") from None


def _engine_in(document: Mapping[str, Any]) -> str:
    """The engine that a stack file names; the customary one where it names none that there is."""
    known: tuple[str, ...] = get_args(Engine)
    named = _section(_section(document, "config"), CONFIG_KEY).get("engine")
    return named if named in known else known[0]


def write_new(path: Path, text: str) -> None:
    """Write the stack file of a new site. What `pulumi stack init` may have left in it before is carried over.

    Raises `StackTrouble` where the file holds a site, or is not to be read.
    """
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        existing = _text_of(path)
        begun = _load(existing, path)
        if not begun or CONFIG_KEY in _section(begun, "config"):
            raise StackTrouble(f"{path} exists and is left as it is; edit it, or choose another name.") from None
        write_whole(path, carried_over(text, existing, path).encode())


def carried_over(wanted: str, existing: str | None, path: Path) -> str:
    """The stack file ``wanted`` with what is not the site's in ``existing``; ``existing`` if it says the same.

    Raises `StackTrouble` where what exists, at ``path``, is no stack file.
    """
    if existing is None:
        return wanted
    old, new = _load(existing, path), _load(wanted, path)
    for key in _PULUMIS:
        if key in old:
            new[key] = old[key]
    for key, value in _section(old, "config").items():
        if key != CONFIG_KEY:
            new["config"].setdefault(key, value)
    if old == new:
        return existing
    stream = io.StringIO()
    _yaml().dump(new, stream)  # pyright: ignore[reportUnknownMemberType]
    return stream.getvalue()


def _yaml() -> YAML:
    yaml = YAML(typ="rt", pure=True)
    yaml.preserve_quotes = True
    yaml.width = 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml


def _load(text: str, path: Path) -> dict[str, Any]:
    """What a stack file says; nothing if it is empty. Raises `StackTrouble` for one that is none."""
    try:
        loaded: object = _yaml().load(text)  # pyright: ignore[reportUnknownMemberType]
    except (YAMLError, ValueError) as error:
        mark: Any = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark is not None else ""
        why = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise _left(path, f"is not YAML{where}: {why}") from None
    if loaded is not None and not isinstance(loaded, dict):
        raise _left(path, "is no stack file: it has no settings")
    return cast("dict[str, Any]", loaded or {})


def _left(path: Path, why: str) -> StackTrouble:
    return StackTrouble(
        f"{path} {why}. It is left as it is, for Pulumi's keys may be in it (`encryptionsalt`, secure values): "
        "correct it, or move it away, and run this again."
    )


def _section(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = document.get(key)
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def ensure_stack(name: str, root: Path | None = None) -> bool:
    """Let Pulumi know the stack ``name``. Says whether it is new. Raises `StackTrouble` with Pulumi's own words."""
    root = root or project_root()
    if _known(name, root):
        return False
    try:
        pulumi(["stack", "init", name, "--no-select"], root)
    except StackTrouble:
        # In a backend that others use too, somebody may have been faster.
        if not _known(name, root):
            raise
        return False
    return True


def _known(name: str, root: Path) -> bool:
    stacks = json.loads(pulumi(["stack", "ls", "--json"], root) or "[]")
    return any(stack["name"].rsplit("/", 1)[-1] == name for stack in stacks)


def pulumi(arguments: Sequence[str], root: Path) -> str:
    """Run `pulumi` and return its output. Raises `StackTrouble` with its last lines, without the backend's password."""
    launcher = root / ".venv" / "bin" / "pulumi"
    command = [str(launcher) if launcher.exists() else "pulumi", *arguments, "--non-interactive"]
    try:
        done = subprocess.run(
            command,
            cwd=root,
            capture_output=True,
            text=True,
            timeout=_PULUMI_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except FileNotFoundError:
        raise StackTrouble("Pulumi is not set up here: run `make setup` in the project.") from None
    except subprocess.TimeoutExpired:
        raise StackTrouble(f"`{' '.join(command)}` did not end within {_PULUMI_SECONDS} s.") from None
    if done.returncode:
        last = " ".join(line.strip() for line in without_passwords(done.stderr).strip().splitlines()[-3:])
        raise StackTrouble(
            f"`pulumi {' '.join(arguments)}` ended with exit code {done.returncode}: {last}{_to_do(last)}"
        )
    return done.stdout


def _to_do(said: str) -> str:
    """What to do about what Pulumi said: a file alone, as a fresh clone has it, makes no stack of a backend."""
    unknown = _NO_STACK.search(said)
    if unknown is None:
        return ""
    name = "NAME" if unknown[1] == MASK else unknown[1]
    return f"\n  → `pulumi stack init {name}`, or `pulumi login` to the backend that has it"


def main(arguments: Sequence[str]) -> int:
    """``python -m operations.stacks lab``."""
    if list(arguments) != ["lab"]:
        sys.stderr.write("usage: python -m operations.stacks lab\n")
        return 2
    try:
        changed = write_lab()
        new = ensure_stack("lab")
    except StackTrouble as trouble:
        sys.stderr.write(f"{trouble}\n")
        return 1
    state = "written" if changed else "unchanged"
    sys.stdout.write(f"stacks/Pulumi.lab.yaml {state}{', stack initialised' if new else ''}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
