"""Other proxies, out of Squid's language into the declaration's."""

from __future__ import annotations

import re
from typing import Any

from declaration.squid_parents import Parent
from operations.adopt.directives import Reader, fits, from_file
from providers.squid.conf import Directive

_WORDS = 4
"""Of a parent: its name, that it is one, its port, and that of ICP."""
_CHOOSE = {"round-robin": "in_turn", "sourcehash": "by_client"}
_OURS = frozenset({"no-query", "no-digest"})
"""What this program says of every parent."""
_TLS = frozenset({"tls", "ssl"})
_PASSED = "login=PASSTHRU"
_PAST = (
    "what Squid does without `nonhierarchical_direct off`: tunnels, and other requests whose answers cannot be kept, go"
    " to the servers themselves; with the declared parents they go to these, too, as long as one answers"
)
_WEIGHT = re.compile(r"weight=([1-9][0-9]{0,3})")


def read(reader: Reader) -> dict[str, Any]:
    """``parents`` below ``squid``."""
    found = [each for each in reader.of("cache_peer") if _can_be_said(each)]
    if not found:
        return {}
    turn = next((word for word in _CHOOSE if all(word in each.words for each in found)), "")
    proxies = [_parent(reader, each, turn) for each in found]
    never = bool(reader.take("never_direct", lambda each: each.words == ("allow", "all")))
    past = reader.of("nonhierarchical_direct")
    reader.take("nonhierarchical_direct", lambda each: each.words == ("off",))
    if not never and (not past or past[-1].words != ("off",)):
        reader.unsaid(past[-1] if past else found[0], _PAST)
    choose = _CHOOSE.get(turn, "first")
    return {"parents": {"proxies": proxies, "choose": choose, "direct": "never" if never else "as_last_resort"}}


def _can_be_said(each: Directive) -> bool:
    if len(each.words) < _WORDS or each.words[1] != "parent" or not each.words[2].isdecimal():
        return False
    return fits(Parent, "host", each.words[0]) and fits(Parent, "port", int(each.words[2]))


def _parent(reader: Reader, each: Directive, turn: str) -> dict[str, Any]:
    host, _, port, icp, *options = each.words
    made: dict[str, Any] = {"host": host, "port": int(port)}
    made |= {"tls": True} if _TLS & set(options) else {}
    weight = next((int(found[1]) for word in options if (found := _WEIGHT.fullmatch(word))), 0)
    made |= {"weight": weight} if fits(Parent, "weight", weight) else {}
    made |= {"login": "pass"} if _PASSED in options else {}
    reader.done(each)
    unlike = _unlike(options, icp, turn)
    if unlike:
        reader.unsaid(each, f"{', '.join(unlike)}, without which this parent is declared")
    name = next((word.partition("=")[2] for word in options if word.startswith("name=")), host)
    return made | _domains(reader, name.lower())


def _unlike(options: list[str], icp: str, turn: str) -> list[str]:
    """What is said of a parent that the declaration does not say."""
    made = ["its login"] if any(word.startswith("login=") and word != _PASSED for word in options) else []
    known = _OURS | _TLS | ({turn} if turn else set[str]())
    others = [word.partition("=")[0] for word in options if word not in known and not _is_said(word)]
    made += [f"`{word}`" for word in others]
    return made + (["questions by ICP"] if icp not in ("0", "7") and "no-query" not in options else [])


def _is_said(word: str) -> bool:
    found = _WEIGHT.fullmatch(word)
    return word.startswith(("login=", "name=")) or (found is not None and fits(Parent, "weight", int(found[1])))


def _domains(reader: Reader, name: str) -> dict[str, Any]:
    """The parent's domains: lists of them that it is allowed, one on a line, and nothing else."""
    rules = [rule for rule in reader.of("cache_peer_access") if rule.words and rule.words[0].lower() == name]
    asked = [tuple(word.lower() for word in rule.words[1:]) for rule in rules]
    if asked and asked[-1] == ("deny", "all"):
        asked.pop()
    if asked == [("allow", "all")]:
        reader.done(*rules)
        return {}
    domains = [domain for words in asked for domain in _listed(reader, words)]
    if not all(_listed(reader, words) for words in asked) or not fits(Parent, "domains", domains):
        for rule in rules:
            reader.unsaid(rule, "which requests go to this parent, if not by their domains alone")
        return {}
    reader.used(word for words in asked for word in words[1:])
    reader.done(*rules)
    return {"domains": list(dict.fromkeys(domains))}


def _listed(reader: Reader, words: tuple[str, ...]) -> tuple[str, ...]:
    """The domains of ``allow LIST``; none for any other rule."""
    kind, values = reader.lists.get(words[-1], ("", ()))
    plain = len(words) == 2 and words[0] == "allow" and kind == "dstdomain"  # noqa: PLR2004
    return values if plain and not from_file(values) else ()
