"""What somebody can change by hand of what the engine `lifekeeper` declares: how, what drift then names, and `up` does.

`PHASE_2` needs no mirror, `MIRROR` is all about it. `tests.support.lifekeeper_unchanged` says of every other property
why it is in no table; tests/unit/lifekeeper/test_changes_by_hand.py walks the models, so that none is in neither.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from blueprint import names
from providers.lifekeeper import defaults, filesystem, generic, ip, mirror, scripts, service
from providers.lifekeeper.resource import Kit
from tests.support.by_hand import BIN, Change, Hand, system
from tests.support.things import UNTOLD, Found

A, B = "qsp-a", "qsp-b"
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
PUBLIC = {A: "192.0.2.11", B: "192.0.2.12"}


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
        "LifeKeeper stopped": _change(
            Hand(standby, "lkstop -f"), on("running"), *untold, *_silent(standby)
        ),
        "LifeKeeper's programs gone": _change(
            [Hand(standby, "lkstop -f"), system(standby, f"mv {BIN} /root/away")],
            on("installed"), on("running"), *_unheard(standby), *(_at(tag, standby) for tag in (APP, SQUID, ADDRESS)),
        ),
        "not started at boot": _change(system(standby, "systemctl disable -q lifekeeper"), on("enabled")),
    }  # fmt: skip
    others = {
        "LKCHECKINTERVAL": "77",
        "LCMHBEATTIME": "3",
        "LCMNUMHBEATS": "9",
        "NOBCASTPING": "0",
        "IP_NOLINKCHECK": "0",
        "IP_PINGTRIES": "7",
        "IP_PINGTIME": "7",
        "IP_QUICKCHECK_TIMEOUT": "77",
        "CONFIRMSODEF": "1",
        "CONFIRMSOTO": "77",
        "LKDR_SPEED_LIMIT": "77777",
        "LKDR_SPEED_LIMIT_MIN": "777",
        "QUORUM_MODE": "majority",
        "QUORUM_HOSTS": "elsewhere.lab:22",
        "QUORUM_LOSS_ACTION": "fastkill",
        "QUORUM_TIMEOUT_SECS": "77",
        "WITNESS_MODE": "remote_verify",
    }
    for key, value in others.items():
        edit = system(standby, f"sed -i 's/^{key}=.*/{key}={value}/' {defaults.PATH}")
        made[f"setting {key}"] = _change(edit, on(f"settings.{key}"))
    taken_out = system(standby, f"sed -i '/^NOBCASTPING=/d' {defaults.PATH}")
    return made | {"setting taken out": _change(taken_out, on("settings.NOBCASTPING"))}


def _ends(standby: str) -> list[tuple[str, str]]:
    """The addresses of each path: the standby's, the other one's."""
    return [(network[standby], network[_other(standby)]) for network in (REPLICATION, PUBLIC)]


def _silent(standby: str) -> list[Found]:
    """Every path as the other one sees it, where one node does not speak."""
    peer = _other(standby)
    return [Found(names.PATHS, peer, f'nodes.{peer}.sides["{far}/{own}"].alive') for own, far in _ends(standby)]


def _unheard(standby: str) -> list[Found]:
    """Every path, where one node has none."""
    here = [Found(names.PATHS, standby, f'nodes.{standby}.sides["{own}/{far}"]') for own, far in _ends(standby)]
    return here + _silent(standby)


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
            system(standby, "ip link set eth1 down"),
            here._replace(property=f"{here.property}.alive"),
            there,
            refused=r"(?s)not ALIVE after .*172\.16\.77\.11/172\.16\.77\.12 on qsp-a.*TCP port 7365 must be open",
            back=[system(standby, "ip link set eth1 up")],
        ),
    }


# What all resources of a hierarchy have


def _equivalency(tag: str, node: str, far: int | None = None) -> str:
    """``far``: the other node's priority, where it is not its own."""
    own, far = PRIORITIES[node], far or PRIORITIES[_other(node)]
    return f"eqv_create -t {tag} -p {own} -S {_other(node)} -r {far} -o {tag} -e SHARED"


