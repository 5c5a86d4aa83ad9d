"""Files that hold secrets: digests in inputs, values by standard input."""

from dataclasses import replace

import pytest

from providers import reconcile, wire
from providers.connection.command import Command
from providers.connection.errors import Refused
from providers.connection.fake import FakeNode, fake_cluster
from providers.host import digest, secret_files
from providers.host.secret_files import UNSEALED, SecretFile
from providers.host.settings import FileState, NodeSettings
from providers.squid import config

PATH = "/etc/squid/squid-ha.users"
USERS = "anna:$apr1$x$y\nbob:$2y$05$z"


def wanted(form: str = "users") -> config.Wanted:
    file = FileState(content=UNSEALED, mode="0640", owner="root:proxy")
    nodes = {node: NodeSettings(files={PATH: file}) for node in ("a", "b")}
    return config.Wanted(
        nodes=nodes,
        unit="squid.service",
        port="3128",
        probe_url="http://probe.invalid/",
        secrets={PATH: SecretFile.model_validate({"name": "users", "form": form})},
    )


def seal(value: str | None, form: str = "users") -> config.Wanted:
    return config.sealed(wanted(form), lambda _: value)


def test_inputs_hold_a_digest_that_tells_values_apart():
    one, same, other = seal(USERS), seal(f"{USERS}\n"), seal(f"{USERS}x")
    assert one == same != other
    assert "apr1" not in str(wire.encode(one))
    content = one.nodes["a"].files[PATH].content
    assert content is not None
    assert digest.is_hidden(content)
    assert config.sealed(one, lambda _: None) == one, "what is known needs no secret"


def test_a_kind_without_secrets_is_left_alone():
    assert reconcile.sealed("host.settings", wanted(), lambda _: pytest.fail("asked")) == wanted()


@pytest.mark.parametrize(
    ("value", "form", "sentence"),
    [
        (None, "users", "pulumi config set -s STACK --secret users"),
        (" \n", "users", "is not set"),
        ("anna", "users", "line 1 is not `name:hash`"),
        ("anna:x\n\nbob:y", "users", "line 2"),
        ("anna:x y", "users", "line 1"),
        ("one\ntwo", "line", "a single line"),
    ],
)
def test_an_unfit_secret_is_refused_and_not_repeated(value, form, sentence):
    with pytest.raises(ValueError, match=sentence) as refused:
        seal(value, form)
    assert "anna" not in str(refused.value)


async def test_the_value_goes_by_standard_input_alone():
    written: list[Command] = []

    def answer(command: Command) -> str:
        written.append(command)
        return ""

    node = FakeNode("a", answer)
    cluster = fake_cluster(node)
    file = seal(USERS).nodes["a"].files[PATH]
    secret = wanted().secrets[PATH]
    with pytest.raises(Refused, match="is not set"):
        await secret_files.write(cluster, node, PATH, file, secret)
    for value in (USERS, f"{USERS}2"):
        known = replace(cluster, secret={"users": value}.get)
        if value == USERS:
            await secret_files.write(known, node, PATH, file, secret)
        else:
            with pytest.raises(Refused, match="another one than when this run began"):
                await secret_files.write(known, node, PATH, file, secret)
    (command,) = written
    assert command.stdin == f"{USERS}\n".encode()
    assert "apr1" not in f"{command} {command!r} {command.argv}"
    assert {"0640", "root:proxy"} <= set(command.argv)
