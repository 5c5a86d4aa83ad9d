"""Secrets of a site in what its hosts say: none is printed, also not a line of one that has several."""

from declaration.load import read
from operations.credentials import MASK
from operations.drift.masks import Mask
from tests.support.sites import lab_settings

PEOPLE = "ann:$apr1$x$yyyyyyyy\nbob:$apr1$z$wwwwwwww\n"


def test_each_line_of_a_secret_is_masked_wherever_it_stands() -> None:
    site = lab_settings()
    site["squid"]["auth"] = {"basic": {"password_file": {"secret": "proxy-users"}}}
    mask = Mask(read(site, "lyon"), {"proxy-users": PEOPLE}.get)
    assert mask.text(f"found {PEOPLE.strip()}") == f"found {MASK}"
    assert mask.value({"x": ["# bob:$apr1$z$wwwwwwww", 1]}) == {"x": [f"# {MASK}", 1]}
    assert mask.text("ann and bob") == "ann and bob"
