import asyncio
import logging
from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import asyncssh
import pytest

from providers.connection import shell, ssh
from providers.connection.access import ConnectionSettings
from providers.connection.afresh import answers_afresh
from providers.connection.command import command, script
from providers.connection.errors import CommandFailed, HostKeyRefused, LoginRefused, SudoRefused, TimedOut, Unreachable
from providers.connection.ssh import SshNode
from providers.connection.transport import Link
from tests.unit.connection.sshd import Sshd, running

# asyncssh's server side leaves coroutines of connections that are cut behind.
pytestmark = [pytest.mark.thorough, pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]

SUDO = """#!/bin/sh
# Stands for sudo: asks for a password unless FREE; -n never asks. Reads one line only.
echo "$@" >>"$SUDO_LOG"
ask=; never=
while :; do case $1 in -k) ;; -n) never=1;; -S) ask=1;; -p) shift;; *) break;; esac; shift; done
if [ -z "$FREE" ]; then
  [ -z "$never" ] || { echo 'sudo: a password is required' >&2; exit 1; }
  IFS= read -r given;
  [ "$given" = "$PASSWORD" ] || { cat >/dev/null; echo 'sudo: 1 incorrect password attempt' >&2; exit 1; }
fi
exec "$@"
"""


@pytest.fixture
async def sshd(tmp_path):
    async with running(tmp_path) as server:
        yield server


@pytest.fixture
async def node(sshd):
    node = SshNode(sshd.settings())
    yield node
    await node.close()


async def test_a_command_its_input_and_its_output(node):
    result = await node.run(script("cat; echo $1 >&2; exit 3", "x y", stdin=b"in", ok={3}))
    assert (result.stdout, result.stderr, result.exit_code) == ("in", "x y\n", 3)
    assert (await node.run(command("sh", "-c", "echo $LC_ALL; echo $PATH"))).stdout.startswith("C\n/usr/local/sbin")
    assert (await node.run(command("cat"))).stdout == ""


async def test_a_failure_says_node_command_code_and_stderr(node):
    with pytest.raises(CommandFailed, match=r"(?s)qsp-a: `look` ended with exit code 4.*no such thing"):
        await node.run(script("echo no such thing >&2; exit 4", label="look"))


async def test_twenty_commands_share_one_connection(node, sshd):
    results = await asyncio.gather(*(node.run(command("echo", str(n))) for n in range(20)))
    assert [int(each.stdout) for each in results] == list(range(20))
    assert len(sshd.connections) == 1


async def test_no_more_than_eight_at_once(node, tmp_path):
    count = script('mkdir "$1/$$"; ls "$1" | wc -l; sleep 0.2; rmdir "$1/$$"', str(tmp_path / "n"))
    (tmp_path / "n").mkdir()
    results = await asyncio.gather(*(node.run(count) for _ in range(20)))
    assert max(int(each.stdout) for each in results) <= ssh.SESSIONS


async def test_a_batch_is_one_session(node, sshd):
    first, second = await node.batch([command("echo", "a"), command("echo", "b")])
    assert (first.stdout, second.stdout, len(sshd.lines)) == ("a\n", "b\n", 1)
    with pytest.raises(CommandFailed, match="exit code 2"):
        await node.batch([command("true"), command("sh", "-c", "exit 2")])


async def test_timeout_ends_the_command_on_the_node(node):
    with pytest.raises(TimedOut, match=r"`sleep 30` did not finish within 0.3 s"):
        await node.run(command("sleep", "30", timeout=0.3))
    with pytest.raises(TimedOut):
        await node.batch([command("sleep", "30", timeout=0.3)])
    with pytest.raises(TimedOut):
        await node.batch([command("sleep", "30", timeout=0.3, ok=None)])


@pytest.mark.parametrize("ok", [None, {0}])
async def test_a_reading_that_only_kill_can_end_has_given_no_answer(node, ok):
    """It printed the half of what there is, and its exit code is that of KILL."""
    stubborn = replace(script("trap '' TERM; echo half; while :; do sleep 1; done", reads=True, timeout=0.3), ok=ok)
    with pytest.raises(TimedOut, match=r"did not finish within 0\.3 s"):
        await node.run(stubborn)
    with pytest.raises(TimedOut, match=r"did not finish within 0\.3 s"):
        await node.batch([stubborn, command("true")])


