"""The scripts of the Generic Application kit: Squid's as `lifekeeper.squid_scripts`, others as `lifekeeper.generic`."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError

from declaration.engines.lifekeeper import Generic, Scripts
from operations.adopt.model import Draft, NodeFacts
from providers.connection.command import Command, script
from providers.lifekeeper import scripts

ANSWER = "lifekeeper scripts"
# $1 where the copies are; a line per script: kind and action, tag, text. A tag has no blank in it.
_READ = """
cd "$1" 2>/dev/null || exit 0
for each in actions/!*/* recovery/!*/*; do
  [ -f "$each" ] && printf '%s %s %s\\n' "${each%/*}" "${each##*/}" "$(base64 --wrap=0 "$each")"
done
true
"""
COMMAND: Command = script(_READ, scripts.COPIES, reads=True, label="read the scripts of the Generic Application kit")
_FIELDS = {
    "actions/!restore": "restore",
    "actions/!remove": "remove",
    "actions/!quickCheck": "quick_check",
    "recovery/!recover": "recover",
}


def describe(draft: Draft, nodes: Sequence[NodeFacts], tag: str) -> None:
    """The texts into the draft's section, or a note of what keeps them out of it."""
    section: dict[str, Any] = draft.site["lifekeeper"]
    section["squid_kit"] = "generic"
    found = {each.name: _scripts(each.said(ANSWER), tag) for each in nodes}
    having = {name: texts for name, texts in found.items() if texts}
    first = next(iter(having.values()), dict[str, str]())
    if _OURS in first.get("restore", ""):
        return
    if not _can_be_said(first, first, Scripts):
        name = next(iter(having), nodes[0].name)
        draft.note(name, _place(tag), f"are not what `lifekeeper.squid_scripts` takes, so `up` refuses. {_BY_HAND}")
        return
    section["squid_scripts"] = first
    for name, texts in having.items():
        if texts != first:
            draft.note(name, _place(tag), f"are others than on {next(iter(having))}, so `up` refuses. {_BY_HAND}")
    _note(draft, nodes, tag)


def application(draft: Draft, nodes: Sequence[NodeFacts], tag: str, below: str) -> bool:
    """An entry of `lifekeeper.generic` into the draft's section; False where the file cannot say it as it is."""
    texts, *others = (_scripts(each.said(ANSWER), tag) for each in nodes)
    entry = {"tag": tag, **texts, **({} if below == "squid" else {"below": below})}
    if any(each != texts for each in others) or not _can_be_said(texts, entry, Generic):
        return False
    draft.site["lifekeeper"].setdefault("generic", []).append(entry)
    _note(draft, nodes, tag)
    return True


def _note(draft: Draft, nodes: Sequence[NodeFacts], tag: str) -> None:
    draft.note(
        nodes[0].name,
        f"resource {tag} (gen/app)",
        f"its scripts stand in the file; `up` puts the same texts below /etc/squid-ha/lifekeeper/{tag}, and leaves "
        "what LifeKeeper runs as it is",
    )


def _can_be_said(texts: Mapping[str, str], section: Mapping[str, str], kind: type[Scripts]) -> bool:
    """As they are, byte for byte: a text that is said ends with a line's end."""
    try:
        said = TypeAdapter(kind).validate_python(section)
    except ValidationError:
        return False
    return all(getattr(said, name) == text for name, text in texts.items())


_OURS = "Managed by squid-ha."
"""What this program's own scripts say of themselves (`blueprint.render.lifekeeper_squid`)."""
_BY_HAND = (
    "Put a script with its first line `#!/...` and an end of line at its end there for each, the same on both nodes, "
    "and adopt again, or take the resource away and have `up` make it"
)


def _place(tag: str) -> str:
    return f"the scripts of {tag} below {scripts.COPIES}"


def _scripts(said: str, tag: str) -> Mapping[str, str]:
    """Setting → text, of one resource; nothing of one that is no text."""
    texts: dict[str, str] = {}
    for line in said.splitlines():
        place, _, rest = line.partition(" ")
        name, _, text = rest.partition(" ")
        if name == tag and place in _FIELDS:
            try:
                texts[_FIELDS[place]] = base64.b64decode(text, validate=True).decode()
            except (binascii.Error, UnicodeDecodeError):
                return {}
    return texts
