"""The example by which tests of kinds are written."""

import doctest

from providers.connection import fake


def test_the_example_does_what_it_says() -> None:
    done = doctest.testmod(fake)
    assert done.attempted
    assert not done.failed
