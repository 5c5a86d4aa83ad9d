"""What is added to Squid's AppArmor profile.

Its real parser is asked in tests/hosts/test_debian_13.py, the kernel in tests/cluster/test_apparmor.py.
"""

import copy
import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blueprint import names
from blueprint.profile import allowed
from blueprint.render.apparmor import render
from blueprint.site import things
from declaration.load import read
from tests.unit.declaration.conftest import SITES

PATH = st.lists(st.text(string.ascii_letters + string.digits + "._+@:=,*?-", min_size=1, max_size=8), min_size=1).map(
    lambda parts: "/" + "/".join(parts)
)
LINE = re.compile(r'"(/[^"{}\[\]\\\s]+)+/?" (r|rw|rwk),')


def text_of(phase: int = 3, **squid: object) -> str:
    given_site = copy.deepcopy(SITES[phase])
    given_site["squid"] |= squid
    return render("squid-ha/test", list(allowed(read(given_site, "test"))))


@given(st.lists(PATH, max_size=4))
def test_no_path_can_break_out_of_its_quotes(found):
    lines = render("squid-ha/test", [(path, "rw") for path in found]).splitlines()
    assert len(lines) == 1 + len(set(found))
    assert all(LINE.fullmatch(line) for line in lines[1:])


@pytest.mark.parametrize("path", ['/a" r,', "/a b", "/a\n/b", "relative", "/a{b,c}", "/@{HOME}", "/a[bc]", "/a\\b", ""])
def test_what_the_parser_would_read_as_something_else_is_refused(path):
    with pytest.raises(ValueError, match="AppArmor"):
        render("squid-ha/test", [(path, "r")])


def test_the_log_on_the_mirror_may_be_written():
    assert '"/mnt/mirror/squid/**" rw,\n' in text_of()
    assert "/mnt/mirror" not in text_of(2)


def test_a_cache_on_the_mirror_may_be_locked_too():
    assert '"/mnt/mirror/cache/**" rwk,\n' in text_of(cache={"disk": {"size": "64M", "where": "mirror"}})
    assert "cache" not in text_of(cache={"disk": {"size": "64M"}})


def test_files_outside_of_the_distributions_directory_may_be_read():
    text = text_of(include=["/srv/lists/*.conf", "/etc/squid/conf.d/*.conf"])
    assert '"/srv/lists/*.conf" r,\n' in text
    assert "conf.d" not in text, "the profile allows it already"


def test_the_check_of_a_new_configuration_may_be_read_before_it_is_asked_for():
    assert '"/run/squid-ha-check.*/new" r,\n' in text_of(1)
    by_name = {thing.name: thing for thing in things(read(copy.deepcopy(SITES[3]), "test"), "squid-ha/test")}
    assert names.SQUID_PROFILE in by_name[names.SQUID_CONFIG].after
