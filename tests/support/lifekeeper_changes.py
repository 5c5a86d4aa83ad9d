"""What somebody can change by hand of what the engine `lifekeeper` declares: how, what drift then names, and `up` does.

`PHASE_2` needs no mirror, `MIRROR` is all about it. `UNCHANGED` says of every other property why it is in no table;
tests/unit/lifekeeper/test_changes_by_hand.py walks the models, so that no property is in neither.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pytest

from blueprint import names
from blueprint.thing import Thing
from providers.connection.errors import HostError
from providers.lifekeeper import defaults, filesystem, generic, ip, mirror, service
from providers.lifekeeper.members import Kit
from tests.support.things import UNTOLD, Found, Site

A, B = "qsp-a", "qsp-b"
BIN = "/opt/LifeKeeper/bin"
PRIORITIES = {A: 1, B: 10}

APP, SQUID, ADDRESS, VOLUME, HALF = "app", "qsp-squid", "ip-192.0.2.10", "/mnt/mirror", "datarep-mirror"
GENERIC = f"{names.GENERIC}-{APP}"
THINGS = {
    APP: GENERIC,
    SQUID: names.TREE_SQUID,
    ADDRESS: names.TREE_ADDRESS,
    VOLUME: names.TREE_FILESYSTEM,
    HALF: names.TREE_MIRROR,
}
"""Tag → the thing that declares it."""
KITS: Mapping[str, Kit] = {
    APP: generic.KIT,
    SQUID: service.KIT,
    ADDRESS: ip.KIT,
    VOLUME: filesystem.KIT,
    HALF: mirror.KIT,
}
SCRIPTS = f"/etc/squid-ha/lifekeeper/{APP}"
REPLICATION = {A: "172.16.77.11", B: "172.16.77.12"}


class Hand(NamedTuple):
    """What is typed on a node; ``lifekeeper``: a command of its own, without its folder."""

    node: str
    line: str
    lifekeeper: bool = True

    @property
    def shell(self) -> str:
        """For a shell of root."""
        return f"{BIN}/{self.line}" if self.lifekeeper else self.line


def _system(node: str, line: str) -> Hand:
    return Hand(node, line, lifekeeper=False)


@dataclass(frozen=True)
class Change:
    """``found`` is all that drift tells then. ``refused``: how `up` says that it cannot repair this, as a pattern;
    ``back`` is what somebody types then, before the next `up`."""

    by_hand: Sequence[Hand]
    found: frozenset[Found]
    refused: str = ""
    back: Sequence[Hand] = ()

    @property
    def spoken(self) -> bool:
        """Whether LifeKeeper's own commands make it, so that a pair in memory can be told."""
        return all(hand.lifekeeper for hand in (*self.by_hand, *self.back))


def _change(by_hand: Hand | Sequence[Hand], *found: Found, refused: str = "", back: Sequence[Hand] = ()) -> Change:
    typed = [by_hand] if isinstance(by_hand, Hand) else by_hand
    return Change(typed, frozenset(found), refused, back)


def _other(node: str) -> str:
    return B if node == A else A


def _at(tag: str, node: str, rest: str = "") -> Found:
    return Found(THINGS[tag], node, f"nodes.{node}{rest}")


# The product and its paths


