"""Packages on the container pair: quiet installation, adoption, drift, and a removal that leaves no trace."""

import pytest

from providers.connection.loop import run_sync
from providers.host import packages
from tests.support.things import Site, difference, site

NAMES = [
    "squid", "corosync", "pacemaker", "pacemaker-cli-utils", "resource-agents", "sbd", "cluster-glue", "drbd-utils",
    "chrony", "logrotate",
]  # fmt: skip
QUIET = ["squid.service", "corosync.service", "pacemaker.service", "sbd.service", "drbd.service", "logd.service"]
WANTED = packages.Wanted(
    nodes={node: dict.fromkeys(NAMES, "installed") for node in ("qsp-a", "qsp-b")}, quiet_units=QUIET
)
STATES = "for u in squid corosync pacemaker sbd logd; do systemctl is-enabled $u; systemctl is-active $u; done; true"


@pytest.fixture(scope="module")
def lab_site(pair) -> Site:
    return site(pair)


@pytest.fixture(scope="module")
def untouched(lab_site) -> dict[str, list[str]]:
    return {node: lab_site.manifest(node) for node in lab_site.cluster.nodes}


# Somebody's apt has just begun to fetch the lists: apt's lock is one of fcntl(2), and taken for six seconds.
FETCHING = """
rm -f /var/lib/apt/lists/*Packages*
systemd-run --quiet --collect --unit=fetching perl -e '
    open(my $lock, "+>>", "/var/lib/apt/lists/lock") or die;
    my $whole = pack("s s x4 q q i x4", 1, 0, 0, 0, 0);
    fcntl($lock, 6, $whole) or die;
    open(my $taken, ">", "/run/fetching") or die;
    sleep 6'
until [ -e /run/fetching ]; do sleep 0.1; done
rm /run/fetching
"""


def test_installing_starts_and_enables_nothing(lab_site, untouched):
    lab_site.sh("qsp-a", FETCHING)
    lab_site.apply("host.packages", "packages", WANTED)
    for node in lab_site.cluster.nodes:
        assert lab_site.sh(node, STATES).split() == ["disabled", "inactive"] * 5
        assert lab_site.sh(node, "ls /run/systemd/system/*.service 2>/dev/null; true") == ""
        assert lab_site.journal(node, "packages").keys() == {packages.MADE}
    assert any("installing squid" in line for line in lab_site.told)


def test_what_is_there_is_adopted(lab_site):
    found = lab_site.observe("host.packages", "another", WANTED)
    assert found.values == WANTED
    assert found.facts["versions"]["qsp-a"]["squid"].startswith("5.7")
    lab_site.apply("host.packages", "another", WANTED)
    assert lab_site.journal("qsp-a", "another") == {}


def test_a_package_that_goes_missing_is_drift_and_comes_back(lab_site):
    lab_site.sh("qsp-b", "DEBIAN_FRONTEND=noninteractive apt-get -y purge sbd")
    assert lab_site.drift("host.packages", "packages", WANTED) == ["nodes.qsp-b.sbd"]
    lab_site.apply("host.packages", "packages", WANTED)
    assert lab_site.drift("host.packages", "packages", WANTED) == []
    assert lab_site.sh("qsp-b", "systemctl is-enabled sbd; true").strip() == "disabled"


def upgrade(lab_site: Site, node: str) -> None:
    """The same versions once more: dpkg and the packages' scripts do what they do with newer ones."""
    lab_site.sh(node, "DEBIAN_FRONTEND=noninteractive apt-get -y install --reinstall squid corosync pacemaker sbd")


def test_an_upgrade_of_its_packages_starts_and_enables_nothing(lab_site):
    upgrade(lab_site, "qsp-a")
    assert lab_site.sh("qsp-a", STATES).split() == ["disabled", "inactive"] * 5


