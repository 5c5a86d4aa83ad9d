"""Declarations for the lab's hosts, as plain data that a test may change."""

from __future__ import annotations

import copy
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from declaration.load import read
from declaration.site import Site
from operations.stacks import render


@cache
def lab_site() -> Site:
    """The lab's site, phase 3. It cannot be changed, so that one is enough for all tests."""
    return read(render("lab.yaml.j2", lab="/lab"), "stacks/templates/lab.yaml.j2")


@cache
def _settings(lab: str, engine: str) -> dict[str, Any]:
    return yaml.safe_load(render("lab.yaml.j2", lab=lab, engine=engine))["config"]["squid-ha:site"]


def lab_settings(lab: Path = Path("/lab"), engine: str = "pacemaker") -> dict[str, Any]:
    """The lab's declaration as plain data, the caller's own."""
    return copy.deepcopy(_settings(str(lab), engine))


def reference(run_directory: Path, engine: str = "pacemaker") -> dict[str, Any]:
    """The reference site, phase 3, on the lab whose run directory this is."""
    site = lab_settings(run_directory.parent, engine)
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
    """Phase 2: all but the mirror and the fencing that needs a disk, neither of which a container can have.

    Both engines' sections stand in it; the lab's stand-in for LifeKeeper looks and beats more often than the customary.
    """
    site = without_mirror(reference(run_directory))
    site["pacemaker"]["fencing"] = {"none": "containers have neither a watchdog nor a disk to share"}
    site["lifekeeper"] |= {"check_interval": "2s", "heartbeat": {"interval": "1s", "misses": 8}}
    return site


def on_lifekeeper(run_directory: Path) -> dict[str, Any]:
    """The same with the other engine, on the lab's stand-in."""
    return on_containers(run_directory) | {"engine": "lifekeeper"}


def for_either_engine(run_directory: Path) -> dict[str, Any]:
    """The same without a word on the engine, and with a firewall, so that what an engine needs open is tried out."""
    site = on_containers(run_directory)
    del site["engine"]
    return site | {"firewall": "nftables"}


def with_all_of_lifekeeper(site: dict[str, Any]) -> dict[str, Any]:
    """The same site with everything declared that LifeKeeper's nodes and resources can show. Changes what it is given.

    The quorum is text in its settings to the stand-in; the application of its own is a file that is there or not.
    """
    site["lifekeeper"] |= {
        "paths": [{"network": "replication", "priority": 1}, {"network": "public", "priority": 2}],
        "address": {
            "broadcast_ping": False,
            "link_check": False,
            "ping_tries": 5,
            "ping_time": "2s",
            "check_timeout": "20s",
        },
        "replication": {"speed_limit": 400000, "speed_limit_min": 30000},
        "failover_confirmation": {"unanswered": "proceed", "wait": "300s"},
        "quorum": {"hosts": [{"host": "witness.lab", "port": 22}], "on_loss": "osu"},
        "generic": [application()],
    }
    return site


def application() -> dict[str, str]:
    """A resource by scripts, below Squid: a file that is there or not."""
    return {"tag": "app"} | {name: f"#!/bin/sh\n{text}\n" for name, text in _APPLICATION.items()}


_APPLICATION = {
    "restore": "touch /run/app",
    "remove": "rm -f /run/app",
    "quick_check": "test -e /run/app",
}
