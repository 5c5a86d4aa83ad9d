"""The whole program on a pair of Debian 13 containers, phase 2: what its Squid 6 and Pacemaker 3 take and answer."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from blueprint import paths, profile
from blueprint.render import apparmor
from blueprint.site import things
from declaration.load import read
from declaration.logformat import CODES
from lab import addresses, control, image
from lab.image.releases import DEBIAN_13
from providers.host import packages
from providers.storage import mirror
from tests.hosts.conftest import wait_for_ssh
from tests.hosts.test_pulumi import booted
from tests.hosts.test_squid_settings import EVERYTHING, KIND, SECRETS, ask, wanted
from tests.support import logformats
from tests.support.lab_pair import Pair
from tests.support.sites import on_containers, reference
from tests.support.stack import DRIFT, Run, Stack
from tests.support.things import OWNER, Site, difference, site

pytestmark = pytest.mark.long

SOURCE = "packages-13"
# The password `geheim`, as `openssl passwd -apr1 -salt 12345678 geheim` prints it.
USERS = "".join(f"{name}:$apr1$12345678$RNLsTixqckTL7HJUmaL731\n" for name in ("anna", "Mallory", "MALLORY"))


@pytest.fixture(scope="module")
def pair(lab: Path, lab_image: image.Image) -> Iterator[Pair]:
    built = DEBIAN_13.ensure(lab_image, print)
    control.call("spawn", name=SOURCE, namespace="origin", argv=built.serve(addresses.ORIGIN))
    try:
        for number, name in enumerate(addresses.NODES, start=1):
            control.call("add", name=name, number=number, tree=str(built.tree))
        wait_for_ssh(addresses.NODES)
        yield Pair(lab)
    finally:
        for name in addresses.NODES:
            control.call("remove", name=name)
        control.call("end", name=SOURCE)


@pytest.fixture(scope="module")
def hosts(pair: Pair) -> Site:
    return site(pair)


@pytest.fixture(scope="module")
def stack(pair, tmp_path_factory) -> Stack:
    declared = on_containers(pair.directory)
    declared["platform"] = "debian-13"
    return Stack("test-debian-13", tmp_path_factory.mktemp("stack"), declared)


@pytest.fixture(scope="module")
def deployed(stack, untouched) -> Run:
    return stack.up()


def test_up_makes_the_site_of_this_release(deployed, stack):
    versions = stack.resources()["packages"]["outputs"]["facts"]["versions"]["qsp-a"]
    assert versions["squid"].startswith("6.")
    assert versions["pacemaker"].startswith("3.")


def fetch(*options: str) -> str:
    """The page that a client gets through the virtual IP, or what curl says, and the status."""
    proxy = f"http://{addresses.VIRTUAL_IP}:3128"
    argv = ["curl", "-sS", "--max-time", "20", "--retry", "5", "--retry-connrefused", "-x", proxy, *options]
    answer = control.call("run", namespace="client", argv=[*argv, f"http://{addresses.ORIGIN}/hello"])
    assert answer["code"] == 0, answer
    return answer["out"]


def test_a_client_is_served_by_the_virtual_ip(deployed):
    assert fetch() == "/hello\n"


def test_a_preview_afterwards_is_unchanged(deployed, stack):
    assert "unchanged" in stack.preview("--expect-no-changes").output
    run = stack.drift()
    assert run.code == 0, run.output


def test_squid_takes_every_format_code_that_a_site_may_use(deployed, hosts):
    assert logformats.refused(hosts, "qsp-b", [*sorted(CODES), "zz"]) == ["zz"]
    assert logformats.cut_short(hosts, "qsp-b") == []


def test_rules_for_users_fit_them_however_they_write_their_names(deployed, stack):
    """Squid 6 hands names over in small letters where the site does not say otherwise, so a plain list fits nobody."""
    before = dict(stack.site["squid"])
    stack.pulumi("config", "set", "--secret", "proxy-users", stdin=USERS, check=True)
    mallory, others = {"action": "deny", "users": ["Mallory"]}, {"action": "allow", "authenticated": True}
    stack.site["squid"] |= {
        "auth": {"basic": {"password_file": {"secret": "proxy-users"}}},
        "access": [mallory, others, {"action": "deny"}],
    }
    del stack.site["squid"]["allow"]
    stack.up()
    status = ["--output", "/dev/null", "--write-out", "%{http_code}", "--proxy-user"]
    expected = {"anna:geheim": "200", "Mallory:geheim": "403", "MALLORY:geheim": "403", "anna:falsch": "407"}
    assert {login: fetch(*status, login) for login in expected} == expected
    stack.site["squid"] = before
    stack.up()
    assert fetch() == "/hello\n"


CHANGES = {
    "a constraint deleted": "cibadmin --delete --xml-text '<rsc_order id=\"address-after-squid\"/>'",
    "a property changed": "crm_attribute --name stonith-enabled --update true",
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_the_cluster_by_hand_is_drift_and_repaired(deployed, stack, hosts, change):
    hosts.sh("qsp-a", CHANGES[change])
    found = stack.drift()
    assert found.code == DRIFT, found.output
    repaired = stack.up("--refresh")
    assert "~ 1 updated" in repaired.output, repaired.counts()
    assert stack.drift().code == 0


def test_destroy_leaves_the_nodes_as_they_were(deployed, stack, hosts, pair, untouched):
    stack.destroy()
    for name in pair.names:
        before, after = ([line for line in each if line not in booted(each)]
                         for each in (untouched[name], hosts.manifest(name)))  # fmt: skip
        assert difference(before, after) == [], f"left behind on {name}"


@pytest.fixture
def bare(hosts, pair) -> Iterator[Site]:
    """The hosts, with what a site's things need that are made one by one here, and without it afterwards."""
    names = ("squid", "chrony", "logrotate", "nftables", "drbd-utils")
    needed = packages.Wanted(
        nodes={name: dict.fromkeys(names, "installed") for name in pair.names},
        quiet_units=["squid.service", "chrony.service", "drbd.service"],
    )
    opened = replace(hosts, cluster=replace(hosts.cluster, secret=SECRETS.get))
    opened.apply("host.packages", "packages", needed)
    yield opened
    opened.remove("host.packages", "packages", needed)