def _product(standby: str) -> dict[str, Change]:
    def on(rest: str) -> Found:
        return Found(names.LIFEKEEPER, standby, f"nodes.{standby}.{rest}")

    untold = [Found(each, standby, UNTOLD) for each in (names.PATHS, GENERIC, names.TREE_SQUID, names.TREE_ADDRESS)]
    made = {
        "LifeKeeper stopped": _change(Hand(standby, "lkstop -f"), on("running"), *untold),
        "not started at boot": _change(_system(standby, "systemctl disable -q lifekeeper"), on("enabled")),
    }
    others = {
        "LKCHECKINTERVAL": "77",
        "LCMHBEATTIME": "3",
        "LCMNUMHBEATS": "9",
        "NOBCASTPING": "0",
        "IP_NOLINKCHECK": "0",
        "QUORUM_MODE": "majority",
        "QUORUM_HOSTS": "elsewhere.lab:22",
        "QUORUM_LOSS_ACTION": "fastkill",
        "QUORUM_TIMEOUT_SECS": "77",
        "WITNESS_MODE": "remote_verify",
    }
    for key, value in others.items():
        edit = _system(standby, f"sed -i 's/^{key}=.*/{key}={value}/' {defaults.PATH}")
        made[f"setting {key}"] = _change(edit, on(f"settings.{key}"))
    taken_out = _system(standby, f"sed -i '/^NOBCASTPING=/d' {defaults.PATH}")
    return made | {"setting taken out": _change(taken_out, on("settings.NOBCASTPING"))}


def _paths(standby: str) -> dict[str, Change]:
    peer = _other(standby)
    own, far = REPLICATION[standby], REPLICATION[peer]
    ends = f"-s {peer} -l {own} -r {far}"
    here = Found(names.PATHS, standby, f'nodes.{standby}.sides["{own}/{far}"]')
    there = Found(names.PATHS, peer, f'nodes.{peer}.sides["{far}/{own}"].alive')
    remove = Hand(standby, f"net_remove {ends}")
    anew = Hand(standby, f"net_create {ends} -n TCP -p 9")
    return {
        "path gone on one side": _change(remove, here, there),
        "path of another priority": _change([remove, anew], here._replace(property=f"{here.property}.priority")),
        "path cut": _change(
            _system(standby, "ip link set eth1 down"),
            here._replace(property=f"{here.property}.alive"),
            there,
            refused=r"(?s)not ALIVE after .*172\.16\.77\.11/172\.16\.77\.12 on qsp-a.*TCP port 7365 must be open",
            back=[_system(standby, "ip link set eth1 up")],
        ),
    }


# What all resources of a hierarchy have


def _equivalency(tag: str, node: str) -> str:
    own, far = PRIORITIES[node], PRIORITIES[_other(node)]
    return f"eqv_create -t {tag} -p {own} -S {_other(node)} -r {far} -o {tag} -e SHARED"


def _attributes(tag: str, standby: str) -> dict[str, Change]:
    return {
        f"{tag}: priority": _change(Hand(standby, f"hry_setpri -t {tag} -p 77"), _at(tag, standby, ".priority")),
        f"{tag}: equivalency": _change(
            Hand(standby, f"eqv_remove -t {tag} -S {_other(standby)} -e SHARED"),
            _at(tag, standby, ".properties.equivalency"),
        ),
    }


def _switchback(tag: str, standby: str) -> dict[str, Change]:
    line = Hand(standby, f"ins_setas -t {tag} -s AUTOMATIC")
    return {f"{tag}: switchback": _change(line, _at(tag, standby, ".switchback"))}


def _dependency(parent: str, child: str, standby: str) -> dict[str, Change]:
    line = Hand(standby, f"dep_remove -p {parent} -c {child}")
    return {f"{parent}: dependency": _change(line, _at(parent, standby, ".depends_on"))}


def _gone(
    tag: str, above: str | None, active: str, standby: str, refused: str = "", back: Sequence[Hand] = ()
) -> dict[str, Change]:
    """From the standby node, and from both; ``refused`` and ``back`` are of the latter."""
    lost = [_at(tag, standby)]
    everywhere = [Found(THINGS[tag], node, "") for node in (A, B)]
    untied: list[Hand] = []
    undone: list[Hand] = []
    if above is not None:
        untied = [Hand(standby, f"dep_remove -p {above} -c {tag}")]
        undone = [Hand(active, f"lkcli dependency delete --parent {above} --child {tag}")]
        lost.append(_at(above, standby, ".depends_on"))
        everywhere += [_at(above, node, ".depends_on") for node in (A, B)]
    return {
        f"{tag}: gone from one node": _change([*untied, Hand(standby, f"ins_remove -t {tag}")], *lost),
        f"{tag}: deleted": _change(
            [*undone, Hand(active, f"lkcli resource delete --tag {tag}")], *everywhere, refused=refused, back=back
        ),
    }