def _attributes(tag: str, standby: str) -> dict[str, Change]:
    return {
        f"{tag}: priority": _change(Hand(standby, f"hry_setpri -t {tag} -p 77"), _at(tag, standby, ".priority")),
        f"{tag}: equivalency": _change(
            Hand(standby, f"eqv_remove -t {tag} -S {_other(standby)} -e SHARED"),
            _at(tag, standby, ".properties.equivalency"),
        ),
        f"{tag}: the other node's priority": _change(
            [
                Hand(standby, f"eqv_remove -t {tag} -S {_other(standby)} -e SHARED"),
                Hand(standby, _equivalency(tag, standby, far=77)),
            ],
            _at(tag, standby, ".properties.peer_priority"),
        ),
        f"{tag}: initialization": _change(
            Hand(standby, f"ins_setinit -t {tag} -I INIT_OSU"), _at(tag, standby, ".properties.initialize")
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
        says = f"{ADDRESS} has {key} {found}, and {declared} is declared; no documented command changes that"
        return _change(
            Hand(standby, f"ins_setinfo -t {ADDRESS} -v '{text}'"),
            _at(ADDRESS, standby, f".properties.{key}"),
            refused=says,
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
            back=[system(active, "ip address delete 192.0.2.10/24 dev eth0")],
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
        f"{ADDRESS}: backup interface": info("backup_interface", right.replace("none", "eth1"), "eth1", "none"),
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

    copy, source = f"'{scripts.COPIES}/actions/!restore/{APP}'", f"{SCRIPTS}/restore"
    added = f"cd {scripts.COPIES} && install -D 'actions/!restore/{APP}' 'recovery/!recover/{APP}'"
    kept = Found(GENERIC, standby, f"copies.{standby}")
    parts = [own("files", f'/restore"].{part}') for part in ("content", "mode", "owner")]
    return {
        **_attributes(APP, standby),
        **_switchback(APP, standby),
        **_gone(APP, SQUID, active, standby),
        "script: content": _change(system(standby, f"echo '# by hand' >>{source}"), parts[0]),
        "script: mode": _change(system(standby, f"chmod 0644 {source}"), parts[1]),
        "script: owner": _change(system(standby, f"chown ops: {source}"), parts[2]),
        "script: gone": _change(system(standby, f"rm {source}"), *parts),
        "folder of scripts": _change(system(standby, f"chmod 0700 {SCRIPTS}"), own("directories", '"]')),
        "the kit's copy of a script": _change(system(standby, f"echo '# by hand' >>{copy}"), kept),
        "the kit's copy of a script: gone": _change(system(standby, f"rm {copy}"), kept),
        "the kit's copy of a script: cannot be run": _change(system(standby, f"chmod 0644 {copy}"), kept),
        "a script of the kit's that is not declared": _change(system(standby, added), kept),
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
        "directory of the logs": _change(system(active, f"chmod 0777 {log}"), on("directories.squid")),
        "directory: owner": _change(system(active, f"chown ops: {rotation}"), on("directories.rotation")),
        "directory: gone": _change(system(active, f"rm -r {rotation}"), on("directories.rotation")),
        "log: mode": _change(system(active, f"chmod 0666 {log}/access.log"), on('files["squid/access.log"]')),
        "log: gone": _change(system(active, f"rm {log}/access.log"), on('files["squid/access.log"]')),
    }  # fmt: skip


BITMAP = "/opt/LifeKeeper/bitmap__mnt_mirror"


def _told(peer: str, *, address: str = "", bitmap: str = BITMAP) -> str:
    """The info of a mirror whose other half is on ``peer``, as the stand-in has it."""
    words = (
        "0",
        "/dev/disk/by-id/virtio-data",
        address or REPLICATION[peer],
        "/dev/md0",
        bitmap,
        "256K",
        "synchronous",
    )
    return "\x02".join(words)


def _half(active: str, standby: str) -> dict[str, Change]:
    remade = [
        Hand(standby, f"dep_remove -p {VOLUME} -c {HALF}"),
        Hand(standby, f"ins_remove -t {HALF}"),
        Hand(standby, f"ins_create -a scsi -r netraid -t {HALF} -i /dev/elsewhere"),
        Hand(standby, _equivalency(HALF, standby)),
        Hand(standby, f"dep_create -p {VOLUME} -c {HALF}"),
    ]
    bare = Found(names.TREE_MIRROR, standby, f"mount_points.{standby}")

    def info(key: str, found: str, declared: str, **other: str) -> Change:
        says = f"{HALF} has {key} {found}, and {declared} is declared; no documented command changes that"
        return _change(
            Hand(standby, f"ins_setinfo -t {HALF} -v '{_told(_other(standby), **other)}'"),
            _at(HALF, standby, f".properties.{key}"),
            refused=says,
            back=[Hand(standby, f"ins_setinfo -t {HALF} -v '{_told(_other(standby))}'")],
        )

    return {
        **_attributes(HALF, standby),
        f"{HALF}: device": _change(
            remade,
            _at(HALF, standby, ".properties.device"),
            refused=f"{HALF} has device /dev/elsewhere, and .* is declared; no documented command changes that",
            back=[Hand(standby, f"ins_remove -t {VOLUME}"), Hand(standby, f"ins_remove -t {HALF}")],
        ),
        f"{HALF}: type of the filesystem": _change(
            Hand(standby, f"ins_setinfo -t {VOLUME} -v 'xfs rw 0'"),
            _at(HALF, standby, ".properties.filesystem_type"),
            refused=f"(?s){HALF} has filesystem_type xfs, and ext3 is declared; .*nothing is formatted",
            back=[Hand(standby, f"ins_setinfo -t {VOLUME} -v 'ext3 rw 0'")],
        ),
        f"{HALF}: bitmap": info("bitmap", "/srv/bitmap", BITMAP, bitmap="/srv/bitmap"),
        f"{HALF}: replication address": info(
            "replication_address", "192.0.2.11", "172.16.77.11 or 172.16.77.12", address="192.0.2.11"
        ),
        "mirror and filesystem off one node": _change(
            Hand(active, f"lkcli resource unextend --tag {HALF} --dest {standby}"),
            _at(HALF, standby),
            _at(VOLUME, standby),
        ),
        "bare mount point": _change(system(standby, f"chattr -i {VOLUME}; chmod 0755 {VOLUME}"), bare),
        "bare mount point: gone": _change(system(standby, f"chattr -i {VOLUME}; rmdir {VOLUME}"), bare),
    }


def of_the_mirror(active: str, standby: str) -> dict[str, Change]:
    """The mirror's and its filesystem's, on the reference site without what stands above them."""
    return {**_half(active, standby), **_volume(active, standby)}


PHASE_2 = phase_2(active=B, standby=A)
MIRROR = of_the_mirror(active=A, standby=B)
