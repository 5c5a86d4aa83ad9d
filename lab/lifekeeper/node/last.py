"""What the DataKeeper kit notes of a mirror in files: which system was its last source, and a doubt of its data.

By SIOS's manual (Failover Scenarios) the source bears `{tag}_last_owner`. One that comes back and does not hear its
target bears `{tag}_data_corrupt` as well, and brings nothing into service until it hears it or is forced.
"""

from __future__ import annotations

from pathlib import Path

from lab.lifekeeper.node import ROOT

NETRAID = Path(ROOT) / "subsys/scsi/resources/netraid"


class Notes:
    """The files of one system's mirrors; people read them, and remove the doubt by hand."""

    def __init__(self, folder: Path = NETRAID) -> None:
        self._folder = folder

    def own(self, tag: str) -> None:
        """This system is the source, or counts as the last one."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._owner(tag).touch()
        self._doubt(tag).unlink(missing_ok=True)

    def give(self, tag: str) -> None:
        """Another system is the source, or there is no such mirror any more."""
        self._owner(tag).unlink(missing_ok=True)
        self._doubt(tag).unlink(missing_ok=True)

    def doubt(self, tag: str) -> None:
        """The target was not heard since this system came back."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._doubt(tag).touch()

    def trust(self, tag: str) -> None:
        """The target is heard."""
        self._doubt(tag).unlink(missing_ok=True)

    def owned(self, tag: str) -> bool:
        """Whether this system was the last source, as far as it knows."""
        return self._owner(tag).exists()

    def doubted(self, tag: str) -> bool:
        """Whether it must not come up by itself."""
        return self._doubt(tag).exists()

    def _owner(self, tag: str) -> Path:
        return self._folder / f"{tag}_last_owner"

    def _doubt(self, tag: str) -> Path:
        return self._folder / f"{tag}_data_corrupt"
