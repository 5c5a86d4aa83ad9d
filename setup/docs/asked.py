"""What LifeKeeper is only asked: lines that change nothing and stand in no plan, from the code that says them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

from blueprint.site import things
from declaration.site import Site
from providers.connection.command import Command
from providers.kinds import load_kind
from providers.lifekeeper import grammar, node, views
from providers.lifekeeper.extending import asks_kit
from providers.lifekeeper.grammar.models import LEAST_FIRST, Certainty
from providers.lifekeeper.resource import Kit, Member
from providers.lifekeeper.speaking import asks_help
from providers.lifekeeper.views import Instance

_EACH = "each node"


@dataclass(frozen=True)
class Question:
    """``why`` it is asked, and where; ``line`` as a person pastes it into a shell."""

    why: str
    node: str
    line: str
    certainty: Certainty
    source: tuple[str, ...]


def questions(site: Site) -> list[Question]:
    """All that this program asks the site's LifeKeeper, once."""
    listed = [thing for thing in things(site, "squid-ha/reference") if thing.kind.startswith("lifekeeper.")]
    assumed = [name for thing in listed if isinstance(thing.inputs, node.Wanted) for name in thing.inputs.assumed]
    made = [_question("how LifeKeeper and its resources are", _EACH, each) for each in views.lists()]
    made.append(_question("which version it is, for `squid-ha doctor`", _EACH, views.asks("lkcli", version=True)))
    made += [_question("whether it takes the line as assumed", _EACH, asks_help(name)) for name in assumed]
    deletion = asks_help("lkcli resource delete")
    made.append(
        _question("whether it takes the line that deletes, for `squid-ha doctor` and removals", _EACH, deletion)
    )
    for thing in listed:
        if isinstance(thing.inputs, Member):
            kind: Any = load_kind(thing.kind)
            made += _extendable(thing.inputs, cast("Kit", kind.KIT))
    return made


def _extendable(wanted: Member, kit: Kit) -> Iterator[Question]:
    resource = Instance(kit.app, kit.type, wanted.tag, "", "", "")
    source, *targets = wanted.nodes
    for target in targets:
        yield _question(f"whether {wanted.tag} can be extended", source, asks_kit(resource, source, target))


def _question(why: str, where: str, asked: Command) -> Question:
    certainty, source = _known(asked.argv)
    return Question(why, where, asked.shell(), certainty, source)


def _known(argv: Sequence[str]) -> tuple[Certainty, tuple[str, ...]]:
    """How well a line is known, and where from; with what it has run elsewhere."""
    call = grammar.parse(argv)
    if call.help:
        return "assumed", ()
    known = grammar.load().command(call.command)
    certainty = known.certainty_of(call.values)
    if call.command != "lcdremexec":
        return certainty, known.source
    there, source = _known(call.values["command"])
    least: Certainty = min((certainty, there), key=LEAST_FIRST.index)
    return least, (*known.source, *source)