def _another(tag: str, below: str, standby: str, kit: Kit, shown: str, key: str, says: str) -> Change:
    """The top of a hierarchy stands on one node as something else: of another kit, or with another id."""
    made = [
        Hand(standby, f"ins_remove -t {tag}"),
        Hand(standby, f"ins_create -a {kit.app} -r {kit.type} -t {tag} -i {shown}"),
        Hand(standby, _equivalency(tag, standby)),
        Hand(standby, f"dep_create -p {tag} -c {below}"),
    ]
    back = [Hand(standby, f"ins_remove -t {tag}")]
    return _change(made, _at(tag, standby, f".properties.{key}"), refused=says, back=back)


# Members of phase 2


def _address(active: str, standby: str) -> dict[str, Change]:
    foreign = Kit(ip.KIT.create, ip.KIT.extend, ip.KIT.properties, "webserver", "apache")
    right = f"{standby} eth0 192.0.2.10 ffffff00 none"

    def info(key: str, text: str, found: str, declared: str) -> Change:
        return _change(
            Hand(standby, f"ins_setinfo -t {ADDRESS} -v '{text}'"),
            _at(ADDRESS, standby, f".properties.{key}"),
            refused=f"{ADDRESS} has {key} {found}, and {declared} is declared; no documented command changes that",
            back=[Hand(standby, f"ins_setinfo -t {ADDRESS} -v '{right}'")],
        )

    off = Hand(active, f"lkcli resource unextend --tag {ADDRESS} --dest {standby}")
    return {
        **_attributes(ADDRESS, standby),
        **_switchback(ADDRESS, standby),
        **_dependency(ADDRESS, SQUID, standby),
        **_gone(
            ADDRESS, None, active, standby,
            refused="192.0.2.10 is on eth0 already, and no resource of LifeKeeper's has it",
            back=[_system(active, "ip address delete 192.0.2.10/24 dev eth0")],
        ),
        "the whole hierarchy off one node": _change(off, *(_at(tag, standby) for tag in (APP, SQUID, ADDRESS))),
        f"{ADDRESS}: of another kit": _another(
            ADDRESS, SQUID, standby, foreign, "IP-192.0.2.10", "kit",
            f"(?s)the resource {ADDRESS} is webserver/apache there, not comm/ip.*another tag",
        ),
        f"{ADDRESS}: address": _another(
            ADDRESS, SQUID, standby, ip.KIT, "IP-192.0.2.77", "address",
            f"{ADDRESS} has address 192.0.2.77, and 192.0.2.10 is declared; no documented command changes that",
        ),
        f"{ADDRESS}: interface": info("interface", right.replace("eth0", "eth7"), "eth7", "eth0"),
        f"{ADDRESS}: netmask": info("netmask", right.replace("ffffff00", "ffff0000"), "255.255.0.0", "255.255.255.0"),
    }  # fmt: skip


def _squid(active: str, standby: str) -> dict[str, Change]:
    return {
        **_attributes(SQUID, standby),
        **_switchback(SQUID, standby),
        **_dependency(SQUID, APP, standby),
        **_gone(SQUID, ADDRESS, active, standby),
    }


