import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.connection.errors import CommandFailed, Refused
from providers.connection.fake import fake_cluster
from providers.connection.journal import NodeJournal, claim, read_owners, release
from tests.unit.local import LocalNode


@pytest.fixture
def journal(tmp_path):
    return NodeJournal(LocalNode(), "lab", "the/thing", root=str(tmp_path / "squid-ha"))


async def test_the_first_writer_wins_and_put_replaces(journal):
    assert await journal.entries() == {}
    await journal.record({"file /etc/x": "old\n\nü", "b": ""})
    await journal.record({"file /etc/x": "new", "c": "1"})
    await journal.put({"c": "2"})
    assert await journal.entries() == {"file /etc/x": "old\n\nü", "b": "", "c": "2"}


async def test_it_is_for_root_alone_and_leaves_nothing_behind(journal, tmp_path):
    other = NodeJournal(journal._node, "lab", "other", root=str(tmp_path / "squid-ha"))
    await journal.record({".hidden": "1", "b": "2"})
    await other.record({"a": "1"})
    assert {oct(path.stat().st_mode & 0o777) for path in (tmp_path / "squid-ha").rglob("*")} == {"0o700", "0o600"}
    await journal.drop([".hidden", "never"])
    assert await journal.entries() == {"b": "2"}
    await journal.forget()
    await journal.forget()
    assert await other.entries() == {"a": "1"}
    await other.drop(["a"])
    assert not (tmp_path / "squid-ha").exists()
    assert tmp_path.exists()


async def test_input_that_ended_early_records_nothing(journal):
    await journal.record({"a": "1"})
    (write,) = journal._node.written
    journal._node.commands.clear()
    await journal.forget()
    with pytest.raises(CommandFailed, match="input ended early"):
        await journal._node.run(type(write)(write.argv, b""))
    assert await journal.entries() == {}


@pytest.mark.thorough
async def test_things_that_write_at_once_lose_nothing(journal, tmp_path):
    """Digests of what was applied share a directory, and one run applies several things at once."""
    root = tmp_path / "squid-ha"

    async def one(number: int) -> None:
        await journal.put({f"thing {number}": str(number)})
        other = NodeJournal(journal._node, "lab", f"thing {number}", root=str(root))
        await other.record({"a": "1"})
        await other.forget()

    await asyncio.gather(*(one(number) for number in range(10)))
    assert await journal.entries() == {f"thing {number}": str(number) for number in range(10)}
    assert [path.name for path in (root / "lab" / "things").iterdir()] == ["the%2Fthing"]


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20)


@pytest.mark.thorough
@settings(max_examples=15, deadline=None)
@given(values=st.dictionaries(names, texts, max_size=3))
async def test_any_names_and_texts(values, tmp_path_factory):
    journal = NodeJournal(LocalNode(), "lab", "t", root=str(tmp_path_factory.mktemp("j")))
    await journal.record(values)
    assert await journal.entries() == values


async def test_ownership(tmp_path):
    node, root = LocalNode(), str(tmp_path / "squid-ha")
    ours = fake_cluster(node, site="lab", owner="squid-ha/lab")
    theirs = fake_cluster(node, site="lab", owner="squid-ha/other")
    elsewhere = fake_cluster(node, site="berlin", owner="squid-ha/lab")
    await release(ours, node, root=root)
    await claim(ours, node, root=root)
    written = len(node.written)
    await claim(ours, node, root=root)
    assert len(node.written) == written
    for foreign in (theirs, elsewhere):
        with pytest.raises(Refused, match=r"qsp-a: this node belongs to squid-ha/lab \(site lab\).*\n.*takeover"):
            await claim(foreign, node, root=root)
        await release(foreign, node, root=root)
    assert await read_owners(node, root=root) == {"lab": "squid-ha/lab"}
    await claim(fake_cluster(node, site="lab", owner="squid-ha/other", takeover=True), node, root=root)
    assert await read_owners(node, root=root) == {"lab": "squid-ha/other"}
    await release(theirs, node, root=root)
    assert not (tmp_path / "squid-ha").exists()
