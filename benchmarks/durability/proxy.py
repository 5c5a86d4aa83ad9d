"""A container of the lab with a real Squid, whose log lies on a loop device that is mounted as a setting asks.

The site is the lab's own; its filesystem is made, filled and mounted by the product's commands, and squid.conf is the
product's. Clients ask for one small page, which Squid has in memory: the most answers, and so the most lines.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.durability.cut import Setting
from benchmarks.durability.rates import Lines, Load, read_load, require_sound, wrk_script
from blueprint import durability
from blueprint.logs import squid_logs
from blueprint.platforms import PLATFORMS
from blueprint.site import things
from blueprint.squid import squid_conf_text
from declaration.load import read
from declaration.site import Site
from lab import control
from lab.addresses import NODES, ORIGIN
from lab.errors import LabError
from providers import reconcile
from providers.connection.cluster import Cluster
from providers.connection.command import Command, command, script
from providers.connection.loop import run_sync
from providers.connection.pool import open_cluster
from providers.host import packages
from providers.session import connections
from providers.storage import filesystem, mount_options, volume
from providers.storage import filesystem_types as types
from tests.support.sites import reference, without_mirror

BASELINE = "local log only"
CONNECTIONS = 32
WARM_UP = 1
"""Seconds of load before each measurement, on one connection: several at once would all miss, and go on doing so."""
_OWNER = "squid-ha/lab"
_NODE = NODES[0]
_PORT = 8081
_PAGE = b"x" * 600
_OLD = 30 * 24 * 3600.0
"""Seconds since the page was changed: Squid takes it for fresh for a fifth of that."""


@dataclass(frozen=True)
class Variant:
    """A site that is measured. One without a mirror is the baseline."""

    name: str
    site: Site

    @property
    def filesystem(self) -> filesystem.Wanted | None:
        """The filesystem on its mirror, as the blueprint has it."""
        found = [each.inputs for each in things(self.site, _OWNER) if each.kind == "storage.filesystem"]
        for wanted in found:
            assert isinstance(wanted, filesystem.Wanted)
            return wanted
        return None

    @property
    def fixed(self) -> str:
        """Mount options that count from the mount on; '' for none."""
        return durability.fixed_options(self.site.mirror) if self.site.mirror else ""

    @property
    def options(self) -> str:
        """All mount options that the setting asks for; '' for none."""
        set_later = durability.options(self.site.mirror) if self.site.mirror else ""
        return ",".join(each for each in (self.fixed, set_later) if each)

    @property
    def logs(self) -> list[str]:
        """Where Squid writes its access log."""
        return [each.path for each in squid_logs(self.site).access]


def variant(setting: Setting | None, lab: Path) -> Variant:
    """The lab's site with ``setting``, or without a mirror for None; ``lab`` is the run directory of the lab."""
    declared = reference(lab)
    if setting is None:
        return Variant(BASELINE, read(without_mirror(declared), BASELINE))
    declared["mirror"] |= {
        "filesystem": setting.filesystem, "durability": setting.durability, "data_journal": setting.data_journal,
    }  # fmt: skip
    return Variant(setting.name, read(declared, setting.name))


