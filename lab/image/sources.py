"""Where this machine gets its Debian packages from, so that the image comes from the same mirror."""

from lab.image.commands import ImageError, run

_FIELDS = "$(ORIGIN)|$(CREATED_BY)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)"


def machine_sources(suite: str) -> list[str]:
    """Lines for a sources.list that fetch `suite` from the mirrors in this machine's own apt configuration.

    Raises ImageError when that configuration names no Debian mirror, or none was ever read.
    """
    return debian_sources(run("apt-get", "indextargets", "--format", _FIELDS), suite)


def debian_sources(targets: str, suite: str) -> list[str]:
    """The same from apt's list of index targets, one `origin|kind|uri|release|component` a line.

    A machine that runs another release of Debian has the same mirrors under another suite's name.
    """
    lines: list[str] = []
    for target in targets.splitlines():
        origin, kind, uri, release, component = target.split("|")
        if origin == "Debian" and kind == "Packages" and component == "main":
            _, dash, pocket = release.partition("-")
            lines.append(f"deb {uri} {suite}{dash}{pocket} main")
    if not lines:
        raise ImageError("this machine's apt knows no Debian mirror; run `apt-get update` as root and try again")
    return list(dict.fromkeys(lines))
