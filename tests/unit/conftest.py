"""Settings for all unit tests."""

import gc
import signal
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.support.cuts import ALL

# How long an example takes says more about what else the machine does than about the code. Few examples in the inner
# loop, others each time: what one run misses, one of the next finds.
settings.register_profile(
    "unit", deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=300 if ALL else 10
)
settings.load_profile("unit")

# Modules stay and tests leave little behind: to look for garbage as often as Python does by itself takes seconds, and
# finds next to nothing.
gc.set_threshold(50_000, 20, 20)


@pytest.fixture
def interruptible() -> Iterator[None]:
    """As at a terminal: what a shell starts in the background ignores SIGINT, and so would these tests."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def pytest_collection_finish() -> None:
    """What was imported until here is looked through no more."""
    gc.freeze()