def test_units_that_an_upgrade_would_enable_are_drift_and_are_recorded(lab_site):
    """As a site has them whose packages an earlier version of this program has installed."""
    lab_site.sh("qsp-a", "rm /var/lib/systemd/deb-systemd-helper-enabled/squid.service.dsh-also")
    assert lab_site.drift("host.packages", "packages", WANTED) == ["unrecorded.qsp-a"]
    lab_site.apply("host.packages", "packages", WANTED)
    assert lab_site.drift("host.packages", "packages", WANTED) == []
    upgrade(lab_site, "qsp-a")
    assert lab_site.sh("qsp-a", STATES).split() == ["disabled", "inactive"] * 5

    lab_site.sh("qsp-a", "rm /var/lib/systemd/deb-systemd-helper-enabled/squid.service.dsh-also")
    upgrade(lab_site, "qsp-a")
    enabled = lab_site.sh("qsp-a", "systemctl is-enabled squid; systemctl disable --now squid 2>/dev/null").strip()
    assert enabled == "enabled", "Debian's helper does without its record, which then need not be made up for"


def test_a_running_unit_is_left_alone_by_another_installation(lab_site):
    lab_site.sh("qsp-a", "systemctl start squid && apt-get -y purge sbd")
    pid = lab_site.sh("qsp-a", "systemctl show -P MainPID squid")
    lab_site.apply("host.packages", "packages", WANTED)
    assert lab_site.sh("qsp-a", "systemctl show -P MainPID squid") == pid
    lab_site.sh("qsp-a", "systemctl kill -s KILL squid; systemctl stop squid; systemctl reset-failed squid; true")


def test_an_installation_that_was_cut_off_is_accounted_for(lab_site):
    """Power lost in the middle: dpkg is left half configured, the units are masked, and the journal says so."""
    journal = lab_site.journal("qsp-a", "packages")
    made = packages.Made.model_validate_json(journal[packages.MADE])
    names = set(lab_site.sh("qsp-a", r"dpkg-query -W -f '${binary:Package}\n'").split()) - {"sbd"}
    begun = packages.Begun(before=packages.Snapshot(packages=sorted(names)), quiet=["sbd.service"])
    run_sync(lab_site.cluster.of("cut").journal("qsp-a").record({packages.PENDING: begun.model_dump_json()}))
    lab_site.sh("qsp-a", "systemctl mask --runtime sbd.service && dpkg --unpack /var/cache/apt/archives/sbd_*.deb")
    # Days pass.
    lab_site.sh("qsp-a", "mkdir -p /var/lib/stranger/data")
    lab_site.apply("host.packages", "cut", WANTED)
    assert lab_site.drift("host.packages", "cut", WANTED) == []
    assert lab_site.sh("qsp-a", "dpkg --audit") == ""
    assert lab_site.sh("qsp-a", "systemctl is-enabled sbd; true").strip() == "disabled"
    cut = packages.Made.model_validate_json(lab_site.journal("qsp-a", "cut")[packages.MADE])
    assert cut.packages == ["sbd"]
    assert (cut.users, cut.groups) == ([], []), "accounts that sbd has nothing to do with"
    assert [each for each in cut.directories if "stranger" in each] == []
    lab_site.sh("qsp-a", "rm -r /var/lib/stranger")
    assert set(cut.packages) <= set(made.packages)
    run_sync(lab_site.cluster.of("cut").journal("qsp-a").forget())


def test_removal_keeps_what_somebody_else_needs(lab_site):
    """Somebody installed libxml2-utils later, which needs libxml2, which we brought for Pacemaker."""
    lab_site.sh("qsp-b", "DEBIAN_FRONTEND=noninteractive apt-get -y install libxml2-utils >/dev/null")
    lab_site.remove("host.packages", "packages", WANTED)
    status = "dpkg-query -W -f '${db:Status-Status} ' libxml2-utils libxml2 squid 2>/dev/null; true"
    assert lab_site.sh("qsp-b", status).split() == ["installed", "installed"]
    assert any("libxml2" in line and "stay, because libxml2-utils need" in line for line in lab_site.told)
    lab_site.sh("qsp-b", "apt-get -y purge --auto-remove libxml2-utils libxml2 >/dev/null")


def test_removal_leaves_the_nodes_as_they_were(lab_site, untouched):
    for node, before in untouched.items():
        assert difference(before, lab_site.manifest(node)) == []
        assert lab_site.journal(node, "packages") == {}
    lab_site.remove("host.packages", "packages", WANTED)
