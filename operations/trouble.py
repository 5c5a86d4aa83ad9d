"""What goes wrong around a project before any host is asked."""

from __future__ import annotations


class StackTrouble(Exception):
    """Something about the project, its stack files or Pulumi's stacks; the message says what to do."""


class Misused(StackTrouble):
    """A command was called with something that there is not, or that does not go together."""
