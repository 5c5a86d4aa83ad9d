"""The reference site as its template declares it."""

import asyncio
from collections.abc import Iterator

import pytest

from declaration.load import read
from declaration.site import Site
from tests.support.sites import lab_settings


@pytest.fixture
def settings() -> dict[str, object]:
    """The lab's declaration as plain data."""
    return lab_settings()


@pytest.fixture
def site(settings: dict[str, object]) -> Site:
    return read(settings, source="lab")


@pytest.fixture
def event_loop_of_pulumi(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Pulumi's mocks want a current event loop (a test of coroutines that ran before has taken it away), make more of
    them, and leave all of them to the garbage collector, which would tell of them in any later test."""
    made: list[asyncio.AbstractEventLoop] = []
    new = asyncio.new_event_loop

    def remembered() -> asyncio.AbstractEventLoop:
        made.append(new())
        return made[-1]

    monkeypatch.setattr(asyncio, "new_event_loop", remembered)
    asyncio.set_event_loop(remembered())
    yield
    asyncio.set_event_loop(None)
    for loop in made:
        loop.close()