def _application(active: str, standby: str) -> dict[str, Change]:
    def own(path: str, rest: str) -> Found:
        return Found(GENERIC, standby, f'settings.{standby}.{path}["{SCRIPTS}{rest}')

    copy, source = f"'{generic.COPIES}/actions/!restore/{APP}'", f"{SCRIPTS}/restore"
    added = f"cd {generic.COPIES} && install -D 'actions/!restore/{APP}' 'recovery/!recover/{APP}'"
    kept = Found(GENERIC, standby, f"copies.{standby}")
    parts = [own("files", f'/restore"].{part}') for part in ("content", "mode", "owner")]
    return {
        **_attributes(APP, standby),
        **_switchback(APP, standby),
        **_gone(APP, SQUID, active, standby),
        "script: content": _change(_system(standby, f"echo '# by hand' >>{source}"), parts[0]),
        "script: mode": _change(_system(standby, f"chmod 0644 {source}"), parts[1]),
        "script: owner": _change(_system(standby, f"chown ops: {source}"), parts[2]),
        "script: gone": _change(_system(standby, f"rm {source}"), *parts),
        "folder of scripts": _change(_system(standby, f"chmod 0700 {SCRIPTS}"), own("directories", '"]')),
        "the kit's copy of a script": _change(_system(standby, f"echo '# by hand' >>{copy}"), kept),
        "the kit's copy of a script: gone": _change(_system(standby, f"rm {copy}"), kept),
        "the kit's copy of a script: cannot be run": _change(_system(standby, f"chmod 0644 {copy}"), kept),
        "a script of the kit's that is not declared": _change(_system(standby, added), kept),
    }


def phase_2(active: str, standby: str) -> dict[str, Change]:
    """All that needs no mirror, on the site of `tests.support.sites.with_all_of_lifekeeper`."""
    return {
        **_product(standby),
        **_paths(standby),
        **_application(active, standby),
        **_squid(active, standby),
        **_address(active, standby),
    }


# The mirror and its filesystem


def _volume(active: str, standby: str) -> dict[str, Change]:
    def on(path: str) -> Found:
        return Found(names.TREE_FILESYSTEM, "", path)

    log, rotation = f"{VOLUME}/squid", f"{VOLUME}/rotation"
    without = [Hand(standby, f"ins_remove -t {VOLUME}")]
    return {
        **_attributes(VOLUME, standby),
        **_dependency(VOLUME, HALF, standby),
        f"{VOLUME}: gone from one node": _change(
            without, _at(VOLUME, standby), _at(HALF, standby, ".properties.filesystem")
        ),
        f"{VOLUME}: mount point": _another(
            VOLUME, HALF, standby, filesystem.KIT, "/mnt/elsewhere", "mount_point",
            f"{VOLUME} has mount_point /mnt/elsewhere, and {VOLUME} is declared; no documented command changes that",
        ),
        "directory of the logs": _change(_system(active, f"chmod 0777 {log}"), on("directories.squid")),
        "directory: owner": _change(_system(active, f"chown ops: {rotation}"), on("directories.rotation")),
        "directory: gone": _change(_system(active, f"rm -r {rotation}"), on("directories.rotation")),
        "log: mode": _change(_system(active, f"chmod 0666 {log}/access.log"), on('files["squid/access.log"]')),
        "log: gone": _change(_system(active, f"rm {log}/access.log"), on('files["squid/access.log"]')),
    }  # fmt: skip


def _half(active: str, standby: str) -> dict[str, Change]:
    remade = [
        Hand(standby, f"dep_remove -p {VOLUME} -c {HALF}"),
        Hand(standby, f"ins_remove -t {HALF}"),
        Hand(standby, f"ins_create -a scsi -r netraid -t {HALF} -i /dev/elsewhere"),
        Hand(standby, _equivalency(HALF, standby)),
        Hand(standby, f"dep_create -p {VOLUME} -c {HALF}"),
    ]
    bare = Found(names.TREE_MIRROR, standby, f"mount_points.{standby}")
    return {
        **_attributes(HALF, standby),
        f"{HALF}: device": _change(
            remade,
            _at(HALF, standby, ".properties.device"),
            refused=f"{HALF} has device /dev/elsewhere, and .* is declared; no documented command changes that",
            back=[Hand(standby, f"ins_remove -t {VOLUME}"), Hand(standby, f"ins_remove -t {HALF}")],
        ),
        "mirror and filesystem off one node": _change(
            Hand(active, f"lkcli resource unextend --tag {HALF} --dest {standby}"),
            _at(HALF, standby),
            _at(VOLUME, standby),
        ),
        "bare mount point": _change(_system(standby, f"chattr -i {VOLUME}; chmod 0755 {VOLUME}"), bare),
        "bare mount point: gone": _change(_system(standby, f"chattr -i {VOLUME}; rmdir {VOLUME}"), bare),
    }


