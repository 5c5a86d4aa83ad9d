"""What hosts say is printed as they say it."""

import pytest

from operations.cli import _console


@pytest.mark.parametrize("text", ["ocf:heartbeat:IPaddr2", "root:x:0:0:root:/root:/bin/bash", "fd00:b::1"])
def test_nothing_becomes_an_emoji(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    _console.out.print(text, markup=False)
    _console.err.print(text)
    assert capsys.readouterr() == (f"{text}\n", f"{text}\n")
