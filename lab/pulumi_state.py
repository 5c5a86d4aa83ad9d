"""The part of the local Pulumi state that tells of the lab's nodes: it belongs to a snapshot of them.

Other stacks' state, and the passphrase, are never touched. Places are those of Pulumi's file backend
(https://www.pulumi.com/docs/iac/concepts/state-and-backends/): stacks/<project>/<stack>.json, and history, backups and
locks beside it.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

STACK = "lab"
SETTINGS = Path("stacks") / f"Pulumi.{STACK}.yaml"


def passphrase_digest(project: Path) -> str:
    """What a kept state can be read with; a digest of the passphrase file, or nothing without one."""
    passphrase = project / ".state" / "passphrase"
    return hashlib.sha256(passphrase.read_bytes()).hexdigest() if passphrase.exists() else ""


def keep(project: Path, folder: Path) -> None:
    """Copy the stack's state and settings into `folder`."""
    for path in [*_state(project), *_settings(project)]:
        _copy(path, folder / path.relative_to(project))


def bring_back(project: Path, folder: Path) -> None:
    """Make the stack's state and settings those that `keep` copied."""
    for path in [*_state(project), *_locks(project)]:
        path.unlink()
    for path in [*_state(folder), *_settings(folder)]:
        _copy(path, project / path.relative_to(folder))


def forget_nodes(project: Path) -> None:
    """Empty the stack: its nodes are new, and nothing it made is on them. The stack itself and its settings stay."""
    for path in _locks(project):
        path.unlink()
    for path in (project / ".state" / ".pulumi" / "stacks").glob(f"*/{STACK}.json"):
        checkpoint: dict[str, dict[str, dict[str, Any] | None]] = json.loads(path.read_text())
        latest = checkpoint["checkpoint"].get("latest") or {}
        if latest.pop("resources", None) or latest.pop("pending_operations", None):
            fresh = path.with_suffix(".new")
            fresh.write_text(json.dumps(checkpoint, indent=4))
            fresh.chmod(path.stat().st_mode)
            fresh.rename(path)


def _state(project: Path) -> Iterator[Path]:
    root = project / ".state" / ".pulumi"
    yield from root.glob(f"stacks/*/{STACK}.json*")
    for kind in ("history", "backups"):
        yield from (path for path in root.glob(f"{kind}/*/{STACK}/**/*") if path.is_file())


def _locks(project: Path) -> Iterator[Path]:
    yield from (project / ".state" / ".pulumi").glob(f"locks/**/{STACK}/*.json")


def _settings(project: Path) -> Iterator[Path]:
    if (project / SETTINGS).exists():
        yield project / SETTINGS


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target)
