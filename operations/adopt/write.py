"""The stack file of an adopted site, with its settings explained, as `squid-ha init` does."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import indent
from typing import Any

import yaml

from declaration.site import Site
from operations.adopt.model import Note

_TOLD = {
    "nodes": "name: what `uname -n` prints on the node. address: its own, in the public network.",
    "ssh": "root, or a user with sudo. Host keys must be known: unknown or changed ones are refused.",
    "network": "The clients' network, and the one between the nodes.",
    "virtual_ip": "The address that clients use. It is on the active node.",
    "squid": "While squid.conf stands under `adopted`, these describe it, and a change of them takes no effect.",
    "log": "The access log.",
    "mirror": "One disk on each node, replicated.",
    "rotation": "Of the mirror's log. Local logs keep the distribution's rotation.",
    "time": "Which service keeps the clocks; existing: left as it is, only looked at.",
    "timeouts": "How long the members of the service may take; one that stops too slowly is fenced.",
    "stickiness": "How strongly the service stays where it is when a failed node returns; 0: it may move back.",
    "pacemaker": "How a lost node is told and kept from the data.",
    "lifekeeper": "Paths, tags and settings as they were found; what is left out stays as it is.",
    "adopted": "What was found otherwise than this program makes it, and stays as it is. Take an entry out, and the\n"
    "next preview shows what this program would make of it.",
    "takeover": "Accepts the Squid, the cluster and the mirror that were there before. Remove it after that one `up`.",
}


def text(name: str, site: dict[str, Any], notes: Sequence[Note]) -> str:
    """The file's text."""
    head = [
        "# yaml-language-server: $schema=./schema.json",
        f"# A site of squid-ha, written by `squid-ha adopt {name}` from what is on its nodes.",
        f"# `squid-ha validate {name}` tells what is wrong with it, `pulumi preview -s {name}` what it would change.",
        "# All settings: docs/settings/README.md.",
    ]
    if notes:
        head += ["#", "# What the nodes have and this file has no words for:"]
        head += [f"#   {line}" for each in notes for line in str(each).splitlines()]
    body = [*head, "config:", "  squid-ha:site:"]
    for key in (each for each in Site.model_fields if each in site):
        if key in _TOLD:
            body.append(indent(_TOLD[key], "    # "))
        dumped = yaml.safe_dump({key: site[key]}, sort_keys=False, allow_unicode=True, width=4096)
        body.append(indent(dumped.rstrip(), "    "))
    return "\n".join([*body, ""])
