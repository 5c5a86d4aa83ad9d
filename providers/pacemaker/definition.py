"""What the cluster's configuration says of one resource that somebody else has defined, in a form to be held against
later: its own element with what it is wrapped in, and the constraints that tie it. Pure.

A neighbour in the same group counts by its place only, so that a change is told of the resource that was changed.
"""

from __future__ import annotations

import copy
import hashlib

from lxml import etree

from providers.host.digest import AS_FOUND
from providers.pacemaker.bindings import fits
from providers.pacemaker.cib import TRANSIENT, Cib
from providers.pacemaker.fragments import Element

_PASSING = frozenset({"target-role", "is-managed", "maintenance"})
"""What tools set on a resource for a while; one that does not run is told all the same."""

_DEPENDENT = ("rsc", "then")
"""How a constraint names the resource that it is about, not the one that this follows."""


def digest(cib: Cib, primitive_id: str) -> str | None:
    """``as-found:<hex>`` over the definition of a primitive; None where there is none of that id."""
    text = definition(cib, primitive_id)
    return None if text is None else AS_FOUND + hashlib.sha256(text).hexdigest()


def definition(cib: Cib, primitive_id: str) -> bytes | None:
    """The definition as canonical XML (C14N), with all that says the same written the same."""
    root = etree.fromstring(cib.text().encode(), etree.XMLParser(remove_blank_text=True, resolve_entities=False))
    primitive = next(
        (each for each in root.iterfind(".//resources//primitive") if each.get("id") == primitive_id), None
    )
    if primitive is None:
        return None
    made = etree.Element("found")
    made.append(_plain(primitive))
    called, below = [primitive_id], primitive
    while (above := below.getparent()) is not None and above.tag != "resources":
        if above.tag == "group" and (after := _before(below)):
            # What is said of the whole group is told of its first member.
            made.append(etree.Element("group", id=above.get("id", ""), after=after))
            break
        made.append(_plain(above, bare=True))
        called.append(above.get("id", ""))
        below = above
    made.extend(sorted(_constraints(root, called), key=lambda each: each.get("id", "")))
    return etree.tostring(made, method="c14n")


def _before(member: Element) -> str:
    """The member of a group that this one stands on; '' for the first."""
    neighbour = member.getprevious()
    return neighbour.get("id", "") if neighbour is not None and neighbour.tag == "primitive" else ""


def _plain(element: Element, *, bare: bool = False) -> Element:
    """Without what tools set and take back, empty sets, the ids of pairs and sets, and the order of pairs.

    ``bare``: a clone or a group without its members.
    """
    made = etree.Element(element.tag)
    for name, value in element.attrib.items():
        made.set(name, value)
    for child in element:
        if bare and child.tag in ("primitive", "group"):
            continue
        if child.tag.endswith("_attributes"):
            pairs = [each for each in child.iterfind("nvpair") if each.get("name") not in _PASSING]
            if pairs or child.find("rule") is not None:
                made.append(_set(child, pairs))
        else:
            made.append(copy.deepcopy(child))
    return made


def _set(found: Element, pairs: list[Element]) -> Element:
    made = etree.Element(found.tag)
    made.extend(copy.deepcopy(each) for each in found if each.tag != "nvpair")
    for each in sorted(pairs, key=lambda pair: pair.get("name", "")):
        made.append(etree.Element("nvpair", name=each.get("name", ""), value=each.get("value", "")))
    return made


def _constraints(root: Element, called: list[str]) -> list[Element]:
    """Constraints about these; of a set all that it names are meant, of a pattern all that it fits."""
    return [
        copy.deepcopy(each)
        for each in root.iterfind("configuration/constraints/*")
        if not each.get("id", "").startswith(TRANSIENT)
        and (
            any(each.get(name) in called for name in _DEPENDENT)
            or any(reference.get("id") in called for reference in each.iterfind(".//resource_ref"))
            or any(fits(each.get("rsc-pattern"), name) for name in called)
        )
    ]
