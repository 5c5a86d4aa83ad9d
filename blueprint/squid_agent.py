"""What the agent that runs Squid is told, whichever engine calls it."""

from __future__ import annotations

from blueprint import logs
from blueprint.platforms import PLATFORMS
from blueprint.render.squid_conf import PROBE_DOMAIN, PROBE_URL
from blueprint.render.squid_logs import RECORD_PATH
from declaration.site import Site


def parameters(site: Site) -> dict[str, str]:
    """Parameter → value; of the log only where something other than the usual is declared."""
    told = {
        "unit": PLATFORMS[site.platform].squid_unit,
        "port": str(site.squid.port),
        "probe_url": site.squid.probe_url or PROBE_URL,
        "probe_timeout": str(max(round(site.timeouts.squid.monitor.seconds) - 10, 5)),
    }
    if log := logs.records_looked_for(site):
        told |= {
            "record_log": log,
            "record_url": f"http://{PROBE_DOMAIN}{RECORD_PATH}",
            "record_lost": site.log.on_lost,
        }
    return told
