"""A file that somebody else keeps and in which single lines are changed: every other byte, mode and owner stay."""

from __future__ import annotations

from dataclasses import dataclass

from providers.connection.cluster import Node
from providers.connection.errors import Refused
from providers.connection.files import Found, read_files, write_file

_CODING = "latin-1"
"""It has a character for every byte: what is not understood is written back as it was."""


@dataclass(frozen=True)
class ForeignFile:
    """Such a file as it was read; ``text`` has a character for each byte, and none where there is no file."""

    found: Found

    @property
    def text(self) -> str:
        """What it says. Its lines end with a line feed and nothing else: `str.splitlines` finds more in it."""
        return text_of(self.found.content)

    async def write(self, node: Node, text: str) -> None:
        """Replace it, as it was read, by ``text`` where that differs. A file that was missing is root's own, 0644."""
        if text != self.text:
            mode, owner = self.found.mode or "0644", self.found.owner or "root:root"
            await write_file(node, self.found.path, text.encode(_CODING), mode=mode, owner=owner)


async def read(node: Node, path: str) -> ForeignFile:
    """The file at ``path`` on a node. Raises `Refused` for what is no regular file, and would be put in its place."""
    found = (await read_files(node, [path]))[path]
    if found.kind not in ("file", "absent"):
        raise Refused(
            f"{path} is no regular file, so nothing is read or set in it",
            node=node.name,
            remedy="put the file itself there, then run again",
        )
    return ForeignFile(found)


def text_of(content: bytes) -> str:
    """``content`` as a text with a character for each byte."""
    return content.decode(_CODING)