@dataclass(frozen=True)
class Proxy:
    """The container. ``devices``: type of filesystem → the loop device that it is made on."""

    cluster: Cluster
    address: str
    script: Path
    devices: Mapping[str, str]

    def run(self, *commands: Command) -> list[str]:
        """Run commands one after the other, as root on the node; their outputs. Raises `HostError`."""
        node = self.cluster.node(_NODE)
        return [run_sync(node.run(each)).stdout for each in commands]

    def make(self, wanted: filesystem.Wanted) -> None:
        """Make the filesystem on its device, as on a new mirror. Raises `HostError`."""
        device = self.devices[wanted.type]
        number = Path(device).stat().st_rdev
        self.run(
            command("mknod", device, "b", str(os.major(number)), str(os.minor(number))),
            command("mkdir", "--parents", wanted.mount_point),
            types.make(wanted.type, device, again=False),
            types.relabel(wanted.type, device, wanted.label),
            volume.make_entries(device, wanted.type, wanted.mount_point, wanted.directories, wanted.files),
        )

    def measure(self, chosen: Variant, seconds: int) -> Load:
        """So many seconds of load under a variant. Raises LabError or `HostError`, also for what is no measurement."""
        self._mount(chosen)
        platform, conf = PLATFORMS[chosen.site.platform], squid_conf_text(chosen.site, _OWNER, _NODE)
        self.run(
            script('cat >"$1"', platform.squid_configuration, stdin=conf),
            command("truncate", "--no-create", "--size=0", *chosen.logs),
            command("systemctl", "start", platform.squid_unit),
        )
        self._load(chosen, WARM_UP, connections=1)
        load = self._load(chosen, seconds, connections=CONNECTIONS)
        # What is counted is whole only once Squid has ended.
        self.run(command("systemctl", "stop", platform.squid_unit))
        require_sound(load, {path: self._lines(path) for path in chosen.logs})
        if wanted := chosen.filesystem:
            self.run(command("umount", wanted.mount_point, timeout=120))
        return load

    def _mount(self, chosen: Variant) -> None:
        """As the engine's agent of filesystems does, and then Squid's agent. Raises LabError if it does not come so."""
        wanted = chosen.filesystem
        if wanted is None:
            return
        fixed = ("-o", chosen.fixed) if chosen.fixed else ()
        self.run(command("mount", "-t", wanted.type, *fixed, self.devices[wanted.type], wanted.mount_point))
        if wanted.options:
            self.run(mount_options.remount(wanted.type, wanted.mount_point, wanted.options))
        (found,) = self.run(volume.mounts())
        (mount,) = [each for each in volume.parse_mounts(found) if each.target == wanted.mount_point]
        if mount_options.shown(mount.options) != wanted.options or chosen.fixed not in mount.options:
            raise LabError(f"{chosen.name}: asked for {chosen.options or 'no options'}, mounted with {mount.options}")

    def _load(self, chosen: Variant, seconds: int, *, connections: int) -> Load:
        url = f"http://{self.address}:{chosen.site.squid.port}/"
        argv = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(self.script), url]
        done = control.call("run", namespace="client", argv=argv)
        if done["code"] != 0:
            raise LabError(f"wrk ended with {done['code']}: {done['err'].strip() or done['out'].strip()}")
        return read_load(done["out"])

    def _lines(self, path: str) -> Lines:
        (counted,) = self.run(script('wc -l <"$1"; grep -c MEM_HIT "$1" || :', path, reads=True))
        lines, hits = counted.split()
        return Lines(int(lines), int(hits))


def start(lab: Path, devices: Mapping[str, str]) -> Proxy:
    """A container with Squid installed, and a page to ask for, in the running lab. Raises LabError or `HostError`."""
    address: str = control.call("add", name=_NODE, number=1)["address"]
    site = variant(None, lab).site
    reached = [each for each in connections(site, lambda _name: None) if each.name == _NODE]
    cluster = open_cluster(reached, site="lab", owner=_OWNER, progress=lambda _text: None)
    platform = PLATFORMS[site.platform]
    names = {*platform.squid_packages, *(name for each in devices for name in platform.filesystem_packages[each])}
    wanted = packages.Wanted(
        nodes={_NODE: dict.fromkeys(sorted(names), "installed")}, quiet_units=[platform.squid_unit]
    )
    run_sync(reconcile.apply("host.packages", cluster.of("packages"), wanted))
    return Proxy(cluster, address, _serve_page(lab), devices)


def _serve_page(lab: Path) -> Path:
    """Start a web server for the page; the script that has wrk ask for it."""
    pages = lab / "pages"
    pages.mkdir()
    (pages / "page").write_bytes(_PAGE)
    changed = time.time() - _OLD
    os.utime(pages / "page", (changed, changed))
    argv = ["python3", "-m", "http.server", "--bind", ORIGIN, "--directory", str(pages), str(_PORT)]
    control.call("spawn", name="pages", namespace="origin", argv=argv)
    made = lab / "wrk.lua"
    made.write_text(wrk_script(f"http://{ORIGIN}:{_PORT}/page"))
    return made
