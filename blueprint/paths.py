"""Where the things of a site lie on its nodes and on its mirror."""

from __future__ import annotations

from providers.storage.drbd import RESOURCE

ROTATION_DIRECTORY = "rotation"
CACHE_DIRECTORY = "cache"
CONFIGURATION_DIRECTORY = "/etc/squid-ha"
ROTATION_CONFIGURATION = f"{CONFIGURATION_DIRECTORY}/mirror.logrotate"
ROTATION_SERVICE = "squid-ha-rotation.service"
ROTATION_TIMER = "squid-ha-rotation.timer"
UNIT_DIRECTORY = "/etc/systemd/system"
FIREWALL = f"{CONFIGURATION_DIRECTORY}/firewall.nft"
FIREWALL_UNIT = "squid-ha-firewall.service"
AGENT = "/usr/lib/ocf/resource.d/squid-ha/squid"
PROGRAM_DIRECTORY = "/usr/lib/squid-ha"
"""What is run by others than Pacemaker, which has a place of its own for agents."""
KERNEL = "/etc/sysctl.d/60-squid-ha.conf"
SQUID_USERS = "squid-ha.users"
SQUID_LDAP = "squid-ha.ldap"
"""These two in the platform's directory of Squid's files."""
MIRROR_RESOURCE = RESOURCE
MIRROR_VOLUME = "/dev/drbd0"
MIRROR_CONFIGURATION = f"/etc/drbd.d/{MIRROR_RESOURCE}.res"
MIRROR_MODULE = "/etc/modules-load.d/squid-ha-drbd.conf"


def rotation_state(mount_point: str) -> str:
    """logrotate's state of the mirror's log: on the mirror, so that it moves with the service."""
    return f"{mount_point}/{ROTATION_DIRECTORY}/logrotate.state"
