"""What a corosync.conf says, and whether it is the one that the distribution's package installs.

Facts: corosync.conf(5).
"""

from __future__ import annotations

_DISTRIBUTION_NAME = "debian"
_LOOPBACK = "127.0.0.1"


def flatten(text: str) -> list[tuple[str, str]]:
    """Every setting of a corosync.conf as (dotted path, value), repeated sections numbered (``nodelist.node.1.name``).

    Comments and layout do not count. Raises `ValueError` with the line's number where the text is no corosync.conf.
    """
    path: list[str] = []
    seen: dict[str, int] = {}
    settings: list[tuple[str, str]] = []
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if line.endswith("{"):
            section = ".".join([*path, line[:-1].strip()])
            seen[section] = seen.get(section, 0) + 1
            path.append(line[:-1].strip() if seen[section] == 1 else f"{line[:-1].strip()}.{seen[section] - 1}")
        elif line == "}" and path:
            path.pop()
        elif ":" in line:
            name, _, value = line.partition(":")
            settings.append((".".join([*path, name.strip()]), value.strip()))
        else:
            raise ValueError(f"line {number} of corosync.conf is neither a section nor a setting: {line!r}")
    return settings


def is_distribution_default(text: str) -> bool:
    """Whether this is what the distribution's package installs: a cluster of one, on the loopback address.

    By its name alone it may be anybody's: pairs that were made by hand keep it. A text that is no corosync.conf is not.
    """
    try:
        settings = flatten(text)
    except ValueError:
        return False
    addresses = {value for path, value in settings if path.startswith("nodelist.") and path.endswith("_addr")}
    return dict(settings).get("totem.cluster_name") == _DISTRIBUTION_NAME and addresses == {_LOOPBACK}
