"""The proxy's things: Squid's configuration on all nodes, the agent that probes it, the mirror's rotation."""

from __future__ import annotations

from blueprint import names, profile, rotation, squid
from blueprint.nodes import present
from blueprint.parts import PROXY
from blueprint.platforms import PLATFORMS
from blueprint.squid import squid_conf_text
from blueprint.thing import Thing
from blueprint.traits import traits
from declaration.probed import is_probed
from declaration.site import Site
from providers.host import settings_kind
from providers.host.settings import FileState, NodeSettings
from providers.squid import agent

__all__ = ["squid_conf_text", "things"]


def things(site: Site, owner: str) -> list[Thing]:
    """Profile and configuration always; agent where an engine runs Squid; rotation where there is a mirror."""
    made = [profile.thing(site, owner), squid.thing(site, owner)]
    if site.virtual_ip is not None and is_probed(site):
        made.append(_agent(site))
    if site.mirror is not None:
        made.append(rotation.thing(site, owner))
    return made


def _agent(site: Site) -> Thing:
    platform, path = PLATFORMS[site.platform], traits(site).agent_path
    text = agent.text(platform.squid_unit, platform.squid_configuration)
    settings = NodeSettings(
        directories={path.rsplit("/", 1)[0]: "0755 root:root"},
        files={path: FileState(content=text, mode="0755", owner="root:root")},
    )
    inputs = settings_kind.Wanted(nodes=dict.fromkeys(present(site), settings))
    return Thing(names.SQUID_AGENT, "host.settings", inputs, PROXY, (names.PACKAGES,))
