from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pytest

from blueprint.site import things
from declaration.site import Site
from operations.doctor.model import Asked
from providers.connection.command import Result, command
from tests.support.sites import lab_site

Answers = Sequence["str | tuple[str, int]"]


@pytest.fixture
def site() -> Site:
    """The lab's site, phase 3."""
    return lab_site()


def results(answers: Answers) -> list[Result]:
    """Texts as results; with a number, that exit code."""
    pairs = [(each, 0) if isinstance(each, str) else each for each in answers]
    return [Result(command("x"), code, text, "") for text, code in pairs]


@pytest.fixture
def ask(site: Site) -> Callable[..., Asked]:
    """What a check gets to judge by: texts in the place of results."""

    def made(
        *answers: str | tuple[str, int],
        others: Mapping[str, Answers] | None = None,
        ours: bool = False,
        owners: Mapping[str, str] | None = None,
        pair_is_ours: bool = False,
        of: Site = site,
        node: str = "qsp-a",
        secrets: Mapping[str, str] | None = None,
    ) -> Asked:
        there = {name: results(each) for name, each in (others or {}).items()}
        listed = things(of, "squid-ha/lab")
        claims = owners or ({"lab": "squid-ha/lab"} if ours else {})
        told = results(answers)
        secret = (secrets or {}).get
        return Asked(of, "squid-ha/lab", of.node(node), told, there, claims, listed, pair_is_ours, secret)

    return made