def of_the_mirror(active: str, standby: str) -> dict[str, Change]:
    """The mirror's and its filesystem's, on the reference site without what stands above them."""
    return {**_half(active, standby), **_volume(active, standby)}


PHASE_2 = phase_2(active=B, standby=A)
MIRROR = of_the_mirror(active=A, standby=B)

# What is in neither

_NAME = "what it is called, and by that known: a resource of another name is another one, left alone"
_DECLARED = "what is declared, for making it; as it is on a node it is among that node's properties"
_ONCE = "counts when it is made; no list of LifeKeeper's shows it"
_HOW = "how this program goes about it; nothing on a node"
_ONE_CODE = "one piece of code looks for it in every kit's resource: tried out on the address"
_ABOVE_MIRROR = "LifeKeeper refuses another one above a mirror, and on it"
_LOWEST = "it is the lowest of its hierarchy: nothing to take away, and what somebody adds below it is left alone"
_MEMBER = {"tag": _NAME, "beside": _HOW, "route": _HOW}

UNCHANGED: Mapping[str, Mapping[str, str]] = {
    "lifekeeper.node": {
        "nodes.*.installed": "what takes the product away takes all that it knows along: a node that was replaced",
        "media": _ONCE,
        "license_file": _ONCE,
        "license_secret": _ONCE,
        "assumed.*": _HOW,
    },
    "lifekeeper.paths": {"nodes.*.peer": "the other node's name in the declaration", "route": _HOW},
    "lifekeeper.service": {
        **_MEMBER,
        "service": "how the kit stores the service's name is unknown",
        "nodes.*.properties.kit": _ONE_CODE,
    },
    "lifekeeper.ip": {**_MEMBER, "address": _DECLARED, "netmask": _DECLARED, "interface": _DECLARED},
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
        "fstag": _NAME,
        "fstype": _ONCE,
        "mount_point": "the filesystem's resource shows it",
        "mode": _ONCE,
        "bitmap": _ONCE,
        "hierarchy": _ONCE,
        "addresses.*": _ONCE,
        "kept": "a fact of the nodes, never declared",
        "nodes.*.switchback": _ABOVE_MIRROR,
        "nodes.*.depends_on": _LOWEST,
        "nodes.*.properties.kit": _ONE_CODE,
    },
}
"""Kind → property → why nobody can change it by hand, or why it is not tried out."""


LIMIT = 60.0
"""Seconds until everybody has noticed a change: a dead path, by then, too."""


def try_out(nodes: Site, listed: Sequence[Thing], change: Change) -> None:
    """Make the change on nodes without drift, and have it repaired as `pulumi up --refresh` does: what differs, only.

    Fails where drift tells anything else, and where any is left.
    """
    _type(nodes, change.by_hand)
    _wait(nodes, listed, set(change.found))
    if change.refused:
        with pytest.raises(HostError, match=change.refused):
            _repair(nodes, listed)
        _type(nodes, change.back)
    _repair(nodes, listed)
    _wait(nodes, listed, set())  # where LifeKeeper was started anew, its paths live again within a heartbeat or two


def _type(nodes: Site, hands: Sequence[Hand]) -> None:
    for hand in hands:
        nodes.sh(hand.node, hand.shell)


def _wait(nodes: Site, listed: Sequence[Thing], wanted: set[Found]) -> None:
    deadline = time.monotonic() + LIMIT
    while (found := nodes.findings(listed)) != wanted:
        assert time.monotonic() < deadline, f"drift tells {sorted(found)}, which is not {sorted(wanted)}"


def _repair(nodes: Site, listed: Sequence[Thing]) -> None:
    differing = {each.thing for each in nodes.findings(listed)}
    for each in listed:
        if each.name in differing:
            nodes.apply(each.kind, each.name, each.inputs)


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
