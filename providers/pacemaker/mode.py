"""Maintenance mode: the cluster's property, and what is noted of it on the nodes before it is entered for a while."""

from __future__ import annotations

from collections.abc import Mapping

NAME = "maintenance-mode"
ON = "true"


def recorded(entries: Mapping[str, Mapping[str, str]], mark: str) -> str | None:
    """What the mode was before, by what each node's journal has under ``mark``; None where none has anything.

    Where they differ, those that say it was on were written later, by a run that found it entered by a cut-off one.
    """
    values = [known[mark] for known in entries.values() if mark in known]
    return next((value for value in values if value != ON), ON if values else None)


def owed(found: str, entries: Mapping[str, Mapping[str, str]], mark: str) -> str:
    """What is told to a person before a mode that is ``found`` on is ended because of an earlier run's record; or "".

    A node that was away while its mark was struck off elsewhere still has it: the mode may be a person's.
    """
    value = recorded(entries, mark)
    if found != ON or value in (None, ON):
        return ""
    names = sorted(name for name, known in entries.items() if known.get(mark) == value)
    return (
        f"{', '.join(names)}: maintenance mode ends with this run, because one that was cut off noted here that it was "
        "off before. If a person has switched it on since: `squid-ha maintenance on` again"
    )


def before(found: str, entries: Mapping[str, Mapping[str, str]], mark: str) -> str:
    """What is to be recorded on every node, with the mode as it is ``found`` now.

    On already, it is so by a run that was cut off, whose record counts, or by a person; else what is found counts:
    somebody has left it since.
    """
    earlier = recorded(entries, mark)
    return earlier if found == ON and earlier is not None else found