LOG = "/mnt/mirror/squid/access.log"
LOGROTATE = f"""
install -d /mnt/mirror /mnt/mirror/rotation && install -d -o proxy -g proxy -m 0750 /mnt/mirror/squid && echo x >{LOG}
logrotate --debug --state {paths.rotation_state("/mnt/mirror")} {paths.ROTATION_CONFIGURATION} 2>&1
rc=$?; rm -r /mnt/mirror; exit $rc
"""
# The kernel's part of DRBD is not here, so it is said: Debian's is 8.4.
DUMP = "DRBD_DRIVER_VERSION_OVERRIDE=8.4.11 drbdadm --config-file=/root/mirror.res dump"
LISTENS = "for _ in $(seq 100); do ss -Hltn 'sport = :3128' | grep -q . && exit 0; sleep 0.1; done; exit 1"


def test_what_other_sites_have_is_taken_by_this_release(bare, pair):
    """Time, rotation, firewall and all that can be said of Squid are made; DRBD's file is read by its own parser."""
    declared = reference(pair.directory) | {"platform": "debian-13", "firewall": "nftables"}
    made = {each.name: each for each in things(read(declared, "test"), OWNER)}
    applied = [made[name] for name in ("time", "rotation", "firewall")]
    for each in applied:
        bare.apply(each.kind, each.name, each.inputs)
        assert bare.drift(each.kind, each.name, each.inputs) == []
    said = bare.sh("qsp-a", LOGROTATE)
    assert f"considering log {LOG}" in said
    assert "error" not in said
    bare.sh("qsp-a", f"nft --check --file {paths.FIREWALL}")

    everything = wanted("debian-13", **EVERYTHING)
    bare.apply(*KIND, everything)
    bare.sh("qsp-a", f"systemctl start squid; {LISTENS}")
    assert [ask(bare), ask(bare, "anna:falsch"), ask(bare, "anna:geheim")] == ["407", "407", "503"]
    assert bare.drift(*KIND, everything) == []

    halves = made["mirror"].inputs
    assert isinstance(halves, mirror.Wanted)
    file = halves.nodes["qsp-a"].settings.files[paths.MIRROR_CONFIGURATION].content
    bare.sh("qsp-a", f"cat >/root/mirror.res <<'END'\n{file}\nEND")
    assert "on-io-error" in bare.sh("qsp-a", f"{DUMP} {paths.MIRROR_RESOURCE}")
    bare.sh("qsp-a", f"sed -i s/on-io-error/on-io-terror/ /root/mirror.res && ! {DUMP} all && rm /root/mirror.res")

    bare.sh("qsp-a", "systemctl stop squid")
    bare.remove(*KIND, everything)
    for each in reversed(applied):
        bare.remove(each.kind, each.name, each.inputs)


def test_fencing_by_sbd_is_still_an_agent_that_pacemaker_knows(deployed, hosts):
    """Pacemaker 3 takes agents of cluster-glue only where its build was told to. Last here: this stays installed."""
    hosts.sh(
        "qsp-a", "DEBIAN_FRONTEND=noninteractive apt-get -y install pacemaker pacemaker-cli-utils sbd cluster-glue"
    )
    assert "external/sbd" in hosts.sh("qsp-a", "stonith_admin --list-installed")


def test_the_distributions_profile_of_squid_takes_what_a_site_adds(deployed, hosts, pair):
    """The real parser on the real profile, under a name that the package has not disabled; loading needs a kernel."""
    hosts.sh("qsp-a", "DEBIAN_FRONTEND=noninteractive apt-get -y install squid apparmor")
    text = apparmor.render("squid-ha/test", list(profile.allowed(read(reference(pair.directory), "test"))))
    assert '"/mnt/mirror/squid/**" rw,' in text
    parse = "apparmor_parser --skip-kernel-load --skip-cache"
    local = "/etc/apparmor.d/local/usr.sbin.squid"
    profile_of_squid = "/root/profile-of-squid"
    hosts.sh("qsp-a", f"cp /etc/apparmor.d/usr.sbin.squid {profile_of_squid}")
    hosts.sh("qsp-a", f"cat >{local} <<'END'\n{text}END\n{parse} {profile_of_squid}")
    whole = hosts.sh("qsp-a", f"{parse} --preprocess {profile_of_squid}")
    assert '"/mnt/mirror/squid/**" rw,' in whole, "the profile does not read the local part"
    hosts.sh("qsp-a", f"echo 'nonsense' >>{local}; ! {parse} {profile_of_squid}")
    assert "ExecReload" in hosts.sh("qsp-a", "systemctl cat apparmor.service")
