"""A site loads the engine that it names, and none of the others."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from blueprint.engines import ENGINES
from operations.project import project_root
from tests.support.sites import lab_settings

PROGRAM = """
import json, sys
from blueprint.site import things
from declaration.load import read
site = read(json.load(sys.stdin), "lab")
json.dump([sorted({thing.kind for thing in things(site, "squid-ha/lab")}), sorted(sys.modules)], sys.stdout)
"""
ALERTS = {"webhook": {"url": "https://alerts.example.org/"}}


@pytest.mark.parametrize("engine", ENGINES)
def test_a_site_loads_its_own_engine_only(engine: str) -> None:
    site = lab_settings(engine=engine) | {"firewall": "nftables", "alerts": ALERTS}
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(
        command, cwd=project_root(), input=json.dumps(site), capture_output=True, text=True, check=True, timeout=60
    )
    kinds, modules = json.loads(done.stdout)
    assert any(kind.startswith(f"{engine}.") for kind in kinds)
    folders = tuple(
        f"{within}.{other}" for within in ("blueprint.engines", "providers") for other in {*ENGINES} - {engine}
    )
    assert [module for module in modules if module.startswith(folders)] == []
