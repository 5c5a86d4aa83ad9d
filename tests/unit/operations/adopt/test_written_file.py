"""The stack file that adoption writes."""

import yaml

from declaration.site import Site
from operations.adopt.write import text


def test_sections_stand_in_the_order_in_which_the_settings_are_declared():
    written = text("lab", {name: {} for name in sorted(Site.model_fields)}, [])
    assert list(yaml.safe_load(written)["config"]["squid-ha:site"]) == list(Site.model_fields)
