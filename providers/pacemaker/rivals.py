"""Resources of others that do what one of this program's would: two of them side by side break the service. Pure."""

from __future__ import annotations

from providers.pacemaker.cib import Cib
from providers.pacemaker.model import Primitive

MEMBERS = frozenset({"fencing", "mirror", "filesystem", "squid", "address", "reachability"})
"""All resources that this program makes (`blueprint.engines.pacemaker`); any other in a cluster is somebody else's."""

_BY_PARAMETER = {
    "ocf:heartbeat:IPaddr2": "ip",
    "ocf:heartbeat:IPaddr": "ip",
    "ocf:linbit:drbd": "drbd_resource",
    "ocf:heartbeat:Filesystem": "directory",
    "ocf:squid-ha:squid": "unit",
    "ocf:heartbeat:Squid": "squid_port",
}
"""Agent → the parameter that says what of a node it uses."""

_KIN = {"ocf:heartbeat:IPaddr": "ocf:heartbeat:IPaddr2", "ocf:heartbeat:Squid": "ocf:squid-ha:squid"}
_SQUID = "ocf:squid-ha:squid"
_KIN_OF_SQUID = {agent for agent, kin in _KIN.items() if kin == _SQUID}


def rival(cib: Cib, primitive: Primitive) -> str:
    """The id of another resource that uses what ``primitive`` would; '' where there is none."""
    used = _uses(primitive)
    others = (each for name, each in cib.primitives().items() if name != primitive.id)
    return next((each.id for each in others if used & _uses(each)), "")


def squid_of_others(cib: Cib, unit: str = "squid.service") -> str:
    """The id of a resource that runs Squid and is none of this program's; '' where there is none."""
    every = cib.primitives()
    if any(each.agent == _SQUID for each in every.values()):
        # The service is this program's; another Squid beside it is somebody's own affair.
        return ""
    others = every.values()
    return next((each.id for each in others if _uses(each) & {(_SQUID, unit)} or each.agent in _KIN_OF_SQUID), "")


def others(cib: Cib) -> list[str]:
    """The resources that are none of this program's, by id. Fencing devices are not among them: they guard the nodes,
    whatever runs there."""
    return [
        name for name, each in cib.primitives().items() if name not in MEMBERS and not each.agent.startswith("stonith:")
    ]


def _uses(primitive: Primitive) -> set[tuple[str, str]]:
    """What of a node a resource uses, as (agent, value): an address, a mount point, a unit, a port."""
    agent = primitive.agent
    if agent.startswith("systemd:"):
        unit = agent.removeprefix("systemd:")
        return {(_SQUID, unit if "." in unit else f"{unit}.service")}
    name = _BY_PARAMETER.get(agent)
    values = {primitive.parameters.get(name) or ""} if name else set[str]()
    if agent == _SQUID:
        values.add(primitive.parameters.get("port") or "")
    return {(_KIN.get(agent, agent), value) for value in values if value}
