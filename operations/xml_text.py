"""Text that XML can say: what a host or a program printed may have characters that no XML document may have."""

from __future__ import annotations

import re

# All but XML 1.0's "Characters"; control characters, such as those of ANSI colours, are none.
_UNFIT = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def fit(text: str) -> str:
    """The text, with the replacement character for each that XML cannot say."""
    return _UNFIT.sub("\ufffd", text)
