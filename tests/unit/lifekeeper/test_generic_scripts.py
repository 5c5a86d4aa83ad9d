"""The kit's own copies of a generic resource's scripts, compared and renewed by the real shell."""

import asyncio
import subprocess
from pathlib import Path

import pytest

from providers.connection.command import Command, Result
from providers.connection.errors import Refused
from providers.connection.fake import FakeJournals, FakeNode, fake_cluster
from providers.contract import Absent
from providers.lifekeeper import generic, members
from providers.lifekeeper.members import NodeMember


def local(command: Command) -> Result:
    done = subprocess.run(command.argv, capture_output=True, text=True, check=False)
    return Result(command, done.returncode, done.stdout, done.stderr)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(generic, "_COPIES", str(tmp_path / "kit"))

    async def nothing(*_args: object, **_more: object) -> None:
        """The resource itself is there."""

    monkeypatch.setattr(members, "converge", nothing)
    return tmp_path


def wanted(place: Path, *names: str) -> generic.Wanted:
    scripts = {name: str(place / name) for name in names}
    for name, path in scripts.items():
        Path(path).write_text(f"#!/bin/sh\necho {name}\n")
    return generic.Wanted(
        tag="app", nodes={"qsp-a": NodeMember()}, scripts=scripts, settings={}, copies={"qsp-a": "same"}
    )


def copies(place: Path) -> set[str]:
    return {str(path.relative_to(place / "kit")) for path in (place / "kit").rglob("app")}


def test_copies_follow_the_declaration_and_one_that_is_no_longer_declared_goes(place: Path) -> None:
    cluster = fake_cluster(FakeNode("qsp-a", local), thing="generic-app")
    all_four = wanted(place, "restore", "remove", "quickCheck", "recover")
    asyncio.run(generic.converge(cluster, all_four, Absent()))
    assert copies(place) == {
        "actions/!restore/app", "actions/!remove/app", "actions/!quickCheck/app", "recovery/!recover/app"
    }  # fmt: skip
    two = wanted(place, "restore", "remove")
    assert asyncio.run(generic._compared(cluster, two)) == {"qsp-a": "differ"}
    asyncio.run(generic.converge(cluster, two, Absent()))
    assert copies(place) == {"actions/!restore/app", "actions/!remove/app"}
    assert asyncio.run(generic._compared(cluster, two)) == {"qsp-a": "same"}


def test_other_scripts_of_a_resource_that_was_found_are_left_alone(place: Path) -> None:
    journals = FakeJournals()
    node = FakeNode("qsp-a", local)
    cluster = fake_cluster(node, thing="generic-app", journals=journals)
    asyncio.run(cluster.journal(node).put({members.MADE: "no"}))
    theirs = place / "kit/actions/!restore/app"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("#!/bin/sh\necho theirs\n")
    with pytest.raises(Refused, match="was found here"):
        asyncio.run(generic.converge(cluster, wanted(place, "restore", "remove"), Absent()))
    assert "theirs" in theirs.read_text()
