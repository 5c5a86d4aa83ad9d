"""corosync.conf as data: rendered for the nodes, read back to tell a foreign cluster from ours.

Facts: corosync.conf(5), votequorum(5). An opening brace must end its line.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from providers.contract import State

PATH = "/etc/corosync/corosync.conf"
DISTRIBUTION_NAME = "debian"
"""The cluster name of the configuration that Debian's package installs, with one node at 127.0.0.1."""


class CorosyncNode(State):
    """One node: ``links`` are its addresses, the first on the public network (ring0), then the replication one."""

    name: str
    nodeid: int
    links: list[str] = Field(min_length=1)


class CorosyncConf(State):
    """Membership of a cluster; ``token`` and ``consensus`` in milliseconds (consensus at least 1.2 times token)."""

    cluster_name: str
    nodes: list[CorosyncNode] = Field(min_length=1)
    token: int = 3000
    consensus: int | None = None
    crypto_cipher: str = "aes256"
    crypto_hash: str = "sha256"
    wait_for_all: bool = True


Section = list[tuple[str, "str | int | Section"]]


def render(conf: CorosyncConf) -> str:
    """The text of corosync.conf; the same on every node."""
    return "# Written by squid-ha; changes made here are reported as drift.\n" + "".join(_lines(_tree(conf)))


def _tree(conf: CorosyncConf) -> Section:
    consensus = conf.consensus if conf.consensus is not None else conf.token * 12 // 10
    quorum: Section = [("provider", "corosync_votequorum")]
    if len(conf.nodes) == 2:  # noqa: PLR2004 - votequorum's own special case for pairs
        quorum.append(("two_node", 1))
    quorum.append(("wait_for_all", int(conf.wait_for_all)))
    nodes: Section = [("node", _node(node)) for node in conf.nodes]
    return [
        (
            "totem",
            [
                ("version", 2),
                ("cluster_name", conf.cluster_name),
                ("transport", "knet"),
                ("crypto_cipher", conf.crypto_cipher),
                ("crypto_hash", conf.crypto_hash),
                ("token", conf.token),
                ("consensus", consensus),
            ],
        ),
        ("nodelist", nodes),
        ("quorum", quorum),
        ("logging", [("to_syslog", "yes"), ("to_stderr", "no"), ("to_logfile", "no"), ("timestamp", "off")]),
    ]


def _node(node: CorosyncNode) -> Section:
    links: Section = [(f"ring{number}_addr", address) for number, address in enumerate(node.links)]
    return [("name", node.name), ("nodeid", node.nodeid), *links]


def _lines(section: Section, indent: str = "") -> Iterator[str]:
    for name, value in section:
        if isinstance(value, list):
            yield f"{indent}{name} {{\n"
            yield from _lines(value, indent + "    ")
            yield f"{indent}}}\n"
        else:
            yield f"{indent}{name}: {value}\n"


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


def cluster_name(text: str) -> str:
    """The name of the cluster a corosync.conf belongs to; empty if it names none."""
    return dict(flatten(text)).get("totem.cluster_name", "")


def is_distribution_default(text: str) -> bool:
    """Whether this is what the distribution's package installs: a cluster of one, on the loopback address."""
    settings = flatten(text)
    addresses = {value for path, value in settings if path.startswith("nodelist.") and path.endswith("_addr")}
    return dict(settings).get("totem.cluster_name") == DISTRIBUTION_NAME and addresses <= {"127.0.0.1"}


_RELOADED = ("totem.token", "totem.consensus", "totem.join", "totem.interface.", "logging.")


def needs_restart(old: str, new: str) -> bool:
    """Whether going from ``old`` to ``new`` needs corosync to start anew; the rest `corosync-cfgtool -R` takes over.

    Only timers and logging count as reloadable, although newer releases can do more: a restart under maintenance mode
    is safe, a reload that silently takes half of a change is not.
    """
    changed = {path for path, _ in set(flatten(old)) ^ set(flatten(new))}
    return any(not path.startswith(_RELOADED) for path in changed)
