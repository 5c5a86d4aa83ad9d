"""Hooks need the plugin of pulumi-command beside Pulumi; without it nothing here can be shown, and that is said."""

import json
import os
import shutil
import subprocess
from importlib.metadata import version

import pytest

from tests.hosts.conftest import lab, lab_image, pair
from tests.support.stack import PULUMI

__all__ = ["lab", "lab_image", "pair"]

VERSION = version("pulumi-command")


def plugin_is_there() -> bool:
    """Whether Pulumi would find the plugin: installed in its own folder, or on PATH."""
    if shutil.which("pulumi-resource-command"):
        return True
    listed = subprocess.run([PULUMI, "plugin", "ls", "--json"], capture_output=True, text=True, check=True).stdout
    return any((each["name"], each["version"]) == ("command", VERSION) for each in json.loads(listed))


def pytest_sessionstart() -> None:
    if not plugin_is_there():
        remedy = f"run `.venv/bin/pulumi plugin install resource command {VERSION}` (docs/hooks.md), then again"
        pytest.exit(f"the plugin pulumi-resource-command {VERSION} is missing: {remedy}", returncode=4)
    if os.geteuid() != 0:
        pytest.exit("tests/hooks need root: run them with sudo", returncode=4)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        # The lab's process outlives the object that started it, on purpose.
        item.add_marker(pytest.mark.filterwarnings("ignore:.*Popen.__del__:pytest.PytestUnraisableExceptionWarning"))
        # The first test of a run may build the image.
        item.add_marker(pytest.mark.timeout(900))
