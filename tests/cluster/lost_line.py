"""A record that is missing on the mirror, for drills that have to find it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from operations.drill import site as drilling

if TYPE_CHECKING:
    import pytest

    from operations.proof.model import Logs
    from tests.cluster.conftest import Machines


def delete_one(machines: Machines, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Before the next drill reads the mirror's log, one record is deleted there; names the request, once done."""
    real, deleted = drilling.read_records, list[str]()

    async def after_deleting(cluster: object, site: object, active: str, run: str) -> Logs:
        if not deleted:
            deleted.append(f"{run}-7")
            log = "/mnt/mirror/squid/access.log"
            await machines.sudo(active, f"sed -i '\\|/r/{run}-7 |d' {log}; squid -k rotate")
        return await real(cluster, site, active, run)  # type: ignore[arg-type]

    monkeypatch.setattr(drilling, "read_records", after_deleting)
    return deleted
