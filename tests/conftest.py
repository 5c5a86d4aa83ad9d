"""What holds for all tests: of those that take turns, one of each kind at each run; some only while there is time."""

import os
import signal
from pathlib import Path

import pytest
from hypothesis import strategies

from tests.support import spare
from tests.support.cuts import SEED

# The workers of one run draw alike.
os.environ.setdefault("SQUID_HA_SEED", str(SEED))


UNIT = Path(__file__).parent / "unit"
TIME = pytest.StashKey[spare.Time]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """How long tests marked ``spare`` are begun: `make test` says so, where also one of each kind of ``turns`` runs."""
    told = "after these, begin no further test marked spare; and of each kind of turns run one"
    parser.addoption("--spare", type=float, metavar="MINUTES", help=told)


def pytest_configure(config: pytest.Config) -> None:
    """The time runs from here. And Ctrl-C counts, also where a pipeline or nohup has it ignored by all that it starts:
    tests send it to the commands that they run.
    """
    config.stash[TIME] = spare.Time(config.option.spare)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave out what there is no time for, before anything is made for it."""
    name = spare.unit(item)
    if name is not None and not item.config.stash[TIME].lets(name):
        pytest.skip(f"no time left for {name}; `make test-all` runs it, and so does another `make test`")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave one of the tests marked ``turns`` with the same word, drawn anew, where there is not time for all.

    On hosts, connections that a test cuts leave things to the garbage collector, which may tell of them in any later.
    """
    for item in items:
        if not item.path.is_relative_to(UNIT):
            item.add_marker(pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"))
    if config.option.spare is None:
        return
    items[:] = spare.arranged(items, SEED)
    others = spare.waiting(items, SEED)
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if item not in others]


@pytest.fixture(scope="session", autouse=True)
def _patterns() -> None:
    """Loads what Hypothesis makes texts from patterns by: in the depth of a test, Python 3.11's parser fails on it.

    "AST constructor recursion depth mismatch", https://github.com/python/cpython/issues/106905.
    """
    strategies.from_regex("a").validate()
