"""A node that is this machine's own shell: scripts run for real; `path` goes first on PATH, for stand-ins."""

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from providers.connection.command import Command, Result
from providers.connection.errors import CommandFailed, Unreachable


@dataclass
class LocalNode:
    name: str = "qsp-a"
    path: str = ""
    commands: list[Command] = field(default_factory=list[Command])
    cut_before: int | None = None
    cut_after: int | None = None
    """The n-th writing command (from 1) raises `Unreachable` instead of being run, or after it was run."""

    @property
    def written(self) -> list[Command]:
        return [command for command in self.commands if command.writes]

    async def run(self, command: Command) -> Result:
        self.commands.append(command)
        if command.writes and self.cut_before == len(self.written):
            raise Unreachable("cut before", node=self.name)
        code, out, err = await self._shell(*command.argv, stdin=command.stdin or b"")
        if command.writes and self.cut_after == len(self.written):
            raise Unreachable("cut after", node=self.name)
        result = Result(command, code, out.decode(errors="replace"), err.decode(errors="replace"))
        if not result.ok:
            raise CommandFailed(self.name, str(command), code, result.stderr)
        return result

    async def batch(self, commands: Sequence[Command]) -> list[Result]:
        self.commands += [replace(command, writes=False) for command in commands]
        answers = [await self._shell(*each.limited(), stdin=b"") for each in commands]
        results = [
            Result(each, code, out.decode(errors="replace"), err.decode(errors="replace"))
            for each, (code, out, err) in zip(commands, answers, strict=True)
        ]
        for result in results:
            if not result.ok:
                raise CommandFailed(self.name, str(result.command), result.exit_code, result.stderr)
        return results

    async def _shell(self, *argv: str, stdin: bytes) -> tuple[int, bytes, bytes]:
        environment = {**os.environ, "LC_ALL": "C", "PATH": f"{self.path}:{os.environ['PATH']}".lstrip(":")}
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*argv, stdin=pipe, stdout=pipe, stderr=pipe, env=environment)
        out, err = await process.communicate(stdin)
        return process.returncode or 0, out, err
