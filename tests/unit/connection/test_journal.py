import asyncio
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.connection.errors import CommandFailed, Refused
from providers.connection.fake import fake_cluster
from providers.connection.journal import NodeJournal, claim, journalled, read_owners, release
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


async def test_a_takeover_from_another_site_leaves_that_sites_journal(journal, tmp_path):
    node, root = journal._node, str(tmp_path / "squid-ha")
    lab = fake_cluster(node, site="lab", owner="squid-ha/lab")
    await claim(lab, node, root=root)
    await claim(fake_cluster(node, site="empty", owner="squid-ha/empty", takeover=True), node, root=root)
    await claim(replace(lab, takeover=True), node, root=root)
    assert await read_owners(node, root=root) == {"lab": "squid-ha/lab"}
    assert not (tmp_path / "squid-ha" / "empty").exists()
    await journal.record({"a": "1"})
    berlin = fake_cluster(node, site="berlin", owner="squid-ha/berlin", takeover=True)
    await claim(berlin, node, root=root)
    assert await read_owners(node, root=root) == {"berlin": "squid-ha/berlin"}
    assert await journal.entries() == {"a": "1"}
    with pytest.raises(Refused, match="belongs to squid-ha/berlin"):
        await claim(lab, node, root=root)
    await release(lab, node, root=root)
    await release(berlin, node, root=root)
    assert await read_owners(node, root=root) == {}


async def test_a_takeover_that_was_cut_off_between_two_owners_is_completed(journal, tmp_path):
    node, root = journal._node, str(tmp_path / "squid-ha")
    berlin = fake_cluster(node, site="berlin", owner="squid-ha/berlin", takeover=True)
    await claim(berlin, node, root=root)
    (tmp_path / "squid-ha" / "lab").mkdir()
    (tmp_path / "squid-ha" / "lab" / "owner").write_text("squid-ha/lab\n")
    await claim(berlin, node, root=root)
    assert await read_owners(node, root=root) == {"berlin": "squid-ha/berlin"}


class Together(LocalNode):
    """Both who claim it have read who owns it before either writes."""

    both: asyncio.Barrier

    async def run(self, command):
        result = await super().run(command)
        if str(command) == "read the node's owner":
            await self.both.wait()
        return result


@pytest.mark.parametrize(("takeover", "before"), [(False, ""), (True, ""), (True, "squid-ha/old")])
async def test_of_two_stacks_that_claim_a_node_at_once_one_is_refused(tmp_path, takeover, before):
    node, root = Together(), tmp_path / "squid-ha"
    node.both = asyncio.Barrier(2)
    if before:
        (root / "old").mkdir(parents=True)
        (root / "old" / "owner").write_text(f"{before}\n")
    both = [fake_cluster(node, site=name, owner=f"squid-ha/{name}", takeover=takeover) for name in ("lab", "berlin")]
    answers = await asyncio.gather(*(claim(each, node, root=str(root)) for each in both), return_exceptions=True)
    assert sorted(map(type, answers), key=str) == [type(None), Refused]
    winner = both[answers.index(None)]
    assert await read_owners(LocalNode(), root=str(root)) == {winner.site: winner.owner}


async def test_others_have_what_they_recorded_under_a_name(journal, tmp_path):
    root = str(tmp_path / "squid-ha")
    others = [NodeJournal(journal._node, site, thing, root=root) for site, thing in (("lab", ".b"), ("paris", "c"))]
    assert await journal.elsewhere(["directory /x"]) == {}
    for each in (journal, *others):
        await each.record({"directory /x": each._thing, "other": "1"})
    assert await journal.elsewhere(["directory /x", "nobody's"]) == {"directory /x": [".b"]}
    assert await others[0].elsewhere(["directory /x"]) == {"directory /x": ["the/thing"]}
