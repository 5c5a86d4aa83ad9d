import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.host.hosts_file import DamagedBlockError, shadowed, split, with_block, without_block

LINES = ["192.0.2.11 qsp-a", "192.0.2.12 qsp-b"]
BLOCK = b"# BEGIN squid-ha lab\n192.0.2.11 qsp-a\n192.0.2.12 qsp-b\n# END squid-ha lab\n"

anything = st.binary(max_size=200).filter(lambda text: b"squid-ha" not in text)


@given(before=anything, lines=st.lists(st.sampled_from(LINES), max_size=3))
def test_what_is_put_in_is_read_back_and_taken_out_without_a_trace(before, lines):
    content = with_block(before, "lab", lines)
    assert split(content, "lab").lines == lines
    assert content.startswith(before)
    assert with_block(content, "lab", lines) == content
    ended = not before or before.endswith(b"\n")
    assert without_block(content, "lab", final_newline=ended) == before


@given(before=anything, after=anything)
def test_what_stands_around_the_block_stays(before, after):
    lead = before if not before or before.endswith(b"\n") else before + b"\n"
    content = lead + BLOCK + after
    moved = with_block(content, "lab", ["192.0.2.21 qsp-a"])
    assert moved.startswith(lead)
    assert moved.endswith(b"# END squid-ha lab\n" + after)
    if after:
        assert without_block(content, "lab", final_newline=False) == lead + after


def test_another_sites_block_is_not_ours():
    assert split(BLOCK, "prod").lines is None
    assert split(BLOCK, "la").lines is None
    both = with_block(BLOCK, "prod", LINES)
    assert without_block(both, "lab", final_newline=True).startswith(b"# BEGIN squid-ha prod\n")


@pytest.mark.parametrize(
    "content",
    [
        b"# BEGIN squid-ha lab\n192.0.2.11 qsp-a\n",
        b"192.0.2.11 qsp-a\n# END squid-ha lab\n",
        b"# END squid-ha lab\n# BEGIN squid-ha lab\n",
        BLOCK + BLOCK,
    ],
)
def test_a_damaged_block_is_not_guessed_at(content):
    with pytest.raises(DamagedBlockError):
        split(content, "lab")
    with pytest.raises(DamagedBlockError):
        with_block(content, "lab", LINES)
    with pytest.raises(DamagedBlockError):
        without_block(content, "lab", final_newline=True)


def test_lines_that_win_over_the_block_are_told():
    head = b"127.0.0.1 localhost\n127.0.1.1 qsp-a.example qsp-a # installer\n192.0.2.12 qsp-b\n"
    assert shadowed(head + BLOCK, "lab") == ["127.0.1.1 qsp-a.example qsp-a # installer"]
    assert shadowed(BLOCK + b"127.0.1.1 qsp-a\n", "lab") == []
