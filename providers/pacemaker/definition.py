"""What the cluster's configuration says of one resource that somebody else has defined, in a form to be held against
later: its own element with what it is wrapped in, and the constraints that tie it. Pure.

A neighbour in the same group counts by its place only, so that a change is told of the resource that was changed.
"""

from __future__ import annotations

import copy
import hashlib

from lxml import etree

from providers.host.digest import AS_FOUND
from providers.pacemaker.cib import TRANSIENT, Cib
from providers.pacemaker.fragments import Element

_DEPENDENT = ("rsc", "then")
"""How a constraint names the resource that it is about, not the one that this follows."""


def digest(cib: Cib, primitive_id: str) -> str | None:
    """``as-found:<hex>`` over the definition of a primitive; None where there is none of that id."""
    text = definition(cib, primitive_id)
    return None if text is None else AS_FOUND + hashlib.sha256(text).hexdigest()


def definition(cib: Cib, primitive_id: str) -> bytes | None:
    """The definition as canonical XML (C14N), so that what a tool formats otherwise stays the same."""
    root = etree.fromstring(cib.text().encode(), etree.XMLParser(remove_blank_text=True, resolve_entities=False))
    primitive = next(
        (each for each in root.iterfind(".//resources//primitive") if each.get("id") == primitive_id), None
    )
    if primitive is None:
        return None
    made = etree.Element("found")
    made.append(copy.deepcopy(primitive))
    called, below = [primitive_id], primitive
    while (above := below.getparent()) is not None and above.tag != "resources":
        made.append(_wrapping(above))
        first = above.tag != "group" or next(above.iterfind("primitive"), None) is below
        if not first:
            break
        called.append(above.get("id", ""))
        below = above
    made.extend(sorted(_constraints(root, called), key=lambda each: each.get("id", "")))
    return etree.tostring(made, method="c14n")


def _wrapping(element: Element) -> Element:
    """A clone or a group without what its members say of themselves."""
    bare = etree.Element(element.tag)
    for name, value in element.attrib.items():
        bare.set(name, value)
    for child in element:
        if child.tag in ("primitive", "group"):
            bare.append(etree.Element("member", id=child.get("id", "")))
        else:
            bare.append(copy.deepcopy(child))
    return bare


def _constraints(root: Element, called: list[str]) -> list[Element]:
    """Constraints about these; of a set all that it names are meant."""
    return [
        copy.deepcopy(each)
        for each in root.iterfind("configuration/constraints/*")
        if not each.get("id", "").startswith(TRANSIENT)
        and (
            any(each.get(name) in called for name in _DEPENDENT)
            or any(reference.get("id") in called for reference in each.iterfind(".//resource_ref"))
        )
    ]