async def test_what_somebody_else_has_killed_is_not_said_to_have_been_slow(node):
    killed = script("echo half; kill -KILL $$", ok=None, reads=True)
    assert (await node.run(killed)).exit_code == 137
    assert [each.exit_code for each in await node.batch([killed, command("true")])] == [137, 0]


async def test_an_unknown_host_key_is_refused_with_the_way_to_accept_it(sshd, tmp_path):
    (tmp_path / "known_hosts").write_text("")
    with pytest.raises(HostKeyRefused, match=f"(?s)is not in .*ssh-keyscan -p {sshd.port} 127.0.0.1 >>"):
        await SshNode(sshd.settings()).run(command("true"))
    (tmp_path / "known_hosts").unlink()
    with pytest.raises(HostKeyRefused, match="is not in "):
        await SshNode(sshd.settings()).run(command("true"))
    assert sshd.lines == []


async def test_a_changed_host_key_is_refused_with_the_way_to_accept_it(sshd, tmp_path):
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key("openssh").decode()
    (tmp_path / "known_hosts").write_text(f"[127.0.0.1]:{sshd.port} {other}")
    with pytest.raises(HostKeyRefused, match=r"(?s)is not the one in .*ssh-keygen -R '\[127.0.0.1\]"):
        await SshNode(sshd.settings()).run(command("true"))


async def test_a_key_that_is_not_accepted(sshd, tmp_path):
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(str(tmp_path / "other"))
    with pytest.raises(LoginRefused, match=r"login as root@127\.0\.0\.1 port .* was refused"):
        await SshNode(sshd.settings(identity=str(tmp_path / "other"))).run(command("true"))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("nowhere", "there is no FILE"),
        ("folder", "FILE cannot be read: Is a directory"),
        ("key.pub", "FILE is no private key, perhaps the `.pub` of one: Invalid private key"),
        ("closed", "FILE has a passphrase, for which nobody is asked here"),
    ],
)
async def test_a_key_that_cannot_be_used_is_told_as_such_and_no_node_refused_it(sshd, tmp_path, name: str, told: str):
    (tmp_path / "folder").mkdir()
    key = asyncssh.generate_private_key("ssh-ed25519")
    key.write_public_key(str(tmp_path / "key.pub"))
    key.write_private_key(str(tmp_path / "closed"), "pkcs8-pem", "geheim")
    settings = sshd.settings(identity=str(tmp_path / name))
    with pytest.raises(Unreachable) as error:
        await SshNode(settings).run(command("true"))
    assert error.value.message == f"`ssh.identity`: {told.replace('FILE', settings.identity)}"
    assert "`ssh.identity`" in error.value.remedy
    assert not isinstance(error.value, LoginRefused)
    assert error.value.answered is None
    assert sshd.lines == []


async def test_a_host_that_boots_is_waited_for_within_the_budget(sshd):
    await sshd.stop()
    node = SshNode(sshd.settings(connect_budget=10.0))
    waiting = asyncio.create_task(node.run(command("echo", "up")))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(waiting), 0.5)
    await sshd.start()
    assert (await waiting).stdout == "up\n"
    await node.close()


async def test_a_host_that_is_gone_is_told_once_slowly_then_quickly(sshd):
    await sshd.stop()
    node = SshNode(sshd.settings(connect_budget=1.2))
    loop = asyncio.get_running_loop()
    started = loop.time()
    with pytest.raises(Unreachable, match="no SSH connection to root@127"):
        await node.run(command("true"))
    first = loop.time() - started
    with pytest.raises(Unreachable):
        await node.run(command("true"))
    assert loop.time() - started - first < 1 < first
    await sshd.start()
    assert (await node.run(command("echo", "back"))).stdout == "back\n"
    await node.close()


