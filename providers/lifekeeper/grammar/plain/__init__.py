"""Lines of the grammar built, read and described. Standard library only, and imports within the package are relative:
the lab's stand-in carries this very package.

It works on the grammar as plain data (`Data`), as `Grammar.plain()` gives it and as JSON holds it.
"""

from .building import build
from .reading import parse
from .shapes import SYNTAX, Call, Command, Data, Difference, Refusal
from .telling import differences, error_text, expected_words, explain, help_text, usage

__all__ = [
    "SYNTAX",
    "Call",
    "Command",
    "Data",
    "Difference",
    "Refusal",
    "build",
    "differences",
    "error_text",
    "expected_words",
    "explain",
    "help_text",
    "parse",
    "usage",
]
