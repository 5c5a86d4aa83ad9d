"""What goes wrong in the lab, as sentences for people."""

from __future__ import annotations


class LabError(Exception):
    """The lab could not do what was asked; the text says what happened, where, and what to do."""
