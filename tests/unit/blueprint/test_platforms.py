"""The table of platforms."""

from dataclasses import fields
from typing import get_args

from blueprint.platforms import PLATFORMS
from declaration.site import Site


def test_every_platform_that_can_be_declared_is_in_the_table() -> None:
    assert set(get_args(Site.model_fields["platform"].annotation)) == set(PLATFORMS)


def test_no_name_is_left_out() -> None:
    for platform in PLATFORMS.values():
        assert all(getattr(platform, field.name) for field in fields(platform))
