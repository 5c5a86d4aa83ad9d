"""What doctor finds out about a machine: a function per question, each with an answer even when it fails."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from setup import packages, places, pulumi_cli, pulumi_release

GIB = 1 << 30
DISK_GIB = 6
MEMORY_GIB = 4
APT_HELPER = Path("/usr/lib/apt/apt-helper")
REACH_SECONDS = 8


class Verdict(StrEnum):
    """OK; something to know; or what has to be remedied first."""

    OK = "ok"
    NOTE = "note"
    MISSING = "MISSING"


@dataclass(frozen=True)
class Finding:
    """What was found, and the one-line remedy where something is missing."""

    subject: str
    verdict: Verdict
    found: str
    remedy: str = ""


def required(fulfilled: bool) -> Verdict:
    """The verdict on something that cannot be done without."""
    return Verdict.OK if fulfilled else Verdict.MISSING


def python() -> Finding:
    """The Python that runs this; setup/python.sh has made sure that it is new enough."""
    return Finding("Python >= 3.11", Verdict.OK, f"{sys.version.split()[0]} ({sys.executable})")


def system_packages() -> Finding:
    """The system packages; those that setup can install itself are no reason to stop."""
    lacking = packages.missing(packages.read_list())
    names = packages.names_of(lacking)
    if not lacking:
        return Finding("system packages", Verdict.OK, "all there")
    if shutil.which("apt-get") and packages.privilege() is not None:
        return Finding("system packages", Verdict.NOTE, f"`make setup` will install: {names}")
    whose = "" if packages.needed_by_setup(lacking) else " (for the lab and the tests only)"
    return Finding("system packages", Verdict.MISSING, f"{names}{whose}", packages.by_hand(lacking))


def disk() -> Finding:
    """Free space where the project and where the cache is; what is cached already counts as there."""
    spots = {places.PROJECT, existing(places.cache())}
    free = min(shutil.disk_usage(spot).free for spot in spots) / GIB
    enough = free >= DISK_GIB or (places.cache() / "image").exists()
    remedy = "make room, or set SQUID_HA_CACHE to a folder of its own on another disk"
    return Finding(f"disk >= {DISK_GIB} GiB free", required(enough), f"{free:.0f} GiB", remedy)


def existing(path: Path) -> Path:
    """The path, or the nearest folder above it that exists."""
    return path if path.exists() else existing(path.parent)


def memory() -> Finding:
    """Memory that is to be had without swapping."""
    subject = f"memory >= {MEMORY_GIB} GiB"
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return Finding(subject, Verdict.NOTE, "unknown: there is no /proc/meminfo; the lab needs Linux")
    available = next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable")) * 1024 / GIB
    remedy = "end something, or use a machine with more"
    return Finding(subject, required(available >= MEMORY_GIB), f"{available:.1f} GiB available", remedy)


def root() -> Finding:
    """Root, which the lab needs for its namespaces and setup for packages."""
    way = packages.privilege()
    found = "neither root nor passwordless sudo" if way is None else "passwordless sudo" if way else "yes"
    remedy = "become root, or allow sudo without a password (`pulumi` against your own hosts needs neither)"
    return Finding("root", required(way is not None), found, remedy)


def tun() -> Finding:
    """The device by which a VM is put into a network."""
    there = Path("/dev/net/tun").exists()
    remedy = "modprobe tun (in a container: hand the device through)"
    return Finding("/dev/net/tun", required(there), "there" if there else "not there", remedy)


def kvm() -> Finding:
    """Whether there may be hardware virtualisation. Only a trial shows if it works; the lab makes one."""
    there = os.access("/dev/kvm", os.R_OK | os.W_OK)
    found = "there; the lab tries it, and emulates if it fails" if there else "none: emulated VMs, slower"
    return Finding("KVM", Verdict.OK if there else Verdict.NOTE, found)


def namespaces() -> Finding:
    """Whether the lab may make its own process, network and mount namespaces."""
    command = [*(packages.privilege() or []), "unshare", "--fork", "--pid", "--net", "--mount", "true"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        return Finding("namespaces", Verdict.MISSING, str(error), "apt-get install util-linux")
    found = done.stderr.strip() if done.returncode else "can be made"
    remedy = "use a machine or container that allows them"
    return Finding("namespaces", required(done.returncode == 0), found, remedy)


def cores() -> Finding:
    """Processor cores."""
    count = os.cpu_count() or 1
    return Finding("cores >= 2", Verdict.OK if count > 1 else Verdict.NOTE, str(count))


def apt() -> Finding:
    """Whether apt reaches its package sources, asked by apt itself, with whatever it is configured for."""
    subject = "apt's sources"
    if not APT_HELPER.exists():
        return Finding(subject, Verdict.NOTE, "this is no Debian; the lab's image is made with apt")
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE)", "Created-By: Packages"],
        capture_output=True, text=True, check=False,
    ).stdout.split("\n")  # fmt: skip
    first = next((line.split() for line in listed if line.startswith("http")), None)
    remedy = "check the network and `apt-cache policy`"
    if first is None:
        return Finding(subject, Verdict.MISSING, "none, or their lists were never fetched", "apt-get update")
    uri = f"{first[0].rstrip('/')}/dists/{first[1]}/InRelease"
    limit = f"Acquire::http::Timeout={REACH_SECONDS}"
    with tempfile.TemporaryDirectory() as scratch:
        command = [APT_HELPER, "-o", limit, "download-file", uri, f"{scratch}/InRelease"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return Finding(subject, Verdict.OK, f"{first[0]} answers")
    return Finding(subject, Verdict.MISSING, f"{uri} cannot be fetched", remedy)


def python_index() -> Finding:
    """Whether pip reaches the Python package index it is configured for."""
    subject = "Python's index"
    if (places.VENV / ".squid-ha").exists():
        return Finding(subject, Verdict.OK, "not needed any more")
    pip = [sys.executable, "-m", "pip", "--timeout", str(REACH_SECONDS), "--retries", "0"]
    done = subprocess.run([*pip, "index", "versions", "uv"], capture_output=True, text=True, check=False)
    if "No module named pip" in done.stderr:
        return Finding(subject, Verdict.NOTE, "not tried: there is no pip yet")
    if done.returncode == 0:
        return Finding(subject, Verdict.OK, "answers")
    return Finding(subject, Verdict.MISSING, "pip gets no answer from it", "check the network and `pip config list`")


def pulumi() -> Finding:
    """Where Pulumi will come from."""
    found = pulumi_cli.here_already()
    if found:
        return Finding("Pulumi", Verdict.OK, f"{found.version}, {found.origin}")
    url = f"{pulumi_release.base_url()}/{pulumi_release.checksums_name()}"
    try:
        pulumi_release.fetch_small(url)
    except pulumi_release.UnreachableError:
        return Finding("Pulumi", Verdict.NOTE, "no official release in reach: `make setup` builds it")
    return Finding("Pulumi", Verdict.OK, f"`make setup` fetches it from {pulumi_release.base_url()}")


ALL = [python, system_packages, disk, memory, cores, root, namespaces, tun, kvm, apt, python_index, pulumi]
