"""From the names of stacks to what is looked at; a stack that cannot be used is a subject too, with the reason."""

from __future__ import annotations

from declaration.errors import DeclarationError
from operations.drift.scan import Subject
from operations.project import stack_file
from operations.site import hosts_of
from operations.trouble import Misused, StackTrouble


def subject_of(stack: str, *, listed: bool = False) -> Subject:
    """The stack's site as it is declared now; contacts no host.

    Raises `Misused` where there is no such stack, unless it was ``listed``: then its file has gone since, or leads
    nowhere.
    """
    try:
        hosts = hosts_of(stack)
    except Misused:
        if not listed:
            raise
        return Subject(stack, message=f"its file has gone since, or leads nowhere: {stack_file(stack)}")
    except (DeclarationError, StackTrouble) as error:
        return Subject(stack, message=str(error))
    return Subject(stack, hosts.owner, hosts.site, lambda: hosts.cluster(progress=lambda _text: None))
