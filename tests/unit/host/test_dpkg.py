from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from providers.host.dpkg import (
    Made,
    Package,
    Snapshot,
    add,
    parse_dependencies,
    parse_directories,
    parse_names,
    parse_packages,
    parse_simulated_removal,
    topmost,
)

RECORDED = Path(__file__).parents[2] / "recorded/host"


def recorded(name: str) -> str:
    return (RECORDED / name).read_text()


def test_packages_that_left_only_configuration_are_not_there():
    text = (
        "squid\tinstalled\t5.7-2+deb12u6\nsbd\tconfig-files\t1.5.2-1\nbc\tnot-installed\t\nzip\thalf-configured\t3.0\n"
    )
    assert parse_packages(text) == {
        "squid": Package("installed", "5.7-2+deb12u6"),
        "zip": Package("half-configured", "3.0"),
    }


def test_of_several_architectures_the_installed_one_counts():
    assert parse_packages("libc6\tinstalled\t2\nlibc6\thalf-installed\t2\n")["libc6"].status == "installed"
    assert parse_packages("libc6\thalf-installed\t2\nlibc6\tinstalled\t2\n")["libc6"].status == "installed"


def test_a_real_installation_displaces_the_other_time_service():
    before = Snapshot(packages=sorted(parse_packages(recorded("dpkg.before.txt"))), automatic=["systemd-timesyncd"])
    after = Snapshot(packages=sorted(parse_packages(recorded("dpkg.after.txt"))), users=["hacluster"])
    made = add(Made(), before, after)
    assert {"squid", "chrony", "libxml2:amd64", "corosync"} <= set(made.packages)
    assert "systemd" not in made.packages
    assert made.displaced == ["systemd-timesyncd"]
    assert made.automatic == ["systemd-timesyncd"]
    assert made.users == ["hacluster"]


names = st.lists(st.sampled_from("abcdef"), unique=True)


@given(first=names, second=names, third=names)
def test_two_runs_add_up_and_a_repeated_one_adds_nothing(first, second, third):
    one = add(Made(), Snapshot(packages=first), Snapshot(packages=second))
    both = add(one, Snapshot(packages=second), Snapshot(packages=third))
    assert add(both, Snapshot(packages=second), Snapshot(packages=third)) == both
    assert set(both.packages) == (set(second) - set(first)) | (set(third) - set(second))
    # What was there before the first run, and has never gone since, is never ours.
    assert not set(both.packages) & set(first) & set(second)


def test_only_names_of_accounts():
    assert parse_names("root:x:0:0::/root:/bin/bash\n# x\n+nis\nproxy:x:13:\n") == ["proxy", "root"]


def test_the_machines_own_books_are_nobodys_leftover():
    text = "/var/lib/corosync\n/var/lib/dpkg/info\n/var/lib/dpkg\n/var/lib/systemd/x\n/var/spool/squid\nfind: no\n"
    assert parse_directories(text) == ["/var/lib/corosync", "/var/spool/squid"]


def test_topmost_directories():
    assert topmost(["/a/b", "/a", "/a-b", "/a-b/c", "/ab"]) == ["/a", "/a-b", "/ab"]


def test_a_simulated_removal_names_what_would_go():
    names = parse_simulated_removal(recorded("apt-simulated-purge.txt"))
    assert {"libxml2", "libcib27", "pacemaker"} <= names
    assert "systemd" not in names


def test_dependencies_are_package_names():
    names = parse_dependencies(recorded("apt-depends.txt"))
    assert {"squid", "libecap3", "squid-common"} <= names
    assert not any(name.startswith(("<", "|", "Depends")) for name in names)
