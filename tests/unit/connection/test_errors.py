import inspect

import asyncssh
import pytest

from providers.connection.access import ConnectionSettings
from providers.connection.errors import CommandFailed, HostError, HostKeyRefused, in_a_line
from providers.connection.translate import HOMES, as_host_error, home_of

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