async def test_a_broken_connection_reads_again_but_never_writes_again(node, sshd, tmp_path):
    await node.run(command("true"))

    def slowly(*, reads):
        return script('echo x >>"$1"; sleep 0.4; echo done', str(tmp_path / f"{reads}"), reads=reads)

    async def break_it():
        await asyncio.sleep(0.2)
        sshd.connections[-1].abort()

    read, _ = await asyncio.gather(node.run(slowly(reads=True)), break_it())
    assert read.stdout == "done\n"
    write, _ = await asyncio.gather(node.run(slowly(reads=False)), break_it(), return_exceptions=True)
    assert isinstance(write, Unreachable)
    assert "not known" in str(write)
    assert (tmp_path / "False").read_text() == "x\n"
    assert (await node.run(command("echo", "again"))).stdout == "again\n"


def test_a_connection_that_breaks_without_a_word_is_told_in_one():
    node = SshNode(ConnectionSettings("qsp-a", "192.0.2.11"))
    link = cast(Link, SimpleNamespace(abort=lambda: None))
    broken = pytest.raises(Unreachable, match="broke during `true`: no answer in time")
    with broken, node._broken(link, "true", writes=False):
        raise TimeoutError


async def test_a_connection_that_is_being_opened_is_given_up_when_nobody_asks_for_it_any_more(node, sshd):
    sshd.delay = 0.5
    asking = asyncio.create_task(answers_afresh(node))
    async with asyncio.timeout(5):
        while not sshd.connections:  # noqa: ASYNC110 - the server tells nobody of it
            await asyncio.sleep(0.01)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    async with asyncio.timeout(5):
        await sshd.connections[0].wait_closed()


async def test_a_connection_that_was_opened_in_the_moment_of_closing_is_closed(monkeypatch):
    closed = asyncio.Event()

    async def close():
        closed.set()

    async def open_link(_settings, *, budget):
        return SimpleNamespace(close=close)

    monkeypatch.setattr(ssh, "open_link", open_link)
    node = SshNode(ConnectionSettings("qsp-a", "192.0.2.11"))
    asking = asyncio.create_task(node.run(command("true")))
    while node._opening is None or not node._opening.done():  # noqa: ASYNC110 - step by step
        await asyncio.sleep(0)
    asking.cancel()
    await node.close()
    assert closed.is_set()


async def sudo_server(tmp_path, **environment):
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "sudo").write_text(SUDO)
    (tools / "sudo").chmod(0o755)
    log = tmp_path / "sudo.log"
    path = {"PATH": f"{tools}:/usr/bin:/bin", "SUDO_LOG": str(log), "FREE": "", "PASSWORD": "geheim", **environment}
    sshd = Sshd(tmp_path, path)
    await sshd.start()
    sshd.trust()
    return sshd, log


async def test_sudo_without_a_password(tmp_path):
    sshd, log = await sudo_server(tmp_path, FREE="1")
    node = SshNode(sshd.settings(user="ops", sudo_password="geheim"))
    assert (await node.run(command("cat", stdin=b"in"))).stdout == "in"
    assert "geheim" not in log.read_text() + "".join(sshd.lines)
    await node.close()
    await sshd.stop()


