import errno
import inspect
import re
import socket

import asyncssh
import pytest
from asyncssh.constants import OPEN_ADMINISTRATIVELY_PROHIBITED, OPEN_CONNECT_FAILED

from providers.connection import errors
from providers.connection.access import ConnectionSettings
from providers.connection.answers import not_understood, told_by
from providers.connection.errors import (
    CommandFailed,
    HostError,
    HostKeyRefused,
    Refused,
    SudoRefused,
    TimedOut,
    Unknown,
    Unreachable,
    all_silent,
    in_a_line,
    unheard,
)
from providers.connection.fake import FakeNode, fake_cluster
from providers.connection.files import read_files
from providers.connection.translate import ANSWERED, HOMES, as_host_error, home_of
from providers.host.settings import read_found
from providers.host.systemd import read_units
from providers.storage import views

EXCEPTIONS = [each for _, each in inspect.getmembers(asyncssh, inspect.isclass) if issubclass(each, BaseException)]


@pytest.mark.parametrize("error", EXCEPTIONS, ids=lambda error: error.__name__)
def test_every_exception_of_asyncssh_has_a_home_in_our_tree(error):
    home = home_of(error)
    assert home is not None
    assert issubclass(home, HostError)


def test_every_home_is_for_an_exception_that_exists():
    assert set(HOMES) | set(ANSWERED) <= {"Error", *(error.__name__ for error in EXCEPTIONS)}


def test_the_tree_shows_every_error_below_the_one_that_it_is_a_kind_of():
    shown = re.findall(r"^([│├└─ ]*)(\w+)  ", errors.__doc__ or "", re.MULTILINE)
    above, tree = [], {}
    for lines, name in shown:
        del above[len(lines) // 4 :]
        tree[name] = above[-1] if above else "Exception"
        above.append(name)
    ours = [each for _, each in inspect.getmembers(errors, inspect.isclass) if each.__module__ == errors.__name__]
    assert tree == {each.__name__: each.__bases__[0].__name__ for each in ours}


def test_an_exception_that_is_none_of_these_has_no_home():
    assert home_of(KeyError) is None


def test_a_host_key_is_told_apart_from_other_failures():
    settings = ConnectionSettings("qsp-a", "192.0.2.11", known_hosts="/k")
    refused = as_host_error(settings, asyncssh.HostKeyNotVerifiable("x"), known=True)
    assert isinstance(refused, HostKeyRefused)
    assert "ssh-keygen -R 192.0.2.11 -f /k" in str(refused)
    assert "no answer in time" in str(as_host_error(settings, TimeoutError()))


@pytest.mark.parametrize(
    ("error", "answered"),
    [
        (asyncssh.HostKeyNotVerifiable("x"), True),
        (asyncssh.PermissionDenied("x"), True),
        (asyncssh.KeyExchangeFailed("x"), True),
        (asyncssh.DisconnectError(2, "too many authentication failures"), True),
        (asyncssh.ConnectionLost("x"), False),
        (asyncssh.ChannelOpenError(OPEN_CONNECT_FAILED, "No route to host"), False),
        (asyncssh.ChannelOpenError(OPEN_CONNECT_FAILED, "Connection timed out"), False),
        (asyncssh.ChannelOpenError(OPEN_CONNECT_FAILED, "Connection refused"), True),
        (asyncssh.ChannelOpenError(OPEN_CONNECT_FAILED, "unknown host (Name or service not known)"), None),
        (asyncssh.ChannelOpenError(OPEN_ADMINISTRATIVELY_PROHIBITED, "x"), None),
        (asyncssh.ProtocolError("x"), None),
        (asyncssh.KeyImportError("x"), None),
        (asyncssh.KeyEncryptionError("x"), None),
        (ConnectionRefusedError(errno.ECONNREFUSED, "x"), True),
        (TimeoutError(), False),
        (OSError(errno.EHOSTUNREACH, "no route to host"), False),
        (OSError("Multiple exceptions: x, y"), False),
        (OSError(errno.EMFILE, "too many open files"), None),
        (FileNotFoundError(errno.ENOENT, "x", "/k/id"), None),
        (PermissionError(errno.EACCES, "x", "/k/id"), None),
        (socket.gaierror(-2, "name or service not known"), None),
        (ValueError("x"), None),
    ],
    ids=repr,
)
def test_whether_the_node_itself_answered(error, answered):
    assert as_host_error(ConnectionSettings("qsp-a", "192.0.2.11"), error).answered is answered


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "/k/id"), "see that `/k/id` is there"),
        (socket.gaierror(-2, "Name or service not known"), "see that the name qsp-a.example.org is found"),
    ],
    ids=["file", "name"],
)
def test_what_is_to_be_mended_here_is_said_and_the_node_is_not_to_be_looked_at(error, remedy):
    assert as_host_error(ConnectionSettings("qsp-a", "qsp-a.example.org"), error).remedy.startswith(remedy)


