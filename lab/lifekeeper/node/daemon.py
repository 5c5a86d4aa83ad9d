"""The daemon: takes lines from the front ends, talks to the other systems, watches what is in service."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections.abc import Coroutine
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from lab.lifekeeper.node import CONFIG, LOG, SOCKET, VERSION, acting, creating, extending, monitor, reading, writing
from lab.lifekeeper.node.context import COMMANDS, Context
from lab.lifekeeper.node.lines import Answer, heard, known_error, understood
from lab.lifekeeper.node.operations import Operations
from lab.lifekeeper.node.settings import mishap, switches
from lab.lifekeeper.node.shell import Died, Failed
from lab.lifekeeper.node.system import System
from providers.lifekeeper.grammar.plain import SYNTAX, Refusal

READY = Path(CONFIG) / "LK_INITDONE"
MODULES = (acting, creating, extending, reading, writing)
"""They register their commands."""
KILLED = -9
log = logging.getLogger("daemon")


async def execute(system: System, name: str, values: dict[str, Any], pid: int) -> Answer:
    """Run a command; its text, its exit code, and what it says on the way out."""
    told = switches()
    await asyncio.sleep(float(told.get("slow", 0)))
    if failure := mishap(told, name, system.mishaps):
        return Answer(failure["code"], err=f"{_text(failure)}\n")
    if name not in COMMANDS:
        return Answer(3, err=f"{name}: the stand-in does not do that\n")
    context = Context(system, name, pid)
    log.info("%s %s", name, values)
    try:
        await _here_or_there(context, values)
    except Failed as failure:
        log.info("%s: exit code %s: %s", name, failure.code, failure)
        return Answer(failure.code, context.text, f"{failure}\n" if str(failure) else "")
    except Died as death:
        log.warning("killed by a switch: %s", death)
        return Answer(KILLED, context.text)
    return Answer(context.code, context.text)


def _text(failure: dict[str, Any]) -> str:
    """A switch's own text, or that of a known error with its parts."""
    return failure["text"] if "text" in failure else known_error(failure["error"], **failure.get("parts", {}))


async def _here_or_there(context: Context, values: dict[str, Any]) -> None:
    context.step()
    dest = values.get("dest")
    if dest is None or context.command.startswith(("lkcli ", "lcdremexec", "extmgr")):
        await COMMANDS[context.command](context, values)
        return
    values = {name: value for name, value in values.items() if name != "dest"}
    if dest == context.lcd.name:
        await COMMANDS[context.command](context, values)
        return
    answer = await context.system.links.call(dest, "command", name=context.command, values=values)
    context.text, context.code = answer["text"], answer["exit"]


async def _serve(system: System, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, ValueError):
        pid, argv = heard((await reader.readline()).decode())
        try:
            call = understood(argv)
            answer = call if isinstance(call, Answer) else await execute(system, call.command, dict(call.values), pid)
        except Refusal as refusal:
            answer = Answer(SYNTAX, err=f"{refusal}\n")
        except Exception as error:
            log.exception("%s", argv)
            answer = Answer(3, err=f"the stand-in failed: {type(error).__name__}: {error}\n")
        writer.write(answer.line().encode())
        await writer.drain()
    writer.close()


async def run() -> None:
    """Until SIGTERM."""
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    system = System(socket.gethostname())
    Operations(system)
    server = await asyncio.start_unix_server(partial(_serve, system), SOCKET, limit=4 * 1024 * 1024)
    Path(SOCKET).chmod(0o600)
    tasks = [asyncio.create_task(system.links.serve())]
    await monitor.begin(system)
    tasks += [asyncio.create_task(monitor.follow(system)), asyncio.create_task(monitor.watch(system))]
    READY.write_text("")
    log.info("up")
    waiting = asyncio.create_task(ended.wait())
    done, _ = await asyncio.wait([waiting, *tasks], return_when=asyncio.FIRST_COMPLETED)
    if waiting not in done:
        log.error("a part of the daemon ended: %s", [task.exception() for task in done])
    async with system.busy:
        await system.leave(log.info, keep=False)
    READY.unlink(missing_ok=True)
    server.close()
    log.info("down")


def end_with(work: Coroutine[Any, Any, None]) -> NoReturn:
    """Run it, and end this process, whatever else is under way.

    `asyncio.run` would cancel that, and wait for ever for a task that just begins a program (CPython's gh-103847).
    """
    asyncio.new_event_loop().run_until_complete(work)
    os._exit(0)


def main() -> None:
    """Log, then run."""
    logging.basicConfig(
        filename=LOG, level=logging.INFO, format=f"%(asctime)s {os.uname().nodename} %(name)s: %(message)s"
    )
    log.info("LifeKeeper %s", VERSION)
    Path(CONFIG).mkdir(parents=True, exist_ok=True)
    READY.unlink(missing_ok=True)
    end_with(run())


if __name__ == "__main__":
    main()
