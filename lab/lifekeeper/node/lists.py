"""What the lists and the status print. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lab.lifekeeper.node.lcd import CommPath, Instance, Lcd
from lab.lifekeeper.node.tree import below, roots

SEPARATOR = "\x01"
INITIALIZED = {"AUTORES_ISP": " automatic restore to IN-SERVICE by LifeKeeper"}
"""What the long status says of an initialization; of the others nobody has published it."""


def lines(rows: Sequence[Sequence[object]], separator: str = SEPARATOR) -> str:
    """A record per line."""
    return "".join(separator.join(str(each) for each in row) + "\n" for row in rows)


def instance(lcd: Lcd, each: Instance) -> list[str]:
    """A record of ins_list; what stands behind the state is the stand-in's own order."""
    known = [lcd.name, each.app, each.type, each.tag, each.id, each.info, each.state]
    return [*known, each.initialize, each.reason, each.switchback]


def short_status(lcd: Lcd, states: Mapping[CommPathKey, str], *, backup: bool) -> str:
    """lcdstatus -q and -e."""
    first = "BACKUP" if backup else "LOCAL"
    text = [f"{first:<10}{'TAG':<19}{'ID':<20}{'STATE':<10}{'PRIO':>4}  PRIMARY"]
    for root in roots(lcd.dependencies, lcd.instances):
        for depth, tag in _outline(lcd, root, 0):
            each = lcd.instances[tag]
            system = _next(lcd, tag) if backup else lcd.name
            name = " " * depth + tag
            text.append(
                f"{system:<9} {name:<18} {each.id:<19} {each.state:<9} {lcd.priority(tag):>4}  {_primary(lcd, tag)}"
            )
    text += ["", f"{'MACHINE':<9}{'NETWORK':<8}{'ADDRESSES/DEVICE':<33} {'STATE':<9} PRIO"]
    for path in lcd.paths:
        where = path.device or f"{path.local}/{path.remote}"
        priority = path.priority if path.type == "TCP" else "--"
        text.append(f"{path.system:<8} {path.type:<7} {where:<32} {states[key(path)]:<8} {priority:>5}")
    return "\n".join(text) + "\n"


CommPathKey = tuple[str, str, str]


def key(path: CommPath) -> CommPathKey:
    """What tells paths apart."""
    return path.system, path.local, path.remote


def _outline(lcd: Lcd, tag: str, depth: int) -> list[tuple[int, str]]:
    rows = [(depth, tag)]
    for parent, child in lcd.dependencies:
        if parent == tag:
            rows += _outline(lcd, child, depth + 1)
    return rows


def _primary(lcd: Lcd, tag: str) -> str:
    ranked = [(lcd.priority(tag), lcd.name)]
    ranked += [(each.other_priority, each.system) for each in lcd.equivalencies if each.tag == tag]
    return min(ranked)[1]


def _next(lcd: Lcd, tag: str) -> str:
    own = lcd.priority(tag)
    later = [(each.other_priority, each.system) for each in lcd.equivalencies if each.tag == tag]
    return min((each for each in later if each[0] > own), default=(0, "------"))[1]


def long_status(lcd: Lcd, states: Mapping[CommPathKey, str], alive: Mapping[str, bool], version: str) -> str:
    """lcdstatus without options."""
    text = [f"LifeKeeper {version}", f'Resource hierarchies for machine "{lcd.name}":']
    for root in roots(lcd.dependencies, lcd.instances):
        text.append("ROOT of RESOURCE HIERARCHY")
        for tag in reversed(below(lcd.dependencies, root)):
            text += _resource(lcd, lcd.instances[tag], alive)
    text += ["", "The following LifeKeeper machines are known:", f"        machine={lcd.name} state=ALIVE"]
    text += [f"        machine={each} state={'ALIVE' if alive.get(each) else 'DEAD'}" for each in lcd.systems]
    text += ["", "The following LifeKeeper network connections exist:"]
    for path in lcd.paths:
        where = f"device={path.device}" if path.device else f"addresses={path.local}/{path.remote}"
        text.append(f"        to machine={path.system} type={path.type} {where}")
        text.append(f'                state="{states[key(path)]}" priority={path.priority} #comm_downs={path.downs}')
    text += ["", "The following LifeKeeper flags are on:", *(f"        {flag}" for flag in lcd.flags)]
    strategy = "switchover" if "shutdown_switchover" in lcd.flags else "do not switchover"
    return "\n".join([*text, "", f"The shutdown strategy is set to: {strategy}."]) + "\n"


def _resource(lcd: Lcd, each: Instance, alive: Mapping[str, bool]) -> list[str]:
    indent = " " * 8
    text = [
        f"{each.tag}: id={each.id} app={each.app} type={each.type} state={each.state}",
        f"{indent}initialize=({each.initialize}){INITIALIZED.get(each.initialize, '')}",
        f"{indent}info={each.info}",
        f"{indent}reason={each.reason}",
    ]
    if children := [child for parent, child in lcd.dependencies if parent == each.tag]:
        text.append(f"{indent}depends on resources: {','.join(children)}")
    if parents := [parent for parent, child in lcd.dependencies if child == each.tag]:
        text.append(f"{indent}these resources are dependent: {','.join(parents)}")
    if same := [one for one in lcd.equivalencies if one.tag == each.tag]:
        text.append(f"{indent}Local priority = {lcd.priority(each.tag)}")
    for one in same:
        text.append(
            f'{indent}SHARED equivalency with "{one.other_tag}" on "{one.system}", priority = {one.other_priority}'
        )
        text.append(f"{indent}        FAILOVER {'ALLOWED' if alive.get(one.system) else 'INHIBITED'}")
    return text


def address(each: Instance) -> str:
    """What lkipbu prints of an address."""
    kit, backup = each.kit, each.info.split()[4:5]
    text = f"IP address: {kit['address']}\nNetmask: {kit['netmask']}\nPrimary interface: {kit['interface']} (up)\n"
    return text if backup in ([], ["none"]) else f"{text}Backup interface: {backup[0]}\n"
