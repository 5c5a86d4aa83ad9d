"""What does not read back as wanted is told without the passwords that somebody wrote into it by hand."""

from types import SimpleNamespace
from typing import Any

import pytest

from providers import reconcile
from providers.connection.errors import NotVerified
from providers.connection.fake import FakeNode, fake_cluster
from providers.contract import Present
from providers.host.settings import FileState, NodeSettings
from providers.squid import config

PATH = "/etc/squid/squid.conf"
PEER = "cache_peer up.example parent 3128 0 no-query login=anna:{}\n"


def conf(text: str) -> config.Wanted:
    nodes = {"a": NodeSettings(files={PATH: FileState(content=f"http_port 3128\n{text}")})}
    return config.Wanted(nodes=nodes, unit="squid.service", port="3128", probe_url="http://probe.invalid/")


def kind(found: config.Wanted) -> Any:
    """Squid's configuration on nodes where something else writes it anew all the time."""

    async def observe(*_):
        return Present(found)

    async def converge(*_):
        return None

    return SimpleNamespace(observe=observe, converge=converge, without_passwords=config.without_passwords)


@pytest.mark.parametrize(
    ("wanted", "found", "told"),
    [
        ("", PEER.format("geheim"), 'line 2: wanted "", found "cache_peer up.example parent 3128 0 no-query login='),
        (PEER.format("alt"), PEER.format("geheim"), "line 2: wanted"),
    ],
)
async def test_a_password_is_not_told_and_its_line_is(wanted, found, told):
    with pytest.raises(NotVerified) as refused:
        await reconcile.apply(kind(conf(found)), fake_cluster(FakeNode("a")), conf(wanted))
    assert told in refused.value.message
    assert "geheim" not in str(refused.value)
    assert "alt" not in str(refused.value)


def test_a_kind_without_passwords_tells_all():
    difference = reconcile.Difference("files", "one\ntwo\n", "one\nthree\nfour\n")
    assert str(difference) == 'files: line 2: wanted "two\\n", found "three\\n"'
    assert reconcile.excerpts("one\n", "one\ntwo\n") == ("line 2: ", '""', '"two\\n"')
    assert reconcile.excerpts(None, 3) == ("", "nothing", "3")
