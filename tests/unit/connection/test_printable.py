"""What hosts say gives no orders to a terminal, nor to the runner of a pipeline."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.connection.errors import CommandFailed, HostError
from providers.connection.printable import printable


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("\x1b[2K\x1b[1Aall is well", "\ufffd[2K\ufffd[1Aall is well"),
        ("\x1b]52;c;cm0=\x07", "\ufffd]52;c;cm0=\ufffd"),
        ("\x9b2J", "\ufffd2J"),
        ("50 %\r100 %", "50 %\ufffd100 %"),
        ("::stop-commands::x", "| ::stop-commands::x"),
        ("one\n   ::add-mask::e", "one\n   | ::add-mask::e"),
        ("see ##[add-mask]e", "see ## [add-mask]e"),
        ("\tfe80::1 and a::b, ähnlich → ok\n", "\tfe80::1 and a::b, ähnlich → ok\n"),
    ],
)
def test_orders_are_shown_and_all_else_stays(said: str, shown: str) -> None:
    assert printable(said) == shown
    assert printable(shown) == shown


@given(st.text(alphabet=st.sampled_from("\x1b\x07\x9b\r\n\t :#[a")))
def test_whatever_is_said_no_order_is_left(text: str) -> None:
    shown = printable(text)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", shown)
    assert not any(line.lstrip().startswith("::") or "##[" in line for line in shown.split("\n"))


def test_an_error_of_a_host_gives_none() -> None:
    failed = CommandFailed("qsp-a", "crm_mon", 1, "\x1b[2J\n::warning::mine")
    assert str(failed) == "qsp-a: `crm_mon` ended with exit code 1\n    \ufffd[2J\n    | ::warning::mine"
    assert HostError("held by \x1b[2J", remedy="ask \x07").remedy == "ask \ufffd"
