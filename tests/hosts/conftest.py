"""A pair of container hosts, `qsp-a` and `qsp-b`, in a lab of the test run's own.

The lab is started once per test run (and per xdist worker); each module gets a pair that nobody has touched.
"""

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lab import control, image
from lab.addresses import NODES
from lab.temporary import temporary_lab
from tests.support.lab_pair import Pair

HERE = Path(__file__).parent
READY = 30.0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What differs for tests that have a lab."""
    for item in items:
        if not item.path.is_relative_to(HERE):
            continue
        # The lab's process outlives the object that started it, on purpose.
        item.add_marker(pytest.mark.filterwarnings("ignore:.*Popen.__del__:pytest.PytestUnraisableExceptionWarning"))
        if item.get_closest_marker("timeout") is None:
            # The first test of a run may build the image.
            item.add_marker(pytest.mark.timeout(600))


@pytest.fixture(scope="session")
def lab_image() -> image.Image:
    return image.ensure(print)


@pytest.fixture(scope="session")
def lab(lab_image: image.Image) -> Iterator[Path]:
    """A running lab without virtual machines; its run directory."""
    if os.geteuid() != 0:
        # Without namespaces there is nothing to test here, and that is not a success.
        pytest.exit("tests/hosts need root: run them with sudo", returncode=4)
    with temporary_lab(lab_image) as directory:
        yield directory


@pytest.fixture(scope="module")
def pair(lab: Path) -> Iterator[Pair]:
    """Two untouched hosts that answer over SSH."""
    try:
        with ThreadPoolExecutor() as pool:
            list(pool.map(add_container, NODES))
        wait_for_ssh(NODES)
        yield Pair(lab)
    finally:
        remove_containers()


@pytest.fixture(scope="module")
def untouched(hosts, pair: Pair) -> dict[str, list[str]]:
    """What each of the module's ``hosts`` is made of before the first test changes anything."""
    return {name: hosts.manifest(name) for name in pair.names}


def remove_containers() -> None:
    """Take away what there is of the pair: one that stayed would fail the tests of every later module."""
    for host in control.call("status")["hosts"]:
        if host["kind"] == "container":
            control.call("remove", name=host["name"])


def add_container(name: str) -> None:
    control.call("add", name=name, number=1 + NODES.index(name))


def wait_for_ssh(names: tuple[str, ...]) -> None:
    deadline = time.monotonic() + READY
    while missing := set(names) - {host["name"] for host in control.call("status")["hosts"] if host["ssh"]}:
        if time.monotonic() > deadline:
            consoles = "\n".join((control.control_socket().parent / f"{name}.console").read_text() for name in missing)
            pytest.fail(f"no SSH on {', '.join(missing)} after {READY:g} s:\n{consoles}")
        time.sleep(0.02)
