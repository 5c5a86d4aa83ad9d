"""The cluster's configuration as a document: what is in it of ours, and new versions of it with a change made.

Nothing here talks to a host. A change is a pure function from one document to the next; `live` turns the difference
into a patch. Content of others is never touched.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from lxml import etree

from providers.pacemaker import fragments
from providers.pacemaker.fragments import CONSTRAINT_TAGS, Element
from providers.pacemaker.model import Clone, Colocation, Constraint, Primitive

TRANSIENT = ("cli-ban-", "cli-prefer-", "cli-standby-", "drbd-fence-by-handler-")
"""Constraints that tools and handlers leave for a while: nobody's declaration, and never drift."""

PROPERTIES = "cib-bootstrap-options"
"""The set of cluster properties that takes precedence over all others (Pacemaker Explained, "Cluster Options")."""

_ALWAYS = "INFINITY"
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
        clone = fragments.read_clone(parent) if parent is not None and parent.tag == "clone" else None
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
        """The primitive that constraints mean by this id: the one in the clone of that name, or the id itself."""
        clone = _by_id(self._root.iterfind(".//resources//clone"), outer_id)
        primitive = clone.find("primitive") if clone is not None else None
        return outer_id if primitive is None else primitive.get("id", "")

    def colocations(self) -> list[Colocation]:
        """All plain colocations, ours or not."""
        read = (fragments.read_constraint(element) for element in self._root.iterfind(".//rsc_colocation"))
        return [constraint for constraint in read if isinstance(constraint, Colocation)]

    def together(self) -> list[set[str]]:
        """Primitives that cannot run apart, by id: in a colocation that must hold, one with resource sets too, or a
        group."""
        found = [
            {each.get("id", "") for each in group.iterfind("primitive")}
            for group in self._root.iterfind(".//resources//group")
        ]
        for tie in self._root.iterfind(".//rsc_colocation"):
            if tie.get("score", _ALWAYS).removeprefix("+") == _ALWAYS:
                named = [tie.get("rsc"), tie.get("with-rsc"), *(each.get("id") for each in tie.iter("resource_ref"))]
                found.append({inner for name in named if name for inner in self._inside(name)})
        return found

    def _inside(self, outer_id: str) -> set[str]:
        group = _by_id(self._root.iterfind(".//resources//group"), outer_id)
        return {self.inner_id(outer_id)} if group is None else {each.get("id", "") for each in group}

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
        old = _outer(changed, primitive.id)
        parent = _section(changed, "resources") if old is None else old.getparent()
        if old is None or parent is None:
            _section(changed, "resources").append(wanted)
        else:
            parent.replace(old, wanted)
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
                if primitive is not None:
                    _discard(_outer(changed, primitive.get("id", "")))
                _section(changed, "resources").append(element)
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
    return parent if parent is not None and parent.tag == "clone" else element


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
