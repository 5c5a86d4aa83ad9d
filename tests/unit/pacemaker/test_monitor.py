import pytest

from providers.pacemaker import monitor
from tests.unit.pacemaker.tools import recorded


def test_two_nodes_that_see_each_other():
    seen = monitor.parse(recorded("crm_mon-online.xml"))
    assert seen.online() == ["qsp-a", "qsp-b"]
    assert seen.quorate
    assert seen.dc == "qsp-b"
    assert not seen.maintenance


def test_while_it_starts_nobody_is_online_and_nobody_coordinates():
    seen = monitor.parse(recorded("crm_mon-starting.xml"))
    assert seen.online() == []
    assert seen.dc == ""
    assert not seen.quorate


def test_the_tree_with_its_roles():
    seen = monitor.parse(recorded("crm_mon-tree.xml"))
    (home,) = seen.running("mirror", promoted=True)
    assert sorted(seen.running("mirror")) == ["qsp-a", "qsp-b"]
    assert {name: seen.running(name) for name in ("filesystem", "squid", "address")} == {
        "filesystem": [home],
        "squid": [home],
        "address": [home],
    }
    assert {instance.clone for instance in seen.of("mirror")} == {"mirror-clone"}
    assert set(seen.attributes["qsp-a"]) >= {"master-mirror"}


def test_a_failed_start_names_node_operation_and_reason():
    seen = monitor.parse(recorded("crm_mon-failed.xml"))
    failures = seen.failures_of("sick")
    assert {(failure.operation, failure.node, failure.status) for failure in failures} == {
        ("start", "qsp-a", "error"),
        ("start", "qsp-b", "error"),
    }
    assert "start of sick on qsp-" in str(failures[0])
    assert seen.running("sick") == []
    assert seen.failures_of("squid") == []


def test_software_that_is_missing_counts_as_failure():
    seen = monitor.parse(recorded("crm_mon-not_installed.xml"))
    assert {(failure.node, failure.operation, failure.status) for failure in seen.failures_of("gone")} == {
        ("qsp-a", "probe", "not installed"),
        ("qsp-b", "probe", "not installed"),
    }


def test_the_agents_own_words_come_from_the_configuration():
    seen = monitor.parse(recorded("crm_mon-not_installed.xml"), recorded("cib-not_installed.xml"))
    said = {failure.reason for failure in seen.failures_of("gone")}
    assert said == {"Setup problem: couldn't find command: fuser"}


@pytest.mark.parametrize("text", ["", "Connection refused", "<pacemaker-result/>", "<other><summary/></other>"])
def test_anything_else_is_refused(text):
    with pytest.raises(ValueError, match="crm_mon"):
        monitor.parse(text)


def test_a_pacemaker_that_is_only_starting_is_told_apart_from_nonsense():
    """What crm_mon 2.1.5 prints while the daemons come up: a result without a summary, and exit code 0."""
    with pytest.raises(monitor.Starting):
        monitor.parse('<pacemaker-result api-version="2.25"><status code="0" message="OK"/></pacemaker-result>')