async def test_sudo_with_a_password_that_goes_by_standard_input_only(tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    sshd, log = await sudo_server(tmp_path)
    node = SshNode(sshd.settings(user="ops", sudo_password="geheim"))
    assert (await node.run(command("cat", stdin=b"in"))).stdout == "in"
    assert (await node.run(command("cat"))).stdout == ""
    assert (await node.batch([command("echo", "b")]))[0].stdout == "b\n"
    assert "cat" in caplog.text
    assert "geheim" not in log.read_text() + "".join(sshd.lines) + caplog.text + repr(node.settings)
    # Should sudo stop asking, the password must still not become the command's input.
    sshd.environment["FREE"] = "1"
    assert (await node.run(command("cat", stdin=b"in"))).stdout == "in"
    await node.close()
    await sshd.stop()


@pytest.mark.parametrize("password", [None, "wrong"])
async def test_sudo_refused(tmp_path, password):
    sshd, _ = await sudo_server(tmp_path)
    with pytest.raises(SudoRefused, match=r"(?s)user ops may not become root by sudo.*sudoers"):
        await SshNode(sshd.settings(user="ops", sudo_password=password)).run(command("true"))
    await sshd.stop()


async def test_through_jump_hosts_whose_keys_are_checked_too(sshd, tmp_path):
    (tmp_path / "gate").mkdir()
    gate = Sshd(tmp_path / "gate", user_key=sshd.user_key)
    await gate.start()
    node = SshNode(sshd.settings(proxy_jump=f"me@127.0.0.1:{gate.port}"))
    with pytest.raises(HostKeyRefused, match=f"127.0.0.1.:{gate.port}"):
        await node.run(command("true"))
    known = (tmp_path / "known_hosts").read_text()
    public = gate.host_key.export_public_key("openssh").decode()
    (tmp_path / "known_hosts").write_text(f"{known}\n[127.0.0.1]:{gate.port} {public}")
    assert (await node.run(command("echo", "x"))).stdout == "x\n"
    assert (gate.forwarded, gate.lines, len(sshd.lines)) == ([sshd.port], [], 1)
    await node.close()
    await gate.stop()


async def answered(settings) -> bool | None:
    with pytest.raises(Unreachable) as error:
        await SshNode(settings).run(command("true"))
    return error.value.answered


async def test_whether_a_node_answered_is_told_by_what_is_its_own(sshd, tmp_path):
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(str(tmp_path / "other"))
    assert await answered(sshd.settings(identity=str(tmp_path / "other"))) is True
    (tmp_path / "known").write_text("")
    assert await answered(sshd.settings(known_hosts=str(tmp_path / "known"))) is True
    sshd.sessions = 0
    assert await answered(sshd.settings()) is True
    await sshd.stop()
    assert await answered(sshd.settings()) is True, "its system refuses the port"


@pytest.mark.parametrize("setting", ["known_hosts", "identity", "proxy_command"])
@pytest.mark.parametrize("there", [False, True])
async def test_a_fault_of_this_machine_tells_nothing_of_the_node(sshd, tmp_path, setting: str, there: bool):
    """The file is not there, or is nothing that can be used."""
    if there:
        (tmp_path / "x").write_bytes(b"nothing of the kind \xff\n")
    assert await answered(sshd.settings(**{setting: str(tmp_path / "x")})) is None
    assert sshd.connections == []


async def test_a_list_of_host_keys_that_cannot_be_read_is_named(sshd, tmp_path):
    (tmp_path / "x").write_bytes(b"nothing of the kind \xff\n")
    with pytest.raises(Unreachable, match=f"no SSH connection to .*: {tmp_path}/x: "):
        await SshNode(sshd.settings(known_hosts=str(tmp_path / "x"))).run(command("true"))


async def test_what_a_jump_host_refuses_tells_nothing_of_the_node(sshd, tmp_path):
    (tmp_path / "gate").mkdir()
    gate = Sshd(tmp_path / "gate", user_key=sshd.user_key)
    await gate.start()
    through = sshd.settings(proxy_jump=f"me@127.0.0.1:{gate.port}")
    assert await answered(through) is None, "its host key is not known"
    with (tmp_path / "known_hosts").open("a") as file:
        file.write(f"\n[127.0.0.1]:{gate.port} {gate.host_key.export_public_key('openssh').decode()}")
    gate.forwards = False
    assert await answered(through) is None, "it forwards nothing"
    gate.forwards = True
    sshd.sessions = 0
    assert await answered(through) is True
    await sshd.stop()
    assert await answered(through) is None, "what it says of the port is in no words that are known"
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(str(tmp_path / "other"))
    assert await answered(replace(through, identity=str(tmp_path / "other"))) is None, "it lets nobody in"
    await gate.stop()
    assert await answered(through) is None, "it does not answer"


async def test_a_node_that_opens_few_sessions_is_content_with_them(sshd):
    sshd.sessions = 2
    node = SshNode(sshd.settings())
    results = await asyncio.gather(*(node.run(script("sleep 0.5; echo $1", str(n))) for n in range(6)))
    assert [int(each.stdout) for each in results] == list(range(6))
    assert len(sshd.lines) == 2
    await node.close()


@pytest.mark.parametrize("reads", [True, False])
async def test_a_connection_that_gives_no_shell_any_more_is_replaced(sshd, monkeypatch, reads):
    """A command that hangs keeps its session, and sshd allows so many on one connection."""
    monkeypatch.setattr(ssh, "GRACE", 0.0)
    sshd.sessions = 1
    node = SshNode(sshd.settings())
    with pytest.raises(TimedOut):
        await node.run(script("trap '' TERM; sleep 2", reads=True, timeout=0.3))
    assert (await node.run(command("echo", "x", reads=reads))).stdout == "x\n"
    assert len(sshd.connections) == 2
    sshd.sessions = 0
    await node.close()
    with pytest.raises(LoginRefused, match="gets no shell"):
        await node.run(command("true"))


async def test_what_a_lost_connection_went_through_is_closed_too(sshd, tmp_path):
    (tmp_path / "gate").mkdir()
    gate = Sshd(tmp_path / "gate", user_key=sshd.user_key)
    await gate.start()
    with (tmp_path / "known_hosts").open("a") as file:
        file.write(f"\n[127.0.0.1]:{gate.port} {gate.host_key.export_public_key('openssh').decode()}")
    node = SshNode(sshd.settings(proxy_jump=f"me@127.0.0.1:{gate.port}"))
    for _ in range(3):
        assert (await node.run(command("echo", "x", reads=True))).stdout == "x\n"
        sshd.connections[-1].abort()
        await sshd.connections[-1].wait_closed()
    await node.run(command("true", reads=True))
    async with asyncio.timeout(5):
        await asyncio.gather(*(each.wait_closed() for each in gate.connections[:-1]))
    await node.close()
    await gate.stop()


async def test_through_a_proxy_command(sshd):
    by_command = SshNode(
        sshd.settings(address="qsp-a.invalid", port=1, proxy_command=f"socat - TCP:127.0.0.1:{sshd.port}")
    )
    known = f"qsp-a.invalid,[qsp-a.invalid]:1 {sshd.host_key.export_public_key('openssh').decode()}"
    with (sshd.folder / "known_hosts").open("a") as file:
        file.write("\n" + known)
    assert (await by_command.run(command("echo", "x"))).stdout == "x\n"
    await by_command.close()


def test_what_a_proxy_command_is_made_of():
    settings = ConnectionSettings("a b", "h", 2222, proxy_command="x '%n.ssh' %h:%p %r 100%%")
    assert settings.proxy_argv() == ["x", "a b.ssh", "h:2222", "root", "100%"]


def test_jump_hosts_are_read():
    jumps = ConnectionSettings("n", "h", user="ops", proxy_jump="gate, me@[fe80::1]:2022").jumps()
    assert [(each.user, each.address, each.port) for each in jumps] == [("ops", "gate", 22), ("me", "fe80::1", 2022)]


def test_jump_hosts_are_waited_for_as_long_as_nodes_and_told_no_password():
    settings = ConnectionSettings("n", "h", proxy_jump="gate", sudo_password="x", connect_timeout=3.0)
    (jump,) = settings.jumps()
    assert jump == ConnectionSettings("n", "gate", connect_timeout=3.0)


async def test_an_interrupt_that_comes_with_the_answer_is_not_lost(node, monkeypatch):
    await node.run(command("true"))
    answering = shell.Shell.run

    async def answers_and_is_interrupted(self, *requests):
        answers = await answering(self, *requests)
        asking.cancel()
        return answers

    monkeypatch.setattr(shell.Shell, "run", answers_and_is_interrupted)

    async def ask_twice():
        await node.run(command("true"))
        await node.run(command("true"))

    asking = asyncio.create_task(ask_twice())
    with pytest.raises(asyncio.CancelledError):
        await asking
