"""The lab's containers: what every test of a thing on a host relies on."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab import containers, control, tree
from lab.containers import cgroup
from lab.errors import LabError
from lab.image import Image
from tests.support.lab_pair import Pair
from tests.support.things import Site, site

PROXIED = """
import urllib.request
opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": "http://192.0.2.11:3128"}))
with opener.open("http://192.0.2.1/", timeout=10) as answer:
    print(answer.status, answer.headers["Via"])
"""


def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not so within {seconds:g} s: {condition}"
        time.sleep(0.02)


async def answers(pair, address: str) -> bool:
    done = await pair.run("qsp-a", f"ping -c 2 -i 0.2 -W 1 {address}")
    assert done.code in (0, 1), done.err  # 2 is a ping that could not ask
    return done.code == 0


async def test_pair_answers_as_ops_with_sudo(pair) -> None:
    for name in pair.names:
        assert (await pair.run(name, "id -un; uname -n")).out.split() == ["ops", name]
        assert (await pair.sudo(name, "id -un")).strip() == "root"
        assert (await pair.sudo(name, "systemctl is-system-running --wait")).strip() == "running"


async def test_hosts_start_without_the_products_packages(pair) -> None:
    installed = (await pair.run("qsp-a", "dpkg-query -W -f='${db:Status-Abbrev} ${Package}\\n'")).out.splitlines()
    names = {line.split()[1] for line in installed if line.startswith("ii")}
    ours = {"squid", "corosync", "pacemaker", "drbd-utils", "sbd", "chrony", "ntpsec", "systemd-timesyncd"}
    assert names & ours == {"systemd-timesyncd"}


async def test_both_networks_connect_the_pair_and_the_gateway(pair) -> None:
    for address in ("192.0.2.12", "172.16.77.12", "192.0.2.1", "192.0.2.100"):
        assert await answers(pair, address)


async def test_no_way_outside(pair) -> None:
    assert (await pair.run("qsp-a", "ip -br route get 203.0.113.1")).code == 0, "the default route is the lab's origin"
    for address in ("203.0.113.1", "192.0.3.1"):
        assert (await pair.run("qsp-a", f"timeout 1 bash -c '< /dev/tcp/{address}/80'")).code != 0
    pid = tree.outermost()
    assert pid is not None
    lines = Path(f"/proc/{_child(pid)}/net/dev").read_text().splitlines()[2:]
    cards = {line.split(":")[0].strip() for line in lines}
    assert {card for card in cards if not card.endswith(("-pub", "-rep"))} == {"lo", "pub", "rep"}


async def test_a_unit_stopped_on_one_host_runs_on_the_other(pair) -> None:
    await pair.sudo("qsp-a", "systemctl stop cron")
    assert (await pair.run("qsp-b", "systemctl is-active cron")).out.strip() == "active"
    await pair.sudo("qsp-a", "systemctl start cron")


async def test_squid_from_the_package_source_answers_the_client(pair) -> None:
    await pair.sudo("qsp-a", "apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -qy install squid", 240)
    assert "5.7" in (await pair.run("qsp-a", "/usr/sbin/squid -v")).out.splitlines()[0]
    await pair.sudo("qsp-a", "printf 'http_access allow all\\n' > /etc/squid/conf.d/all.conf; systemctl reload squid")
    answer = control.call("run", namespace="client", argv=["python3", "-c", PROXIED])
    assert answer["out"].split()[:3] == ["200", "1.1", "qsp-a"], answer


async def test_a_host_without_power_answers_for_no_address_and_keeps_its_disk(pair) -> None:
    await pair.sudo("qsp-b", "ip address add 192.0.2.10/32 dev eth0; echo kept > /var/lib/kept")
    assert await answers(pair, "192.0.2.10")
    control.call("kill", host="qsp-b")
    assert not await answers(pair, "192.0.2.10")
    assert not await answers(pair, "192.0.2.12")
    control.call("start", host="qsp-b")
    assert (await pair.sudo("qsp-b", "cat /var/lib/kept")).strip() == "kept"
    assert not await answers(pair, "192.0.2.10")


async def test_shut_down_in_order_and_started_again(pair) -> None:
    control.call("stop", host="qsp-b")
    status = {host["name"]: host for host in control.call("status")["hosts"]}
    assert not status["qsp-b"]["running"]
    control.call("start", host="qsp-b")
    assert (await pair.sudo("qsp-b", "systemctl is-system-running --wait")).strip() == "running"


async def test_a_cut_cable_separates_the_pair(pair) -> None:
    control.call("cut", host="qsp-b", network_name="rep")
    assert not await answers(pair, "172.16.77.12")
    assert await answers(pair, "192.0.2.12")
    control.call("heal", host="qsp-b")
    assert await answers(pair, "172.16.77.12")


def test_a_host_begins_with_what_another_one_wrote_under_a_name_and_a_key_of_its_own(lab: Path, tmp_path: Path) -> None:
    def added(name: str, number: int, layer: str | None = None) -> Site:
        host = control.call("add", name=name, number=number, layer=layer)
        (tmp_path / name).write_text(f"{name} {host['host_key']}\n")
        return site(Other(lab, (name,), tmp_path / name))

    model = added("model", 61)
    model.sh("model", "echo installed >/var/lib/kept; rm /etc/motd")
    layer = control.call("keep", host="model")
    try:
        other = added("other", 62, layer)
        assert other.sh("other", "cat /var/lib/kept; ls /etc/motd 2>/dev/null; uname -n").split() == [
            "installed",
            "other",
        ]
        assert other.sh("other", "ip -4 -br address show dev eth0").split()[2] == "192.0.2.190/24"
        assert "model" not in other.sh("other", "cat /etc/hosts /etc/hostname; ls /etc/systemd/network")
        assert (tmp_path / "model").read_text().split()[2] != (tmp_path / "other").read_text().split()[2]
        with pytest.raises(LabError, match="nothing to keep"):
            control.call("keep", host="other")
    finally:
        control.call("remove", name="other")


@dataclass(frozen=True)
class Other(Pair):
    """A host that has not the name of a node."""

    keys: Path = Path()

    @property
    def known_hosts(self) -> Path:
        return self.keys


def test_killing_the_outermost_process_leaves_nothing(lab_image: Image, monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory(prefix="squid-ha-", dir="/tmp") as folder:
        monkeypatch.setenv("SQUID_HA_LAB_RUN", folder)
        tree.start(lab_image)
        control.call("add", name="qsp-a", number=1)
        outermost = tree.outermost()
        assert outermost is not None
        processes = _family(outermost)
        namespaces = _namespaces(processes) - _namespaces([os.getpid()])
        assert any(_name(pid) == "systemd" for pid in processes)
        assert len(namespaces) > 6

        os.kill(outermost, signal.SIGKILL)

        until(lambda: not [pid for pid in processes if _alive(pid)])
        everyone = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
        until(lambda: not namespaces & _namespaces(everyone))
        assert folder not in Path("/proc/self/mountinfo").read_text()
        assert not list(Path("/run/netns").glob("qsp-*"))
        containers.clean_up(Path(folder))
        assert not _groups_without_processes()


def _child(pid: int) -> int:
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


def _family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(each for child in children for each in _family(int(child)))]


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def _alive(pid: int) -> bool:
    """A process that waits only for its parent to notice its end holds nothing any more."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_another_lab_leaves_alone_the_groups_of_a_container_on_its_way(lab: Path) -> None:
    assert lab
    another = (
        "unshare",
        "--pid",
        "--fork",
        sys.executable,
        "-c",
        "from lab.containers import cgroup; cgroup.remove_dead()",
    )
    with cgroup.starting():
        groups = cgroup.groups("on-its-way")
        subprocess.run(another, check=True)
        assert all(group.is_dir() for group in groups), "a lab took them for what a dead one had left"
    # This very lab may be starting a container, and then leaves it for the next time.
    until(lambda: subprocess.run(another, check=True) and not any(group.is_dir() for group in groups))


def _namespaces(pids: list[int]) -> set[str]:
    found: set[str] = set()
    for pid in pids:
        for kind in ("pid", "net", "mnt"):
            try:
                found.add(str(Path(f"/proc/{pid}/ns/{kind}").readlink()))
            except OSError:
                continue
    return found


def _groups_without_processes() -> list[Path]:
    groups = [group for group in Path("/sys/fs/cgroup").rglob("squid-ha-lab.*") if group.is_dir()]
    return [group for group in groups if not any(procs.read_bytes() for procs in group.rglob("cgroup.procs"))]