def test_a_key_file_is_known_by_its_path_at_home_and_another_missing_file_is_none_of_it(monkeypatch):
    monkeypatch.setenv("HOME", "/home/ops")
    settings = ConnectionSettings("qsp-a", "192.0.2.11", identity="~/.ssh/id")
    key = FileNotFoundError(errno.ENOENT, "No such file or directory", "/home/ops/.ssh/id")
    assert str(as_host_error(settings, key)).startswith("qsp-a: `ssh.identity`: there is no ~/.ssh/id\n  → name ")
    program = FileNotFoundError(errno.ENOENT, "No such file or directory", "nc")
    assert as_host_error(settings, program).remedy.startswith("see that `nc` is there")


def test_an_error_is_a_line_with_its_remedy_and_names_its_node_once():
    error = CommandFailed("qsp-a", "x", 1, "one\ntwo", remedy="do this")
    assert in_a_line(error) == "qsp-a: `x` ended with exit code 1 one two → do this"
    assert in_a_line(error, "qsp-a") == "`x` ended with exit code 1 one two → do this"
    assert in_a_line(error, "qsp-b") == in_a_line(error)
    assert in_a_line(error.message) == "`x` ended with exit code 1 one two"
    assert in_a_line(HostError("no answer")) == "no answer"


@pytest.mark.parametrize(
    ("first", "kind"), [(HostKeyRefused, Unreachable), (Unreachable, Unreachable), (SudoRefused, SudoRefused)]
)
def test_what_keeps_several_nodes_is_told_of_each_with_what_to_do(first, kind):
    reasons = [first("one", node="qsp-a", remedy="do this"), TimedOut("two", node="qsp-b", remedy="do that")]
    told = all_silent(reasons)
    assert type(told) is kind
    assert str(told) == "qsp-a: one\n  → do this;\nqsp-b: two\n  → do that"
    assert in_a_line(told) == "qsp-a: one → do this; qsp-b: two → do that"
    assert all_silent(reasons[:1]) is reasons[0]


def test_of_a_node_that_hangs_no_more_is_known_than_of_one_that_is_gone():
    hung = unheard(TimedOut("`ls` did not finish within 60 s", node="qsp-a"))
    assert isinstance(hung, Unreachable)
    assert str(hung).startswith("qsp-a: `ls` did not finish within 60 s\n  → see whether the node hangs")
    assert unheard(TimedOut("x", remedy="do this")).remedy == "do this"
    refused = Refused("no")
    assert unheard(refused) is refused


@pytest.mark.parametrize("raised", [not_understood("what `x` says"), Refused("the cluster is torn")])
async def test_an_answer_that_is_not_understood_names_its_node_and_another_error_stays_as_it_is(raised):
    async def ask(node):
        if node.name == "qsp-b":
            raise raised

    with pytest.raises(type(raised)) as error:
        await fake_cluster(FakeNode("qsp-a"), FakeNode("qsp-b")).each(ask)
    assert error.value.node == ("qsp-b" if isinstance(raised, Unknown) else "")
    assert str(error.value).startswith("the cluster" if error.value is raised else "qsp-b: what `x` says is not")


@pytest.mark.parametrize(
    "read",
    [
        lambda node: read_files(node, ["/etc/x"]),
        lambda node: read_units(node, ["x.service"]),
        lambda node: read_found(node, ["/etc/x"], []),
        lambda node: views.read_status(node, "r0"),
    ],
)
async def test_a_reader_of_one_node_names_it_where_it_does_not_understand(read):
    with pytest.raises(Unknown, match=r"^qsp-a: .* is not understood"):
        await read(FakeNode("qsp-a", lambda _command: "exists device name:r0 size:odd\n"))


def test_whoever_is_nearest_to_the_answer_names_the_node():
    with pytest.raises(Unknown, match=r"^qsp-b: "), told_by("qsp-a"), told_by("qsp-b"):
        raise not_understood("what it says")
