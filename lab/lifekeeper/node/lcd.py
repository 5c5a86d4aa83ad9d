"""The configuration database of one node: systems, paths, instances, dependencies, equivalencies, flags; on disk."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

ISP, ISU, OSF, OSU, ILLSTATE = "ISP", "ISU", "OSF", "OSU", "ILLSTATE"


@dataclass
class Instance:
    """A resource on this node. ``kit`` is what its kind needs to know."""

    app: str
    type: str
    tag: str
    id: str
    info: str = ""
    state: str = OSU
    initialize: str = "AUTORES_ISP"
    reason: str = ""
    switchback: str = "INTELLIGENT"
    kit: dict[str, str] = field(default_factory=dict[str, str])


@dataclass
class CommPath:
    """One side of a communication path: ours."""

    system: str
    local: str
    remote: str
    priority: int = 1
    type: str = "TCP"
    device: str = ""
    downs: int = 0


@dataclass
class Equivalency:
    """The same resource on another system, with the priorities here and there (lower is preferred)."""

    tag: str
    system: str
    other_tag: str
    priority: int
    other_priority: int


@dataclass
class Lcd:
    """All tables of a node."""

    name: str
    systems: list[str] = field(default_factory=list[str])
    paths: list[CommPath] = field(default_factory=list[CommPath])
    instances: dict[str, Instance] = field(default_factory=dict[str, Instance])
    dependencies: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    equivalencies: list[Equivalency] = field(default_factory=list[Equivalency])
    flags: list[str] = field(default_factory=list[str])

    def priority(self, tag: str) -> int:
        """The own priority of a resource; 1 until it is extended."""
        return next((each.priority for each in self.equivalencies if each.tag == tag), 1)

    def extended(self) -> list[Equivalency]:
        """The equivalencies of resources that are here: one may be left of a resource that was deleted."""
        return [each for each in self.equivalencies if each.tag in self.instances]

    def forget(self, tag: str) -> None:
        """Nothing of this resource is left on this node."""
        self.instances.pop(tag, None)
        self.dependencies = [pair for pair in self.dependencies if tag not in pair]
        self.equivalencies = [each for each in self.equivalencies if each.tag != tag]

    def save(self, file: Path) -> None:
        """Replace the file by what is here now."""
        new = file.with_suffix(".new")
        with new.open("w", encoding="utf-8") as stream:
            json.dump(asdict(self), stream, indent=1)
            stream.flush()
            os.fsync(stream.fileno())
        new.rename(file)


def load(file: Path, name: str) -> Lcd:
    """The database on disk, or an empty one. Flags that start with `!` are of the moment and do not outlive it."""
    if not file.exists():
        return Lcd(name)
    raw: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return Lcd(
        name=name,
        systems=raw["systems"],
        paths=[CommPath(**each) for each in raw["paths"]],
        instances={tag: Instance(**each) for tag, each in raw["instances"].items()},
        dependencies=[(parent, child) for parent, child in raw["dependencies"]],
        equivalencies=[Equivalency(**each) for each in raw["equivalencies"]],
        flags=[flag for flag in raw["flags"] if not flag.startswith("!")],
    )
