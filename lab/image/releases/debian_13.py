"""Debian 13 (trixie), for the containers that show what differs from Debian 12."""

from lab.image import recipe
from lab.image.releases.build import Release

DEBIAN_13 = Release(
    name="debian-13",
    suite="trixie",
    installed=tuple(name for name in recipe.INSTALLED if not name.startswith("linux-image")),
    offered=(*recipe.OFFERED, ("apparmor",)),
)
