"""Corosync's shared key: drawn on one node, carried to the others through standard input, never in any state."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass

from providers.connection.answers import not_understood
from providers.connection.cluster import Node
from providers.connection.command import Command, script
from providers.connection.files import write_file

PATH = "/etc/corosync/authkey"
_READ = r"""
[ -e "$1" ] || exit 0
stat -c '%a %U:%G' -- "$1"
sha256sum <"$1"
"""
# As corosync-keygen(8) does: 256 random bytes.
_DRAW = "head -c 256 /dev/urandom | base64 -w0"


@dataclass(frozen=True)
class Key:
    """What stands on one node: ``digest`` empty where there is no key, ``safe`` if only root may read it."""

    digest: str = ""
    safe: bool = False


def query() -> Command:
    """The command whose output `parse` reads: mode, owner and digest, never the key."""
    return script(_READ, PATH, reads=True, label=f"read the digest of {PATH}")


def parse(output: str) -> Key:
    """Read the output of `query`. Raises `Unknown` for another: a key that cannot be read is not one to make anew."""
    if not output:
        return Key()
    attributes, _, rest = output.partition("\n")
    digest = rest.split()[:1]
    if not attributes or not digest:
        raise not_understood(f"the digest of {PATH}")
    return Key(digest[0], attributes == "400 root:root")


def shared(keys: Mapping[str, Key], name: str) -> bool:
    """Whether the node has a key, the same as all the others, that only root may read."""
    own = keys[name]
    return own.safe and bool(own.digest) and {key.digest for key in keys.values()} == {own.digest}


async def spread(nodes: Mapping[str, Node], keys: Mapping[str, Key], source: str | None) -> None:
    """Give every node the key of ``source``, or a new one where that is None."""
    if source is None:
        drawn = await next(iter(nodes.values())).run(script(_DRAW, reads=True, label="draw a random key"))
    else:
        read = script('base64 -w0 -- "$1"', PATH, reads=True, label=f"read {PATH}")
        drawn = await nodes[source].run(read)
    key = base64.b64decode(drawn.stdout)
    for name, node in nodes.items():
        wrong = source is None or keys[name].digest != keys[source].digest or not keys[name].safe
        if wrong:
            await write_file(node, PATH, key, mode="0400")
