"""The kit's own copies of a generic resource's scripts, compared and renewed by the real shell."""

import asyncio
import subprocess
from pathlib import Path

import pytest

from providers.connection.command import Command, Result
from providers.connection.errors import Refused
from providers.connection.fake import FakeJournals, FakeNode, fake_cluster
from providers.contract import Absent, Present
from providers.host.settings import FileState, NodeSettings
from providers.lifekeeper import generic, members, scripts
from providers.lifekeeper.resource import NodeMember


def local(command: Command) -> Result:
    done = subprocess.run(command.argv, capture_output=True, text=True, check=False)
    return Result(command, done.returncode, done.stdout, done.stderr)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(scripts, "COPIES", str(tmp_path / "kit"))

    async def nothing(*_args: object, **_more: object) -> None:
        """The resource itself is there."""

    async def as_wanted(_cluster: object, _node: object, settings: NodeSettings, *_more: object) -> None:
        for path, file in settings.files.items():
            Path(path).write_text(file.content or "")

    async def unread(_node: object, settings: NodeSettings) -> NodeSettings:
        return settings

    monkeypatch.setattr(members, "converge", nothing)
    monkeypatch.setattr(scripts, "converge_settings", as_wanted)
    monkeypatch.setattr(scripts, "read_settings", unread)
    return tmp_path


def wanted(place: Path, *names: str) -> generic.Wanted:
    """The files are there already, and are no part of ``converge`` here."""
    texts = {name: f"#!/bin/sh\necho {name}\n" for name in names}
    for name, text in texts.items():
        (place / name).write_text(text)
    return generic.Wanted(
        tag="app",
        nodes={"qsp-a": NodeMember()},
        scripts={name: str(place / name) for name in names},
        settings={"qsp-a": NodeSettings(files={str(place / name): FileState(content=texts[name]) for name in names})},
        copies={"qsp-a": "same"},
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
    assert asyncio.run(scripts._compared(cluster, "app", two)) == {"qsp-a": "differ"}
    asyncio.run(generic.converge(cluster, two, Absent()))
    assert copies(place) == {"actions/!restore/app", "actions/!remove/app"}
    assert asyncio.run(scripts._compared(cluster, "app", two)) == {"qsp-a": "same"}


def test_other_scripts_of_a_resource_that_was_found_are_left_alone(place: Path) -> None:
    journals = FakeJournals()
    node = FakeNode("qsp-a", local)
    cluster = fake_cluster(node, thing="generic-app", journals=journals)
    asyncio.run(cluster.journal(node).put({members.MADE: "no"}))
    theirs = place / "kit/actions/!restore/app"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("#!/bin/sh\necho theirs\n")
    with pytest.raises(Refused, match="was found on qsp-a, and"):
        asyncio.run(generic.converge(cluster, wanted(place, "restore", "remove"), Absent()))
    assert "theirs" in theirs.read_text()


def test_all_nodes_with_other_scripts_are_named_at_once(place: Path) -> None:
    names = ("qsp-a", "qsp-b", "qsp-c")
    nodes = [FakeNode(name, local) for name in names]
    cluster = fake_cluster(*nodes, thing="generic-app", journals=FakeJournals())
    for node, made in zip(nodes, ("no", "yes", "no"), strict=True):
        asyncio.run(cluster.journal(node).put({members.MADE: made}))
    one = wanted(place, "restore", "remove")
    on_all = one.model_copy(
        update={"settings": dict.fromkeys(names, one.settings["qsp-a"]), "copies": dict.fromkeys(names, "same")}
    )
    on_all.nodes.update(dict.fromkeys(names, NodeMember()))
    with pytest.raises(Refused, match="was found on qsp-a and qsp-c, and"):
        asyncio.run(generic.converge(cluster, on_all, Absent()))
    assert copies(place) == set(), "nor is anything written on the third"


def test_a_script_that_was_changed_is_told_of_the_one_that_was_changed_and_of_no_other(place: Path) -> None:
    cluster = fake_cluster(FakeNode("qsp-a", local), thing="generic-app")
    both = wanted(place, "restore", "remove")
    asyncio.run(generic.converge(cluster, both, Absent()))
    (place / "restore").write_text("#!/bin/sh\necho by hand\n")
    assert asyncio.run(scripts._compared(cluster, "app", both)) == {"qsp-a": "same"}, "the kit's copy is as declared"
    copy = place / "kit/actions/!restore/app"
    copy.write_text("#!/bin/sh\necho by hand\n")
    assert asyncio.run(scripts._compared(cluster, "app", both)) == {"qsp-a": "differ"}


def test_a_copy_that_cannot_be_run_differs_and_is_made_anew(place: Path) -> None:
    cluster = fake_cluster(FakeNode("qsp-a", local), thing="generic-app")
    both = wanted(place, "restore", "remove")
    asyncio.run(generic.converge(cluster, both, Absent()))
    copy = place / "kit/actions/!restore/app"
    copy.chmod(0o644)
    assert asyncio.run(scripts._compared(cluster, "app", both)) == {"qsp-a": "differ"}
    asyncio.run(generic.converge(cluster, both, Absent()))
    assert copy.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize(("member", "told"), [(NodeMember(), "differ"), (None, "same")])
def test_a_node_that_has_lost_the_resource_is_told_of_once_and_not_of_its_copies_too(
    place: Path, monkeypatch: pytest.MonkeyPatch, member: NodeMember | None, told: str
) -> None:
    declared = wanted(place, "restore")

    async def observed(*_args: object) -> Present[generic.Wanted]:
        return Present(declared.model_copy(update={"nodes": {"qsp-a": member}}))

    monkeypatch.setattr(members, "observe", observed)
    seen = asyncio.run(generic.observe(fake_cluster(FakeNode("qsp-a", local)), declared))
    assert isinstance(seen, Present)
    assert seen.values.copies == {"qsp-a": told}
