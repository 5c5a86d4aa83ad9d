"""What one system does for another over the communication paths."""

from __future__ import annotations

import contextlib
from typing import Any

from lab.lifekeeper.node import address, creating, extending, mirror, service, tree
from lab.lifekeeper.node.context import COMMANDS, Context
from lab.lifekeeper.node.lcd import ISP, OSU, Equivalency, Instance
from lab.lifekeeper.node.links import Message
from lab.lifekeeper.node.shell import Failed, run
from lab.lifekeeper.node.system import System, log
from lab.lifekeeper.node.writing import depend, undepend


class Operations:
    """Each public method is an operation; its first argument is who asks."""

    def __init__(self, system: System) -> None:
        self._system, self._lcd = system, system.lcd
        names = [name for name in dir(self) if not name.startswith("_")]
        system.operations.update({name: getattr(self, name) for name in names})

    async def command(self, sender: str, name: str, values: dict[str, Any]) -> Message:
        """A command with -d."""
        log.info("%s for %s", name, sender)
        context = Context(self._system, name, 1)
        await COMMANDS[name](context, values)
        return {"text": context.text, "exit": context.code}

    async def execute(self, sender: str, line: str, seconds: float) -> Message:
        """lcdremexec."""
        log.info("%s runs: %s", sender, line)
        done = await run("/bin/sh", "-c", line, seconds=seconds)
        return {"text": done.text, "exit": done.code}

    async def give(self, sender: str, tags: list[str]) -> Message:
        """Take these out of service here, with what depends on them: the sender brings them into service.

        Refused, and nothing is touched, while a mirror among them is not in step.
        """
        async with self._system.busy:
            in_step = self._system.in_step(tags)
            log.info("%s takes over %s", sender, ", ".join(tags))
            for tag in tree.removal(self._lcd.dependencies, [each for each in tags if each in self._lcd.instances]):
                if self._lcd.instances[tag].state == ISP:
                    await self._system.stop(self._lcd.instances[tag], log.info)
        return {"in_step": in_step}

    async def take(self, sender: str, tags: list[str]) -> Message:
        """Bring these into service here: the sender could not keep them."""
        log.info("%s gives up %s", sender, ", ".join(tags))
        async with self._system.busy:
            for tag in tags:
                await self._system.restore(tag, log.info)
        return {}

    async def lock(self, sender: str, flag: str) -> Message:
        """The sender holds the admin lock. Refused when somebody else does."""
        if held := self._system.locks():
            raise Failed(1, f"Admin Lock is held on {self._lcd.name}, {sender} has to wait: {held[0]}")
        self._lcd.flags.append(flag)
        return {}

    async def unlock(self, sender: str, flag: str) -> Message:  # noqa: ARG002
        """The sender holds it no more."""
        with contextlib.suppress(ValueError):
            self._lcd.flags.remove(flag)
        return {}

    async def priority(self, sender: str, tag: str, priority: int) -> Message:
        """The sender's priority for a resource has changed."""
        for each in self._lcd.equivalencies:
            if (each.tag, each.system) == (tag, sender):
                each.other_priority = priority
        self._system.save()
        return {}

    async def leaving(self, sender: str, tags: list[str]) -> Message:
        """The sender's LifeKeeper ends in order; ``tags`` are to be taken over, else nothing is."""
        flag = f"!nofailover!{sender}"
        if flag not in self._lcd.flags:
            self._lcd.flags.append(flag)
        self._system.links.heard.pop(sender, None)
        for tag in tags:
            async with self._system.busy:
                await self._system.restore(tag, log.info, left_by=sender)
        return {}

    async def can_extend(self, sender: str, parcel: dict[str, Any]) -> Message:
        """Whether this resource can be extended to this system."""
        tag, kit = parcel["tag"], parcel["kit"]
        known = self._lcd.instances.get(tag)
        if known is not None and not (known.type == parcel["type"] and known.state != ISP):
            raise Failed(4, f'resource "{tag}" exists on {self._lcd.name}')
        if parcel["type"] == "ip":
            await address.interface_for(kit["address"])
        if parcel["type"] == "qsp" and not await service.exists(kit["service"]):
            raise Failed(5, f"the service {kit['service']} does not exist on {self._lcd.name}")
        if parcel["type"] == "netraid":
            await mirror.ready()
            if (await run("findmnt", "--source", kit["device"])).code == 0:
                raise Failed(5, f"{kit['device']} is mounted on {self._lcd.name}")
            own = await mirror.size(kit["device"])
            if own < (await self._system.links.call(sender, "device_size", device=kit["template"]))["size"]:
                raise Failed(5, f"{kit['device']} on {self._lcd.name} is smaller than {kit['template']} on {sender}")
        return {}

    async def device_size(self, sender: str, device: str) -> Message:  # noqa: ARG002
        """Bytes of a device."""
        return {"size": await mirror.size(device)}

    async def extend_in(self, sender: str, parcel: dict[str, Any]) -> Message:
        """Enter this resource, out of service. An entry that an earlier, interrupted extension left is replaced."""
        await self.can_extend(sender, parcel)
        scripts = parcel.pop("scripts")
        parcel.pop("size")
        each = Instance(**parcel)
        if each.type == "ip":
            interface, _ = await address.interface_for(each.kit["address"])
            each.kit["interface"] = interface
            each.info = creating.ip_info(self._lcd.name, each.kit)
        if each.type == "netraid":
            each.kit.pop("template")
            each.id, each.info = each.kit["device"], creating.mirror_info(each.kit)
        service.write_scripts(each.tag, scripts)
        each.state, each.reason = OSU, f"extended from {sender}"
        self._lcd.instances[each.tag] = each
        self._system.save()
        return {}

    async def equivalent(self, sender: str, /, **values: Any) -> Message:  # noqa: ANN401
        """An equivalency with the sender."""
        new = Equivalency(**values)
        kept = [each for each in self._lcd.equivalencies if (each.tag, each.system) != (new.tag, sender)]
        self._lcd.equivalencies[:] = [*kept, new]
        self._system.save()
        return {}

    async def depend(self, sender: str, pairs: list[tuple[str, str]]) -> Message:  # noqa: ARG002
        """Dependencies; those that are there stay."""
        for parent, child in pairs:
            if (parent, child) not in self._lcd.dependencies:
                depend(self._lcd, parent, child)
        self._system.save()
        return {}

    async def undepend(self, sender: str, parent: str, child: str) -> Message:  # noqa: ARG002
        """No such dependency."""
        with contextlib.suppress(Failed):
            undepend(self._lcd, parent, child)
        self._system.save()
        return {}

    async def forget(self, sender: str, tags: list[str]) -> Message:  # noqa: ARG002
        """Nothing is left of these here."""
        await extending.forget(Context(self._system, "forget", 1), tags)
        return {}

    async def offer(self, sender: str, tag: str) -> Message:
        """Export this system's half of a mirror: the sender is its source."""
        each = self._system.instance(tag)
        if each.state == ISP:
            raise Failed(1, f'split brain: mirror "{tag}" is in service on {self._lcd.name} as well as on {sender}')
        await mirror.stop(each.kit)
        await mirror.offer(each.kit)
        each.kit.update(source="no", insync="no", awaits="no")
        self._system.notes.give(tag)
        self._system.save()
        return {}

    async def would_extend(self, sender: str, tag: str, dest: str) -> Message:
        """canextend, asked by the system that it would be extended to."""
        each = self._system.instance(tag)
        if each.state != ISP:
            raise Failed(5, f'"{tag}" is not in service on {self._lcd.name}')
        if any((one.tag, one.system) == (tag, dest) for one in self._lcd.equivalencies):
            raise Failed(4, f'"{tag}" is extended to {sender} already')
        return {}
