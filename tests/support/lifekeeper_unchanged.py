"""Why a property of the engine `lifekeeper` is in no table of `tests.support.lifekeeper_changes`, and which are."""

from __future__ import annotations

import re
from collections.abc import Mapping

from tests.support.by_hand import Change
from tests.support.lifekeeper_changes import A, B
from tests.support.things import UNTOLD

_NAME = "what it is called, and by that known: a resource of another name is another one, left alone"
_DECLARED = "what is declared, for making it; as it is on a node it is among that node's properties"
_ONCE = "counts when it is made; no list of LifeKeeper's shows it"
_HOW = "how this program goes about it; nothing on a node"
_ONE_CODE = "one piece of code looks for it in every kit's resource: tried out on the address"
_ABOVE_MIRROR = "LifeKeeper refuses another one above a mirror, and on it"
_LOWEST = "it is the lowest of its hierarchy: nothing to take away, and what somebody adds below it is left alone"
_MEMBER = {"tag": _NAME, "beside": _HOW, "route": _HOW}

_FILES = ("files.*.content", "files.*.mode", "files.*.owner", "files.*.check", "directories.*")
_UNITS = ("units.*.enabled", "units.*.active", "units.*.restart_on", "units.*.reload_on")
_SCRIPTS = (
    "scripts.*",
    "copies.*",
    *(f"settings.*.{each}" for each in (*_FILES, *_UNITS)),
)

UNCHANGED: Mapping[str, Mapping[str, str]] = {
    "lifekeeper.node": {
        "media": _ONCE,
        "license_file": _ONCE,
        "license_secret": _ONCE,
        "license_digest": _DECLARED,
        "nodes.*.licensed": "no list shows a licence; another text in the file: tests/unit/lifekeeper/test_licence.py",
        "assumed.*": _HOW,
    },
    "lifekeeper.paths": {"nodes.*.peer": "the other node's name in the declaration", "route": _HOW},
    "lifekeeper.service": {
        **_MEMBER,
        "service": "how the kit stores the service's name is unknown",
        **dict.fromkeys(
            _SCRIPTS, "read by the code of `lifekeeper.generic`: tests/hosts/test_lifekeeper_application.py"
        ),
        "nodes.*.properties.kit": _ONE_CODE,
    },
    "lifekeeper.ip": {**_MEMBER, **dict.fromkeys(("address", "netmask", "interface", "backup"), _DECLARED)},
    "lifekeeper.generic": {
        **_MEMBER,
        "scripts.*": "where the declared scripts lie",
        "nodes.*.depends_on": _LOWEST,
        "nodes.*.properties.kit": _ONE_CODE,
        "settings.*.files.*.check": "an application's scripts are checked by nothing",
        "settings.*.units.*.enabled": "an application has no units",
        "settings.*.units.*.active": "an application has no units",
        "settings.*.units.*.restart_on": "an application has no units",
        "settings.*.units.*.reload_on": "an application has no units",
    },
    "lifekeeper.filesystem": {
        **_MEMBER,
        "mount_point": _DECLARED,
        "nodes.*.switchback": _ABOVE_MIRROR,
        "nodes.*.properties.kit": _ONE_CODE,
    },
    "lifekeeper.mirror": {
        **_MEMBER,
        "device": _DECLARED,
        "devices.*": _DECLARED,
        "fstag": _NAME,
        "fstype": _DECLARED,
        "mount_point": "the filesystem's resource shows it",
        "mode": _ONCE,
        "bitmap": _DECLARED,
        "hierarchy": _ONCE,
        "addresses.*": _DECLARED,
        "kept": "a fact of the nodes, never declared",
        "nodes.*.switchback": _ABOVE_MIRROR,
        "nodes.*.depends_on": _LOWEST,
        "nodes.*.properties.kit": _ONE_CODE,
    },
}
"""Kind → property → why nobody can change it by hand, or why it is not tried out."""


def pattern(path: str) -> str:
    """A property as the models have it: names of nodes, addresses and files are ``*``, those of settings stay."""
    path = re.sub(r'\["[^"]*"\]', ".*", path)
    path = re.sub(rf"\.({A}|{B})(?=\.|$)", ".*", path)
    return re.sub(r"^(directories|files)\.(?!\*)[^.]+", r"\1.*", path)


def covered(kinds: Mapping[str, str], changes: Mapping[str, Change]) -> dict[str, set[str]]:
    """Kind → properties that some change has as its finding; ``kinds``: thing → its kind."""
    made: dict[str, set[str]] = {}
    for change in changes.values():
        for found in change.found:
            if found.property not in ("", UNTOLD):
                made.setdefault(kinds[found.thing], set()).add(pattern(found.property))
    return made
