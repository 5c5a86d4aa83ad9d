"""The frozen table of kinds: what a state file may refer to, and the module that answers for it.

A kind's name and type token are part of the format of every user's state; entries are added, never renamed or taken
away. A module may move: only this table knows where it is.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any, cast

from providers.contract import Kind


@dataclass(frozen=True)
class Entry:
    """Where a kind lives: the importable ``module`` and the Pulumi type token ``squid-ha/<module>:<name>``."""

    module: str
    token_module: str
    token_name: str


KINDS: dict[str, Entry] = {
    "host.node": Entry("providers.host.node", "host", "Node"),
    "host.packages": Entry("providers.host.packages", "host", "Packages"),
    "host.names": Entry("providers.host.names", "host", "Names"),
    "host.time": Entry("providers.host.time", "host", "Time"),
    "host.settings": Entry("providers.host.settings_kind", "host", "Settings"),
    "host.firewall": Entry("providers.host.firewall", "host", "Firewall"),
    "host.secret_settings": Entry("providers.host.secret_settings", "host", "SecretSettings"),
    "squid.config": Entry("providers.squid.config", "squid", "Config"),
    "storage.mirror": Entry("providers.storage.mirror", "storage", "Mirror"),
    "storage.filesystem": Entry("providers.storage.filesystem", "storage", "Filesystem"),
    "pacemaker.sbd": Entry("providers.pacemaker.sbd", "pacemaker", "Sbd"),
    "pacemaker.membership": Entry("providers.pacemaker.membership", "pacemaker", "Membership"),
    "pacemaker.options": Entry("providers.pacemaker.options", "pacemaker", "Options"),
    "pacemaker.member": Entry("providers.pacemaker.member", "pacemaker", "Member"),
    "lifekeeper.node": Entry("providers.lifekeeper.node", "lifekeeper", "Node"),
    "lifekeeper.paths": Entry("providers.lifekeeper.paths", "lifekeeper", "Paths"),
    "lifekeeper.mirror": Entry("providers.lifekeeper.mirror", "lifekeeper", "Mirror"),
    "lifekeeper.filesystem": Entry("providers.lifekeeper.filesystem", "lifekeeper", "Filesystem"),
    "lifekeeper.service": Entry("providers.lifekeeper.service", "lifekeeper", "Service"),
    "lifekeeper.ip": Entry("providers.lifekeeper.ip", "lifekeeper", "Ip"),
    "lifekeeper.generic": Entry("providers.lifekeeper.generic", "lifekeeper", "Generic"),
    "pacemaker.alerts": Entry("providers.pacemaker.alerts", "pacemaker", "Alerts"),
    "pacemaker.found": Entry("providers.pacemaker.found", "pacemaker", "Found"),
    "pacemaker.found_options": Entry("providers.pacemaker.found_options", "pacemaker", "FoundOptions"),
    "storage.found": Entry("providers.storage.found", "storage", "Found"),
}


def load_kind(kind: str) -> Kind[Any]:
    """The module that answers for ``kind``; `KeyError` with the known kinds if there is none of that name."""
    if kind not in KINDS:
        raise KeyError(f"unknown kind {kind!r}; this release knows: {', '.join(sorted(KINDS))}")
    return cast("Kind[Any]", importlib.import_module(KINDS[kind].module))
