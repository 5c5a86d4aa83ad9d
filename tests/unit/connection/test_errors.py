import inspect

import asyncssh
import pytest

from providers.connection.access import ConnectionSettings
from providers.connection.answers import not_understood, told_by
from providers.connection.errors import CommandFailed, HostError, HostKeyRefused, Refused, Unknown, in_a_line
from providers.connection.fake import FakeNode, fake_cluster
from providers.connection.files import read_files
from providers.connection.translate import HOMES, as_host_error, home_of
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
    assert set(HOMES) <= {"Error", *(error.__name__ for error in EXCEPTIONS)}


def test_an_exception_that_is_none_of_these_has_no_home():
    assert home_of(KeyError) is None


def test_a_host_key_is_told_apart_from_other_failures():
    settings = ConnectionSettings("qsp-a", "192.0.2.11", known_hosts="/k")
    refused = as_host_error(settings, asyncssh.HostKeyNotVerifiable("x"), known=True)
    assert isinstance(refused, HostKeyRefused)
    assert "ssh-keygen -R 192.0.2.11 -f /k" in str(refused)
    assert "no answer in time" in str(as_host_error(settings, TimeoutError()))


def test_an_error_is_a_line_with_its_remedy_and_names_its_node_once():
    error = CommandFailed("qsp-a", "x", 1, "one\ntwo", remedy="do this")
    assert in_a_line(error) == "qsp-a: `x` ended with exit code 1 one two → do this"
    assert in_a_line(error, "qsp-a") == "`x` ended with exit code 1 one two → do this"
    assert in_a_line(error, "qsp-b") == in_a_line(error)
    assert in_a_line(error.message) == "`x` ended with exit code 1 one two"
    assert in_a_line(HostError("no answer")) == "no answer"


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
