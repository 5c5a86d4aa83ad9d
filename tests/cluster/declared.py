"""The lab's stack file by an engine of a test's choice, and the pair with that engine's site on it."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager

from lab import deployed, lifekeeper, snapshot
from lab.addresses import NODES
from operations.project import stack_file
from operations.stacks import ensure_stack, write_lab


@contextmanager
def declared(engine: str) -> Generator[None]:
    """The lab's stack file with this engine; afterwards as it was, on a bare pair."""
    path = stack_file("lab")
    before = path.read_text() if path.exists() else None
    try:
        write_lab(engine=engine)
        ensure_stack("lab")
        yield
    finally:
        path.write_text(before) if before is not None else path.unlink(missing_ok=True)
        snapshot.restore(snapshot.BARE)


def bring(engine: str) -> None:
    """Bring the pair to what the stack file declares: from its snapshot, or deployed and kept as one."""
    if engine == "pacemaker" or snapshot.exists(deployed.NAME, deployed.key()):
        deployed.ensure(print)
        return
    snapshot.restore(snapshot.BARE)
    for name in NODES:
        asyncio.run(lifekeeper.ensure(name))
    deployed.deploy(timeout=2400)
    snapshot.save(deployed.NAME, deployed.key())
