"""The cluster's configuration as a document: what is in it of ours, and new versions of it with a change made.

Nothing here talks to a host. A change is a pure function from one document to the next; `live` turns the difference
into a patch. Content of others is never touched.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from lxml import etree

from providers.pacemaker import fragments
from providers.pacemaker.bindings import INFINITY, Binding, about, allowed, bindings, colocated, untagged
from providers.pacemaker.fragments import CLONE_TAGS, CONSTRAINT_TAGS, Element
from providers.pacemaker.model import Clone, Constraint, Primitive

TRANSIENT = ("cli-ban-", "cli-prefer-", "cli-standby-", "drbd-fence-by-handler-")
"""Constraints that tools and handlers leave for a while: nobody's declaration, and never drift."""

PROPERTIES = "cib-bootstrap-options"
"""The set of cluster properties that takes precedence over all others (Pacemaker Explained, "Cluster Options")."""

_REFERENCES = ("rsc", "with-rsc", "first", "then")


@dataclass(frozen=True)
class Found:
    """What the CIB holds of one member; all empty if nothing."""

    primitive: Primitive | None = None
    clone: Clone | None = None
    constraints: Mapping[str, Constraint | None] = field(default_factory=dict[str, "Constraint | None"])

    @property
    def nothing(self) -> bool:
        """Whether the CIB holds nothing of it."""
        return self.primitive is None and self.clone is None and not self.constraints


@dataclass(frozen=True)
class Tie:
    """Two primitives by their ids: ``upper`` stands on ``lower``, that is, runs where that does; ``must``: or not at
    all."""

    upper: str
    lower: str
    must: bool


