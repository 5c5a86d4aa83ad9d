"""What holds for all tests: of those that take turns, one at each run."""

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
    """Leave one of the tests marked ``turns``, drawn anew for each run; all of them in `make test-all`, or by -k.

    On hosts, connections that a test cuts leave things to the garbage collector, which may tell of them in any later.
    """
    for item in items:
        if not item.path.is_relative_to(UNIT):
            item.add_marker(pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"))
    in_turns = [item for item in items if item.get_closest_marker("turns")]
    if ALL or config.option.keyword or len(in_turns) < 2:
        return
    drawn = random.Random(SEED).choice(in_turns)
    others = [item for item in in_turns if item is not drawn]
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if item not in others]


@pytest.fixture(scope="session", autouse=True)
def _patterns() -> None:
    """Loads what Hypothesis makes texts from patterns by: in the depth of a test, Python 3.11's parser fails on it.

    "AST constructor recursion depth mismatch", https://github.com/python/cpython/issues/106905.
    """
    strategies.from_regex("a").validate()
