"""`squid-ha alerts test` as it is called, where a node cannot be asked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

import pytest

from declaration.site import Site
from operations import site as sites
from operations.cli import alerts
from providers.connection.cluster import Cluster
from providers.connection.command import Command
from providers.connection.errors import SudoRefused, Unreachable
from providers.connection.fake import Answer, FakeNode, fake_cluster
from tests.support.terminal import alone


@dataclass
class FakeHosts:
    site: Site
    nodes: list[FakeNode]

    def cluster(self, progress: object) -> Cluster:
        return fake_cluster(*self.nodes)

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run(work)


def delivered(_command: Command) -> str:
    return "mail delivered\n"


def no_root(_command: Command) -> str:
    raise SudoRefused("user ops may not become root by sudo", node="qsp-b")


def silent(_command: Command) -> str:
    raise Unreachable("no SSH connection", node="qsp-b")


@pytest.mark.parametrize(("first", "code"), [(delivered, 1), (no_root, 4), (silent, 4)])
@pytest.mark.parametrize("second", [no_root, silent])
def test_a_node_that_cannot_be_asked_hides_no_other(
    site: Site, monkeypatch: pytest.MonkeyPatch, first: Answer, code: int, second: Answer
) -> None:
    hosts = FakeHosts(
        site.model_copy(update={"alerts": object()}), [FakeNode("qsp-a", first), FakeNode("qsp-b", second)]
    )
    monkeypatch.setattr(sites, "hosts_of", lambda stack: hosts)
    done = alone(alerts.send, ["lab", "--json"])
    assert done.exit_code == code
    tries = json.loads(done.stdout)
    assert [(each["node"], each["delivered"], each["reached"]) for each in tries] == [
        ("qsp-a", first is delivered, first is delivered),
        ("qsp-b", False, False),
    ]
    assert tries[1]["said"].startswith("qsp-b: ")
