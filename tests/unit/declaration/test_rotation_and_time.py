"""Wrong declarations of the rotation and of time."""

import pytest

from tests.unit.declaration.conftest import changed, put, told

# what is set, to what, what the sentence says; of the site of phase 3, one setting at a time
SETTINGS = [
    ("rotation.max_size", "500 M", "such as `500M`"),
    ("rotation.max_size", "500M\n}", "without line breaks"),
    ("rotation.min_size", "0k", "such as `500M`"),
    ("rotation.min_size", 1.5, "a number alone has no unit"),
    ("rotation.size", "1T", "such as `500M`"),
    ("rotation.size", True, "in quotes"),
    ("rotation.keep", 10_001, "at most 10000"),
    ("rotation.keep", 7.0, "a whole number"),
    ("rotation.date_suffix", 20260101, "begins with `-`"),
    ("rotation.date_suffix", "yes", "begins with `-`"),
    ("rotation.date_suffix", "", "begins with `-`"),
    ("rotation.date_suffix", "%Y%m%d", "begins with `-`"),
    ("rotation.date_suffix", "-old", "begins with `-`"),
    ("rotation.date_suffix", "-%Y %m", "begins with `-`"),
    ("rotation.date_suffix", "-%Y/%m/%d", "begins with `-`"),
    ("rotation.date_suffix", "-%Y%m%d;id", "begins with `-`"),
    ("rotation.date_suffix", "-%Y%m%d\n}", "without line breaks"),
    ("rotation.date_suffix", "-%y%m%d", "begins with `-`"),
    ("rotation.date_suffix", "-%Y%V", "begins with `-`"),
    ("rotation.date_suffix", "-%d-%m-%Y", "sort by age"),
    ("rotation.date_suffix", "-%Y%d", "sort by age"),
    ("rotation.date_suffix", "-%m%d", "sort by age"),
    ("rotation.date_suffix", "-%Y%m%d%d", "sort by age"),
    ("rotation.date_suffix", "-%Y%m%d" + "x" * 90, "a shorter format"),
    ("rotation.date_suffix", "-%Y%m", "with %d or %s"),
    ("rotation.dateext", True, "known here: `schedule`"),
    ("rotation.maxsize", "1G", "perhaps `max_size`"),
    ("time.service", "chronyd", "perhaps `chrony`"),
    ("time.service", None, "`chrony`"),
    ("time.servers", "192.0.2.1", "a list"),
    ("time.servers", ["192.0.2.1 iburst"], "a host name or an address"),
    ("time.servers", ["192.0.2.1\nallow"], "without line breaks"),
    ("time.servers", ["127.0.0.1"], "one host"),
    ("time.servers", [1.10], "in quotes"),
    ("time.pools", "pool.example.org", "a list"),
    ("time.pools", ["192.0.2.1"], "a host name"),
    ("time.pools", ["pool.example.org iburst"], "a host name"),
    ("time.pools", ["pool.example.org", "pool.example.org"], "each entry once"),
    ("time.pools", ["pool.example.org\u2028allow"], "without line breaks"),
    ("time.pool", ["pool.example.org"], "perhaps `pools`"),
    ("time.minimum_sources", 0, "at least 1"),
    ("time.minimum_sources", 17, "at most 16"),
    ("time.minimum_sources", "1", "without quotes"),
]


@pytest.mark.parametrize(("path", "value", "sentence"), SETTINGS)
def test_a_wrong_setting_is_refused(site, path: str, value: object, sentence: str):
    put(site, path, value)
    assert told(site, path, sentence, below=True)


# of the site of a phase: settings, path at fault, sentence
TOGETHER = [
    (3, {"rotation.size": "1G"}, "rotation.schedule", "not both"),
    (3, {"rotation": {"size": "1G", "max_size": "2G"}}, "rotation.max_size", "not both"),
    (3, {"rotation": {"size": "1G", "min_size": "1M"}}, "rotation.min_size", "not both"),
    (3, {"rotation": {"min_size": "1G", "max_size": "1024M"}}, "rotation.min_size", "less than `max_size: 1024M`"),
    (3, {"rotation": {"size": "1G", "date_suffix": "-%Y%m%d"}}, "rotation.date_suffix", "%H or %s, because of `size`"),
    (3, {"rotation.max_size": "1G", "rotation.date_suffix": "-%Y%m%d"}, "rotation.date_suffix", "%H or %s"),
    (3, {"rotation": {"schedule": "hourly", "date_suffix": "-%Y%m%d"}}, "rotation.date_suffix", "%H or %s"),
    (3, {"rotation": {"schedule": "monthly", "date_suffix": "-%Y"}}, "rotation.date_suffix", "%m or %s"),
    (1, {"time": {"service": "ntpsec"}}, "time.servers", "or a pool"),
    (1, {"time": {"pools": ["p.example.org"], "minimum_sources": 5}}, "time.minimum_sources", "at most 4"),
    (1, {"time.pools": ["p.example.org"], "time.servers": ["p.example.org"]}, "time.pools[0]", "each entry once"),
    (1, {"time": {"service": "existing", "servers": ["a.example.org"]}}, "time.servers", "`service: existing`"),
    (1, {"time": {"service": "existing", "pools": ["p.example.org"]}}, "time.pools", "`service: existing`"),
    (1, {"time": {"service": "existing", "minimum_sources": 1}}, "time.minimum_sources", "`service: existing`"),
    (3, {"time": {"service": "existing", "max_offset": "0s"}}, "time.max_offset", "between 1ms"),
]


@pytest.mark.parametrize(("phase", "changes", "path", "sentence"), TOGETHER)
def test_what_makes_no_sense_together_is_refused(phase, changes, path, sentence):
    assert told(changed(phase, changes), path, sentence)
