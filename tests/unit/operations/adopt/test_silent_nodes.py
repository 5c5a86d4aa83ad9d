"""Nodes that tell nothing: on the first day the host keys of both are unknown."""

from __future__ import annotations

import pytest

from operations.adopt.site import adopt
from providers.connection.command import Command
from providers.connection.errors import HostKeyRefused, Unreachable
from providers.connection.fake import FakeNode, fake_cluster


def unknown(name: str) -> FakeNode:
    def refuse(_command: Command) -> str:
        raise HostKeyRefused("its host key is not known", node=name, remedy=f"accept that of {name}")

    return FakeNode(name, refuse)


async def test_all_of_them_are_told_at_once() -> None:
    ways: dict[str, tuple[str, int]] = {"qsp-a": ("192.0.2.11", 22), "qsp-b": ("192.0.2.12", 22)}
    told = [f"{name}: its host key is not known\n  → accept that of {name}" for name in ways]
    with pytest.raises(Unreachable) as error:
        await adopt(fake_cluster(*map(unknown, ways)), "office", ways, {})
    assert str(error.value) == ";\n".join(told)
