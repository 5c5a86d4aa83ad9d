"""What holds for all tests: of those that take turns, one of each kind at each run."""

import os
import random
from pathlib import Path

import pytest
from hypothesis import strategies

from tests.support.cuts import ALL, SEED

# The workers of one run draw alike.
os.environ.setdefault("SQUID_HA_SEED", str(SEED))


UNIT = Path(__file__).parent / "unit"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave one of the tests marked ``turns`` with the same word, drawn anew; all in `make test-all`, or by -k.

    On hosts, connections that a test cuts leave things to the garbage collector, which may tell of them in any later.
    """
    for item in items:
        if not item.path.is_relative_to(UNIT):
            item.add_marker(pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"))
    if ALL or config.option.keyword:
        return
    pools: dict[str, list[pytest.Item]] = {}
    for item in items:
        if mark := item.get_closest_marker("turns"):
            pools.setdefault(mark.args[0], []).append(item)
    draw = random.Random(SEED)
    drawn = [draw.choice(pool) for pool in pools.values()]
    others = [item for pool in pools.values() for item in pool if item not in drawn]
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if item not in others]


@pytest.fixture(scope="session", autouse=True)
def _patterns() -> None:
    """Loads what Hypothesis makes texts from patterns by: in the depth of a test, Python 3.11's parser fails on it.

    "AST constructor recursion depth mismatch", https://github.com/python/cpython/issues/106905.
    """
    strategies.from_regex("a").validate()
