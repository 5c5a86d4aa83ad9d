import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.connection.errors import CommandFailed, Unknown
from providers.connection.journal import NodeJournal, journalled
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


async def test_a_value_that_no_journal_holds_is_told_with_its_name_and_node(journal, tmp_path):
    root = tmp_path / "squid-ha"
    other = NodeJournal(journal._node, "lab", "other", root=str(root))
    await journal.record({"file /etc/x": "old"})
    (written,) = root.rglob("file*")
    written.write_bytes(b"\xe4")
    for reading in (journal.entries, lambda: other.elsewhere(["file /etc/x"])):
        with pytest.raises(Unknown, match=r"^qsp-a: what the journal says of file /etc/x is not understood"):
            await reading()


async def test_what_is_journalled_is_listed_by_thing(journal, tmp_path):
    root = str(tmp_path / "squid-ha")
    assert await journalled(journal._node, "lab", root=root) == {}
    await journal.record({"file /etc/x": "1", ".b": "2"})
    await NodeJournal(journal._node, "lab", "other", root=root).record({"pending": ""})
    await NodeJournal(journal._node, "paris", "other", root=root).record({"a": ""})
    listed = await journalled(journal._node, "lab", root=root)
    assert {thing: sorted(names) for thing, names in listed.items()} == {
        "the/thing": [".b", "file /etc/x"],
        "other": ["pending"],
    }


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


async def test_others_have_what_they_recorded_under_a_name(journal, tmp_path):
    root = str(tmp_path / "squid-ha")
    others = [NodeJournal(journal._node, site, thing, root=root) for site, thing in (("lab", ".b"), ("paris", "c"))]
    assert await journal.elsewhere(["directory /x"]) == {}
    for each in (journal, *others):
        await each.record({"directory /x": each._thing, "other": "1"})
    assert await journal.elsewhere(["directory /x", "nobody's"]) == {"directory /x": [".b"]}
    assert await others[0].elsewhere(["directory /x"]) == {"directory /x": ["the/thing"]}
