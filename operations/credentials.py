"""Keeping the password of an address, as `PULUMI_BACKEND_URL` may hold one, out of what other programs are quoted with.

Pulumi quotes the whole address where the state cannot be opened, and a password that cuts it short (`/`, `#`, `?` not
written as `%2F`, `%23`, `%3F`) in pieces: net/url of Go takes what stands before such a character for a port or a host.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from urllib.parse import unquote

MASK = "[secret]"
"""Stands for a secret in every output."""
_BACKEND = "PULUMI_BACKEND_URL"
_ADDRESS = r"""[A-Za-z][A-Za-z0-9+.-]*://[^\s:/?#"]*:"""
# In quotes a password may have blanks and quotes in it, escaped; without them it ends with the last `@` of the word.
_QUOTED = re.compile(rf'("{_ADDRESS})(?:\\.|[^"\\])+@')
_BARE = re.compile(rf"({_ADDRESS})\S+@")
_SETTING = re.compile(r"""([?&](?:ssl)?password=)[^&\s"]+""", re.IGNORECASE)
_CUTS = re.compile(r"""[@/?#:"'\\\s]+""")


def without_passwords(text: str, environment: Mapping[str, str] = os.environ) -> str:
    """``text`` with `MASK` for the password of every address in it, and for what else tells that of the backend's."""
    for pattern in (_QUOTED, _BARE):
        text = pattern.sub(rf"\1{MASK}@", text)
    text = _SETTING.sub(rf"\1{MASK}", text)
    for word in sorted(set(_words(environment.get(_BACKEND, ""))), key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", MASK, text)
    return text


def _words(address: str) -> Iterator[str]:
    """What a password in ``address`` may appear as: as it is written, as it is meant, and cut into pieces."""
    before, _, _ = address.partition("://")[2].rpartition("@")
    password = before.partition(":")[2]
    if password:
        yield from (password, unquote(password))
        yield from filter(None, _CUTS.split(password))
