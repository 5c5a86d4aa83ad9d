"""`lkcli resource create` and the mirror kit's own create script."""

from __future__ import annotations

from lab.lifekeeper.node import address, mirror, service
from lab.lifekeeper.node.context import Context, Values, command
from lab.lifekeeper.node.lcd import Instance
from lab.lifekeeper.node.lines import known_error
from lab.lifekeeper.node.settings import number
from lab.lifekeeper.node.shell import Failed
from lab.lifekeeper.node.shell import run as call


async def _create(run: Context, each: Instance) -> None:
    """Enter it and bring it into service. When that fails the entry stays, out of service, as the log says."""
    run.say(f"Creating resource instance with id {each.id} on machine {run.lcd.name}")
    run.step()
    run.lcd.instances[each.tag] = each
    run.system.save()
    run.say(f"Resource successfully created on {run.lcd.name}")
    run.step()
    await run.system.restore(each.tag, run.say)
    run.step()


def _absent(run: Context, tag: str) -> None:
    if tag in run.lcd.instances:
        raise Failed(4, f'resource "{tag}" exists on {run.lcd.name}')


def _switchback(values: Values) -> str:
    return str(values.get("switchback", "intelligent")).upper()


@command("lkcli resource create ip")
async def create_ip(run: Context, values: Values) -> None:
    """Refused when the address is in use anywhere."""
    tag, wanted = values["tag"], values["ipaddr"]
    _absent(run, tag)
    async with run.system.admin(tag, run.pid):
        run.say(f'BEGIN create of "{tag}"')
        same = [each.tag for each in run.lcd.instances.values() if each.kit.get("address") == wanted]
        if same or await address.is_here(wanted) or (number("NOIPUNIQUE") == 0 and await address.in_use(wanted)):
            raise Failed(5, f"the address {wanted} is in use" + (f' by resource "{same[0]}"' if same else ""))
        interface, netmask = await address.interface_for(wanted)
        kit = {"address": wanted, "interface": values.get("device", interface)}
        kit["netmask"] = values.get("netmask", netmask)
        each = Instance("comm", "ip", tag, f"IP-{wanted}", ip_info(run.lcd.name, kit), switchback=_switchback(values))
        each.kit = kit
        await _create(run, each)
        run.say(f'END successful create of "{tag}".')


def ip_info(node: str, kit: dict[str, str]) -> str:
    """As the address's info string has it."""
    return f"{node} {kit['interface']} {kit['address']} {address.hex_mask(kit['netmask'])} none"


@command("lkcli resource create qsp")
async def create_qsp(run: Context, values: Values) -> None:
    """Refused when the service does not run."""
    tag, name = values["tag"], values["service"]
    _absent(run, tag)
    async with run.system.admin(tag, run.pid):
        run.say(f'BEGIN create of "{tag}"')
        if name in service.HAVE_KITS:
            raise Failed(5, f"the service {name} has a recovery kit of its own")
        if not await service.running(name):
            raise Failed(5, f"the service {name} is not running on {run.lcd.name}")
        each = Instance("gen", "qsp", tag, f"QSP-{name}", name, switchback=_switchback(values), kit={"service": name})
        await _create(run, each)
        run.say(f'END successful create of "{tag}".')


@command("lkcli resource create gen")
async def create_gen(run: Context, values: Values) -> None:
    """The scripts are copied, then restore brings it into service."""
    tag = values["tag"]
    _absent(run, tag)
    async with run.system.admin(tag, run.pid):
        run.say(f'creating resource "{tag}"')
        service.install_scripts(tag, {name: values[name] for name in service.PLACES if name in values})
        await _create(run, Instance("gen", "app", tag, tag, "", switchback=_switchback(values)))
        run.say(f'resource "{tag}" restored')


@command("lkcli resource create dk")
async def create_dk(run: Context, values: Values) -> None:
    """A mirror without its other half, and a filesystem above it."""
    tag, device, kind = values["tag"], values["device"], values["hierarchy"]
    mount_point = values.get("mount_point", "")
    fstag = values.get("fstag", mount_point)
    _absent(run, tag)
    if kind != "none" and not (mount_point and values.get("fstype")):
        raise Failed(5, "a filesystem needs --fstype and --mount_point")
    if values.get("switchback") == "automatic":
        raise Failed(5, "switchback automatic is not allowed for a DataKeeper mirror")
    if kind != "none":
        _absent(run, fstag)
    async with run.system.admin(tag, run.pid):
        run.say(f'BEGIN create of "{tag}"')
        await mirror.ready()
        if (await call("test", "-b", device)).code != 0:
            raise Failed(1, known_error("104052", device=device))
        taken = {each.kit["number"] for each in run.lcd.instances.values() if each.type == "netraid"}
        free = next(str(each) for each in range(16) if str(each) not in taken)
        kit = {"device": device, "number": free, "mode": values["mode"], "source": "yes", "insync": "yes"}
        kit["bitmap"] = values.get("bitmap", f"/opt/LifeKeeper/bitmap_{mount_point.replace('/', '_')}")
        run.step()
        await mirror.create(kit, values.get("fstype", ""), kind)
        run.step()
        await _create(run, Instance("scsi", "netraid", tag, device, mirror_info(kit), kit=kit))
        if kind != "none":
            above = {"device": mirror.md(kit), "mount_point": mount_point, "fstype": values["fstype"]}
            await _create(run, Instance("gen", "filesys", fstag, mount_point, f"{values['fstype']} rw 0", kit=above))
            run.lcd.dependencies.append((fstag, tag))
            run.system.save()
        run.say(f'END successful create of "{tag}".')


def mirror_info(kit: dict[str, str]) -> str:
    """An info string of a mirror; its exact bytes are unknown."""
    return "\x02".join(("0", kit["device"], kit.get("remote", ""), mirror.md(kit), kit["bitmap"], "256K", kit["mode"]))


KINDS = {
    "Replicate New Filesystem": "new",
    "Replicate Existing Filesystem": "existing",
    "Data Replication Resource": "none",
}


@command("netraid create")
async def netraid_create(run: Context, values: Values) -> None:
    """The kit's script behind `lkcli resource create dk`."""
    optional = {name: values[name] for name in ("mount_point", "fstag", "fstype", "bitmap") if values[name]}
    same = {name: values[name] for name in ("tag", "mode", "device", "switchback")}
    await create_dk(run, {**same, **optional, "hierarchy": KINDS[values["hierarchy"]]})
