"""corosync.conf as data: rendered for the nodes, read back to tell a foreign cluster from ours.

Facts: corosync.conf(5), votequorum(5). An opening brace must end its line.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from providers.contract import State
from providers.host.corosync import flatten

PATH = "/etc/corosync/corosync.conf"


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


def cluster_name(text: str) -> str:
    """The name of the cluster a corosync.conf belongs to; empty if it names none."""
    return dict(flatten(text)).get("totem.cluster_name", "")


_RELOADED = ("totem.token", "totem.consensus", "totem.join", "totem.interface.", "logging.")


def needs_restart(old: str, new: str) -> bool:
    """Whether going from ``old`` to ``new`` needs corosync to start anew; the rest `corosync-cfgtool -R` takes over.

    Only timers and logging count as reloadable, although newer releases can do more: a restart under maintenance mode
    is safe, a reload that silently takes half of a change is not.
    """
    changed = {path for path, _ in set(flatten(old)) ^ set(flatten(new))}
    return any(not path.startswith(_RELOADED) for path in changed)
