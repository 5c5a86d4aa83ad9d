"""Constraints about members of this program's that nobody has declared: somebody has made them by hand. Pure."""

from __future__ import annotations

from collections.abc import Collection

from lxml import etree

from providers.pacemaker.bindings import subjects
from providers.pacemaker.cib import Cib
from providers.pacemaker.rivals import MEMBERS
from providers.pacemaker.steps import PLACE

OWN = frozenset(
    {
        *("filesystem-with-mirror-clone", "filesystem-after-mirror-clone"),
        *("squid-with-filesystem", "squid-after-filesystem", "squid-reachable"),
        *("address-with-squid", "address-after-squid"),
    }
)
"""All that this program makes (`blueprint.engines.pacemaker.tree`): one that is about a member may be another thing's,
or of a declaration that is being changed. Each is looked at by the thing that makes it."""


def undeclared(cib: Cib, primitive_id: str, declared: Collection[str]) -> dict[str, str]:
    """Those about the member, its group or its clone, by id, as XML."""
    about = cib.about({primitive_id, *cib.around(primitive_id)})
    return {
        name: text
        for name, text in about.items()
        if name not in declared and name not in OWN and not name.startswith(PLACE)
    }


def about_several(cib: Cib, text: str) -> bool:
    """Whether others' resources may be bound by such a constraint: it names its own by sets or a pattern, or by a group
    or a tag that others' are in."""
    found = etree.fromstring(text)
    if found.get("rsc-pattern") is not None or found.find("resource_set") is not None:
        return True
    return any(cib.meant(name) - MEMBERS for name in subjects(found))


def tag(text: str) -> str:
    """The kind of such a constraint, as the configuration calls it."""
    return str(etree.fromstring(text).tag)


def by_hand(name: str, tag: str = "rsc_location") -> str:
    """How somebody deletes a constraint on a node."""
    return f"`cibadmin --delete --xml-text '<{tag} id=\"{name}\"/>'`, or `pcs constraint delete {name}`"