class Cib:
    """One version of the configuration; methods that change return a new one."""

    def __init__(self, root: Element) -> None:
        self._root = root

    @classmethod
    def parse(cls, text: str) -> Cib:
        """Read `cibadmin --query`. Raises `ValueError` where the text is no CIB. The status section is dropped."""
        parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_blank_text=True)
        try:
            root = etree.fromstring(text.encode(), parser)
        except etree.XMLSyntaxError as error:
            raise ValueError(f"the cluster's configuration is not XML: {error}") from error
        if root.tag != "cib" or root.find("configuration") is None:
            raise ValueError(f"the cluster's configuration begins with <{root.tag}>, not <cib>")
        for status in root.findall("status"):
            root.remove(status)
        return cls(root)

    def text(self) -> str:
        """The document for `crm_diff`, `crm_verify` and `crm_simulate`."""
        document = copy.deepcopy(self._root)
        document.append(etree.Element("status"))
        return etree.tostring(document, encoding="unicode", pretty_print=True)

    @property
    def quorate(self) -> bool:
        """Whether the partition that this was read from has quorum."""
        return self._root.get("have-quorum") == "1"

    # Reading

    def find(self, primitive_id: str, constraint_ids: Collection[str] = ()) -> Found:
        """The member of that id, with those of the named constraints that are there.

        A constraint that the models cannot express stands there as None.
        """
        element = _primitive(self._root, primitive_id)
        parent = element.getparent() if element is not None else None
        clone = fragments.read_clone(parent) if parent is not None and parent.tag in CLONE_TAGS else None
        constraints = {
            name: fragments.read_constraint(constraint)
            for name in constraint_ids
            if (constraint := _constraint(self._root, name)) is not None
        }
        return Found(fragments.read_primitive(element) if element is not None else None, clone, constraints)

    def primitives(self) -> dict[str, Primitive]:
        """Every primitive by its id, ours or not."""
        found = (fragments.read_primitive(element) for element in self._root.iterfind(".//resources//primitive"))
        return {primitive.id: primitive for primitive in found}

    def outer_id(self, primitive_id: str) -> str:
        """What constraints call the member: its clone's id if it is in one."""
        found = self.find(primitive_id)
        return found.clone.id if found.clone else primitive_id

    def inner_id(self, outer_id: str) -> str:
        """The primitive on which others stand that constraints tie to this id: the one in the clone of that name, the
        last one of a group, or the id itself."""
        return self._inside(outer_id)[-1]

    def around(self, primitive_id: str) -> list[str]:
        """Ids of what holds the primitive, from the inside out: its group, its clone. Constraints may name each."""
        return [holder.get("id", "") for holder in _holders(_primitive(self._root, primitive_id))]

    def clone_of(self, primitive_id: str) -> Clone | None:
        """The clone that holds the primitive, by itself or with its group; None if it runs once."""
        holders = _holders(_primitive(self._root, primitive_id))
        return next((fragments.read_clone(holder) for holder in holders if holder.tag in CLONE_TAGS), None)

    def meta(self, primitive_id: str) -> dict[str, str]:
        """The primitive's meta attributes, with those that its group and its clone hand down to it."""
        primitive = _primitive(self._root, primitive_id)
        found: dict[str, str] = {}
        for element in [] if primitive is None else [*reversed(_holders(primitive)), primitive]:
            found |= fragments.read_pairs(element, "meta_attributes")
        return found

    def says(self, primitive_id: str, name: str) -> str:
        """The id of what gives the primitive this meta attribute: its own, its group's or its clone's; '' for none."""
        primitive = _primitive(self._root, primitive_id)
        around = [] if primitive is None else [primitive, *_holders(primitive)]
        saying = (each for each in around if name in fragments.read_pairs(each, "meta_attributes"))
        return next((each.get("id", "") for each in saying), "")

    def ties(self) -> list[Tie]:
        """Which primitive stands on which, by the order of groups and by colocations, those of resource sets included.

        A group stands on something with its first member, and what stands on a group stands on its last one. What is
        kept away from something, or runs where that has its lower role, does not stand on it.
        """
        found = [
            Tie(upper, lower, must=True)
            for group in self._root.iterfind(".//resources//group")
            for lower, upper in pairwise(self._inside(group.get("id", "")))
        ]
        for colocation in self._root.iterfind(".//rsc_colocation"):
            for upper, lower, score in colocated(colocation):
                if score > 0:
                    found.append(Tie(self._inside(upper)[0], self._inside(lower)[-1], score >= INFINITY))
        return found

    def meant(self, name: str) -> set[str]:
        """All primitives that a constraint means by a name: a resource's, a group's, a clone's, or a tag's."""
        return {inner for each in untagged(self._root, name) for inner in self._inside(each)}

    def _inside(self, outer_id: str) -> list[str]:
        """The primitives that constraints mean by an id, in the order of their group."""
        for holder in self._root.iterfind(".//resources//*"):
            if holder.tag in _HOLDERS and holder.get("id") == outer_id:
                return [each.get("id", "") for each in holder.iterfind(".//primitive")] or [outer_id]
        return [outer_id]

    def rule_attributes(self) -> set[str]:
        """Names of node attributes that rules of location constraints ask for."""
        names = {each.get("attribute", "") for each in self._root.iterfind(".//rsc_location//expression")}
        return {name for name in names if not name.startswith("#")}

    def constraints_on(self, resources: Collection[str]) -> list[str]:
        """Ids of all constraints that name one of these resources."""
        return [
            element.get("id", "")
            for element in _section(self._root, "constraints")
            if any(element.get(name) in resources for name in _REFERENCES)
            or any(reference.get("id") in resources for reference in element.iterfind(".//resource_ref"))
        ]

    def transient(self) -> dict[str, Constraint | None]:
        """What tools and handlers have left, by id (see `TRANSIENT`); None where the models cannot express it."""
        elements = {element.get("id", ""): element for element in _section(self._root, "constraints")}
        return {
            name: fragments.read_constraint(element) for name, element in elements.items() if name.startswith(TRANSIENT)
        }

    def about(self, resources: Collection[str]) -> dict[str, str]:
        """Constraints about any of these resources, not those by which others follow them: id → XML. What tools and
        handlers have left is not among them."""
        return {
            name: _legible(etree.tostring(element, encoding="unicode"))
            for element in _section(self._root, "constraints").iterchildren("*")
            if not (name := element.get("id", "")).startswith(TRANSIENT) and about(self._root, element, resources)
        }

    def bindings(self, resources: Collection[str], nodes: Sequence[str]) -> list[Binding]:
        """How location constraints keep these resources off nodes, or bind them to some, without any choice."""
        elements = list(_section(self._root, "constraints").iterchildren("rsc_location"))
        return bindings(self._root, elements, resources, nodes)

    def allowed(self, resources: Collection[str], nodes: Sequence[str]) -> set[str]:
        """The nodes on which some location constraint lets a resource run that goes by any of these names: its own, its
        group's, its clone's."""
        elements = _section(self._root, "constraints").iterchildren("rsc_location")
        return {
            node for element in elements if about(self._root, element, resources) for node in allowed(element, nodes)
        }

    def excerpt(self, primitive_id: str, constraint_ids: Collection[str]) -> str:
        """A member as it stands, to be put back by `restored`; empty if there is nothing of it."""
        found = etree.Element("member")
        outer = _outer(self._root, primitive_id)
        constraints = [_constraint(self._root, name) for name in sorted(constraint_ids)]
        for element in (outer, *constraints):
            if element is not None:
                found.append(copy.deepcopy(element))
        return etree.tostring(found, encoding="unicode") if len(found) else ""

    def options(self, section: str, set_id: str, *, only: bool = False) -> dict[str, str]:
        """Effective values of ``crm_config``, ``rsc_defaults`` or ``op_defaults``; ``set_id`` comes before others.

        ``only`` leaves the others out.
        """
        parent = self._root.find(f"configuration/{section}")
        sets = [pairs for pairs in parent if pairs.find("rule") is None] if parent is not None else []
        effective: dict[str, str] = {}
        for pairs in sorted(sets, key=lambda pairs: pairs.get("id") != set_id):
            if pairs.get("id") == set_id or not only:
                for pair in pairs.findall("nvpair"):
                    effective.setdefault(pair.get("name", ""), pair.get("value", ""))
        return effective

    # Changing

    def with_member(self, primitive: Primitive, clone: Clone | None) -> Cib:
        """With this resource instead of whatever has its id; its place among the others stays."""
        changed = copy.deepcopy(self._root)
        wanted = fragments.clone_element(clone, primitive) if clone else fragments.primitive_element(primitive)
        _put_resource(changed, primitive.id, wanted)
        return Cib(changed)

    def with_constraints(self, constraints: Mapping[str, Constraint]) -> Cib:
        """With these constraints instead of whatever has their ids."""
        changed = copy.deepcopy(self._root)
        for name, constraint in constraints.items():
            _put_constraint(changed, fragments.constraint_element(name, constraint))
        return Cib(changed)

    def without(self, primitive_id: str, constraint_ids: Collection[str]) -> Cib:
        """Without this resource (with its clone) and these constraints; what is not there is no error."""
        changed = copy.deepcopy(self._root)
        for name in constraint_ids:
            _discard(_constraint(changed, name))
        _discard(_outer(changed, primitive_id))
        return Cib(changed)

    def without_constraints(self, constraint_ids: Collection[str]) -> Cib:
        """Without these constraints; what is not there is no error."""
        changed = copy.deepcopy(self._root)
        for name in constraint_ids:
            _discard(_constraint(changed, name))
        return Cib(changed)

    def with_meta(self, primitive_id: str, name: str, value: str) -> Cib:
        """With one meta attribute of the resource (of its clone, if it is in one) set; nothing if it is not there."""
        changed = copy.deepcopy(self._root)
        outer = _outer(changed, primitive_id)
        if outer is None:
            return Cib(changed)
        outer_id = outer.get("id", "")
        meta = next((pairs for pairs in outer.findall("meta_attributes") if pairs.find("rule") is None), None)
        if meta is None:
            meta = fragments.element("meta_attributes", id=f"{outer_id}-meta")
            outer.insert(0, meta)
        _set_pair(meta, name, value)
        return Cib(changed)

    def with_parameter(self, agent: str, name: str, value: str) -> Cib:
        """With this value wherever a resource of ``agent`` has the parameter; where it has none it gets none."""
        changed = copy.deepcopy(self._root)
        for element in changed.iterfind(".//resources//primitive"):
            if fragments.read_primitive(element).agent == agent:
                for pair in element.iterfind("instance_attributes/nvpair"):
                    if pair.get("name") == name:
                        pair.set("value", value)
        return Cib(changed)

    def with_options(self, section: str, set_id: str, put: Mapping[str, str], drop: Collection[str] = ()) -> Cib:
        """With these values in the set ``set_id`` of ``section``, and without those in ``drop``."""
        changed = copy.deepcopy(self._root)
        parent = _section(changed, section)
        pairs = next((child for child in parent if child.get("id") == set_id), None)
        if pairs is None:
            # The score puts our defaults before those of others; for properties the set's name does.
            pairs = (
                fragments.element("cluster_property_set", id=set_id)
                if section == "crm_config"
                else fragments.element("meta_attributes", id=set_id, score="INFINITY")
            )
            parent.append(pairs)
        for name, value in sorted(put.items()):
            _set_pair(pairs, name, value)
        for pair in pairs.findall("nvpair"):
            if pair.get("name") in drop:
                pairs.remove(pair)
        if len(pairs) == 0:
            parent.remove(pairs)
        return Cib(changed)

    def restored(self, excerpt: str) -> Cib:
        """With a member as `excerpt` found it."""
        changed = copy.deepcopy(self._root)
        for element in etree.fromstring(excerpt):
            if element.tag in CONSTRAINT_TAGS:
                _put_constraint(changed, element)
            else:
                primitive = element if element.tag == "primitive" else element.find(".//primitive")
                _put_resource(changed, "" if primitive is None else primitive.get("id", ""), element)
        return Cib(changed)


