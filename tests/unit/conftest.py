"""Settings for all unit tests."""

from hypothesis import HealthCheck, settings

from tests.support.cuts import ALL

# How long an example takes says more about what else the machine does than about the code. Few examples in the inner
# loop, others each time: what one run misses, one of the next finds.
settings.register_profile(
    "unit", deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=300 if ALL else 10
)
settings.load_profile("unit")
