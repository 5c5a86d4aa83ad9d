"""Digests that stand for what is in a file where the content itself must not be seen.

``sha256:<hex>`` for keys, which nobody can guess; ``as-found:<hex>`` for a file that is left as it was found;
``scrypt:<salt>:<hex>`` for what people have chosen: to try out a word against it costs some 50 ms and 16 MB each time
(RFC 7914).
"""

from __future__ import annotations

import hashlib

SHA256 = "sha256:"
SCRYPT = "scrypt:"
AS_FOUND = "as-found:"


def is_hidden(content: str | None) -> bool:
    """Whether a file's wanted content is a digest."""
    return content is not None and content.startswith((SHA256, SCRYPT, AS_FOUND))


def stretched(content: bytes, salt: str) -> str:
    """The digest of what people have chosen; ``salt`` is plain text without a colon."""
    key = hashlib.scrypt(content, salt=salt.encode(), n=2**14, r=8, p=1, dklen=32)
    return f"{SCRYPT}{salt}:{key.hex()}"


def like(content: bytes, wanted: str) -> str:
    """The digest of ``content`` in the way of another one, to compare them."""
    if wanted.startswith(SCRYPT):
        return stretched(content, wanted.removeprefix(SCRYPT).partition(":")[0])
    prefix = AS_FOUND if wanted.startswith(AS_FOUND) else SHA256
    return prefix + hashlib.sha256(content).hexdigest()
