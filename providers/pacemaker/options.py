"""Cluster-wide options of the CIB: properties, defaults of resources and operations. Foreign ones are left alone."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from providers.connection.cluster import Cluster
from providers.connection.errors import Refused
from providers.contract import Absent, Observed, Present, State
from providers.pacemaker import journals, live
from providers.pacemaker.cib import PROPERTIES, Cib
from providers.pacemaker.fragments import YES
from providers.pacemaker.live import Live
from providers.pacemaker.rivals import others, squid_of_others

SECTIONS = {
    "properties": ("crm_config", PROPERTIES),
    "resource_defaults": ("rsc_defaults", "squid-ha-resource-defaults"),
    "operation_defaults": ("op_defaults", "squid-ha-operation-defaults"),
}
"""Field of `Wanted` → section of the CIB and the id of the set that we write there."""
_FOUND, _NOTHING = "found ", "-"

_HARMLESS: Mapping[str, Mapping[str, str]] = {
    "properties": {"symmetric-cluster": "true", "startup-fencing": "true", "shutdown-lock": "false"},
    "resource_defaults": {"is-managed": "true", "maintenance": "false"},
}
"""What is never declared, and keeps a node from taking over, or from doing so safely, where it is not as it is by
itself: section → option → its default (pacemaker-schedulerd(7); Pacemaker Explained, "Resource Meta-Attributes")."""


class Wanted(State):
    """Only the names given here are ours (pacemaker-controld(7), pacemaker-schedulerd(7)). What else would keep a node
    from taking over is never wanted, and there on observation where it is so."""

    properties: dict[str, str | None]
    resource_defaults: dict[str, str | None] = Field(default_factory=dict[str, "str | None"])
    operation_defaults: dict[str, str | None] = Field(default_factory=dict[str, "str | None"])

    def section(self, name: str) -> Mapping[str, str | None]:
        """The names and values of one field in `SECTIONS`."""
        return {
            "properties": self.properties,
            "resource_defaults": self.resource_defaults,
            "operation_defaults": self.operation_defaults,
        }[name]


async def observe(cluster: Cluster, wanted: Wanted) -> Observed[Wanted]:
    """The values in effect for the names wanted. Raises `Unknown` where no node can tell."""
    current = await live.read(cluster)
    values = {name: _effective(current.cib, name, wanted.section(name)) for name in SECTIONS}
    if all(value is None for section in values.values() for value in section.values()):
        return Absent()
    wrong = {name: _harmful(current.cib, name, wanted) for name in SECTIONS}
    return Present(Wanted(**{name: {**section, **wrong[name]} for name, section in values.items()}))


def _effective(cib: Cib, name: str, wanted: Mapping[str, str | None]) -> dict[str, str | None]:
    there = cib.options(*SECTIONS[name])
    return {option: there.get(option) for option in wanted}


def harmful(section: str, effective: Mapping[str, str]) -> dict[str, str]:
    """Those of the options in effect by which a node does not take over, or not safely."""
    return {
        option: effective[option]
        for option, default in _HARMLESS.get(section, {}).items()
        if option in effective and (effective[option].lower() in YES) != (default in YES)
    }


def _harmful(cib: Cib, name: str, wanted: Wanted) -> dict[str, str | None]:
    """The same, as far as nobody has declared them."""
    there = harmful(name, cib.options(*SECTIONS[name]))
    return {option: value for option, value in there.items() if option in _never_declared(name, wanted)}


def _never_declared(name: str, wanted: Wanted) -> dict[str, str]:
    """Without fencing there is none at startup either."""
    fenced = wanted.properties.get("stonith-enabled") == "true"
    return {
        option: default
        for option, default in _HARMLESS.get(name, {}).items()
        if option not in wanted.section(name) and (fenced or option != "startup-fencing")
    }


async def converge(cluster: Cluster, wanted: Wanted, observed: Observed[Wanted]) -> None:  # noqa: ARG001
    """One patch: the values wanted, and those that an earlier declaration set back to what they were."""
    current = await live.settled_quorum(cluster)
    if other := squid_of_others(current.cib):
        raise Refused(
            f"`{other}`, which runs Squid in this cluster, is none of this program's; so are the cluster's options",
            node=current.node.name,
            remedy="leave the cluster as it is (`pacemaker.adopted`, docs/adopt.md), or delete that resource first",
        )
    _refuse_harmful(current, wanted)
    for _, option, value in _harmful_everywhere(current.cib, wanted):
        cluster.progress(f"Setting an option of the cluster back that is not declared: {option}={value}")
    known = await journals.entries(cluster)
    found = {**_found(current.cib, wanted), **_found_harmful(current.cib, wanted, known)}
    await journals.begin(cluster, found, known)
    stale = {key: value for key, value in known.items() if key.startswith(_FOUND) and key not in found}
    await live.change(cluster, lambda now: _edit(now, stale, wanted), live=current)
    await journals.finish(cluster, stale)


def _refuse_harmful(current: Live, wanted: Wanted) -> None:
    """Set back, an option of the whole cluster may start what others have kept from running, or stop it."""
    theirs, wrong = others(current.cib), _harmful_everywhere(current.cib, wanted)
    if theirs and wrong:
        raise Refused(
            f"{', '.join(f'`{option}={value}`' for _, option, value in wrong)} keeps a node from taking over, or from "
            f"doing so safely; it is not set back here, because it counts for {', '.join(theirs)} too, none of this "
            "program's",
            node=current.node.name,
            remedy="where that is right for the others too, take it back: "
            + ", ".join(f"`crm_attribute --type {place} --name {option} --delete`" for place, option, _ in wrong),
        )


def _harmful_everywhere(cib: Cib, wanted: Wanted) -> list[tuple[str, str, str | None]]:
    """Section of the CIB, option, value."""
    return [
        (place, option, value)
        for name, (place, _) in SECTIONS.items()
        for option, value in _harmful(cib, name, wanted).items()
    ]


def _edit(now: Live, stale: Mapping[str, str], wanted: Wanted) -> Cib:
    # Somebody may have set one since it was looked at.
    _refuse_harmful(now, wanted)
    return _with(_restored(now.cib, stale), wanted)


def _found(cib: Cib, wanted: Wanted) -> dict[str, str]:
    """What stands in the very places that we write to, whatever other sets may say."""
    found: dict[str, str] = {}
    for name, place in SECTIONS.items():
        there = cib.options(*place, only=True)
        for option in wanted.section(name):
            found[f"{_FOUND}{name} {option}"] = f"={there[option]}" if option in there else _NOTHING
    return found


def _found_harmful(cib: Cib, wanted: Wanted, known: Mapping[str, str]) -> dict[str, str]:
    """The same of what is never declared. What came later than the declaration was not found, and is not given back."""
    found: dict[str, str] = {}
    for name, place in SECTIONS.items():
        there, wrong = cib.options(*place, only=True), _harmful(cib, name, wanted)
        for option in _never_declared(name, wanted):
            key = f"{_FOUND}{name} {option}"
            if key in known:
                found[key] = known[key]
            elif option in wrong:
                found[key] = f"={there[option]}" if option in there and not known else _NOTHING
    return found


async def remove(cluster: Cluster, wanted: Wanted) -> None:  # noqa: ARG001 - the journal knows what was there
    """Every option as it was found."""
    known = await journals.entries(cluster)
    found = {key: value for key, value in known.items() if key.startswith(_FOUND)}
    if found:
        await live.change(cluster, lambda now: _restored(now.cib, found), verify=False)
    await journals.forget(cluster)


def _with(cib: Cib, wanted: Wanted) -> Cib:
    for name, (section, set_id) in SECTIONS.items():
        values = {option: value for option, value in wanted.section(name).items() if value is not None}
        if values:
            cib = cib.with_options(section, set_id, values)
        if wrong := _harmful(cib, name, wanted):
            cib = cib.with_options(section, set_id, {}, wrong)
        if wrong := _harmful(cib, name, wanted):
            # Another set says so too; ours comes first.
            default = _never_declared(name, wanted)
            cib = cib.with_options(section, set_id, {option: default[option] for option in wrong})
    return cib


def _restored(cib: Cib, found: Mapping[str, str]) -> Cib:
    for key, value in found.items():
        name, _, option = key.removeprefix(_FOUND).partition(" ")
        section, set_id = SECTIONS[name]
        if value == _NOTHING:
            cib = cib.with_options(section, set_id, {}, [option])
        else:
            cib = cib.with_options(section, set_id, {option: value.removeprefix("=")})
    return cib