def _section(root: Element, name: str) -> Element:
    configuration = root.find("configuration")
    if configuration is None:
        raise ValueError("a CIB without a configuration")
    section = configuration.find(name)
    return etree.SubElement(configuration, name) if section is None else section


def _primitive(root: Element, primitive_id: str) -> Element | None:
    return _by_id(root.iterfind(".//resources//primitive"), primitive_id)


def _outer(root: Element, primitive_id: str) -> Element | None:
    element = _primitive(root, primitive_id)
    parent = element.getparent() if element is not None else None
    return parent if parent is not None and parent.tag in CLONE_TAGS else element


def _put_resource(root: Element, primitive_id: str, wanted: Element) -> None:
    """Instead of whatever has the primitive's id, in its place, which may be one in a group."""
    old = _outer(root, primitive_id)
    parent = old.getparent() if old is not None else None
    if old is None or parent is None:
        _section(root, "resources").append(wanted)
    else:
        parent.replace(old, wanted)


_HOLDERS = CLONE_TAGS | {"group"}


def _holders(primitive: Element | None) -> list[Element]:
    """What holds the primitive, from the inside out."""
    above = primitive.iterancestors() if primitive is not None else ()
    return [element for element in above if element.tag in _HOLDERS]


def _legible(text: str) -> str:
    """Without the quotes that JSON would have to escape, where that can be."""
    return text if "'" in text else text.replace('"', "'")


def _constraint(root: Element, constraint_id: str) -> Element | None:
    return _by_id(iter(_section(root, "constraints")), constraint_id)


def _put_constraint(root: Element, wanted: Element) -> None:
    _discard(_constraint(root, wanted.get("id", "")))
    _section(root, "constraints").append(wanted)


def _by_id(elements: Iterator[Element], wanted: str) -> Element | None:
    return next((element for element in elements if element.get("id") == wanted), None)


def _discard(element: Element | None) -> None:
    parent = element.getparent() if element is not None else None
    if element is not None and parent is not None:
        parent.remove(element)


def _set_pair(pairs: Element, name: str, value: str) -> None:
    pair = next((child for child in pairs.findall("nvpair") if child.get("name") == name), None)
    if pair is None:
        pair = fragments.element("nvpair", id=f"{pairs.get('id')}-{name}", name=name)
        pairs.append(pair)
    pair.set("value", value)
