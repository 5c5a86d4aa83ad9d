"""Names that differ between platforms: packages, units, users, paths. A new family is an entry in `PLATFORMS`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class TimeService:
    """A time service; ``defaults`` is what its start reads besides its configuration, '' if there is no such file."""

    packages: tuple[str, ...]
    unit: str
    configuration: str
    defaults: str = ""


@dataclass(frozen=True)
class Platform:
    """One distribution release, ``<ID>-<VERSION_ID>`` of os-release(5).

    ``squid_directory`` holds Squid's own files: what lies there the distribution's AppArmor profile lets Squid read.
    """

    squid_unit: str
    squid_user: str
    squid_group: str
    squid_directory: str
    squid_configuration: str
    squid_log_directory: str
    squid_spool: str
    squid_packages: tuple[str, ...]
    time_services: Mapping[str, TimeService]
    rotation_packages: tuple[str, ...]
    mirror_packages: tuple[str, ...]
    filesystem_packages: Mapping[str, tuple[str, ...]]
    pacemaker_packages: tuple[str, ...]
    sbd_packages: tuple[str, ...]
    quiet_units: tuple[str, ...]
    firewall_packages: tuple[str, ...] = ("nftables",)
    alert_packages: tuple[str, ...] = ("curl",)
    squid_profile: str = "/etc/apparmor.d/local/usr.sbin.squid"
    profile_unit: str = "apparmor.service"
    squid_helpers: str = "/usr/lib/squid"


_DEBIAN_12 = Platform(
    squid_unit="squid.service",
    squid_user="proxy",
    squid_group="proxy",
    squid_directory="/etc/squid",
    squid_configuration="/etc/squid/squid.conf",
    squid_log_directory="/var/log/squid",
    squid_spool="/var/spool/squid",
    squid_packages=("squid",),
    time_services={
        "chrony": TimeService(("chrony",), "chrony.service", "/etc/chrony/chrony.conf"),
        "ntpsec": TimeService(("ntpsec",), "ntpsec.service", "/etc/ntpsec/ntp.conf", "/etc/default/ntpsec"),
    },
    rotation_packages=("logrotate",),
    mirror_packages=("drbd-utils", "psmisc"),
    filesystem_packages={"ext3": ("e2fsprogs",), "ext4": ("e2fsprogs",), "xfs": ("xfsprogs",)},
    pacemaker_packages=("corosync", "pacemaker", "pacemaker-cli-utils", "resource-agents"),
    sbd_packages=("sbd", "cluster-glue"),
    quiet_units=(
        "squid.service",
        "chrony.service",
        "corosync.service",
        "pacemaker.service",
        "sbd.service",
        "logd.service",
        "drbd.service",
    ),
)

# Compared package by package with 12: Squid 6, Corosync 3.1.9, Pacemaker 3.0, chrony 4.6, nftables 1.1 keep every name
# that stands in this table; the same goes for stonith:external/sbd, which Debian's Pacemaker 3 still takes.
_DEBIAN_13 = _DEBIAN_12

PLATFORMS: dict[str, Platform] = {"debian-12": _DEBIAN_12, "debian-13": _DEBIAN_13}
