"""The real pair, phase 3, whose journals are lost: described whole, and nothing is left that `up` would change."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from operations.adopt import adopt
from providers.connection.loop import run_sync
from tests.cluster import lab_site

if TYPE_CHECKING:
    from tests.cluster.conftest import Machines


@pytest.mark.long
def test_a_mirrored_pair_without_journals_is_adopted_whole(deployed_pair: Machines) -> None:
    hosts = lab_site.reach()
    lab_site.until(lambda: lab_site.healthy(hosts), "the restored pair is healthy")
    for name in deployed_pair.names:
        asyncio.run(deployed_pair.sudo(name, "rm -rf /var/lib/squid-ha; chronyc waitsync 300 0.4 0 1 >/dev/null", 400))
    declared = hosts.site
    cluster = replace(hosts.cluster(), takeover=True)
    ssh: dict[str, Any] = declared.ssh.model_dump(mode="json", exclude_none=True, exclude={"connect_timeout"})
    reached = {node.name: (str(node.connect_to), 22) for node in declared.nodes}

    adoption = run_sync(adopt(cluster, "lab", reached, ssh))

    assert adoption.changes == [], "what the declaration describes is not what is there"
    assert adoption.notes == []
    assert adoption.site.adopted is None
    for part in ("nodes", "network", "virtual_ip", "squid", "log", "mirror", "rotation", "pacemaker"):
        assert getattr(adoption.site, part) == getattr(declared, part), part
