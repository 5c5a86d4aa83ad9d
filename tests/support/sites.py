"""Declarations for the lab's hosts, as plain data that a test may change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2
import yaml

TEMPLATE = Path(__file__).parents[2] / "stacks/templates/lab.yaml.j2"


def reference(run_directory: Path, engine: str = "pacemaker") -> dict[str, Any]:
    """The reference site, phase 3, on the lab whose run directory this is."""
    template = jinja2.Template(TEMPLATE.read_text(), undefined=jinja2.StrictUndefined)
    text = template.render(lab=run_directory.parent, engine=engine)
    site: dict[str, Any] = yaml.safe_load(text)["config"]["squid-ha:site"]
    site["ssh"] |= {
        "identity": str(run_directory / "id_ed25519"),
        "known_hosts": str(run_directory / "known_hosts"),
        "proxy_command": f"socat - UNIX-CONNECT:{run_directory}/%n.ssh",
    }
    return site


def without_mirror(site: dict[str, Any]) -> dict[str, Any]:
    """The same site without its mirror, and without what only a site with a mirror has. Changes what it is given."""
    for part in ("mirror", "rotation", "timeouts"):
        del site[part]
    return site


def on_containers(run_directory: Path) -> dict[str, Any]:
    """Phase 2: all but the mirror and the fencing that needs a disk, neither of which a container can have."""
    site = without_mirror(reference(run_directory))
    site["pacemaker"]["fencing"] = {"none": "containers have neither a watchdog nor a disk to share"}
    return site


def on_lifekeeper(run_directory: Path) -> dict[str, Any]:
    """The same with the other engine, on the lab's stand-in, which looks and beats more often than the customary."""
    site = on_containers(run_directory)
    site["engine"] = "lifekeeper"
    site["lifekeeper"] |= {"check_interval": "2s", "heartbeat": {"interval": "1s", "misses": 8}}
    return site


def with_all_of_lifekeeper(site: dict[str, Any]) -> dict[str, Any]:
    """The same site with everything declared that LifeKeeper's nodes and resources can show. Changes what it is given.

    The quorum is text in its settings to the stand-in; the application of its own is a file that is there or not.
    """
    site["lifekeeper"] |= {
        "paths": [{"network": "replication", "priority": 1}, {"network": "public", "priority": 2}],
        "address": {"broadcast_ping": False, "link_check": False},
        "quorum": {"hosts": [{"host": "witness.lab", "port": 22}], "on_loss": "osu"},
        "generic": [{"tag": "app"} | {name: f"#!/bin/sh\n{text}\n" for name, text in _APPLICATION.items()}],
    }
    return site


_APPLICATION = {
    "restore": "touch /run/app",
    "remove": "rm -f /run/app",
    "quick_check": "test -e /run/app",
}
