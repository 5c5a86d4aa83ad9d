"""What lies on the mirror: directories and the logs in them, with owner and mode."""

from __future__ import annotations

from blueprint import paths
from blueprint.logs import mirror_files
from blueprint.platforms import PLATFORMS
from blueprint.squid_settings import cache_on_mirror
from declaration.site import Site


def _squids(site: Site) -> str:
    platform = PLATFORMS[site.platform]
    return f"{platform.squid_user}:{platform.squid_group}"


def directories(site: Site) -> dict[str, str | None]:
    """Path below the mount point → ``mode owner:group``."""
    made: dict[str, str | None] = {
        site.log.mirror_directory: f"0750 {_squids(site)}",
        paths.ROTATION_DIRECTORY: "0700 root:root",
    }
    return {**made, **({paths.CACHE_DIRECTORY: f"0750 {_squids(site)}"} if cache_on_mirror(site) else {})}


def files(site: Site) -> dict[str, str | None]:
    """Each log on the mirror, likewise."""
    folder, mode = site.log.mirror_directory, site.log.mirror_mode
    return {f"{folder}/{name}": f"{mode} {_squids(site)}" for name in mirror_files(site)}
