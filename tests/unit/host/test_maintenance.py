"""What is left alone while packages change, whichever engine it is of."""

from __future__ import annotations

from functools import partial
from typing import get_args

import pytest

from blueprint import engines as blueprints
from declaration.site import Site
from operations.engines import ENGINES
from providers import pauses
from providers.connection.cluster import Cluster
from providers.connection.errors import Refused
from providers.connection.fake import fake_cluster
from providers.host import maintenance


def test_every_engine_has_a_pause():
    """One without would have its packages changed beneath a service that it goes on looking after."""
    named = get_args(Site.model_fields["engine"].annotation)
    assert set(pauses.PAUSES) == set(named) == set(ENGINES) == set(blueprints.ENGINES)
    for pause in pauses.pauses():
        assert callable(pause.enter)
        assert callable(pause.give_up)
        assert str(vars(pause)["MARK"]).startswith("pending"), "else a run that was cut off is not gone on with"


class Paused:
    """A pause that says what is done to it, in one list with all others."""

    def __init__(self, name: str, said: list[str], *, refuses: bool = False) -> None:
        self.name, self.said, self.refuses = name, said, refuses

    async def enter(self, _cluster: Cluster, names: list[str]):
        if self.refuses:
            raise Refused("no", remedy="do")
        self.said.append(f"{self.name} in on {', '.join(names)}")
        return partial(self.give_up, _cluster)

    async def give_up(self, _cluster: Cluster) -> None:
        self.said.append(f"{self.name} out")


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    said: list[str] = []
    monkeypatch.setattr(maintenance, "pauses", lambda: [Paused("one", said), Paused("two", said)])
    return said


async def test_all_of_them_are_entered_before_and_left_after(said):
    async def work() -> None:
        said.append("work")

    await maintenance.held(fake_cluster(), ["a", "b"], work)
    assert said == ["one in on a, b", "two in on a, b", "work", "one out", "two out"]


async def test_where_one_cannot_be_entered_nothing_is_done_and_the_others_are_left(monkeypatch):
    said: list[str] = []
    monkeypatch.setattr(maintenance, "pauses", lambda: [Paused("one", said), Paused("two", said, refuses=True)])

    async def work() -> None:
        said.append("work")

    with pytest.raises(Refused):
        await maintenance.held(fake_cluster(), ["a"], work)
    assert said == ["one in on a", "one out"]


async def test_all_of_them_are_given_up_before_packages_go(said):
    await maintenance.give_up(fake_cluster())
    assert said == ["one out", "two out"]
